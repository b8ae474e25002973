//! Which files a fix may change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Patch;
use crate::code::RepoPath;

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
        for (path, _) in patch.files() {
            check_path(path)?;
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
    } else if matches!(name, "setup.py" | "package.json" | "build.rs" | "makefile" | "sitecustomize.py")
        || name.starts_with("dockerfile")
    {
        "build-scripts"
    } else if name.starts_with(".env")
        || matches!(extension, "pem" | "key" | "p12" | "pfx")
        || name == "id_rsa"
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
            | "azure-pipelines.yml"
            | "bitbucket-pipelines.yml"
            | "jenkinsfile"
            | "appveyor.yml"
    )
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
