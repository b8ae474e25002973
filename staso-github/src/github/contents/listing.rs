//! All files of a commit as the API lists them.

use std::sync::atomic::{AtomicUsize, Ordering};

use staso_core::code::RepoPath;
use staso_core::id::CommitId;
use staso_core::vcs::{Tree, TreeEntry, TreeEntryKind, VcsError};

use super::source::{Source, bad_answer};
use crate::git::blob_id;
use crate::github::tree::{Depth, Entry};

/// Requests for one listing: a repository so large that one answer does not hold it is read directory by directory.
pub(super) const MAX_REQUESTS: usize = 100;

/// The entries of a commit, sorted by path.
#[derive(Debug)]
pub(in crate::github) struct Listing {
    pub(super) entries: Vec<Entry>,
    /// Whether these are all.
    pub(super) complete: bool,
    /// Who wants up to so many entries gets no more by asking again.
    reach: usize,
    /// Files that were read one by one since.
    reads: AtomicUsize,
}

impl Listing {
    /// Asks for the entries of a commit: all of them, or at least `wanted` if there are more than one answer holds.
    pub(super) async fn fetch(
        source: &Source<'_>,
        commit: &CommitId,
        wanted: usize,
    ) -> Result<Self, VcsError> {
        let missing = || source.missing(commit);
        let whole = source.list(commit.as_str(), Depth::All).await?.ok_or_else(missing)?;
        match whole.truncated {
            false => Ok(Self::new(whole.entries, true, usize::MAX)),
            true if whole.entries.len() >= wanted => Ok(Self::enough(whole.entries)),
            true => walk(source, commit.as_str(), wanted).await,
        }
    }

    fn new(mut entries: Vec<Entry>, complete: bool, reach: usize) -> Self {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Self { entries, complete, reach, reads: AtomicUsize::new(0) }
    }

    /// As many as were wanted.
    fn enough(entries: Vec<Entry>) -> Self {
        let reach = entries.len();
        Self::new(entries, false, reach)
    }

    /// Takes the place of a shorter listing, whose reads still count.
    pub(super) fn instead_of(self, shorter: Option<&Self>) -> Self {
        let reads = shorter.map_or(0, |shorter| shorter.reads.load(Ordering::Relaxed));
        Self { reads: AtomicUsize::new(reads), ..self }
    }

    /// Whether asking for `wanted` entries would bring no more of them.
    pub(super) const fn reaches(&self, wanted: usize) -> bool {
        self.reach >= wanted
    }

    pub(super) fn get(&self, path: &str) -> Option<&Entry> {
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
        if entries.len() >= wanted {
            return Ok(Listing::enough(entries));
        }
        if requests == MAX_REQUESTS {
            return Ok(Listing::new(entries, false, usize::MAX));
        }
        requests += 1;
        let Some(part) = source.list(&id, depth).await? else {
            return Err(bad_answer(format!("the listed directory {prefix:?} is not there")));
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
    Ok(Listing::new(entries, complete, usize::MAX))
}
