//! Commits that are kept here, whoever brought them.

use staso_core::code::RepoPath;
use staso_core::id::CommitId;
use staso_core::run::RunContext;
use staso_core::vcs::{Checkout, FileContent, RepositoryRef, Tree, VcsError};

use crate::git::{self, CheckoutCache, CommitStore, GitRepository};
use crate::github::parts::{Parts, commit_key};

/// Whether the files of a commit are here.
pub(super) async fn holds(
    store: &CommitStore,
    commit: &CommitId,
    ctx: &RunContext,
) -> Result<bool, VcsError> {
    let commit = commit.clone();
    let look = move |repository: &GitRepository, _: &_| repository.tree(&commit).map(drop);
    match store.work("looking for a commit", ctx, look).await {
        Ok(()) => Ok(true),
        // A fetch that was killed may have left a commit without its files.
        Err(
            VcsError::RepositoryNotFound { .. }
            | VcsError::CommitNotFound { .. }
            | VcsError::Unreadable { .. },
        ) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Brings a commit here with git, and in the same fetch the one that a run will want next.
pub(super) async fn fetch(
    parts: &Parts,
    repository: &RepositoryRef,
    store: &CommitStore,
    commit: &CommitId,
    ctx: &RunContext,
) -> Result<(), VcsError> {
    let credentials = parts.credentials(&parts.name(repository)?);
    let mut wanted = vec![commit.clone()];
    wanted.extend(parts.companions.get(&commit_key(repository, commit)));
    match store.ensure(&wanted, &credentials, ctx).await {
        Err(VcsError::CommitNotFound { commit: missing, .. }) if missing != *commit => {
            store.ensure(std::slice::from_ref(commit), &credentials, ctx).await
        }
        result => result,
    }
}

pub(super) async fn read_file(
    store: &CommitStore,
    commit: &CommitId,
    path: &RepoPath,
    max_bytes: u64,
    ctx: &RunContext,
) -> Result<FileContent, VcsError> {
    let (commit, path) = (commit.clone(), path.clone());
    let work = move |repository: &GitRepository, _: &_| git::read_file(repository, &commit, &path, max_bytes);
    store.work("reading a file", ctx, work).await
}

pub(super) async fn list_tree(
    store: &CommitStore,
    commit: &CommitId,
    max_entries: usize,
    ctx: &RunContext,
) -> Result<Tree, VcsError> {
    let commit = commit.clone();
    let work =
        move |repository: &GitRepository, stop: &_| git::list_tree(repository, &commit, max_entries, stop);
    store.work("listing files", ctx, work).await
}

pub(super) async fn checkout(
    parts: &Parts,
    store: &CommitStore,
    commit: &CommitId,
    ctx: &RunContext,
) -> Result<Checkout, VcsError> {
    let cache = CheckoutCache::new(parts.data.clone(), parts.limits.clone());
    let (commit, now) = (commit.clone(), git::system_time(ctx.now()));
    let work = move |repository: &GitRepository, stop: &_| cache.acquire(repository, &commit, now, stop);
    store.work("checking out", ctx, work).await
}
