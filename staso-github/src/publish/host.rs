//! What publishing needs of the place where branches live.

use std::fmt::Debug;

use async_trait::async_trait;
use staso_core::id::{BlobId, BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::trace::Timestamp;
use staso_core::vcs::{ChangeSet, CommitSignature, VcsError};

/// A branch at one of our names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StandingBranch {
    pub(crate) branch: BranchName,
    /// The number at the end of its name.
    pub(crate) number: u32,
    pub(crate) tip: CommitId,
}

/// What there is before anything is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// All branches `<prefix>-<number>` and below such a name, by number.
    pub(crate) branches: Vec<StandingBranch>,
    /// The newest commit of the base, where the same look showed it.
    pub(crate) base_tip: Option<CommitId>,
}

/// What a commit says and does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommitFacts {
    pub(crate) message: String,
    /// Its first parent.
    pub(crate) parent: Option<CommitId>,
    /// Whether it has one parent, and does to it exactly what the change set wants. Nobody needs to look when the message
    /// has no trailers of ours.
    pub(crate) makes_the_change: bool,
    pub(crate) signature: Option<CommitSignature>,
}

/// A commit that is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommitDraft<'a> {
    pub(crate) parent: &'a CommitId,
    /// The branch that the change is for, as conflicts name it.
    pub(crate) base: &'a BranchName,
    pub(crate) changes: &'a ChangeSet,
    /// The whole message, trailers included.
    pub(crate) message: &'a str,
    /// Its date. Fixed for one attempt, so that making it twice makes the same commit.
    pub(crate) date: Timestamp,
}

/// A commit that nobody sees yet, or all that is needed to make it together with its branch.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// The commit, when the host makes it before its branch.
    pub(crate) head: Option<CommitId>,
}

/// How making a branch ended.
///
/// Who makes the same commit twice at the same time may be told [`Created`](Self::Created) twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MadeBranch {
    /// It is there, at our commit.
    Created { head: CommitId, signature: Option<CommitSignature> },
    /// There is another branch of that name. It was not touched.
    Taken,
}

/// The place where branches live.
///
/// Contract: nothing moves or removes a branch that is there; [`create`](Self::create) either leaves the whole branch or
/// none, and an answer that was lost is read back before it fails.
#[async_trait]
pub(crate) trait BranchHost: Debug + Send + Sync {
    /// The branches of ours, and the base if that costs nothing more.
    async fn standing(
        &self,
        prefix: &BranchName,
        base: &BranchName,
        ctx: &RunContext,
    ) -> Result<Standing, VcsError>;

    /// The newest commit of a branch.
    async fn tip(&self, branch: &BranchName, ctx: &RunContext) -> Result<Option<CommitId>, VcsError>;

    /// What a commit says and does.
    async fn inspect(
        &self,
        commit: &CommitId,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<CommitFacts, VcsError>;

    /// A file of a commit, by the id of its content. May be empty when there is none.
    async fn content(&self, commit: &CommitId, blob: &BlobId, ctx: &RunContext) -> Result<Vec<u8>, VcsError>;

    /// Checks that the change fits a commit. Makes nothing.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare), and [`VcsError::CommitNotFound`] without the commit.
    async fn check(
        &self,
        commit: &CommitId,
        base: &BranchName,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<(), VcsError>;

    /// Checks that the change fits `parent` and makes the commit, as far as that can be done unseen.
    ///
    /// # Errors
    /// [`VcsError::Conflict`] with the files that do not fit, [`VcsError::NothingToPropose`] when all are as wanted,
    /// [`VcsError::InvalidChange`] for what no commit can carry.
    async fn prepare(&self, draft: &CommitDraft<'_>, ctx: &RunContext) -> Result<Prepared, VcsError>;

    /// Makes the branch.
    async fn create(
        &self,
        branch: &BranchName,
        draft: &CommitDraft<'_>,
        prepared: &Prepared,
        ctx: &RunContext,
    ) -> Result<MadeBranch, VcsError>;
}
