//! Which files hold tests. One answer for the policy, the fixers and the kind of a change.

use super::RepoPath;

/// Whether a file holds tests, by its name or the directory it lies in.
pub(crate) fn is_test_file(path: &RepoPath) -> bool {
    let directories = ["test", "tests", "__tests__", "spec", "specs", "e2e"];
    let mut parts = path.components().rev();
    let name = parts.next().unwrap_or_default();
    let lower = name.to_lowercase();
    let stem = lower.split('.').next().unwrap_or_default();
    let java = name.split('.').next().is_some_and(|stem| stem.ends_with("Test") || stem.ends_with("Tests"));
    lower == "conftest.py"
        || stem.starts_with("test_")
        || stem == "test"
        || stem == "tests"
        || stem.ends_with("_test")
        || stem.ends_with("_tests")
        || stem.ends_with("_spec")
        || lower.contains(".test.")
        || lower.contains(".spec.")
        || java
        || parts.any(|part| directories.contains(&part.to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_known_by_its_name_or_directory() {
        for (path, expected) in [
            ("tests/test_total.py", true),
            ("src/total_test.go", true),
            ("conftest.py", true),
            ("src/Total.Test.ts", true),
            ("src/total.spec.js", true),
            ("app/TotalTest.java", true),
            ("__tests__/total.js", true),
            ("spec/total_spec.rb", true),
            ("E2E/flow.ts", true),
            ("src/tests.rs", true),
            ("src/contest.py", false),
            ("src/latest/total.py", false),
            ("src/attestation.rs", false),
            ("src/testing/total.rs", false),
        ] {
            assert_eq!(is_test_file(&RepoPath::new(path).unwrap()), expected, "{path}");
        }
    }
}
