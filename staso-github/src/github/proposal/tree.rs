//! The tree of a commit, as far as a change needs it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use git2::{ObjectType, Oid};
use serde::Deserialize;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::vcs::{ChangeSet, FileEdit, NewContent, VcsError};

use super::check::lfs;
use super::target::Target;
use crate::error;
use crate::git::{GitRepository, holds_lfs_pointer};
use crate::github::client::{ApiRequest, clean};

const OPERATION: &str = "reading a tree";
const TREE: &str = "040000";
const FILE: &str = "100644";
const EXECUTABLE: &str = "100755";
const SYMLINK: &str = "120000";
const SUBMODULE: &str = "160000";
/// Directories that are read one by one where GitHub does not list the whole tree at once.
const MAX_DIRECTORIES: usize = 200;
/// Sizes that a pointer to Git LFS has, in bytes.
const LFS_POINTER_BYTES: std::ops::RangeInclusive<u64> = 100..=1024;

/// Everything in the directories that hold a changed file. The directories themselves are left out: what they hold says
/// whether two trees differ.
#[derive(Debug, Clone)]
pub(super) struct Listing(BTreeMap<String, Entry>);

#[derive(Debug, Clone)]
struct Entry {
    mode: String,
    id: String,
    size: Option<u64>,
    /// Whether it stands for a file that Git LFS keeps, where that was looked at.
    is_lfs_pointer: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct TreeAnswer {
    tree: Vec<EntryAnswer>,
    #[serde(default)]
    truncated: bool,
}

#[derive(Debug, Deserialize)]
struct EntryAnswer {
    path: String,
    mode: String,
    sha: String,
    size: Option<u64>,
}

impl Entry {
    fn is_file(&self) -> bool {
        [FILE, EXECUTABLE].contains(&self.mode.as_str())
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
        let whole = tree(target, commit.as_str(), true, ctx).await?;
        let whole = whole.ok_or_else(|| VcsError::CommitNotFound {
            commit: commit.clone(),
            url: target.name.url.clone(),
        })?;
        let mut listing = Self(BTreeMap::new());
        if !whole.truncated {
            listing.add("", whole.tree, &needed);
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
            let missing = || {
                let reason = format!("{} is missing", clean(&id));
                VcsError::BadAnswer { operation: OPERATION, reason }
            };
            let found = tree(target, &id, false, ctx).await?.ok_or_else(missing)?;
            open.extend(listing.add(&directory, found.tree, &needed));
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
            let entries = tree.iter().map(|entry| EntryAnswer {
                path: String::from_utf8_lossy(entry.name_bytes()).into_owned(),
                mode: format!("{:06o}", entry.filemode_raw()),
                sha: entry.id().to_string(),
                size: odb.read_header(entry.id()).ok().and_then(|(size, _)| u64::try_from(size).ok()),
            });
            for (path, id) in listing.add(&directory, entries.collect(), &needed) {
                let found = Oid::from_str(&id).and_then(|id| repository.git().find_tree(id));
                open.push_back((path, found.map_err(fail)?));
            }
        }
        for edit in &changes.edits {
            if let Some(entry) = listing.0.get_mut(edit.path.as_str()).filter(|entry| entry.is_file()) {
                let id = Oid::from_str(&entry.id).map_err(fail)?;
                entry.is_lfs_pointer = Some(holds_lfs_pointer(repository, id)?);
            }
        }
        Ok(listing)
    }

    /// The id of the tree as a whole. What is not listed has no part in it: it stands below directories that are.
    pub(super) fn id(&self) -> Result<String, VcsError> {
        let mut directories: BTreeMap<&str, Vec<(&str, &str, Oid)>> = BTreeMap::from([("", Vec::new())]);
        for (path, entry) in &self.0 {
            for directory in ancestors(path) {
                directories.entry(directory).or_default();
            }
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
            let id = Oid::from_str(&entry.id).map_err(|error| error::backend(OPERATION, error))?;
            directories.entry(directory).or_default().push((name, &entry.mode, id));
        }
        // What is below a directory sorts after it, so that the last one is whole.
        while let Some((directory, entries)) = directories.pop_last() {
            let id = tree_id(entries)?;
            if directory.is_empty() {
                return Ok(id.to_string());
            }
            let (parent, name) = directory.rsplit_once('/').unwrap_or(("", directory));
            directories.entry(parent).or_default().push((name, TREE, id));
        }
        Err(error::backend(OPERATION, "no directories"))
    }

    /// Adds what was found below a directory; the needed directories are handed back.
    fn add(&mut self, below: &str, entries: Vec<EntryAnswer>, needed: &Needed) -> Vec<(String, String)> {
        let mut directories = Vec::new();
        for entry in entries {
            let path = if below.is_empty() { entry.path } else { format!("{below}/{}", entry.path) };
            if entry.mode == TREE && needed.0.contains(&path) {
                directories.push((path, entry.sha));
            } else if needed.0.contains(path.rsplit_once('/').map_or("", |(directory, _)| directory)) {
                let EntryAnswer { mode, sha: id, size, .. } = entry;
                self.0.insert(path, Entry { mode, id, size, is_lfs_pointer: None });
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
                let size = Some(new.bytes.len() as u64);
                let (mode, id) = (mode(new.executable).to_owned(), blob_id(new)?);
                let entry = Entry { mode, id, size, is_lfs_pointer: None };
                after.0.insert(edit.path.as_str().to_owned(), entry);
            }
        }
        Ok(Some(after))
    }

    /// Whether nothing differs.
    pub(super) fn is(&self, other: &Self) -> bool {
        let of = |listing: &Self| {
            listing
                .0
                .iter()
                .map(|(path, entry)| [path, &entry.mode, &entry.id].map(Clone::clone))
                .collect::<Vec<_>>()
        };
        of(self) == of(other)
    }

    /// Whether the file of an edit is a regular one before and after, so that only its content changes.
    pub(super) fn is_regular(&self, edit: &FileEdit) -> bool {
        let before = self.0.get(edit.path.as_str()).is_none_or(|entry| entry.mode == FILE);
        before && edit.after.as_ref().is_none_or(|new| !new.executable)
    }

    /// The blob of an edit's file when it may be a pointer to Git LFS: nobody has looked, and it is that small.
    pub(super) fn possible_lfs_pointer(&self, edit: &FileEdit) -> Option<&str> {
        let entry = self.0.get(edit.path.as_str()).filter(|entry| entry.is_lfs_pointer.is_none())?;
        entry.size.is_some_and(|size| LFS_POINTER_BYTES.contains(&size)).then_some(entry.id.as_str())
    }

    fn fit(&self, edit: &FileEdit) -> Result<Fit, VcsError> {
        let path = edit.path.as_str();
        if let Some(in_the_way) = ancestors(path).find(|ancestor| self.0.contains_key(*ancestor)) {
            return Err(VcsError::InvalidChange { reason: format!("{in_the_way} is no directory") });
        }
        let current = self.0.get(path);
        let refuse =
            |what: &str| Err(VcsError::InvalidChange { reason: format!("{path} is {what}, not a file") });
        match current.map(|entry| entry.mode.as_str()) {
            Some(TREE) => return refuse("a directory"),
            Some(SYMLINK) => return refuse("a symbolic link"),
            Some(SUBMODULE) => return refuse("another repository"),
            _ => {}
        }
        if current.is_some_and(|entry| entry.is_lfs_pointer == Some(true)) {
            return Err(lfs(&edit.path));
        }
        let current = current.map(|entry| (entry.id.as_str(), entry.mode == EXECUTABLE));
        let wanted = edit.after.as_ref().map(|new| Ok::<_, VcsError>((blob_id(new)?, new.executable)));
        let wanted = wanted.transpose()?;
        let is_done = current == wanted.as_ref().map(|(id, executable)| (id.as_str(), *executable));
        Ok(if is_done {
            Fit::Done
        } else if current.map(|(id, _)| id) == edit.before.as_ref().map(staso_core::id::BlobId::as_str) {
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

async fn tree(
    target: Target<'_>,
    id: &str,
    recursive: bool,
    ctx: &RunContext,
) -> Result<Option<TreeAnswer>, VcsError> {
    let mut request = ApiRequest::get(OPERATION, target.path(&format!("git/trees/{id}")));
    if recursive {
        request = request.with_query("recursive", "1");
    }
    target.find(request, ctx).await
}

/// The name of a directory with these entries, as git stores it.
fn tree_id(mut entries: Vec<(&str, &str, Oid)>) -> Result<Oid, VcsError> {
    // git sorts as if the names of directories ended with a slash.
    entries.sort_by_cached_key(|(name, mode, _)| format!("{name}{}", if *mode == TREE { "/" } else { "" }));
    let mut bytes = Vec::new();
    for (name, mode, id) in entries {
        bytes.extend_from_slice(format!("{} {name}\0", mode.trim_start_matches('0')).as_bytes());
        bytes.extend_from_slice(id.as_bytes());
    }
    Oid::hash_object(ObjectType::Tree, &bytes).map_err(|error| error::backend(OPERATION, error))
}

/// How git writes the mode of a file.
pub(super) const fn mode(executable: bool) -> &'static str {
    if executable { EXECUTABLE } else { FILE }
}

/// The content as git names it.
pub(super) fn blob_id(new: &NewContent) -> Result<String, VcsError> {
    Oid::hash_object(ObjectType::Blob, &new.bytes)
        .map(|oid| oid.to_string())
        .map_err(|error| error::backend("hashing a file", error))
}

/// The directories that hold `path`, outermost first.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}
