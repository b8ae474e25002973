//! Branches with commits that GitHub makes: publishing without git.
//!
//! GitHub signs what an app makes of blobs and trees, and what anyone makes by `createCommitOnBranch`. The former needs no
//! branch and carries every kind of file, so the latter is for personal tokens alone.

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
use super::mutation::{Mutation, Outcome, scratch_branch};
use super::reference::{self, Put};
use super::target::Target;
use super::tree::Listing;
use crate::git::{GitRepository, is_lfs_pointer};
use crate::github::api::PROVIDER;
use crate::github::client::ApiRequest;
use crate::github::name::encode;
use crate::publish::{BranchHost, CommitDraft, CommitFacts, GitBranches, MadeBranch, Standing, Trailers};

/// The branches of one repository, through the API.
#[derive(Debug)]
pub(crate) struct ApiBranches<'a> {
    target: Target<'a>,
    /// `Some`: commits are made by mutation where that can carry the change. How the branch for that begins.
    mutations: Option<BranchName>,
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
        Self { target, mutations: None, git: None, known: Mutex::default() }
    }

    /// Makes commits by mutation where that can carry the change.
    pub(super) fn with_mutations(mut self, prefix: BranchName) -> Self {
        self.mutations = Some(prefix);
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

    /// Makes the commit on a branch of its own, which is removed again: the branch of the proposal appears with its commit,
    /// so that other runs never meet it without.
    async fn commit_by_mutation(
        &self,
        prefix: &BranchName,
        draft: &CommitDraft<'_>,
        ctx: &RunContext,
    ) -> Result<CommitId, VcsError> {
        let (parent, changes) = (draft.parent, draft.changes);
        let scratch = &scratch_branch(prefix, parent, ctx)?;
        let outcome = match reference::create(self.target, scratch, parent, ctx).await? {
            // A killed run of this name may have made the branch, and its commit as well.
            Put::Taken => Outcome::Unknown,
            Put::Made | Put::Same => {
                let mutation = Mutation { branch: scratch, parent, changes, message: draft.message };
                mutation.run(self.target, ctx).await?
            }
        };
        let (head, signature) = match outcome {
            Outcome::Made { head, signature } => (head, signature),
            Outcome::Unknown => self.read_back(scratch, draft, ctx).await?,
        };
        reference::remove(self.target, scratch, ctx).await;
        if let Some(signature) = signature {
            self.known().signatures.insert(head.clone(), signature);
        }
        Ok(head)
    }

    /// What became of a mutation whose answer is not known.
    async fn read_back(
        &self,
        scratch: &BranchName,
        draft: &CommitDraft<'_>,
        ctx: &RunContext,
    ) -> Result<(CommitId, Option<CommitSignature>), VcsError> {
        if let Some(tip) = reference::read(self.target, scratch, ctx).await?
            && tip != *draft.parent
        {
            let facts = self.inspect(&tip, draft.changes, ctx).await?;
            let is_ours = facts.makes_the_change
                && facts.parent.as_ref() == Some(draft.parent)
                && facts.message.trim() == draft.message.trim();
            if is_ours {
                return Ok((tip, facts.signature));
            }
        }
        let source = format!("the commit is not on {scratch}, where it was to be made: try again").into();
        Err(VcsError::Backend { provider: PROVIDER, operation: "making a commit", source })
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
        match self.look(prefix, base, ctx).await {
            Some(looked) => Ok(looked),
            None => {
                let branches = reference::standing(self.target, prefix, ctx).await?;
                Ok(Standing { branches, base_tip: None })
            }
        }
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

    async fn prepare(&self, draft: &CommitDraft<'_>, ctx: &RunContext) -> Result<CommitId, VcsError> {
        let listing = self.listing(draft.parent, draft.changes, ctx).await?;
        let edits = listing.open(draft.base, draft.changes)?;
        self.refuse_lfs(&listing, &edits, ctx).await?;
        let by_mutation =
            edits.len() == draft.changes.edits.len() && edits.iter().all(|edit| listing.is_regular(edit));
        if let Some(prefix) = self.mutations.as_ref().filter(|_| by_mutation) {
            return self.commit_by_mutation(prefix, draft, ctx).await;
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
        Ok(head)
    }

    async fn create(
        &self,
        branch: &BranchName,
        _: &CommitDraft<'_>,
        head: &CommitId,
        ctx: &RunContext,
    ) -> Result<MadeBranch, VcsError> {
        Ok(match reference::create(self.target, branch, head, ctx).await? {
            Put::Taken => MadeBranch::Taken,
            Put::Made | Put::Same => {
                let signature = self.known().signatures.get(head).cloned();
                MadeBranch::Created { head: head.clone(), signature }
            }
        })
    }
}
