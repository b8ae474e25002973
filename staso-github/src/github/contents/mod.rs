//! Reading at a commit.

mod kept;

use staso_core::code::RepoPath;
use staso_core::id::CommitId;
use staso_core::run::RunContext;
use staso_core::vcs::{Checkout, FileContent, RepositoryRef, Tree, VcsError};

use super::parts::Parts;

/// Reads a file.
pub(crate) async fn read_file(
    parts: &Parts,
    repository: &RepositoryRef,
    commit: &CommitId,
    path: &RepoPath,
    max_bytes: u64,
    ctx: &RunContext,
) -> Result<FileContent, VcsError> {
    let store = kept::ensure(parts, repository, commit, ctx).await?;
    kept::read_file(&store, commit, path, max_bytes, ctx).await
}

/// Lists the files.
pub(crate) async fn list_tree(
    parts: &Parts,
    repository: &RepositoryRef,
    commit: &CommitId,
    max_entries: usize,
    ctx: &RunContext,
) -> Result<Tree, VcsError> {
    let store = kept::ensure(parts, repository, commit, ctx).await?;
    kept::list_tree(&store, commit, max_entries, ctx).await
}

/// Gives a directory with the files.
pub(crate) async fn checkout(
    parts: &Parts,
    repository: &RepositoryRef,
    commit: &CommitId,
    ctx: &RunContext,
) -> Result<Checkout, VcsError> {
    let store = kept::ensure(parts, repository, commit, ctx).await?;
    kept::checkout(parts, &store, commit, ctx).await
}
