//! Paths that no fix touches, however they are written.

use staso_core::conformance::fixer::diagnosis_with;
use staso_core::fix::PathPolicy;

use super::world::rule;

const DENIED: &[(&str, &str)] = &[
    (".github/workflows/ci.yml", "ci-files"),
    (".github/dependabot.yml", "ci-files"),
    ("sub/.GitHub/CODEOWNERS", "ci-files"),
    (".GITHUB/actions/x/run.js", "ci-files"),
    (".gitlab-ci.yml", "ci-files"),
    (".gitlab/agents/a.yaml", "ci-files"),
    (".circleci/config.yml", "ci-files"),
    ("Jenkinsfile", "ci-files"),
    ("action.yml", "ci-files"),
    ("docs/CODEOWNERS", "code-owners"),
    (".husky/pre-commit", "hooks"),
    ("hooks/post-checkout", "hooks"),
    ("tools/pre-push.sh", "hooks"),
    (".pre-commit-config.yaml", "hooks"),
    (".gitattributes", "hooks"),
    ("sub/.gitmodules", "hooks"),
    ("Cargo.lock", "lock-files"),
    ("web/package-lock.json", "lock-files"),
    ("web/yarn.lock", "lock-files"),
    ("go.sum", "lock-files"),
    ("web/package.json", "build-scripts"),
    ("setup.py", "build-scripts"),
    ("tests/conftest.py", "build-scripts"),
    ("app/sitecustomize.py", "build-scripts"),
    ("usercustomize.py", "build-scripts"),
    ("lib/evil.pth", "build-scripts"),
    ("requirements-dev.txt", "build-scripts"),
    ("pyproject.toml", "build-scripts"),
    (".cargo/config.toml", "build-scripts"),
    ("build.rs", "build-scripts"),
    ("Makefile", "build-scripts"),
    ("rules.mk", "build-scripts"),
    ("Dockerfile.prod", "build-scripts"),
    ("app.dockerfile", "build-scripts"),
    ("docker-compose.override.yml", "build-scripts"),
    (".vscode/tasks.json", "build-scripts"),
    (".devcontainer/devcontainer.json", "build-scripts"),
    (".idea/runConfigurations/x.xml", "build-scripts"),
    ("jest.setup.ts", "build-scripts"),
    ("vitest.config.mts", "build-scripts"),
    ("scripts/install.sh", "build-scripts"),
    (".envrc", "build-scripts"),
    (".npmrc", "build-scripts"),
    (".env", "secrets"),
    (".env.production", "secrets"),
    ("prod.env", "secrets"),
    ("certs/server.PEM", "secrets"),
    ("keys/id_ed25519", "secrets"),
    (".ssh/config", "secrets"),
    (".aws/credentials", "secrets"),
    (".pypirc", "secrets"),
];

#[test]
fn files_that_steer_builds_reviews_and_secrets_are_neither_changed_nor_made() {
    let policy = PathPolicy::default();
    for (path, name) in DENIED {
        assert_eq!(rule(&policy, path, Some("a = 1\n"), "a = 2\n"), Some(*name), "{path}");
        assert_eq!(rule(&policy, path, None, "a = 2\n"), Some(*name), "new {path}");
    }
}

#[test]
fn another_spelling_of_a_denied_path_is_denied_too() {
    let policy = PathPolicy::default();
    for (path, name) in DENIED {
        let wide: String = path
            .chars()
            .map(|c| {
                if c.is_ascii_lowercase() { char::from_u32(u32::from(c) - 0x61 + 0xff41).unwrap() } else { c }
            })
            .collect();
        let (directory, file) = path.rsplit_once('/').map_or(("", *path), |(d, f)| (d, f));
        let slash = if directory.is_empty() { "" } else { "/" };
        for spelled in [
            path.to_uppercase(),
            wide,
            format!("{path}."),
            format!("{path} "),
            format!("{path}::$DATA"),
            format!("{directory}{slash}{}\u{200b}{}", file.get(..2).unwrap(), file.get(2..).unwrap()),
            directory.replace('/', " /") + slash + file,
        ] {
            // Written to a file that is there already, for a new one these names are refused before.
            assert_eq!(rule(&policy, &spelled, Some("a = 1\n"), "a = 2\n"), Some(*name), "{spelled:?}");
        }
    }
}

#[test]
fn files_of_the_program_may_change() {
    let policy = PathPolicy::default();
    for path in [
        "src/tools.py",
        "config.json",
        "prompts/reply.txt",
        "package/lock.py",
        "hook.py",
        "src/hooks/useCart.ts",
        "app/tasks.py",
        "docs/setup.md",
        "environment.py",
        "src/keys.rs",
        "tests/test_new.py",
        "github/client.py",
        "app/settings.toml",
        ".gitignore",
        "README.md",
    ] {
        assert_eq!(rule(&policy, path, Some("a = 1\n"), "a = 1\nb = 2\n"), None, "{path}");
        assert_eq!(rule(&policy, path, None, "a = 2\n"), None, "new {path}");
    }
}

#[test]
fn an_allow_list_allows_nothing_else_and_nothing_that_is_denied() {
    let policy = PathPolicy::default().with_allowed(["app/", "prompts/**/*.txt", ".github"]);
    let refused = |policy: &PathPolicy, path: &str| rule(policy, path, None, "a = 2\n");
    assert_eq!(refused(&policy, "app/x/tools.py"), None);
    assert_eq!(refused(&policy, "prompts/de/reply.txt"), None);
    assert_eq!(refused(&policy, "lib/x.py"), Some("outside-allowed-paths"));
    assert_eq!(refused(&policy, "tests/test_x.py"), Some("outside-allowed-paths"));
    assert_eq!(refused(&policy, ".github/workflows/x.yml"), Some("ci-files"));
    assert_eq!(refused(&policy.with_tests_allowed(), "tests/test_x.py"), None);
}

#[test]
fn the_files_of_a_diagnosis_and_tests_are_an_allow_list() {
    let mut diagnosis = diagnosis_with(Vec::new());
    let mut fix = diagnosis.suggested_fix.take().unwrap();
    fix.target_files = vec!["app/tools.py".to_owned()];
    diagnosis.suggested_fix = Some(fix);
    let policy = PathPolicy::default().with_diagnosed_files(&diagnosis);
    for (path, refused) in [
        ("app/tools.py", None),
        ("tests/test_tools.py", None),
        ("app/other.py", Some("outside-allowed-paths")),
    ] {
        assert_eq!(rule(&policy, path, None, "a = 2\n"), refused, "{path}");
    }
}

#[test]
fn a_policy_that_was_stored_before_allow_lists_is_still_read() {
    let stored = r#"{"max_files":1,"max_changed_lines":2,"max_diff_bytes":3}"#;
    let policy: PathPolicy = serde_json::from_str(stored).unwrap();
    assert_eq!((policy.max_files, policy.allowed, policy.tests_allowed), (1, None, false));
}
