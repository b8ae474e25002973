//! What a provider knows of a repository and of the revision that a trace names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{BranchName, CommitId};
use crate::trace::RepositoryUrl;

/// A repository as its provider knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryRef {
    /// The provider's lasting id; survives a rename.
    pub id: String,
    /// The current address.
    pub url: RepositoryUrl,
    /// The branch that new work goes to.
    pub default_branch: BranchName,
    /// Whether the repository accepts no changes.
    pub archived: bool,
}

/// A repository together with the revision that a trace names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResolvedSource {
    /// The repository.
    pub repository: RepositoryRef,
    /// The full id of the failing commit.
    pub commit: CommitId,
    /// The branch that a fix is for: the one the trace names when it exists, else the default branch.
    pub base_branch: BranchName,
    /// The newest commit of that branch.
    pub base_tip: CommitId,
    /// What the reader should know, e.g. that the recorded branch is gone.
    pub notes: Vec<String>,
}

/// What a run will need from a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Reading files and checking out.
    Read,
    /// Opening a proposal as well.
    Propose,
}
