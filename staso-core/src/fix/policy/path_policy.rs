//! The [`PathPolicy`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PolicyViolation, allowed, assertions, denied, secrets, shadows, tests_kept};
use crate::diagnosis::Diagnosis;
use crate::fix::Patch;
use crate::redaction::Redactor;

/// Limits on the final change. Checked by code on the change itself, whoever wrote it. Deleting files, links, changed
/// modes and binary content need no rule: no [`Patch`] holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PathPolicy {
    /// Most files. Default 20.
    pub max_files: usize,
    /// Most lines added and removed together. Default 400.
    pub max_changed_lines: usize,
    /// Largest diff, in bytes. Default 64 KiB.
    pub max_diff_bytes: usize,
    /// Patterns of paths, one of which every changed file must match. Default `None`: every path that no rule denies.
    #[serde(default)]
    pub allowed: Option<Vec<String>>,
    /// Whether test files may change as well, when [`allowed`](Self::allowed) is set. Default `false`.
    #[serde(default)]
    pub tests_allowed: bool,
}

impl Default for PathPolicy {
    fn default() -> Self {
        Self {
            max_files: 20,
            max_changed_lines: 400,
            max_diff_bytes: 64 << 10,
            allowed: None,
            tests_allowed: false,
        }
    }
}

impl PathPolicy {
    /// Allows only paths that match one of the patterns, beside those allowed before. A pattern without `*` and `?` is
    /// a file or a directory with all below it; `*` and `?` stand for characters of one part, `**` for any number of
    /// parts. What a rule denies stays denied.
    #[must_use]
    pub fn with_allowed<S: Into<String>>(mut self, patterns: impl IntoIterator<Item = S>) -> Self {
        self.allowed.get_or_insert_default().extend(patterns.into_iter().map(Into::into));
        self
    }

    /// Allows test files too, beside what [`with_allowed`](Self::with_allowed) names.
    #[must_use]
    pub const fn with_tests_allowed(mut self) -> Self {
        self.tests_allowed = true;
        self
    }

    /// Allows only the files that the diagnosis wants changed, and tests.
    #[must_use]
    pub fn with_diagnosed_files(self, diagnosis: &Diagnosis) -> Self {
        let files = diagnosis.suggested_fix.iter().flat_map(|fix| &fix.target_files);
        self.with_allowed(files.cloned()).with_tests_allowed()
    }

    /// Checks a whole change with the default [`Redactor`].
    ///
    /// # Errors
    /// The first rule that objects.
    pub fn check(&self, patch: &Patch) -> Result<(), PolicyViolation> {
        self.check_with(patch, &Redactor::default())
    }

    /// Checks a whole change, also for the credentials that `redactor` knows.
    ///
    /// # Errors
    /// The first rule that objects.
    pub fn check_with(&self, patch: &Patch, redactor: &Redactor) -> Result<(), PolicyViolation> {
        for (path, file) in patch.files() {
            denied::check(path)?;
            shadows::check(path, file)?;
            allowed::check(self, path)?;
        }
        // Before the rules that read contents, so that those have little to read.
        self.check_size(patch)?;
        for (path, file) in patch.files() {
            assertions::check(path, file)?;
            tests_kept::check(path, file)?;
            secrets::check_file(path, file, redactor)?;
        }
        Ok(())
    }

    /// Checks a text that leaves with a change: a title, a body, a message, the name of a branch. `what` names it.
    ///
    /// # Errors
    /// When it holds a credential, which the error does not repeat.
    pub fn check_text(what: &str, text: &str, redactor: &Redactor) -> Result<(), PolicyViolation> {
        secrets::check_text(what, text, redactor)
    }

    fn check_size(&self, patch: &Patch) -> Result<(), PolicyViolation> {
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
                return Err(PolicyViolation::new(rule, reason));
            }
        }
        Ok(())
    }
}
