//! The revision of the checkout around a directory, with libgit2.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use git2::{DiffFormat, DiffOptions, Repository, StatusOptions};
use staso_core::id::Digest;
use staso_core::trace::RepositoryUrl;

use super::Claim;
use crate::capture::BuildFacts;

const STATUS_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_DIFF_BYTES: usize = 16 << 20;

pub(super) fn claim(directory: &Path, facts: Option<&BuildFacts>) -> Claim {
    let empty = Claim { origin: "the checkout", ..Claim::default() };
    let Ok(repository) = Repository::discover(directory) else { return empty };
    if let Some(warning) = foreign(&repository, facts) {
        return Claim { warning: Some(warning), ..empty };
    }
    let Some(head) = repository.head().ok() else { return empty };
    let Some(commit) = head.peel_to_commit().ok().map(|commit| commit.id().to_string()) else { return empty };
    let branch = head.shorthand().ok().filter(|_| head.is_branch()).map(str::to_owned);
    let address = remote_url(&repository).or_else(|| own_path(&repository));
    let (dirty, diff_digest) = working_tree(repository.path());
    Claim { commit: Some(commit), branch, repository: address, dirty, diff_digest, ..empty }
}

/// An agent may be started inside somebody else's repository. When the directory that the program was built in still
/// exists, only a repository around that directory is the program's own.
fn foreign(repository: &Repository, facts: Option<&BuildFacts>) -> Option<String> {
    let built_in = facts.and_then(|facts| Path::new(facts.manifest_dir).canonicalize().ok())?;
    let root = repository.workdir()?.canonicalize().ok()?;
    (!built_in.starts_with(&root)).then(|| {
        "the current directory lies in a repository that this program was not built from; its revision is not used"
            .to_owned()
    })
}

/// The address of `origin`, else of the first remote.
fn remote_url(repository: &Repository) -> Option<String> {
    let remotes = repository.remotes().ok()?;
    let first = remotes.iter().flatten().flatten().next().map(str::to_owned);
    let remote = repository.find_remote("origin").ok().or_else(|| repository.find_remote(&first?).ok())?;
    let url = remote.url().ok()?;
    let is_path = url.starts_with('/');
    Some(if is_path { RepositoryUrl::from_local_path(url).ok()?.to_string() } else { url.to_owned() })
}

/// A repository without remote is its own address.
fn own_path(repository: &Repository) -> Option<String> {
    let root = repository.workdir().unwrap_or_else(|| repository.path()).canonicalize().ok()?;
    Some(RepositoryUrl::from_local_path(root.to_str()?).ok()?.to_string())
}

/// Whether the tree differs from HEAD, and a digest of how. Runs on a thread of its own, because libgit2 cannot be
/// interrupted and a working tree may be huge.
fn working_tree(git_dir: &Path) -> (Option<bool>, Option<String>) {
    let git_dir: PathBuf = git_dir.to_owned();
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::Builder::new().name("staso-git-status".to_owned()).spawn(move || {
        let Ok(repository) = Repository::open(&git_dir) else { return };
        let dirty = is_dirty(&repository);
        let digest = if dirty == Some(true) { diff_digest(&repository) } else { None };
        // The receiver is gone when the time was over.
        drop(sender.send((dirty, digest)));
    });
    reader.ok().and_then(|_| receiver.recv_timeout(STATUS_TIMEOUT).ok()).unwrap_or_default()
}

fn is_dirty(repository: &Repository) -> Option<bool> {
    if repository.is_bare() {
        return None;
    }
    let mut options = StatusOptions::new();
    options.include_untracked(true).include_ignored(false).exclude_submodules(true).no_refresh(true);
    repository.statuses(Some(&mut options)).ok().map(|changes| !changes.is_empty())
}

/// The digest of the patch from HEAD to the working tree, untracked files included; `None` above 16 MiB.
fn diff_digest(repository: &Repository) -> Option<String> {
    let tree = repository.head().ok()?.peel_to_tree().ok()?;
    let mut options = DiffOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(true).show_untracked_content(true);
    options.ignore_submodules(true);
    let diff = repository.diff_tree_to_workdir_with_index(Some(&tree), Some(&mut options)).ok()?;
    let mut patch = Vec::new();
    let complete = diff.print(DiffFormat::Patch, |_, _, line| {
        patch.extend_from_slice(line.origin().encode_utf8(&mut [0; 4]).as_bytes());
        patch.extend_from_slice(line.content());
        patch.len() <= MAX_DIFF_BYTES
    });
    complete.ok().map(|()| Digest::of(patch).to_string())
}
