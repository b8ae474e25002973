//! A change of text files.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use similar::TextDiff;

use crate::code::{CodeSnapshot, RepoPath};
use crate::id::BlobId;
use crate::vcs::{FileEdit, NewContent};

/// A change of one or more text files of a commit. Every file really changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    files: BTreeMap<RepoPath, PatchFile>,
}

/// The change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchFile {
    before: Arc<str>,
    blob: BlobId,
    executable: bool,
    after: Arc<str>,
}

/// Text to put in place of a range of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The bytes to replace; an empty range inserts.
    pub range: Range<usize>,
    /// What to put there.
    pub text: String,
}

/// The change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// The file was not read.
    #[error("{path} is not among the files that were read")]
    UnknownFile {
        /// The file.
        path: RepoPath,
    },
    /// Ranges overlap, lie outside of the file or split a character.
    #[error("the ranges to replace in {path} overlap or do not fit the file")]
    BadRange {
        /// The file.
        path: RepoPath,
    },
    /// The file would stay as it is.
    #[error("{path} would not change")]
    NoChange {
        /// The file.
        path: RepoPath,
    },
}

impl Patch {
    /// Replaces ranges of one file.
    ///
    /// # Errors
    /// When the file was not read, the ranges do not fit, or nothing would change.
    pub fn replace(
        code: &CodeSnapshot,
        path: &RepoPath,
        mut parts: Vec<Replacement>,
    ) -> Result<Self, PatchError> {
        let file = code.file(path).ok_or_else(|| PatchError::UnknownFile { path: path.clone() })?;
        parts.sort_by_key(|part| (part.range.start, part.range.end));
        let mut after = String::with_capacity(file.text.len() + 64);
        let mut copied = 0;
        for part in &parts {
            let kept = file.text.get(copied..part.range.start);
            let valid = part.range.start <= part.range.end && file.text.get(part.range.clone()).is_some();
            let Some(kept) = kept.filter(|_| valid) else {
                return Err(PatchError::BadRange { path: path.clone() });
            };
            after.push_str(kept);
            after.push_str(&part.text);
            copied = part.range.end;
        }
        after.push_str(file.text.get(copied..).unwrap_or_default());
        if *after == *file.text {
            return Err(PatchError::NoChange { path: path.clone() });
        }
        let changed = PatchFile {
            before: Arc::clone(&file.text),
            blob: file.blob.clone(),
            executable: file.executable,
            after: after.into(),
        };
        Ok(Self { files: BTreeMap::from([(path.clone(), changed)]) })
    }

    /// The changed files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&RepoPath, &PatchFile)> {
        self.files.iter()
    }

    /// The paths of the changed files, sorted.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.files.keys().map(ToString::to_string).collect()
    }

    /// The unified diff with three lines of context, as `git apply` reads it. Made from the contents.
    #[must_use]
    pub fn diff(&self) -> String {
        self.files.iter().map(|(path, file)| file.diff(path)).collect()
    }

    /// Lines added and removed.
    #[must_use]
    pub fn line_counts(&self) -> (usize, usize) {
        self.files
            .values()
            .map(PatchFile::line_counts)
            .fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1))
    }

    /// The changes as a provider takes them.
    #[must_use]
    pub fn edits(&self) -> Vec<FileEdit> {
        let edit = |(path, file): (&RepoPath, &PatchFile)| FileEdit {
            path: path.clone(),
            before: Some(file.blob.clone()),
            after: Some(NewContent { bytes: file.after.as_bytes().to_vec(), executable: file.executable }),
        };
        self.files.iter().map(edit).collect()
    }
}

impl PatchFile {
    /// The content before.
    #[must_use]
    pub fn before(&self) -> &str {
        &self.before
    }

    /// The content before, as git names it.
    #[must_use]
    pub const fn blob(&self) -> &BlobId {
        &self.blob
    }

    /// The content after.
    #[must_use]
    pub fn after(&self) -> &str {
        &self.after
    }

    /// Whether the file is executable, before and after.
    #[must_use]
    pub const fn executable(&self) -> bool {
        self.executable
    }

    fn diff(&self, path: &RepoPath) -> String {
        let diff = TextDiff::from_lines(self.before(), self.after());
        let (old, new) = (quoted("a", path), quoted("b", path));
        format!("diff --git {old} {new}\n{}", diff.unified_diff().context_radius(3).header(&old, &new))
    }

    fn line_counts(&self) -> (usize, usize) {
        let diff = TextDiff::from_lines(self.before(), self.after());
        let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
        (count(similar::ChangeTag::Insert), count(similar::ChangeTag::Delete))
    }
}

/// The name as git writes it in a diff: quoted when it holds a quote or a character outside of ASCII.
fn quoted(side: &str, path: &RepoPath) -> String {
    use std::fmt::Write as _;
    if path.as_str().bytes().all(|b| (b' '..0x7f).contains(&b) && b != b'"') {
        return format!("{side}/{path}");
    }
    let mut text = format!("\"{side}/");
    for byte in path.as_str().bytes() {
        let _ = match byte {
            b'"' => write!(text, "\\\""),
            b' '..0x7f => write!(text, "{}", char::from(byte)),
            _ => write!(text, "\\{byte:03o}"),
        };
    }
    text.push('"');
    text
}
