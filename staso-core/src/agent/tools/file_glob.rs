//! The `glob` argument: which files a model asks for.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::problem::problem;
use crate::agent::{ToolError, ToolProblemCode};

const MAX_CHARS: usize = 500;

/// A pattern as `.gitignore` writes them, with `{a,b}` beside: `*.py` anywhere, `src/**/*.py` from the root.
#[derive(Debug)]
pub(super) struct FileGlob(Gitignore);

impl FileGlob {
    /// Reads a pattern.
    pub(super) fn new(pattern: &str) -> Result<Self, ToolError> {
        let bad = |why: String| {
            problem(
                ToolProblemCode::BadArgs,
                format!("the glob cannot be used: {why}"),
                "write e.g. *.py or src/**/*.{ts,tsx}",
            )
        };
        if pattern.chars().count() > MAX_CHARS {
            return Err(bad(format!("it is longer than {MAX_CHARS} characters")));
        }
        if pattern.starts_with(['!', '#']) || pattern.contains('\n') || pattern.trim().is_empty() {
            return Err(bad("it names no files".to_owned()));
        }
        let mut builder = GitignoreBuilder::new("");
        builder.add_line(None, pattern).map_err(|error| bad(error.to_string()))?;
        builder.build().map(Self).map_err(|error| bad(error.to_string()))
    }

    /// Whether a file is asked for: by its path, or by its path below the directory that is looked at.
    pub(super) fn matches(&self, path: &str, below: &str) -> bool {
        self.0.matched(path, false).is_ignore() || self.0.matched(below, false).is_ignore()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_gitignore() {
        let matches = |pattern: &str, path: &str| FileGlob::new(pattern).unwrap().matches(path, "x");
        assert!(matches("*.py", "a/b/c.py"));
        assert!(matches("src/**/*.{ts,tsx}", "src/a/b.tsx") && matches("src/**/*.ts", "src/b.ts"));
        assert!(!matches("src/*.py", "src/a/b.py") && !matches("*.py", "a.pyc"));
        assert!(FileGlob::new("src/*.py").unwrap().matches("lib/src/a.py", "src/a.py"));
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_a_problem() {
        for pattern in ["", "!a", "a\nb", "a{b", "[z-a]", &"a".repeat(501)] {
            assert!(matches!(FileGlob::new(pattern), Err(ToolError::Problem(_))), "{pattern:?}");
        }
    }
}
