//! Reading at a commit: with git, which brings all files of a commit at once, or through the API.
//!
//! What was brought once, by either, is kept and read without a request.

mod archive;
mod import;
mod kept;
mod listing;
mod remote;
mod source;

use staso_core::code::RepoPath;
use staso_core::id::CommitId;
use staso_core::run::RunContext;
use staso_core::vcs::{Checkout, FileContent, RepositoryRef, Tree, VcsError};

pub(super) use self::listing::Listing;
use self::remote::Remote;
use super::parts::Parts;
use crate::git::CommitStore;

/// Reads a file.
pub(super) async fn read_file(
    parts: &Parts,
    repository: &RepositoryRef,
    commit: &CommitId,
    path: &RepoPath,
    max_bytes: u64,
    ctx: &RunContext,
) -> Result<FileContent, VcsError> {
    let store = parts.store(repository)?;
    if !is_kept(parts, repository, &store, commit, ctx).await? {
        return Remote::new(parts, repository, commit, ctx)?.read_file(path, max_bytes).await;
    }
    kept::read_file(&store, commit, path, max_bytes, ctx).await
}

/// Lists the files.
pub(super) async fn list_tree(
    parts: &Parts,
    repository: &RepositoryRef,
    commit: &CommitId,
    max_entries: usize,
    ctx: &RunContext,
) -> Result<Tree, VcsError> {
    let store = parts.store(repository)?;
    if !is_kept(parts, repository, &store, commit, ctx).await? {
        return Remote::new(parts, repository, commit, ctx)?.list_tree(max_entries).await;
    }
    kept::list_tree(&store, commit, max_entries, ctx).await
}

/// Gives a directory with the files.
pub(super) async fn checkout(
    parts: &Parts,
    repository: &RepositoryRef,
    commit: &CommitId,
    ctx: &RunContext,
) -> Result<Checkout, VcsError> {
    let store = parts.store(repository)?;
    if !is_kept(parts, repository, &store, commit, ctx).await? {
        Remote::new(parts, repository, commit, ctx)?.bring().await?;
    }
    kept::checkout(parts, &store, commit, ctx).await
}

/// Whether the files of the commit are here, after git brought them where it is used.
async fn is_kept(
    parts: &Parts,
    repository: &RepositoryRef,
    store: &CommitStore,
    commit: &CommitId,
    ctx: &RunContext,
) -> Result<bool, VcsError> {
    if kept::holds(store, commit, ctx).await? {
        return Ok(true);
    }
    if !parts.reads_with_git()? {
        return Ok(false);
    }
    match kept::fetch(parts, repository, store, commit, ctx).await {
        Ok(()) => Ok(true),
        // The server gives out no commits by id; the API does, as an archive.
        Err(VcsError::FeatureUnavailable { .. }) => {
            Remote::new(parts, repository, commit, ctx)?.bring().await.map(|()| true)
        }
        Err(error) => Err(error),
    }
}
