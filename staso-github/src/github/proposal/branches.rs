//! Branches with commits that GitHub makes: publishing without git.
//!
//! GitHub signs what an app makes of blobs and trees, and what anyone makes by `createCommitOnBranch`. The former makes a
//! branch appear whole and carries every kind of file, so the latter is for personal tokens alone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use staso_core::id::{BlobId, BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::vcs::{ChangeSet, CommitSignature, FileEdit, VcsError};

use super::blob;
use super::check::lfs;
use super::commit::{GitCommit, NewCommit, ObjectAnswer, commit_id};
use super::mutation::{Mutation, Outcome};
use super::pending::Pending;
use super::reference::{self, Put};
use super::target::Target;
use super::tree::Listing;
use crate::git::{GitRepository, is_lfs_pointer};
use crate::github::api::PROVIDER;
use crate::github::client::ApiRequest;
use crate::github::name::encode;
use crate::publish::{
    BranchHost, CommitDraft, CommitFacts, GitBranches, MadeBranch, Prepared, Standing, Trailers,
};

/// The branches of one repository, through the API.
#[derive(Debug)]
pub(crate) struct ApiBranches<'a> {
    target: Target<'a>,
    /// `Some`: commits are made by mutation where that can carry the change.
    pending: Option<Pending>,
    /// `Some`: branches and trees are read with git, which costs no request.
    git: Option<GitBranches>,
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
    /// Not every server tells it here.
    commit: Option<TipCommit>,
}

#[derive(Debug, Deserialize)]
struct TipCommit {
    tree: ObjectAnswer,
}

impl<'a> ApiBranches<'a> {
    pub(super) fn new(target: Target<'a>) -> Self {
        Self { target, pending: None, git: None, known: Mutex::default() }
    }

    /// Makes commits by mutation where that can carry the change. `pending` says which branches wait for theirs.
    pub(super) fn with_mutations(mut self, pending: Pending) -> Self {
        self.pending = Some(pending);
        self
    }

    /// Reads branches and trees with git.
    pub(super) fn with_git(mut self, git: GitBranches) -> Self {
        self.git = Some(git);
        self
    }

    /// The branches of ours with the base, in one look of git; `None` where git cannot look.
    async fn look(&self, prefix: &BranchName, base: &BranchName, ctx: &RunContext) -> Option<Standing> {
        let looked = self.git.as_ref()?.standing(prefix, base, ctx).await;
        looked.inspect_err(|error| tracing::debug!(%error, "the branches are read through the API")).ok()
    }

    async fn listing(
        &self,
        commit: &CommitId,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<Listing, VcsError> {
        if let Some(git) = &self.git {
            match self.kept_listing(git, commit, changes, ctx).await {
                Err(error) => tracing::debug!(%error, "a tree is read through the API"),
                kept => return kept,
            }
        }
        Listing::read(self.target, commit, changes, ctx).await
    }

    async fn kept_listing(
        &self,
        git: &GitBranches,
        commit: &CommitId,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<Listing, VcsError> {
        git.ensure(std::slice::from_ref(commit), ctx).await?;
        let (id, changes) = (commit.clone(), changes.clone());
        let read = move |repository: &GitRepository, _: &_| {
            Ok((repository.tree(&id)?.id().to_string(), Listing::kept(repository, &id, &changes)?))
        };
        let (tree, listing) = git.store().work("reading a tree", ctx, read).await?;
        self.known().trees.insert(commit.clone(), tree);
        Ok(listing)
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

    /// Makes a branch at the parent, or takes up the one that an earlier run made there, and then its commit.
    async fn create_by_mutation(
        &self,
        pending: &Pending,
        branch: &BranchName,
        draft: &CommitDraft<'_>,
        ctx: &RunContext,
    ) -> Result<MadeBranch, VcsError> {
        let waits = pending.holds(branch, draft.parent, ctx).await?;
        if !waits {
            pending.write(branch, draft.parent, ctx).await?;
        }
        match reference::create(self.target, branch, draft.parent, ctx).await? {
            Put::Made => {}
            // The tip of the base is where anyone may put a branch.
            Put::Same if waits => {}
            Put::Same | Put::Taken => {
                pending.remove(branch, ctx).await;
                return Ok(MadeBranch::Taken);
            }
        }
        let mutation =
            Mutation { branch, parent: draft.parent, changes: draft.changes, message: draft.message };
        let made = match mutation.run(self.target, ctx).await? {
            Outcome::Made { head, signature } => MadeBranch::Created { head, signature },
            Outcome::Unknown => self.read_back(branch, draft, ctx).await?,
        };
        pending.remove(branch, ctx).await;
        Ok(made)
    }

    /// What became of a mutation whose answer is not known.
    async fn read_back(
        &self,
        branch: &BranchName,
        draft: &CommitDraft<'_>,
        ctx: &RunContext,
    ) -> Result<MadeBranch, VcsError> {
        let Some(tip) = reference::read(self.target, branch, ctx).await? else {
            return Ok(MadeBranch::Taken);
        };
        if tip == *draft.parent {
            let source = "the branch is there, but not yet its commit: try again".into();
            return Err(VcsError::Backend { provider: PROVIDER, operation: "making a commit", source });
        }
        let facts = self.inspect(&tip, draft.changes, ctx).await?;
        let is_ours = facts.makes_the_change
            && facts.parent.as_ref() == Some(draft.parent)
            && facts.message.trim() == draft.message.trim();
        Ok(if is_ours {
            MadeBranch::Created { head: tip, signature: facts.signature }
        } else {
            MadeBranch::Taken
        })
    }

    async fn refuse_lfs(
        &self,
        listing: &Listing,
        edits: &[&FileEdit],
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        for edit in edits {
            if let Some(id) = listing.possible_lfs_pointer(edit)
                && is_lfs_pointer(&blob::read(self.target, &id, ctx).await?)
            {
                return Err(lfs(&edit.path));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl BranchHost for ApiBranches<'_> {
    async fn standing(
        &self,
        prefix: &BranchName,
        base: &BranchName,
        ctx: &RunContext,
    ) -> Result<Standing, VcsError> {
        let Standing { branches, base_tip } = match self.look(prefix, base, ctx).await {
            Some(looked) => looked,
            None => {
                let branches = reference::standing(self.target, prefix, ctx).await?;
                Standing { branches, base_tip: None }
            }
        };
        let mut standing = Vec::new();
        for found in branches {
            let waits = match &self.pending {
                Some(pending) => pending.holds(&found.branch, &found.tip, ctx).await?,
                None => false,
            };
            if !waits {
                standing.push(found);
            }
        }
        Ok(Standing { branches: standing, base_tip })
    }

    async fn tip(&self, branch: &BranchName, ctx: &RunContext) -> Result<Option<CommitId>, VcsError> {
        let operation = "reading a branch";
        let path = self.target.path(&format!("branches/{}", encode(branch.as_str())));
        let found: Option<BranchAnswer> = self.target.find(ApiRequest::get(operation, path), ctx).await?;
        let Some(BranchAnswer { commit }) = found else { return Ok(None) };
        let tip = commit_id(operation, &commit.sha)?;
        if let Some(TipCommit { tree }) = commit.commit {
            self.known().trees.insert(tip.clone(), tree.sha);
        }
        Ok(Some(tip))
    }

    async fn inspect(
        &self,
        commit: &CommitId,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<CommitFacts, VcsError> {
        // Only of our own commits does the signature matter, which git does not tell.
        if let Some(git) = &self.git
            && let Ok(facts) = git.inspect(commit, changes, ctx).await
            && Trailers::read(&facts.message).is_none()
        {
            return Ok(facts);
        }
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

    async fn content(&self, _: &CommitId, file: &BlobId, ctx: &RunContext) -> Result<Vec<u8>, VcsError> {
        blob::read(self.target, file.as_str(), ctx).await
    }

    async fn check(
        &self,
        commit: &CommitId,
        base: &BranchName,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        self.listing(commit, changes, ctx).await?.open(base, changes).map(drop)
    }

    async fn prepare(&self, draft: &CommitDraft<'_>, ctx: &RunContext) -> Result<Prepared, VcsError> {
        let listing = self.listing(draft.parent, draft.changes, ctx).await?;
        let edits = listing.open(draft.base, draft.changes)?;
        self.refuse_lfs(&listing, &edits, ctx).await?;
        let by_mutation =
            edits.len() == draft.changes.edits.len() && edits.iter().all(|edit| listing.is_regular(edit));
        if self.pending.is_some() && by_mutation {
            return Ok(Prepared { head: None });
        }
        let base_tree = self.tree_of(draft.parent, ctx).await?;
        // Where the listing is not the whole truth, as with names that are not UTF-8, nothing can be foretold of it.
        let is_whole = listing.id()? == base_tree;
        let wanted = if is_whole { listing.with(draft.changes)? } else { None };
        let wanted_tree = wanted.map(|listing| listing.id()).transpose()?;
        let commit = NewCommit {
            parent: draft.parent,
            base_tree: &base_tree,
            edits: &edits,
            message: draft.message,
            wanted_tree: wanted_tree.as_deref(),
        };
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
        draft: &CommitDraft<'_>,
        prepared: &Prepared,
        ctx: &RunContext,
    ) -> Result<MadeBranch, VcsError> {
        let head = match (&prepared.head, &self.pending) {
            (Some(head), _) => head.clone(),
            (None, Some(pending)) => return self.create_by_mutation(pending, branch, draft, ctx).await,
            (None, None) => return Ok(MadeBranch::Taken),
        };
        Ok(match reference::create(self.target, branch, &head, ctx).await? {
            Put::Taken => MadeBranch::Taken,
            Put::Made | Put::Same => {
                let signature = self.known().signatures.get(&head).cloned();
                MadeBranch::Created { head, signature }
            }
        })
    }
}
