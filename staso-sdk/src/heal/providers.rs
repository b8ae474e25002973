//! Several providers as one.

use std::sync::Arc;

use async_trait::async_trait;
use staso_core::code::RepoPath;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::trace::SourceRevision;
use staso_core::vcs::{
    Access, Checkout, FileContent, Proposal, ProposeRequest, RepositoryRef, ResolvedSource, Tree, VcsError,
    VcsProvider,
};

/// Asks each provider until one serves the address. Which one that is depends on the address alone, so all calls about
/// one repository go to the same.
#[derive(Debug)]
pub(super) struct Providers(pub(super) Vec<Arc<dyn VcsProvider>>);

/// The answer of the first provider that serves the address.
macro_rules! first_that_serves {
    ($providers:expr, $provider:ident => $call:expr) => {{
        let mut refused = VcsError::NoRepository;
        for $provider in &$providers.0 {
            match $call.await {
                Err(error @ (VcsError::Unsupported { .. } | VcsError::NoRepository)) => refused = error,
                answer => return answer,
            }
        }
        Err(refused)
    }};
}

#[async_trait]
impl VcsProvider for Providers {
    async fn resolve(&self, source: &SourceRevision, ctx: &RunContext) -> Result<ResolvedSource, VcsError> {
        first_that_serves!(self, provider => provider.resolve(source, ctx))
    }

    async fn preflight(
        &self,
        repository: &RepositoryRef,
        access: Access,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        first_that_serves!(self, provider => provider.preflight(repository, access, ctx))
    }

    async fn read_file(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<FileContent, VcsError> {
        first_that_serves!(self, provider => provider.read_file(repository, commit, path, max_bytes, ctx))
    }

    async fn list_tree(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        max_entries: usize,
        ctx: &RunContext,
    ) -> Result<Tree, VcsError> {
        first_that_serves!(self, provider => provider.list_tree(repository, commit, max_entries, ctx))
    }

    async fn checkout(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        ctx: &RunContext,
    ) -> Result<Checkout, VcsError> {
        first_that_serves!(self, provider => provider.checkout(repository, commit, ctx))
    }

    async fn propose(&self, request: &ProposeRequest<'_>, ctx: &RunContext) -> Result<Proposal, VcsError> {
        first_that_serves!(self, provider => provider.propose(request, ctx))
    }

    async fn proposal_status(
        &self,
        repository: &RepositoryRef,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Proposal, VcsError> {
        first_that_serves!(self, provider => provider.proposal_status(repository, branch, ctx))
    }
}
