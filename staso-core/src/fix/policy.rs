//! Which files a fix may change.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Patch, PatchFile};
use crate::code::RepoPath;
use crate::diagnosis::contains_secret;

/// Limits on the final change. Checked by code on the change itself, whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PathPolicy {
    /// Most files. Default 20.
    pub max_files: usize,
    /// Most lines added and removed together. Default 400.
    pub max_changed_lines: usize,
    /// Largest diff, in bytes. Default 64 KiB.
    pub max_diff_bytes: usize,
}

impl Default for PathPolicy {
    fn default() -> Self {
        Self { max_files: 20, max_changed_lines: 400, max_diff_bytes: 64 << 10 }
    }
}

/// A change that the policy refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy rule {rule} refuses the change: {reason}")]
pub struct PolicyViolation {
    /// The rule's lasting name.
    pub rule: &'static str,
    /// What it objects to.
    pub reason: String,
}

impl PathPolicy {
    /// Checks a whole change.
    ///
    /// # Errors
    /// The first rule that objects.
    pub fn check(&self, patch: &Patch) -> Result<(), PolicyViolation> {
        for (path, file) in patch.files() {
            check_path(path)?;
            check_assertions(path, file)?;
            check_secrets(path, file)?;
        }
        let files = patch.files().count();
        let (added, removed) = patch.line_counts();
        let diff_bytes = patch.diff().len();
        for (rule, value, limit, unit) in [
            ("max-files", files, self.max_files, "files"),
            ("max-changed-lines", added + removed, self.max_changed_lines, "changed lines"),
            ("max-diff-bytes", diff_bytes, self.max_diff_bytes, "bytes of diff"),
        ] {
            if value > limit {
                let reason = format!("{value} {unit} are more than the limit of {limit}");
                return Err(PolicyViolation { rule, reason });
            }
        }
        Ok(())
    }
}

/// Refuses a change that takes an assertion away or alters one, in whatever file: a fix must meet what is asserted.
fn check_assertions(path: &RepoPath, file: &PatchFile) -> Result<(), PolicyViolation> {
    let after = assertions(file.after());
    for (line, before) in assertions(file.before()) {
        if after.get(line).copied().unwrap_or(0) < before {
            let shown: String = line.chars().take(80).collect();
            let reason = format!("it removes or alters an assertion in {path}: {shown}");
            return Err(PolicyViolation { rule: "weakened-tests", reason });
        }
    }
    Ok(())
}

/// Refuses a change that writes what looks like a credential, and does not repeat it.
fn check_secrets(path: &RepoPath, file: &PatchFile) -> Result<(), PolicyViolation> {
    let before: BTreeSet<&str> = file.before().lines().collect();
    if file.after().lines().any(|line| !before.contains(line) && contains_secret(line)) {
        let reason = format!("an added line of {path} looks like a credential");
        return Err(PolicyViolation { rule: "secrets-in-diff", reason });
    }
    Ok(())
}

/// Lines that assert something, with how often each stands there.
fn assertions(text: &str) -> BTreeMap<&str, usize> {
    let mut found = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        let words = [
            "assert ",
            "assert(",
            ".assert",
            "assert!",
            "assert_",
            "raise AssertionError",
            "pytest.raises",
            "expect(",
        ];
        if words.iter().any(|word| line.starts_with(word) || (word.starts_with('.') && line.contains(word))) {
            *found.entry(line).or_insert(0) += 1;
        }
    }
    found
}

/// Refuses files that steer builds, reviews and secrets rather than the program.
fn check_path(path: &RepoPath) -> Result<(), PolicyViolation> {
    let lower = path.as_str().to_lowercase();
    let name = lower.rsplit('/').next().unwrap_or(&lower);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let below = |directory: &str| {
        lower.starts_with(&format!("{directory}/")) || lower.contains(&format!("/{directory}/"))
    };
    let rule = if below(".github")
        || below(".gitlab")
        || below(".circleci")
        || below(".buildkite")
        || below(".woodpecker")
        || is_ci_file(name)
    {
        "ci-files"
    } else if name == "codeowners" {
        "code-owners"
    } else if below(".husky")
        || below("hooks")
        || name.starts_with(".pre-commit")
        || name == ".gitmodules"
        || name == ".gitattributes"
    {
        "hooks"
    } else if is_lock_file(name) {
        "lock-files"
    } else if is_build_script(name) || below(".cargo") {
        "build-scripts"
    } else if name.starts_with(".env")
        || matches!(extension, "pem" | "key" | "p12" | "pfx")
        || matches!(name, "id_rsa" | "id_ed25519" | ".netrc")
    {
        "secrets"
    } else {
        return Ok(());
    };
    Err(PolicyViolation { rule, reason: format!("{path} is never changed by a fix") })
}

fn is_ci_file(name: &str) -> bool {
    matches!(
        name,
        ".gitlab-ci.yml"
            | ".travis.yml"
            | ".drone.yml"
            | "action.yml"
            | "appveyor.yml"
            | "azure-pipelines.yml"
            | "bitbucket-pipelines.yml"
            | "buildspec.yml"
            | "cloudbuild.yaml"
            | "jenkinsfile"
    )
}

/// Files that decide what a build or a test run executes.
fn is_build_script(name: &str) -> bool {
    matches!(
        name,
        "setup.py"
            | "setup.cfg"
            | "pyproject.toml"
            | "conftest.py"
            | "pytest.ini"
            | "tox.ini"
            | "noxfile.py"
            | "sitecustomize.py"
            | "usercustomize.py"
            | "package.json"
            | "build.rs"
            | "makefile"
            | "gnumakefile"
            | "cmakelists.txt"
            | "containerfile"
            | ".npmrc"
            | "pip.conf"
    ) || name.starts_with("dockerfile")
        || name.starts_with("docker-compose")
        || (name.starts_with("requirements") && name.ends_with(".txt"))
}

fn is_lock_file(name: &str) -> bool {
    name.ends_with(".lock")
        || matches!(
            name,
            "package-lock.json"
                | "pnpm-lock.yaml"
                | "npm-shrinkwrap.json"
                | "go.sum"
                | "uv.lock"
                | "poetry.lock"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{CodeSnapshot, SourceFile};
    use crate::fix::Replacement;
    use crate::id::{BlobId, CommitId, Digest};

    /// The rule that refuses to put `new` in place of `old` in a file.
    fn refused(path: &str, text: &str, old: &str, new: &str) -> Option<&'static str> {
        let path = RepoPath::new(path).unwrap();
        let mut code = CodeSnapshot::new(CommitId::new("a".repeat(40)).unwrap(), Vec::new(), false);
        let blob = BlobId::new(Digest::of(text).hex()).unwrap();
        code.insert(path.clone(), SourceFile { blob, text: text.into(), executable: false });
        let at = text.find(old).unwrap();
        let parts = vec![Replacement { range: at..at + old.len(), text: new.to_owned() }];
        PathPolicy::default()
            .check(&Patch::replace(&code, &path, parts).unwrap())
            .err()
            .map(|found| found.rule)
    }

    #[test]
    fn files_that_steer_builds_reviews_and_secrets_are_never_changed() {
        for (path, rule) in [
            (".github/workflows/ci.yml", "ci-files"),
            ("sub/.GitHub/CODEOWNERS", "ci-files"),
            (".gitlab-ci.yml", "ci-files"),
            ("docs/CODEOWNERS", "code-owners"),
            (".husky/pre-commit", "hooks"),
            (".gitattributes", "hooks"),
            ("Cargo.lock", "lock-files"),
            ("web/package-lock.json", "lock-files"),
            ("setup.py", "build-scripts"),
            ("tests/conftest.py", "build-scripts"),
            ("requirements-dev.txt", "build-scripts"),
            (".cargo/config.toml", "build-scripts"),
            ("Dockerfile.prod", "build-scripts"),
            (".env.production", "secrets"),
            ("certs/server.PEM", "secrets"),
        ] {
            assert_eq!(refused(path, "a = 1\n", "1", "2"), Some(rule), "{path}");
        }
        for path in ["src/tools.py", "config.json", "prompts/reply.txt", "package/lock.py", "hook.py"] {
            assert_eq!(refused(path, "a = 1\n", "1", "2"), None, "{path}");
        }
    }

    #[test]
    fn assertions_are_neither_removed_nor_altered() {
        let text =
            "def f(x):\n    return x\n\ndef check():\n    assert f(1) == 2\n    self.assertEqual(f(2), 3)\n";
        assert_eq!(refused("a.py", text, "    assert f(1) == 2\n", ""), Some("weakened-tests"));
        assert_eq!(refused("a.py", text, "== 2", "== 1"), Some("weakened-tests"));
        assert_eq!(refused("a.py", text, "f(2), 3", "f(2), 2"), Some("weakened-tests"));
        assert_eq!(refused("a.py", text, "return x", "return x + 1"), None);
        assert_eq!(refused("a.py", text, "def check", "def extra():\n    assert True\n\ndef check"), None);
    }

    #[test]
    fn credentials_are_not_written_into_a_repository() {
        let token = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0".repeat(2));
        assert_eq!(refused("a.py", "key = None\n", "None", &format!("'{token}'")), Some("secrets-in-diff"));
        let kept = format!("key = '{token}'\nn = 1\n");
        assert_eq!(
            refused("a.py", &kept, "n = 1", "n = 2"),
            None,
            "what was there before is not ours to judge"
        );
    }

    #[test]
    fn large_changes_are_refused() {
        let long = "x\n".repeat(401);
        assert_eq!(refused("a.txt", "a\n", "a", &long), Some("max-changed-lines"));
        assert_eq!(refused("a.txt", "a\n", "a", &"x".repeat(70_000)), Some("max-diff-bytes"));
    }
}
