//! Pull requests.

use staso_core::id::BranchName;
use staso_core::run::RunContext;
use staso_core::vcs::{Proposal, ProposeRequest, RepositoryRef, VcsError};

use super::parts::Parts;

/// Publishes a change as a branch and a pull request.
#[expect(clippy::unused_async, reason = "the body is made apart from this signature")]
pub(crate) async fn propose(
    parts: &Parts,
    request: &ProposeRequest<'_>,
    _: &RunContext,
) -> Result<Proposal, VcsError> {
    let server = parts.name(request.repository)?.url.to_string();
    Err(VcsError::FeatureUnavailable { feature: "proposals".to_owned(), server })
}

/// What became of a proposal.
#[expect(clippy::unused_async, reason = "the body is made apart from this signature")]
pub(crate) async fn status(
    _: &Parts,
    _: &RepositoryRef,
    branch: &BranchName,
    _: &RunContext,
) -> Result<Proposal, VcsError> {
    Err(VcsError::ProposalNotFound { branch: branch.clone() })
}
