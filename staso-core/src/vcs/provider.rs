//! The plug trait of repositories and forges.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{
    Access, Checkout, FileContent, Proposal, ProposeRequest, RepositoryRef, ResolvedSource, Tree, VcsError,
};
use crate::code::RepoPath;
use crate::id::{BranchName, CommitId};
use crate::run::RunContext;
use crate::trace::SourceRevision;

/// Repositories: read at a commit, check out, propose.
///
/// # Contract
/// Reading never changes the repository or anyone's working tree. Hooks, filters, submodules and LFS never run.
/// [`propose`](Self::propose) only ever creates a branch below `fix/staso-`, never forces, never touches a branch that
/// it did not make, and is idempotent: the same `idempotency_key` finds its own branch again. It either leaves a
/// complete proposal or nothing.
///
/// # Cancellation
/// Every method returns within two seconds after the context is cancelled, with [`VcsError::Cancelled`].
///
/// # Errors
/// One [`VcsError`]; [`is_retryable`](VcsError::is_retryable) decides about retries.
///
/// # Implementing
/// Run `staso_core::conformance::vcs` against your provider.
#[async_trait]
pub trait VcsProvider: Debug + Send + Sync + 'static {
    /// Finds the repository, the failing commit and the branch a fix is for.
    async fn resolve(&self, source: &SourceRevision, ctx: &RunContext) -> Result<ResolvedSource, VcsError>;

    /// Finds out whether the run will be allowed to do what it needs, before any work is spent.
    async fn preflight(
        &self,
        repository: &RepositoryRef,
        access: Access,
        ctx: &RunContext,
    ) -> Result<(), VcsError>;

    /// Reads one file at a commit, at most `max_bytes` long.
    async fn read_file(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<FileContent, VcsError>;

    /// Lists the files of a commit, at most `max_entries`.
    async fn list_tree(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        max_entries: usize,
        ctx: &RunContext,
    ) -> Result<Tree, VcsError>;

    /// Gives a directory with the files of a commit, without `.git`, to be read alone: other runs may share it.
    async fn checkout(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        ctx: &RunContext,
    ) -> Result<Checkout, VcsError>;

    /// Publishes a change as a branch and a proposal.
    async fn propose(&self, request: &ProposeRequest<'_>, ctx: &RunContext) -> Result<Proposal, VcsError>;

    /// What became of a proposal.
    async fn proposal_status(
        &self,
        repository: &RepositoryRef,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Proposal, VcsError>;
}
