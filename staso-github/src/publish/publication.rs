//! What is published, and what came of it.

use staso_core::id::{BranchName, CommitId, RunId};
use staso_core::run::RunContext;
use staso_core::trace::Timestamp;
use staso_core::vcs::{ChangeSet, CommitSignature, ProposalAction, ProposeRequest, VcsError};

/// What all branches of ours begin with.
const OURS: &str = "fix/staso-";
/// Branches for one prefix.
pub(crate) const MAX_NUMBER: u32 = 100;

/// What to publish. Owns its parts, so that it can move to the blocking pool.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    pub(crate) base: BranchName,
    pub(crate) prefix: BranchName,
    pub(crate) changes: ChangeSet,
    pub(crate) key: String,
    pub(crate) run_id: RunId,
    pub(crate) now: Timestamp,
}

/// The branch that carries the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) branch: BranchName,
    pub(crate) base: BranchName,
    /// The newest commit of the branch: ours, or what a reviewer put on top of it.
    pub(crate) head: CommitId,
    /// The commit of the base that our commit stands on.
    pub(crate) base_tip: CommitId,
    /// [`ProposalAction::Created`] or [`ProposalAction::Reused`].
    pub(crate) action: ProposalAction,
    /// What the host says of our commit's signature.
    pub(crate) signature: Option<CommitSignature>,
    pub(crate) warnings: Vec<String>,
}

impl Publication {
    /// What a request asks for, made now.
    pub(crate) fn new(request: &ProposeRequest<'_>, ctx: &RunContext) -> Self {
        Self {
            base: request.base_branch.clone(),
            prefix: request.branch_prefix.clone(),
            changes: request.changes.clone(),
            key: request.idempotency_key.to_owned(),
            run_id: request.run_id,
            now: ctx.now(),
        }
    }

    /// Refuses prefixes of branches that are not ours to make.
    pub(crate) fn check_prefix(&self) -> Result<(), VcsError> {
        match self.prefix.as_str().strip_prefix(OURS) {
            Some(rest) if !rest.is_empty() => Ok(()),
            _ => Err(VcsError::InvalidChange {
                reason: format!("branches of proposals begin with {OURS}, not with {}", self.prefix),
            }),
        }
    }

    /// The branch with a number.
    pub(crate) fn branch(&self, number: u32) -> Result<BranchName, VcsError> {
        numbered(&self.prefix, number)
    }

    /// The base branch is not there.
    pub(crate) fn base_is_gone(&self) -> VcsError {
        VcsError::InvalidChange { reason: format!("the base branch {} is gone", self.base) }
    }

    /// All numbers are taken.
    pub(crate) fn numbers_are_used_up(&self) -> VcsError {
        let what = format!("the number of branches {}-…", self.prefix);
        VcsError::TooLarge { what, limit: MAX_NUMBER.to_string() }
    }
}

/// The branch `<prefix>-<number>`.
pub(crate) fn numbered(prefix: &BranchName, number: u32) -> Result<BranchName, VcsError> {
    BranchName::new(format!("{prefix}-{number}"))
        .map_err(|error| VcsError::InvalidChange { reason: error.to_string() })
}

/// The number in the name of a branch `<prefix>-<number>`, as we write it: `1`, not `01` or `+1`, and none that we never
/// write. Also in the names of branches below that one, which keep it from being made.
pub(crate) fn number_of(prefix: &BranchName, branch: &str) -> Option<u32> {
    let text = branch.strip_prefix(prefix.as_str())?.strip_prefix('-')?.split('/').next()?;
    text.parse().ok().filter(|number: &u32| (1..=MAX_NUMBER).contains(number) && number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        let prefix = BranchName::new("fix/staso-a").unwrap();
        assert_eq!(number_of(&prefix, "fix/staso-a-12"), Some(12));
        assert_eq!(number_of(&prefix, "fix/staso-a-1/theirs"), Some(1), "it stands in the way");
        for other in [
            "fix/staso-a-01",
            "fix/staso-a-+1",
            "fix/staso-a-",
            "fix/staso-ab-1",
            "fix/staso-a-0",
            "fix/staso-a-101",
        ] {
            assert_eq!(number_of(&prefix, other), None, "{other}");
        }
    }
}
