//! Branches with commits that GitHub makes: publishing without git.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::vcs::{ChangeSet, CommitSignature, FileEdit, VcsError};

use super::blob;
use super::check::{is_lfs_pointer, lfs};
use super::commit::{GitCommit, NewCommit, ObjectAnswer, commit_id};
use super::reference::{self, Put};
use super::target::Target;
use super::tree::Listing;
use crate::github::client::ApiRequest;
use crate::github::name::encode;
use crate::publish::{BranchHost, CommitDraft, CommitFacts, MadeBranch, Prepared, StandingBranch, Trailers};

/// The branches of one repository, through the API.
#[derive(Debug)]
pub(crate) struct ApiBranches<'a> {
    target: Target<'a>,
    known: Mutex<Known>,
}

/// What answers told on the way.
#[derive(Debug, Default)]
struct Known {
    /// The trees of commits.
    trees: BTreeMap<CommitId, String>,
    /// What GitHub says of the commits that it made.
    signatures: BTreeMap<CommitId, CommitSignature>,
}

#[derive(Debug, Deserialize)]
struct BranchAnswer {
    commit: TipAnswer,
}

#[derive(Debug, Deserialize)]
struct TipAnswer {
    sha: String,
    commit: TipCommit,
}

#[derive(Debug, Deserialize)]
struct TipCommit {
    tree: ObjectAnswer,
}

impl<'a> ApiBranches<'a> {
    pub(super) fn new(target: Target<'a>) -> Self {
        Self { target, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn commit(&self, commit: &CommitId, ctx: &RunContext) -> Result<GitCommit, VcsError> {
        let found = GitCommit::read(self.target, commit, ctx).await?;
        let found = found.ok_or_else(|| VcsError::CommitNotFound {
            commit: commit.clone(),
            url: self.target.name.url.clone(),
        })?;
        self.known().trees.insert(commit.clone(), found.tree.sha.clone());
        Ok(found)
    }

    async fn tree_of(&self, commit: &CommitId, ctx: &RunContext) -> Result<String, VcsError> {
        let known = self.known().trees.get(commit).cloned();
        match known {
            Some(tree) => Ok(tree),
            None => Ok(self.commit(commit, ctx).await?.tree.sha),
        }
    }

    async fn refuse_lfs(
        &self,
        listing: &Listing,
        edits: &[&FileEdit],
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        for edit in edits {
            if let Some(id) = listing.possible_lfs_pointer(edit)
                && is_lfs_pointer(&blob::read(self.target, id, ctx).await?)
            {
                return Err(lfs(&edit.path));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl BranchHost for ApiBranches<'_> {
    async fn standing(&self, prefix: &BranchName, ctx: &RunContext) -> Result<Vec<StandingBranch>, VcsError> {
        reference::standing(self.target, prefix, ctx).await
    }

    async fn tip(&self, branch: &BranchName, ctx: &RunContext) -> Result<Option<CommitId>, VcsError> {
        let operation = "reading a branch";
        let path = self.target.path(&format!("branches/{}", encode(branch.as_str())));
        let found: Option<BranchAnswer> = self.target.find(ApiRequest::get(operation, path), ctx).await?;
        let Some(BranchAnswer { commit }) = found else { return Ok(None) };
        let tip = commit_id(operation, &commit.sha)?;
        self.known().trees.insert(tip.clone(), commit.commit.tree.sha);
        Ok(Some(tip))
    }

    async fn inspect(
        &self,
        commit: &CommitId,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<CommitFacts, VcsError> {
        let found = self.commit(commit, ctx).await?;
        let parents = found.parents.iter().map(|parent| commit_id("reading a commit", &parent.sha));
        let parents: Vec<CommitId> = parents.collect::<Result<_, _>>()?;
        let makes_the_change = match parents.as_slice() {
            [parent] if Trailers::read(&found.message).is_some() => {
                let before = Listing::read(self.target, parent, changes, ctx).await?;
                let after = Listing::read(self.target, commit, changes, ctx).await?;
                before.with(changes)?.is_some_and(|wanted| wanted.is(&after))
            }
            _ => false,
        };
        let parent = parents.into_iter().next();
        let signature = found.verification.map(CommitSignature::from);
        Ok(CommitFacts { message: found.message, parent, makes_the_change, signature })
    }

    async fn check(
        &self,
        commit: &CommitId,
        base: &BranchName,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        let listing = Listing::read(self.target, commit, changes, ctx).await?;
        listing.open(base, changes).map(drop)
    }

    async fn prepare(&self, draft: &CommitDraft<'_>, ctx: &RunContext) -> Result<Prepared, VcsError> {
        let listing = Listing::read(self.target, draft.parent, draft.changes, ctx).await?;
        let edits = listing.open(draft.base, draft.changes)?;
        self.refuse_lfs(&listing, &edits, ctx).await?;
        let base_tree = self.tree_of(draft.parent, ctx).await?;
        let commit =
            NewCommit { parent: draft.parent, base_tree: &base_tree, edits: &edits, message: draft.message };
        let made = commit.make(self.target, ctx).await?;
        let head = made.id()?;
        if let Some(verification) = made.verification {
            self.known().signatures.insert(head.clone(), verification.into());
        }
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
            return Err(VcsError::InvalidChange { reason: "there is no commit for the branch".to_owned() });
        };
        Ok(match reference::create(self.target, branch, &head, ctx).await? {
            Put::Taken => MadeBranch::Taken,
            Put::Made => {
                let signature = self.known().signatures.get(&head).cloned();
                MadeBranch::Created { head, signature }
            }
        })
    }
}
