//! Proposals: what to publish, and what became of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChangeSet, RepositoryRef};
use crate::id::{BranchName, CommitId, RunId};

/// What to propose.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ProposeRequest<'a> {
    /// Where.
    pub repository: &'a RepositoryRef,
    /// Against which branch.
    pub base_branch: &'a BranchName,
    /// The branch to make: `fix/staso-<fingerprint>`. The provider appends `-<n>`, from 1.
    pub branch_prefix: &'a BranchName,
    /// The changes.
    pub changes: &'a ChangeSet,
    /// The same for every attempt to publish one fix: a retry finds its own branch by it.
    pub idempotency_key: &'a str,
    /// The run, for the commit's trailer.
    pub run_id: RunId,
}

impl<'a> ProposeRequest<'a> {
    /// All parts are required.
    #[must_use]
    pub const fn new(
        repository: &'a RepositoryRef,
        base_branch: &'a BranchName,
        branch_prefix: &'a BranchName,
        changes: &'a ChangeSet,
        idempotency_key: &'a str,
        run_id: RunId,
    ) -> Self {
        Self { repository, base_branch, branch_prefix, changes, idempotency_key, run_id }
    }
}

/// A pull request, or its local equivalent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proposal {
    /// The branch with the fix.
    pub branch: BranchName,
    /// The branch it is for.
    pub base: BranchName,
    /// The commit with the fix.
    pub head: CommitId,
    /// Where to read it: an address, or for a local repository the git command that shows it.
    pub url: String,
    /// What became of it.
    pub state: ProposalState,
    /// What this run did.
    pub action: ProposalAction,
    /// What the forge says about the signature of `head`. `None` when nobody was asked, as for a local repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<CommitSignature>,
    /// What did not work but did not stop the proposal, e.g. labels.
    pub warnings: Vec<String>,
}

/// What a forge says about the signature of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommitSignature {
    /// Whether the forge shows the commit as verified.
    pub verified: bool,
    /// Its reason, e.g. `valid` or `unsigned`.
    pub reason: String,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    /// Open, waiting for a human to release it.
    Draft,
    /// Open.
    Open,
    /// Merged into its base.
    Merged,
    /// Closed without merging.
    Closed,
}

/// What a run did about a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProposalAction {
    /// Made it.
    Created,
    /// Found it as it should be.
    Reused,
    /// Found it and changed it.
    Updated,
}
