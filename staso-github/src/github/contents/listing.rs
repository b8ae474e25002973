//! All files of a commit as the API lists them.

use std::sync::atomic::{AtomicUsize, Ordering};

use git2::Oid;
use staso_core::code::RepoPath;
use staso_core::id::{BlobId, CommitId};
use staso_core::vcs::{Tree, TreeEntry, TreeEntryKind, VcsError};

use super::source::{Depth, Source};
use crate::error;
use crate::git::{self, FoundFile};

/// Requests for one listing: a repository so large that one answer does not hold it is read directory by directory.
const MAX_REQUESTS: usize = 100;

/// One entry, directories included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// As the API spells it: any text.
    pub(super) path: String,
    pub(super) mode: i32,
    pub(super) id: Oid,
    /// Zero for what has no content of its own.
    pub(super) size_bytes: u64,
}

/// The entries of a commit, sorted by path.
#[derive(Debug)]
pub(in crate::github) struct Listing {
    pub(super) entries: Vec<Listed>,
    /// Whether these are all.
    pub(super) complete: bool,
    /// Files that were read one by one since.
    reads: AtomicUsize,
}

impl Listed {
    pub(super) const fn kind(&self) -> Option<TreeEntryKind> {
        git::kind_of(self.mode)
    }

    /// As a file; `None` for a directory.
    pub(super) fn found(&self) -> Result<Option<FoundFile>, VcsError> {
        let Some(kind) = self.kind() else { return Ok(None) };
        Ok(Some(FoundFile { kind, blob: blob_id(self.id)?, size_bytes: self.size_bytes }))
    }
}

impl Listing {
    /// Asks for the entries of a commit: all of them, or at least `wanted` if there are more than one answer holds.
    pub(super) async fn fetch(
        source: &Source<'_>,
        commit: &CommitId,
        wanted: usize,
    ) -> Result<Self, VcsError> {
        let missing = || source.missing(commit);
        let whole = source.tree(commit.as_str(), Depth::All).await?.ok_or_else(missing)?;
        if !whole.truncated {
            return Ok(Self::new(whole.entries, true));
        }
        if whole.entries.len() >= wanted {
            return Ok(Self::new(whole.entries, false));
        }
        walk(source, commit.as_str(), wanted).await
    }

    pub(super) fn new(mut entries: Vec<Listed>, complete: bool) -> Self {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Self { entries, complete, reads: AtomicUsize::new(0) }
    }

    pub(super) fn get(&self, path: &str) -> Option<&Listed> {
        let at = self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()?;
        self.entries.get(at)
    }

    /// Counts a file that is read alone. Says how many there were before.
    pub(super) fn count_read(&self) -> usize {
        self.reads.fetch_add(1, Ordering::Relaxed)
    }

    /// The files, at most `max_entries`.
    pub(super) fn tree(&self, max_entries: usize) -> Result<Tree, VcsError> {
        let mut tree = Tree { entries: Vec::new(), truncated: !self.complete, unusable_paths: 0 };
        for entry in &self.entries {
            let Ok(path) = RepoPath::new(&entry.path) else {
                tree.unusable_paths += usize::from(is_first_unusable(&entry.path));
                continue;
            };
            let Some(kind) = entry.kind() else { continue };
            if tree.entries.len() == max_entries {
                tree.truncated = true;
                break;
            }
            let is_file = matches!(kind, TreeEntryKind::File | TreeEntryKind::Executable);
            let size_bytes = is_file.then_some(entry.size_bytes);
            tree.entries.push(TreeEntry { path, kind, blob: blob_id(entry.id)?, size_bytes });
        }
        Ok(tree)
    }
}

/// A directory that cannot be used counts once, and not all that is in it.
fn is_first_unusable(path: &str) -> bool {
    path.rsplit_once('/').is_none_or(|(parent, _)| RepoPath::new(parent).is_ok())
}

/// Lists directory by directory, each with all that is below it where one answer holds that.
async fn walk(source: &Source<'_>, root: &str, wanted: usize) -> Result<Listing, VcsError> {
    let mut entries = Vec::new();
    let mut complete = true;
    let mut pending = vec![(String::new(), root.to_owned(), Depth::One)];
    let mut requests = 1;
    while let Some((prefix, id, depth)) = pending.pop() {
        if entries.len() >= wanted || requests >= MAX_REQUESTS {
            return Ok(Listing::new(entries, false));
        }
        requests += 1;
        let Some(part) = source.tree(&id, depth).await? else {
            return Err(super::source::bad_answer(format!("the listed directory {prefix:?} is not there")));
        };
        if part.truncated && depth == Depth::All {
            pending.push((prefix, id, Depth::One));
            continue;
        }
        complete &= !part.truncated;
        for mut entry in part.entries {
            entry.path.insert_str(0, &prefix);
            if depth == Depth::One && entry.kind().is_none() {
                pending.push((format!("{}/", entry.path), entry.id.to_string(), Depth::All));
            }
            entries.push(entry);
        }
    }
    Ok(Listing::new(entries, complete))
}

fn blob_id(id: Oid) -> Result<BlobId, VcsError> {
    BlobId::new(id.to_string()).map_err(|source| error::backend("naming a file", source))
}
