//! Paths that steer builds, reviews and secrets rather than the program.

use super::PolicyViolation;
use crate::code::RepoPath;
use crate::fix::patch::folded;
use crate::redaction::is_hidden;

pub(super) fn check(path: &RepoPath) -> Result<(), PolicyViolation> {
    let parts: Vec<String> = path.components().map(comparable).collect();
    let (Some(name), directories) = (parts.last(), parts.get(..parts.len() - 1).unwrap_or_default()) else {
        return Ok(());
    };
    let below = |names: &[&str]| directories.iter().any(|part| names.contains(&part.as_str()));
    let rule = if below(CI_DIRECTORIES) || CI_FILES.contains(&name.as_str()) {
        "ci-files"
    } else if name == "codeowners" {
        "code-owners"
    } else if below(HOOK_DIRECTORIES) || is_hook(name) {
        "hooks"
    } else if is_lock_file(name) {
        "lock-files"
    } else if below(BUILD_DIRECTORIES) || is_build_script(name) {
        "build-scripts"
    } else if below(SECRET_DIRECTORIES) || is_secret(name) {
        "secrets"
    } else {
        return Ok(());
    };
    Err(PolicyViolation::new(rule, format!("{path} is never changed by a fix")))
}

/// A name as the most forgiving file system compares it.
fn comparable(part: &str) -> String {
    let visible: String = part.chars().filter(|c| !is_hidden(*c) && !c.is_control()).collect();
    let stream = visible.split(':').next().unwrap_or_default();
    folded(stream).trim_end_matches(['.', ' ']).to_owned()
}

const CI_DIRECTORIES: &[&str] = &[
    ".github",
    ".gitlab",
    ".gitea",
    ".forgejo",
    ".circleci",
    ".buildkite",
    ".woodpecker",
    ".azure-pipelines",
    ".drone",
    ".semaphore",
    ".tekton",
    ".teamcity",
    ".jenkins",
    ".ci",
];

const CI_FILES: &[&str] = &[
    ".gitlab-ci.yml",
    ".gitlab-ci.yaml",
    ".travis.yml",
    ".drone.yml",
    ".cirrus.yml",
    ".woodpecker.yml",
    "action.yml",
    "action.yaml",
    "appveyor.yml",
    ".appveyor.yml",
    "azure-pipelines.yml",
    "azure-pipelines.yaml",
    "bitbucket-pipelines.yml",
    "buildspec.yml",
    "buildspec.yaml",
    "cloudbuild.yaml",
    "cloudbuild.yml",
    "circle.yml",
    "codefresh.yml",
    "jenkinsfile",
    "wercker.yml",
    "dependabot.yml",
    "renovate.json",
    ".renovaterc",
];

const HOOK_DIRECTORIES: &[&str] = &[".husky", ".githooks", "githooks", "git-hooks", ".lefthook"];

/// The hooks of `git help hooks`.
const GIT_HOOKS: &[&str] = &[
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "pre-receive",
    "post-receive",
    "post-update",
    "reference-transaction",
    "push-to-checkout",
    "pre-auto-gc",
    "post-rewrite",
    "sendemail-validate",
    "fsmonitor-watchman",
];

fn is_hook(name: &str) -> bool {
    let stem = name.split('.').find(|part| !part.is_empty()).unwrap_or(name);
    GIT_HOOKS.contains(&stem)
        || name.starts_with(".pre-commit")
        || matches!(
            name,
            ".gitmodules"
                | ".gitattributes"
                | ".gitconfig"
                | ".lfsconfig"
                | ".mailmap"
                | "lefthook.yml"
                | ".lefthook.yml"
        )
        || matches!(name, "gitmod~1" | "gi7eba~1" | "gitatt~1" | "gi7d29~1")
}

fn is_lock_file(name: &str) -> bool {
    name.ends_with(".lock")
        || name.ends_with(".lockfile")
        || name.ends_with(".lock.json")
        || matches!(
            name,
            "package-lock.json"
                | "pnpm-lock.yaml"
                | "npm-shrinkwrap.json"
                | "bun.lockb"
                | "go.sum"
                | "go.work.sum"
                | "gradle.lockfile"
                | "packages.lock.json"
                | "package.resolved"
                | "verification-metadata.xml"
        )
}

const BUILD_DIRECTORIES: &[&str] =
    &[".cargo", ".devcontainer", ".vscode", ".idea", ".mvn", ".yarn", ".claude", ".cursor", ".zed"];

const BUILD_FILES: &[&str] = &[
    // Python: what an install, an interpreter or a test run executes or obeys.
    "setup.py",
    "setup.cfg",
    "pyproject.toml",
    "conftest.py",
    "pytest.ini",
    ".pytest.ini",
    "tox.ini",
    "noxfile.py",
    "sitecustomize.py",
    "usercustomize.py",
    "pip.conf",
    "pip.ini",
    "pipfile",
    "hatch_build.py",
    "environment.yml",
    ".coveragerc",
    ".python-version",
    // JavaScript.
    "package.json",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    "bunfig.toml",
    "deno.json",
    "deno.jsonc",
    "binding.gyp",
    ".mocharc.json",
    ".mocharc.js",
    ".mocharc.cjs",
    ".mocharc.yml",
    "gulpfile.js",
    "gruntfile.js",
    ".pnpmfile.cjs",
    // Rust, Go, Java, Ruby, C.
    "build.rs",
    "cargo.toml",
    "rust-toolchain",
    "rust-toolchain.toml",
    "go.mod",
    "go.work",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "settings.gradle",
    "settings.gradle.kts",
    "gradlew",
    "gradlew.bat",
    "mvnw",
    "mvnw.cmd",
    "gradle.properties",
    "gemfile",
    "rakefile",
    "build.sbt",
    "makefile",
    "gnumakefile",
    "bsdmakefile",
    "cmakelists.txt",
    "configure",
    "configure.ac",
    "meson.build",
    "build",
    "build.bazel",
    "workspace",
    "workspace.bazel",
    "module.bazel",
    ".bazelrc",
    "justfile",
    ".justfile",
    "taskfile.yml",
    "taskfile.yaml",
    "earthfile",
    "dagger.json",
    // Machines and shells.
    "containerfile",
    "vagrantfile",
    "procfile",
    ".dockerignore",
    "compose.yml",
    "compose.yaml",
    ".envrc",
    "flake.nix",
    "shell.nix",
    "default.nix",
    ".tool-versions",
    "mise.toml",
    ".mise.toml",
    "install.sh",
    "install.ps1",
    "postinstall.js",
    "postinstall.sh",
    "preinstall.js",
    "preinstall.sh",
    ".bashrc",
    ".profile",
    ".zshrc",
];

/// Files that decide what an install, a build, a test run, a container or an editor executes by itself.
fn is_build_script(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let configures = |tool: &str| name.strip_prefix(tool).is_some_and(|rest| rest.starts_with('.'));
    BUILD_FILES.contains(&name)
        || matches!(extension, "pth" | "mk" | "gypi" | "gemspec" | "code-workspace")
        || name.starts_with("dockerfile")
        || name.ends_with(".dockerfile")
        || name.starts_with("docker-compose")
        || [
            "jest.config",
            "jest.setup",
            "vitest.config",
            "vitest.setup",
            "karma.conf",
            "playwright.config",
            "cypress.config",
            "babel.config",
        ]
        .into_iter()
        .any(configures)
        || ((name.starts_with("requirements") || name.starts_with("constraints"))
            && matches!(extension, "txt" | "in"))
}

const SECRET_DIRECTORIES: &[&str] = &[".ssh", ".gnupg", ".aws", ".kube", ".docker"];

fn is_secret(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    name == ".env"
        || name.starts_with(".env.")
        || name.ends_with(".env")
        || matches!(
            extension,
            "pem"
                | "key"
                | "p12"
                | "pfx"
                | "jks"
                | "keystore"
                | "kdbx"
                | "ppk"
                | "asc"
                | "gpg"
                | "tfvars"
                | "tfstate"
        )
        || matches!(
            name,
            "id_rsa"
                | "id_dsa"
                | "id_ecdsa"
                | "id_ed25519"
                | "authorized_keys"
                | "known_hosts"
                | ".netrc"
                | "_netrc"
                | ".pgpass"
                | ".pypirc"
                | ".htpasswd"
                | ".git-credentials"
                | "credentials.json"
                | "service-account.json"
                | "secrets.yml"
                | "secrets.yaml"
                | "secrets.json"
                | "secrets.toml"
        )
}
