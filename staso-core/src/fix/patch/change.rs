//! A change of text files.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{PatchError, PatchFile, changes, unified};
use crate::code::{CodeSnapshot, RepoPath};
use crate::sandbox::SessionChange;
use crate::vcs::FileEdit;

/// A change of one or more text files of a commit. Every file really changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    files: BTreeMap<RepoPath, PatchFile>,
}

/// Text to put in place of a range of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The bytes to replace; an empty range inserts.
    pub range: Range<usize>,
    /// What to put there.
    pub text: String,
}

impl Patch {
    /// Largest content of one file, in bytes.
    pub const MAX_FILE_BYTES: usize = 1 << 20;
    /// Most files that a session may leave changed.
    pub const MAX_FILES: usize = 1_000;

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
        let changed = PatchFile::changed(file.clone(), after.into());
        Ok(Self { files: BTreeMap::from([(path.clone(), changed)]) })
    }

    /// What a session did to its checkout of `base`: other content of text files that were read, and new text files.
    /// Files that were written but stayed the same are left out.
    ///
    /// # Errors
    /// Everything else that a session can do to a checkout has an error of its own: links, deletions, changed modes,
    /// new programs, content that is no text, files that `base` did not read, and new names that some file system takes
    /// for others. [`PatchError::Empty`] when nothing is left. When the tree of `base` was cut, a path that it lacks
    /// counts as new; the provider refuses it if it is not.
    pub fn from_changes(
        base: &CodeSnapshot,
        changes: &BTreeMap<RepoPath, SessionChange>,
    ) -> Result<Self, PatchError> {
        let files = changes::collect(base, changes)?;
        if files.is_empty() { Err(PatchError::Empty) } else { Ok(Self { files }) }
    }

    /// The same change on another commit. Every changed stretch, with three lines around it, must stand there exactly
    /// once; nothing is guessed. Files that already have the wanted content are left out.
    ///
    /// # Errors
    /// [`PatchError::Conflict`] when a stretch is not there or stands there twice, or a new file is there with other
    /// content, [`PatchError::UnknownFile`] when a file was not read, [`PatchError::Collision`] when a new file's name
    /// is taken by another, [`PatchError::NoChange`] when all of the wanted text is already there.
    pub fn rebase(&self, code: &CodeSnapshot) -> Result<Self, PatchError> {
        let mut files = BTreeMap::new();
        let mut same = None;
        for (path, file) in &self.files {
            let target = match code.file(path) {
                Some(target) => target,
                None if file.is_new() && !changes::is_there(code, path) => {
                    files.insert(path.clone(), file.clone());
                    continue;
                }
                None => return Err(PatchError::UnknownFile { path: path.clone() }),
            };
            let after = file.onto(target).ok_or_else(|| PatchError::Conflict { path: path.clone() })?;
            if after == target.text {
                same = same.or(Some(path));
            } else {
                files.insert(path.clone(), PatchFile::changed(target.clone(), after));
            }
        }
        match same {
            Some(path) if files.is_empty() => Err(PatchError::NoChange { path: path.clone() }),
            _ => {
                changes::check_new_files(code.paths(), &files)?;
                Ok(Self { files })
            }
        }
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
        self.files.iter().map(|(path, file)| unified::diff(path, file)).collect()
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
        self.files.iter().map(|(path, file)| file.edit(path)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::SourceFile;
    use crate::id::{BlobId, CommitId};

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
        let there = rebased(&before.replace("four", "4"));
        assert!(matches!(there, Err(PatchError::NoChange { .. })));
    }
}
