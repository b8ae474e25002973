//! The [`PatchFile`].

use std::sync::Arc;

use similar::ChangeTag;

use super::unified::compare;
use crate::code::{RepoPath, SourceFile};
use crate::id::BlobId;
use crate::vcs::{FileEdit, NewContent};

/// The change of one file: other content, or a new file. Its mode stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchFile {
    before: Option<SourceFile>,
    after: Arc<str>,
}

impl PatchFile {
    pub(super) const fn changed(before: SourceFile, after: Arc<str>) -> Self {
        Self { before: Some(before), after }
    }

    pub(super) const fn created(after: Arc<str>) -> Self {
        Self { before: None, after }
    }

    /// Whether the change makes the file.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// The content before; empty for a new file.
    #[must_use]
    pub fn before(&self) -> &str {
        self.before.as_ref().map_or("", |file| &file.text)
    }

    /// The content before, as git names it; `None` for a new file.
    #[must_use]
    pub fn blob(&self) -> Option<&BlobId> {
        self.before.as_ref().map(|file| &file.blob)
    }

    /// The content after.
    #[must_use]
    pub fn after(&self) -> &str {
        &self.after
    }

    /// Whether the file is executable, before and after. A new file never is.
    #[must_use]
    pub fn executable(&self) -> bool {
        self.before.as_ref().is_some_and(|file| file.executable)
    }

    /// Runs of lines that were added, in order, each with its line ends. A replaced line counts as added.
    #[must_use]
    pub fn added_runs(&self) -> Vec<String> {
        let mut runs = Vec::new();
        let mut open = false;
        for change in compare(self.before(), self.after()).iter_all_changes() {
            match (change.tag(), open, runs.last_mut()) {
                (ChangeTag::Insert, true, Some(run)) => String::push_str(run, change.value()),
                (ChangeTag::Insert, ..) => runs.push(change.value().to_owned()),
                (ChangeTag::Delete, ..) => continue,
                (ChangeTag::Equal, ..) => {}
            }
            open = change.tag() == ChangeTag::Insert;
        }
        runs
    }

    /// Lines added and removed.
    #[must_use]
    pub fn line_counts(&self) -> (usize, usize) {
        let diff = compare(self.before(), self.after());
        let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
        (count(ChangeTag::Insert), count(ChangeTag::Delete))
    }

    pub(super) fn edit(&self, path: &RepoPath) -> FileEdit {
        FileEdit {
            path: path.clone(),
            before: self.blob().cloned(),
            after: Some(NewContent { bytes: self.after.as_bytes().to_vec(), executable: self.executable() }),
        }
    }

    /// The wanted content on top of `target`: as it is when that is what the change was made for, else transplanted.
    pub(super) fn onto(&self, target: &SourceFile) -> Option<Arc<str>> {
        match self.blob() {
            Some(blob) if *blob == target.blob => Some(Arc::clone(&self.after)),
            Some(_) if target.text == self.after => Some(Arc::clone(&self.after)),
            Some(_) => self.transplant(&target.text),
            None => (target.text == self.after).then(|| Arc::clone(&self.after)),
        }
    }

    /// Makes the same change in another text of the file.
    fn transplant(&self, target: &str) -> Option<Arc<str>> {
        let diff = compare(self.before(), self.after());
        let mut text = target.to_owned();
        for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
            let side = |skip| -> String {
                hunk.iter_changes()
                    .filter(|change| change.tag() != skip)
                    .map(|change| change.value())
                    .collect()
            };
            let (old, new) = (side(ChangeTag::Insert), side(ChangeTag::Delete));
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
}
