//! The tree of a commit, as far as a change needs it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use git2::{ObjectType, Oid};
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::vcs::{ChangeSet, FileEdit, NewContent, TreeEntryKind, VcsError};

use super::check::lfs;
use super::target::Target;
use crate::error;
use crate::git::{self, GitRepository, LFS_MAX_BYTES, holds_lfs_pointer};
use crate::github::tree::{Depth, Directory, Entry, encode};

const OPERATION: &str = "reading a tree";
const TREE: i32 = 0o040_000;
const FILE: i32 = 0o100_644;
const EXECUTABLE: i32 = 0o100_755;
/// Directories that are read one by one where GitHub does not list the whole tree at once.
const MAX_DIRECTORIES: usize = 200;
/// Smallest pointer to Git LFS, in bytes.
const LFS_MIN_BYTES: u64 = 100;

/// Everything in the directories that hold a changed file. The directories themselves are left out: what they hold says
/// whether two trees differ.
#[derive(Debug, Clone)]
pub(super) struct Listing(BTreeMap<String, Found>);

/// What is at a path.
#[derive(Debug, Clone)]
struct Found {
    mode: i32,
    id: Oid,
    size_bytes: u64,
    /// Whether it stands for a file that Git LFS keeps, where that was looked at.
    is_lfs_pointer: Option<bool>,
}

impl Found {
    const fn is_file(&self) -> bool {
        matches!(self.mode, FILE | EXECUTABLE)
    }
}

/// How an edit stands to a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// The tree has what the edit expects.
    Applies,
    /// The tree already has what the edit wants.
    Done,
    /// Neither.
    Conflicts,
}

impl Listing {
    /// Reads the tree of a commit: with one request, or where the tree is too large for that with one a directory.
    pub(super) async fn read(
        target: Target<'_>,
        commit: &CommitId,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<Self, VcsError> {
        let needed = Needed::of(changes);
        let missing = || VcsError::CommitNotFound { commit: commit.clone(), url: target.name.url.clone() };
        let list = async |id: &str, depth| {
            Directory::list(target.api, target.name, id, depth, ctx).await?.ok_or_else(missing)
        };
        let whole = list(commit.as_str(), Depth::All).await?;
        let mut listing = Self(BTreeMap::new());
        if !whole.truncated {
            listing.add("", whole.entries, &needed);
            return Ok(listing);
        }
        let mut open = VecDeque::from([(String::new(), commit.as_str().to_owned())]);
        let mut read = 0;
        while let Some((directory, id)) = open.pop_front() {
            read += 1;
            if read > MAX_DIRECTORIES {
                let what = "the number of directories with changed files".to_owned();
                return Err(VcsError::TooLarge { what, limit: MAX_DIRECTORIES.to_string() });
            }
            let found = list(&id, Depth::One).await?;
            found.check_whole()?;
            let below = listing.add(&directory, found.entries, &needed);
            open.extend(below.into_iter().map(|(path, id)| (path, id.to_string())));
        }
        Ok(listing)
    }

    /// Reads the tree of a commit that git brought here.
    pub(super) fn kept(
        repository: &GitRepository,
        commit: &CommitId,
        changes: &ChangeSet,
    ) -> Result<Self, VcsError> {
        let fail = |error| repository.fail(OPERATION, error);
        let needed = Needed::of(changes);
        let odb = repository.git().odb().map_err(fail)?;
        let root = repository.tree(commit)?;
        let mut listing = Self(BTreeMap::new());
        let mut open = VecDeque::from([(String::new(), root)]);
        while let Some((directory, tree)) = open.pop_front() {
            let size = |id| odb.read_header(id).map_or(0, |(size, _)| size as u64);
            let entries = tree.iter().map(|entry| Entry {
                path: String::from_utf8_lossy(entry.name_bytes()).into_owned(),
                mode: entry.filemode_raw(),
                id: entry.id(),
                size_bytes: if entry.kind() == Some(ObjectType::Blob) { size(entry.id()) } else { 0 },
            });
            for (path, id) in listing.add(&directory, entries.collect(), &needed) {
                open.push_back((path, repository.git().find_tree(id).map_err(fail)?));
            }
        }
        for edit in &changes.edits {
            if let Some(entry) = listing.0.get_mut(edit.path.as_str()).filter(|entry| entry.is_file()) {
                entry.is_lfs_pointer = Some(holds_lfs_pointer(repository, entry.id)?);
            }
        }
        Ok(listing)
    }

    /// The id of the tree as a whole. What is not listed has no part in it: it stands below directories that are.
    pub(super) fn id(&self) -> Result<String, VcsError> {
        let mut directories: BTreeMap<&str, Vec<(&str, i32, Oid)>> = BTreeMap::from([("", Vec::new())]);
        for (path, found) in &self.0 {
            for directory in ancestors(path) {
                directories.entry(directory).or_default();
            }
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
            directories.entry(directory).or_default().push((name, found.mode, found.id));
        }
        // What is below a directory sorts after it, so that the last one is whole.
        while let Some((directory, entries)) = directories.pop_last() {
            let id = Oid::hash_object(ObjectType::Tree, &encode(entries))
                .map_err(|error| error::backend(OPERATION, error))?;
            if directory.is_empty() {
                return Ok(id.to_string());
            }
            let (parent, name) = directory.rsplit_once('/').unwrap_or(("", directory));
            directories.entry(parent).or_default().push((name, TREE, id));
        }
        Err(error::backend(OPERATION, "no directories"))
    }

    /// Adds what was found below a directory; the needed directories are handed back.
    fn add(&mut self, below: &str, entries: Vec<Entry>, needed: &Needed) -> Vec<(String, Oid)> {
        let mut directories = Vec::new();
        for entry in entries {
            let path = if below.is_empty() { entry.path } else { format!("{below}/{}", entry.path) };
            if entry.mode == TREE && needed.0.contains(&path) {
                directories.push((path, entry.id));
            } else if needed.0.contains(path.rsplit_once('/').map_or("", |(directory, _)| directory)) {
                let Entry { mode, id, size_bytes, .. } = entry;
                self.0.insert(path, Found { mode, id, size_bytes, is_lfs_pointer: None });
            }
        }
        directories
    }

    /// The edits that are still to be made on this tree, the newest of `branch`.
    pub(super) fn open<'a>(
        &self,
        branch: &BranchName,
        changes: &'a ChangeSet,
    ) -> Result<Vec<&'a FileEdit>, VcsError> {
        let mut open = Vec::new();
        let mut conflicts = Vec::new();
        for edit in &changes.edits {
            match self.fit(edit)? {
                Fit::Applies => open.push(edit),
                Fit::Done => {}
                Fit::Conflicts => conflicts.push(edit.path.clone()),
            }
        }
        if !conflicts.is_empty() {
            return Err(VcsError::Conflict { branch: branch.clone(), paths: conflicts });
        }
        if open.is_empty() { Err(VcsError::NothingToPropose) } else { Ok(open) }
    }

    /// The tree after the changes; `None` when they do not fit.
    pub(super) fn with(&self, changes: &ChangeSet) -> Result<Option<Self>, VcsError> {
        let mut after = self.clone();
        for edit in &changes.edits {
            match self.fit(edit) {
                Ok(Fit::Conflicts) | Err(VcsError::InvalidChange { .. }) => return Ok(None),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
            after.0.remove(edit.path.as_str());
            if let Some(new) = &edit.after {
                let mode = if new.executable { EXECUTABLE } else { FILE };
                let (id, size_bytes) = (content_id(new)?, new.bytes.len() as u64);
                let found = Found { mode, id, size_bytes, is_lfs_pointer: None };
                after.0.insert(edit.path.to_string(), found);
            }
        }
        Ok(Some(after))
    }

    /// Whether nothing differs.
    pub(super) fn is(&self, other: &Self) -> bool {
        let of = |listing: &Self| -> Vec<_> {
            listing.0.iter().map(|(path, found)| (path.clone(), found.mode, found.id)).collect()
        };
        of(self) == of(other)
    }

    /// Whether the file of an edit is a regular one before and after, so that only its content changes.
    pub(super) fn is_regular(&self, edit: &FileEdit) -> bool {
        let before = self.0.get(edit.path.as_str()).is_none_or(|found| found.mode == FILE);
        before && edit.after.as_ref().is_none_or(|new| !new.executable)
    }

    /// The blob of an edit's file when it may be a pointer to Git LFS: nobody has looked, and it is that small.
    pub(super) fn possible_lfs_pointer(&self, edit: &FileEdit) -> Option<String> {
        let found = self.0.get(edit.path.as_str()).filter(|found| found.is_lfs_pointer.is_none())?;
        (LFS_MIN_BYTES..=LFS_MAX_BYTES).contains(&found.size_bytes).then(|| found.id.to_string())
    }

    fn fit(&self, edit: &FileEdit) -> Result<Fit, VcsError> {
        let path = edit.path.as_str();
        if let Some(in_the_way) = ancestors(path).find(|ancestor| self.0.contains_key(*ancestor)) {
            return Err(VcsError::InvalidChange { reason: format!("{in_the_way} is no directory") });
        }
        let current = self.0.get(path);
        let refuse =
            |what: &str| Err(VcsError::InvalidChange { reason: format!("{path} is {what}, not a file") });
        match current.map(|found| git::kind_of(found.mode)) {
            Some(None) => return refuse("a directory"),
            Some(Some(TreeEntryKind::Symlink)) => return refuse("a symbolic link"),
            Some(Some(TreeEntryKind::Submodule)) => return refuse("another repository"),
            _ => {}
        }
        if current.is_some_and(|found| found.is_lfs_pointer == Some(true)) {
            return Err(lfs(&edit.path));
        }
        let current = current.map(|found| (found.id, found.mode == EXECUTABLE));
        let wanted = edit.after.as_ref().map(|new| Ok::<_, VcsError>((content_id(new)?, new.executable)));
        let is_done = current == wanted.transpose()?;
        let before = edit.before.as_ref().map(staso_core::id::BlobId::as_str);
        Ok(if is_done {
            Fit::Done
        } else if current.map(|(id, _)| id.to_string()).as_deref() == before {
            Fit::Applies
        } else {
            Fit::Conflicts
        })
    }
}

/// The directories that hold a changed file, the root as an empty text.
struct Needed(BTreeSet<String>);

impl Needed {
    fn of(changes: &ChangeSet) -> Self {
        let mut directories = BTreeSet::from([String::new()]);
        for edit in &changes.edits {
            directories.extend(ancestors(edit.path.as_str()).map(str::to_owned));
        }
        Self(directories)
    }
}

/// How the API writes the mode of a file.
pub(super) const fn mode(executable: bool) -> &'static str {
    if executable { "100755" } else { "100644" }
}

/// The content as git names it.
pub(super) fn blob_id(new: &NewContent) -> Result<String, VcsError> {
    content_id(new).map(|id| id.to_string())
}

fn content_id(new: &NewContent) -> Result<Oid, VcsError> {
    Oid::hash_object(ObjectType::Blob, &new.bytes).map_err(|error| error::backend("hashing a file", error))
}

/// The directories that hold `path`, outermost first.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}
