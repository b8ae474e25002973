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
    /// The surroundings of the change differ.
    #[error("the lines around the change in {path} are not there exactly once")]
    Conflict {
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

    /// The same change on another commit. Every changed stretch, with three lines around it, must stand there exactly
    /// once; nothing is guessed.
    ///
    /// # Errors
    /// [`PatchError::Conflict`] when a stretch is not there or stands there twice, [`PatchError::UnknownFile`] when a
    /// file was not read, [`PatchError::NoChange`] when the wanted text is already there.
    pub fn rebase(&self, code: &CodeSnapshot) -> Result<Self, PatchError> {
        let mut files = BTreeMap::new();
        for (path, file) in &self.files {
            let target = code.file(path).ok_or_else(|| PatchError::UnknownFile { path: path.clone() })?;
            let after = if target.blob == file.blob {
                Arc::clone(&file.after)
            } else {
                file.transplant(&target.text).ok_or_else(|| PatchError::Conflict { path: path.clone() })?
            };
            if *after == *target.text {
                return Err(PatchError::NoChange { path: path.clone() });
            }
            let moved = PatchFile {
                before: Arc::clone(&target.text),
                blob: target.blob.clone(),
                executable: target.executable,
                after,
            };
            files.insert(path.clone(), moved);
        }
        Ok(Self { files })
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

    /// Makes the same change in another text of the file.
    fn transplant(&self, target: &str) -> Option<Arc<str>> {
        let diff = TextDiff::from_lines(self.before(), self.after());
        let mut text = target.to_owned();
        for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
            let side = |skip| -> String {
                hunk.iter_changes()
                    .filter(|change| change.tag() != skip)
                    .map(|change| change.value())
                    .collect()
            };
            let (old, new) = (side(similar::ChangeTag::Insert), side(similar::ChangeTag::Delete));
            let mut places = text.match_indices(&old);
            let (at, _) = places.next().filter(|(at, _)| {
                text.get(..*at).is_some_and(|head| head.is_empty() || head.ends_with('\n'))
            })?;
            if places.next().is_some() {
                return None;
            }
            text.replace_range(at..at + old.len(), &new);
        }
        Some(text.into())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::SourceFile;
    use crate::id::CommitId;

    fn code(text: &str) -> (CodeSnapshot, RepoPath) {
        let path = RepoPath::new("src/ä tool.py").unwrap();
        let mut code = CodeSnapshot::new(CommitId::new("a".repeat(40)).unwrap(), Vec::new(), false);
        let blob = BlobId::new(crate::id::Digest::of(text).hex()).unwrap();
        code.insert(path.clone(), SourceFile { blob, text: text.into(), executable: false });
        (code, path)
    }

    fn replace(text: &str, old: &str, new: &str) -> Result<Patch, PatchError> {
        let (code, path) = code(text);
        let start = text.find(old).unwrap();
        Patch::replace(
            &code,
            &path,
            vec![Replacement { range: start..start + old.len(), text: new.to_owned() }],
        )
    }

    #[test]
    fn a_patch_that_changes_nothing_or_splits_a_character_is_refused() {
        assert!(matches!(replace("a = 1\n", "1", "1"), Err(PatchError::NoChange { .. })));
        let (code, path) = code("ä = 1\n");
        for (start, end) in [(1, 2), (0, 99), (3, 2)] {
            let parts = vec![Replacement { range: start..end, text: "x".to_owned() }];
            assert!(matches!(Patch::replace(&code, &path, parts), Err(PatchError::BadRange { .. })));
        }
    }

    #[test]
    fn the_diff_names_the_file_as_git_does_and_keeps_a_missing_line_end() {
        let patch = replace("x\r\na = 1", "1", "2").unwrap();
        let diff = patch.diff();
        assert!(
            diff.starts_with("diff --git \"a/src/\\303\\244 tool.py\" \"b/src/\\303\\244 tool.py\"\n"),
            "{diff}"
        );
        assert!(
            diff.ends_with("-a = 1\n\\ No newline at end of file\n+a = 2\n\\ No newline at end of file\n"),
            "{diff}"
        );
        assert_eq!(patch.line_counts(), (1, 1));
    }

    #[test]
    fn a_change_moves_with_its_surroundings_and_conflicts_without_them() {
        let before = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";
        let patch = replace(before, "four", "4").unwrap();
        let rebased = |text: &str| patch.rebase(&code(text).0);
        let moved = rebased(&format!("# new\n{before}# end\n")).unwrap();
        let after = moved.files().next().unwrap().1.after().to_owned();
        assert_eq!(after, "# new\none\ntwo\nthree\n4\nfive\nsix\nseven\neight\n# end\n");
        let conflict =
            |text: &str| assert!(matches!(rebased(text), Err(PatchError::Conflict { .. })), "{text}");
        conflict(&before.replace("three", "3"));
        conflict(&format!("{before}{before}"));
        conflict(&before.replace("four", "4"));
    }
}
