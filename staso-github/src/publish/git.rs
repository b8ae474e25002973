//! Branches of a plain git remote: commits are made in the local store and pushed.

use std::sync::Arc;

use async_trait::async_trait;
use staso_core::id::{BlobId, BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::vcs::{ChangeSet, VcsError};

use super::host::{BranchHost, CommitDraft, CommitFacts, MadeBranch, Prepared, Standing, StandingBranch};
use super::message::Trailers;
use super::publication::number_of;
use super::publisher::MAX_ON_TOP;
use crate::credentials::CredentialSource;
use crate::error;
use crate::git::transport::{Advertised, Pushed};
use crate::git::{Ancestry, CommitStore, change, commit};

/// The branches of a remote repository.
#[derive(Debug, Clone)]
pub(crate) struct GitBranches {
    store: CommitStore,
    credentials: Arc<dyn CredentialSource>,
}

impl GitBranches {
    /// `store` holds commits of the repository.
    pub(crate) fn new(store: CommitStore, credentials: Arc<dyn CredentialSource>) -> Self {
        Self { store, credentials }
    }

    /// The commits that are here.
    pub(crate) const fn store(&self) -> &CommitStore {
        &self.store
    }

    /// Brings commits here with their files.
    pub(crate) async fn ensure(&self, commits: &[CommitId], ctx: &RunContext) -> Result<(), VcsError> {
        self.store.ensure(commits, &*self.credentials, ctx).await
    }

    /// The branches whose names begin with one of these, and the head; all branches when none is given.
    pub(crate) async fn list(&self, prefixes: &[String], ctx: &RunContext) -> Result<Advertised, VcsError> {
        self.store.list(prefixes, &*self.credentials, ctx).await
    }

    /// Whether a commit is in the history of another one.
    pub(crate) async fn ancestry(
        &self,
        tip: &CommitId,
        ancestor: &CommitId,
        ctx: &RunContext,
    ) -> Result<Ancestry, VcsError> {
        self.store.ancestry(tip, ancestor, &*self.credentials, ctx).await
    }

    /// Whether merging `after`, which stands on `before`, into `tip` would change nothing. `false` when that cannot be found
    /// out.
    pub(crate) async fn holds(
        &self,
        tip: &CommitId,
        [before, after]: [&CommitId; 2],
        ctx: &RunContext,
    ) -> Result<bool, VcsError> {
        let commits = [before.clone(), after.clone(), tip.clone()];
        match self.ensure(&commits, ctx).await {
            Ok(()) => {}
            Err(VcsError::Cancelled) => return Err(VcsError::Cancelled),
            Err(error) => {
                tracing::debug!(%error, "a proposal could not be compared with its base");
                return Ok(false);
            }
        }
        let [before, after, tip] = commits;
        self.store
            .work("comparing commits", ctx, move |repository, _| {
                change::is_held(repository, &before, &after, &tip)
            })
            .await
    }

    /// Finds out whether a branch could be made at a commit. Makes none.
    pub(crate) async fn may_push(&self, commit: &CommitId, ctx: &RunContext) -> Result<(), VcsError> {
        self.ensure(std::slice::from_ref(commit), ctx).await?;
        self.store.may_push(commit, &*self.credentials, ctx).await
    }

    /// What the newest commit of ours in the history of a branch says, and its parent: the tip, or one below a few commits
    /// of reviewers.
    pub(crate) async fn own_trailers(
        &self,
        tip: &CommitId,
        ctx: &RunContext,
    ) -> Result<Option<(Trailers, CommitId)>, VcsError> {
        let mut next = tip.clone();
        for _ in 0..=MAX_ON_TOP {
            let text = self.read(&next, ctx).await?;
            let Some(parent) = text.parents.into_iter().next() else { break };
            match Trailers::read(&text.message) {
                Some(trailers) => return Ok(Some((trailers, parent))),
                None => next = parent,
            }
        }
        Ok(None)
    }

    /// What a commit says, without a look at what it does.
    async fn read(&self, commit: &CommitId, ctx: &RunContext) -> Result<commit::CommitText, VcsError> {
        self.ensure(std::slice::from_ref(commit), ctx).await?;
        let commit = commit.clone();
        self.store.work("reading a commit", ctx, move |repository, _| commit::read(repository, &commit)).await
    }
}

#[async_trait]
impl BranchHost for GitBranches {
    async fn standing(
        &self,
        prefix: &BranchName,
        base: &BranchName,
        ctx: &RunContext,
    ) -> Result<Standing, VcsError> {
        let listed = self.list(&[format!("{prefix}-"), base.to_string()], ctx).await?;
        let base_tip = listed.branches.get(base).cloned();
        let numbered = listed.branches.into_iter().filter_map(|(branch, tip)| {
            number_of(prefix, branch.as_str()).map(|number| StandingBranch { branch, number, tip })
        });
        let mut branches: Vec<_> = numbered.collect();
        branches.sort_by_key(|found| found.number);
        Ok(Standing { branches, base_tip })
    }

    async fn tip(&self, branch: &BranchName, ctx: &RunContext) -> Result<Option<CommitId>, VcsError> {
        let mut listed = self.list(&[branch.to_string()], ctx).await?;
        Ok(listed.branches.remove(branch))
    }

    async fn inspect(
        &self,
        commit: &CommitId,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<CommitFacts, VcsError> {
        let text = self.read(commit, ctx).await?;
        let makes_the_change = match (text.parents.as_slice(), Trailers::read(&text.message)) {
            ([parent], Some(_)) => {
                self.ensure(std::slice::from_ref(parent), ctx).await?;
                let (commit, parent, changes) = (commit.clone(), parent.clone(), changes.clone());
                self.store
                    .work("comparing commits", ctx, move |repository, _| {
                        change::is_made_between(repository, &parent, &commit, &changes)
                    })
                    .await?
            }
            _ => false,
        };
        let parent = text.parents.into_iter().next();
        Ok(CommitFacts { message: text.message, parent, makes_the_change, signature: None })
    }

    async fn content(&self, commit: &CommitId, blob: &BlobId, ctx: &RunContext) -> Result<Vec<u8>, VcsError> {
        self.ensure(std::slice::from_ref(commit), ctx).await?;
        let blob = blob.clone();
        self.store.work("reading a file", ctx, move |repository, _| change::content(repository, &blob)).await
    }

    async fn check(
        &self,
        commit: &CommitId,
        base: &BranchName,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        self.ensure(std::slice::from_ref(commit), ctx).await?;
        let (commit, base, changes) = (commit.clone(), base.clone(), changes.clone());
        self.store
            .work("checking the change", ctx, move |repository, _| {
                change::check_fit(repository, &commit, &base, &changes)
            })
            .await
    }

    async fn prepare(&self, draft: &CommitDraft<'_>, ctx: &RunContext) -> Result<Prepared, VcsError> {
        self.ensure(std::slice::from_ref(draft.parent), ctx).await?;
        let (parent, base, changes) = (draft.parent.clone(), draft.base.clone(), draft.changes.clone());
        let (message, date) = (draft.message.to_owned(), draft.date);
        let head = self
            .store
            .work("making a commit", ctx, move |repository, _| {
                let tree = change::apply(repository, &parent, &base, &changes)?;
                commit::write(repository, &parent, tree, &message, date)
            })
            .await?;
        Ok(Prepared { head: Some(head) })
    }

    async fn create(
        &self,
        branch: &BranchName,
        _: &CommitDraft<'_>,
        prepared: &Prepared,
        ctx: &RunContext,
    ) -> Result<MadeBranch, VcsError> {
        let Some(head) = prepared.head.clone() else {
            return Err(error::backend("pushing a branch", "the commit was not made before"));
        };
        match self.store.push(&head, branch, &*self.credentials, ctx).await {
            Ok(Pushed::Created) => Ok(MadeBranch::Created { head, signature: None }),
            Ok(Pushed::Taken) => Ok(MadeBranch::Taken),
            Err(VcsError::Cancelled) => Err(VcsError::Cancelled),
            // The answer may have been lost on its way, not the push.
            Err(error) => match self.tip(branch, ctx).await {
                Ok(Some(tip)) if tip == head => Ok(MadeBranch::Created { head, signature: None }),
                Ok(Some(_)) => Ok(MadeBranch::Taken),
                Ok(None) | Err(_) => Err(error),
            },
        }
    }
}
