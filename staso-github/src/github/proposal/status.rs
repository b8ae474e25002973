//! What became of a proposal.

use staso_core::id::BranchName;
use staso_core::run::RunContext;
use staso_core::vcs::{Proposal, ProposalAction, RepositoryRef, VcsError};

use super::open::newest_open;
use super::pull;
use super::target::Target;
use crate::github::parts::Parts;

/// Reads the pull request of a branch.
pub(crate) async fn status(
    parts: &Parts,
    repository: &RepositoryRef,
    branch: &BranchName,
    ctx: &RunContext,
) -> Result<Proposal, VcsError> {
    let name = parts.name(repository)?;
    let target = Target { api: &parts.api, name: &name };
    let found = newest_open(pull::of_branch(target, branch, ctx).await?);
    let found = found.ok_or_else(|| VcsError::ProposalNotFound { branch: branch.clone() })?;
    found.proposal(target, ProposalAction::Reused, Vec::new())
}
