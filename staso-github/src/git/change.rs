//! A change set on a tree: does it fit, and what does it make.

use std::collections::BTreeSet;
use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{ErrorCode, FileMode, MergeOptions, Oid, Tree};
use staso_core::code::RepoPath;
use staso_core::id::{BlobId, BranchName, CommitId};
use staso_core::vcs::{ChangeSet, FileEdit, TreeEntryKind, VcsError};

use super::read::holds_lfs_pointer;
use super::repository::GitRepository;
use super::walk::kind;
use crate::limits::GitLimits;

/// How an edit stands to a tree.
enum Fit {
    /// The tree has what the edit expects.
    Applies,
    /// The tree already has what the edit wants.
    Done,
    /// Neither.
    Conflicts,
}

/// Refuses what no commit can carry, before anything is written.
pub(crate) fn check(changes: &ChangeSet, limits: &GitLimits) -> Result<(), VcsError> {
    let invalid = |reason: String| Err(VcsError::InvalidChange { reason });
    if changes.edits.is_empty() {
        return Err(VcsError::NothingToPropose);
    }
    if changes.edits.len() > limits.proposal_files {
        return Err(too_large("the number of changed files", limits.proposal_files.to_string()));
    }
    let bytes: u64 =
        changes.edits.iter().filter_map(|edit| edit.after.as_ref()).map(|new| new.bytes.len() as u64).sum();
    if bytes > limits.proposal_bytes {
        return Err(too_large("the new content", format!("{} bytes", limits.proposal_bytes)));
    }
    for (what, text) in [("the proposal's text", &changes.body), ("the commit message", &changes.message)] {
        if text.len() > limits.text_bytes {
            return Err(too_large(what, format!("{} bytes", limits.text_bytes)));
        }
    }
    let mut paths = BTreeSet::new();
    for edit in &changes.edits {
        if !paths.insert(edit.path.as_str()) {
            return invalid(format!("{} is changed twice", edit.path));
        }
        if edit.before.is_none() && edit.after.is_none() {
            return invalid(format!("the change of {} neither expects nor wants a file", edit.path));
        }
    }
    for path in &paths {
        if ancestors(path).any(|ancestor| paths.contains(ancestor)) {
            return invalid(format!("{path} lies below another changed file"));
        }
    }
    Ok(())
}

/// Checks that the changes fit a commit, where `branch` is what they are for. Writes nothing.
pub(crate) fn check_fit(
    repository: &GitRepository,
    commit: &CommitId,
    branch: &BranchName,
    changes: &ChangeSet,
) -> Result<(), VcsError> {
    open_edits(repository, &tree_of(repository, commit)?, branch, changes).map(drop)
}

/// The tree that the changes make of `parent`, the newest commit of `branch`.
pub(crate) fn apply(
    repository: &GitRepository,
    parent: &CommitId,
    branch: &BranchName,
    changes: &ChangeSet,
) -> Result<Oid, VcsError> {
    let tree = tree_of(repository, parent)?;
    let edits = open_edits(repository, &tree, branch, changes)?;
    update(repository, &tree, &edits)
}

/// Whether `commit` does to `parent` what the changes want.
pub(crate) fn is_made_between(
    repository: &GitRepository,
    parent: &CommitId,
    commit: &CommitId,
    changes: &ChangeSet,
) -> Result<bool, VcsError> {
    let (before, after) = (tree_of(repository, parent)?, tree_of(repository, commit)?);
    let mut edits = Vec::new();
    for edit in &changes.edits {
        match fit(repository, &before, edit) {
            Ok(Fit::Applies) => edits.push(edit),
            Ok(Fit::Done) => {}
            Ok(Fit::Conflicts) | Err(VcsError::InvalidChange { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(update(repository, &before, &edits)? == after.id())
}

/// Whether merging `after`, which stands on `before`, into `tip` would change nothing: so it is after a merge of any kind,
/// also when the commit itself became another one.
pub(crate) fn is_held(
    repository: &GitRepository,
    before: &CommitId,
    after: &CommitId,
    tip: &CommitId,
) -> Result<bool, VcsError> {
    let fail = |error| repository.fail("comparing commits", error);
    let (before, after) = (tree_of(repository, before)?, tree_of(repository, after)?);
    let tip = tree_of(repository, tip)?;
    if before.id() == after.id() {
        return Ok(false);
    }
    let mut options = MergeOptions::new();
    options.find_renames(false);
    let merged = repository.git().merge_trees(&before, &tip, &after, Some(&options)).map_err(fail)?;
    let changed = repository.git().diff_tree_to_index(Some(&tip), Some(&merged), None).map_err(fail)?;
    Ok(!merged.has_conflicts() && changed.deltas().len() == 0)
}

/// The content of a file. Empty when it is not here.
pub(crate) fn content(repository: &GitRepository, blob: &BlobId) -> Result<Vec<u8>, VcsError> {
    let fail = |error| repository.fail("reading a file", error);
    match repository.git().find_blob(Oid::from_str(blob.as_str()).map_err(fail)?) {
        Ok(found) => Ok(found.content().to_vec()),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(Vec::new()),
        Err(error) => Err(fail(error)),
    }
}

/// The edits that a tree does not have yet.
fn open_edits<'a>(
    repository: &GitRepository,
    tree: &Tree<'_>,
    branch: &BranchName,
    changes: &'a ChangeSet,
) -> Result<Vec<&'a FileEdit>, VcsError> {
    let mut open = Vec::new();
    let mut conflicts = Vec::new();
    for edit in &changes.edits {
        match fit(repository, tree, edit)? {
            Fit::Applies => open.push(edit),
            Fit::Done => {}
            Fit::Conflicts => conflicts.push(edit.path.clone()),
        }
    }
    if !conflicts.is_empty() {
        Err(VcsError::Conflict { branch: branch.clone(), paths: conflicts })
    } else if open.is_empty() {
        Err(VcsError::NothingToPropose)
    } else {
        Ok(open)
    }
}

fn tree_of<'a>(repository: &'a GitRepository, commit: &CommitId) -> Result<Tree<'a>, VcsError> {
    repository.directory(repository.commit(commit)?.tree_id())
}

fn update(repository: &GitRepository, base: &Tree<'_>, edits: &[&FileEdit]) -> Result<Oid, VcsError> {
    let fail = |error| repository.fail("writing the change", error);
    let mut builder = TreeUpdateBuilder::new();
    for edit in edits {
        match &edit.after {
            None => builder.remove(edit.path.as_str()),
            Some(new) => {
                let blob = repository.git().blob(&new.bytes).map_err(fail)?;
                let mode = if new.executable { FileMode::BlobExecutable } else { FileMode::Blob };
                builder.upsert(edit.path.as_str(), blob, mode)
            }
        };
    }
    builder.create_updated(repository.git(), base).map_err(fail)
}

fn fit(repository: &GitRepository, tree: &Tree<'_>, edit: &FileEdit) -> Result<Fit, VcsError> {
    let current = current(repository, tree, &edit.path)?;
    let wanted = match &edit.after {
        None => None,
        Some(new) => {
            let oid = Oid::hash_object(git2::ObjectType::Blob, &new.bytes)
                .map_err(|error| repository.fail("hashing a file", error))?;
            Some((oid, new.executable))
        }
    };
    let expected = edit.before.as_ref().map(|blob| blob.as_str().to_owned());
    Ok(if current == wanted {
        Fit::Done
    } else if current.map(|(oid, _)| oid.to_string()) == expected {
        Fit::Applies
    } else {
        Fit::Conflicts
    })
}

/// The content and executable flag of a regular file; `None` when there is nothing. A pointer to Git LFS is no such file:
/// the content that it stands for is not here.
fn current(
    repository: &GitRepository,
    tree: &Tree<'_>,
    path: &RepoPath,
) -> Result<Option<(Oid, bool)>, VcsError> {
    let refuse = |path: &str, what: &str| {
        Err(VcsError::InvalidChange { reason: format!("{path} is {what}, not a file that can be edited") })
    };
    for ancestor in ancestors(path.as_str()) {
        match lookup(repository, tree, ancestor)?.map(|entry| kind(&entry)) {
            None | Some(None) => {}
            Some(Some(_)) => {
                return Err(VcsError::InvalidChange { reason: format!("{ancestor} is no directory") });
            }
        }
    }
    let Some(entry) = lookup(repository, tree, path.as_str())? else { return Ok(None) };
    match kind(&entry) {
        Some(TreeEntryKind::File | TreeEntryKind::Executable)
            if holds_lfs_pointer(repository, entry.id())? =>
        {
            refuse(path.as_str(), "kept by Git LFS")
        }
        Some(TreeEntryKind::File) => Ok(Some((entry.id(), false))),
        Some(TreeEntryKind::Executable) => Ok(Some((entry.id(), true))),
        Some(TreeEntryKind::Symlink) => refuse(path.as_str(), "a symbolic link"),
        Some(TreeEntryKind::Submodule) => refuse(path.as_str(), "another repository"),
        None => refuse(path.as_str(), "a directory"),
    }
}

fn lookup(
    repository: &GitRepository,
    tree: &Tree<'_>,
    path: &str,
) -> Result<Option<git2::TreeEntry<'static>>, VcsError> {
    match tree.get_path(Path::new(path)) {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(repository.fail("reading a tree", error)),
    }
}

/// The directories that hold `path`, outermost first.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}

fn too_large(what: &str, limit: String) -> VcsError {
    VcsError::TooLarge { what: what.to_owned(), limit }
}
