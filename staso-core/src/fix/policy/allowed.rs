//! Which paths a policy allows, when it names some.

use super::{PathPolicy, PolicyViolation};
use crate::code::{RepoPath, is_test_file};

pub(super) fn check(policy: &PathPolicy, path: &RepoPath) -> Result<(), PolicyViolation> {
    let Some(patterns) = &policy.allowed else {
        return Ok(());
    };
    let named = patterns.iter().any(|pattern| matches(pattern, path.as_str()));
    if named || (policy.tests_allowed && is_test_file(path)) {
        return Ok(());
    }
    Err(PolicyViolation::new(
        "outside-allowed-paths",
        format!("{path} is not among the paths that may change"),
    ))
}

/// Whether the pattern names the path, or for a pattern without wildcards a directory above it.
fn matches(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    if pattern.contains(['*', '?']) {
        let wanted: Vec<&str> = pattern.split('/').collect();
        return wildcard(
            &wanted,
            &parts,
            |part| *part == "**",
            |wanted, part| {
                let (wanted, part): (Vec<char>, Vec<char>) =
                    (wanted.chars().collect(), part.chars().collect());
                wildcard(&wanted, &part, |c| *c == '*', |wanted, c| *wanted == '?' || wanted == c)
            },
        );
    }
    path == pattern || path.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('/'))
}

/// Matches a sequence in which some elements stand for any number of others. Steps back to the last such element only,
/// so it takes at most the product of both lengths.
fn wildcard<P, T>(
    pattern: &[P],
    text: &[T],
    is_star: impl Fn(&P) -> bool,
    equal: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(item) = text.get(t) {
        match pattern.get(p) {
            Some(wanted) if is_star(wanted) => {
                retry = Some((p, t));
                p += 1;
            }
            Some(wanted) if equal(wanted, item) => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((star, from)) => {
                    (p, t) = (star + 1, from + 1);
                    retry = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(is_star))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_files_directories_and_wildcards() {
        for (pattern, path, named) in [
            ("src", "src/a/b.py", true),
            ("src/", "src/a.py", true),
            ("src/a.py", "src/a.py", true),
            ("src", "src2/a.py", false),
            ("*.py", "a.py", true),
            ("*.py", "src/a.py", false),
            ("**/*.py", "src/x/a.py", true),
            ("**/*.py", "a.py", true),
            ("src/**", "src/x/a.py", true),
            ("src/**/t?st_*.py", "src/x/y/test_a.py", true),
            ("src/**/t?st_*.py", "src/x/y/tst_a.py", false),
            ("prompts/*", "prompts/de/a.txt", false),
        ] {
            assert_eq!(matches(pattern, path), named, "{pattern} {path}");
        }
    }
}
