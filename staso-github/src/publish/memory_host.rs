//! A host in memory that loses answers, dies and is raced on demand.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use staso_core::id::{BlobId, BranchName, CommitId, Digest};
use staso_core::run::RunContext;
use staso_core::vcs::{ChangeSet, FileEdit, VcsError};

use super::host::{BranchHost, CommitDraft, CommitFacts, MadeBranch, Prepared, Standing, StandingBranch};
use super::publication::number_of;

#[derive(Debug, Clone)]
pub(crate) struct MemoryCommit {
    pub(crate) message: String,
    pub(crate) parent: Option<CommitId>,
    pub(crate) edits: Vec<FileEdit>,
}

/// When a call dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// Before it did anything.
    Before(usize),
    /// After it did everything: the answer is lost.
    After(usize),
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) branches: BTreeMap<BranchName, CommitId>,
    pub(crate) commits: BTreeMap<CommitId, MemoryCommit>,
    /// What someone else does right before a branch is made.
    pub(crate) races: Vec<(BranchName, CommitId)>,
    /// Names that cannot be had, though nothing is shown there.
    pub(crate) blocked: Vec<BranchName>,
    pub(crate) death: Option<Death>,
    pub(crate) calls: usize,
    /// The commit at which changes do not fit.
    pub(crate) conflicts_at: Option<CommitId>,
}

#[derive(Debug, Default)]
pub(crate) struct MemoryHost(Mutex<State>);

impl MemoryHost {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn commit(&self, seed: &str, commit: MemoryCommit) -> CommitId {
        let id = CommitId::new(&Digest::of(seed).hex()[..40]).unwrap();
        self.state().commits.insert(id.clone(), commit);
        id
    }

    fn call<T>(&self, work: impl FnOnce(&mut State) -> Result<T, VcsError>) -> Result<T, VcsError> {
        let mut state = self.state();
        state.calls += 1;
        let calls = state.calls;
        let lost = || Err(VcsError::Timeout { operation: "a call", limit_ms: 1 });
        match state.death {
            Some(Death::Before(at)) if at == calls => lost(),
            Some(Death::After(at)) if at == calls => {
                work(&mut state)?;
                lost()
            }
            _ => work(&mut state),
        }
    }
}

fn fits(state: &State, commit: &CommitId, base: &BranchName, changes: &ChangeSet) -> Result<(), VcsError> {
    if state.conflicts_at.as_ref() == Some(commit) {
        let paths = changes.edits.iter().map(|edit| edit.path.clone()).collect();
        return Err(VcsError::Conflict { branch: base.clone(), paths });
    }
    Ok(())
}

#[async_trait]
impl BranchHost for MemoryHost {
    async fn standing(
        &self,
        prefix: &BranchName,
        _: &BranchName,
        _: &RunContext,
    ) -> Result<Standing, VcsError> {
        self.call(|state| {
            let found = state.branches.iter().filter_map(|(branch, tip)| {
                let number = number_of(prefix, branch.as_str())?;
                Some(StandingBranch { branch: branch.clone(), number, tip: tip.clone() })
            });
            Ok(Standing { branches: found.collect(), base_tip: None })
        })
    }

    async fn tip(&self, branch: &BranchName, _: &RunContext) -> Result<Option<CommitId>, VcsError> {
        self.call(|state| Ok(state.branches.get(branch).cloned()))
    }

    async fn inspect(
        &self,
        commit: &CommitId,
        changes: &ChangeSet,
        _: &RunContext,
    ) -> Result<CommitFacts, VcsError> {
        self.call(|state| {
            let found = state.commits[commit].clone();
            let makes_the_change = found.edits == changes.edits;
            Ok(CommitFacts {
                message: found.message,
                parent: found.parent,
                makes_the_change,
                signature: None,
            })
        })
    }

    async fn content(&self, _: &CommitId, _: &BlobId, _: &RunContext) -> Result<Vec<u8>, VcsError> {
        self.call(|_| Ok(Vec::new()))
    }

    async fn check(
        &self,
        commit: &CommitId,
        base: &BranchName,
        changes: &ChangeSet,
        _: &RunContext,
    ) -> Result<(), VcsError> {
        self.call(|state| fits(state, commit, base, changes))
    }

    async fn prepare(&self, draft: &CommitDraft<'_>, _: &RunContext) -> Result<Prepared, VcsError> {
        let seed = format!("{}{}{:?}", draft.parent, draft.message, draft.date);
        let commit = MemoryCommit {
            message: draft.message.to_owned(),
            parent: Some(draft.parent.clone()),
            edits: draft.changes.edits.clone(),
        };
        let head = self.commit(&seed, commit);
        self.call(|state| fits(state, draft.parent, draft.base, draft.changes))?;
        Ok(Prepared { head: Some(head) })
    }

    async fn create(
        &self,
        branch: &BranchName,
        _: &CommitDraft<'_>,
        prepared: &Prepared,
        _: &RunContext,
    ) -> Result<MadeBranch, VcsError> {
        self.call(|state| {
            for (branch, tip) in std::mem::take(&mut state.races) {
                state.branches.insert(branch, tip);
            }
            if state.branches.contains_key(branch) || state.blocked.contains(branch) {
                return Ok(MadeBranch::Taken);
            }
            let head = prepared.head.clone().unwrap();
            state.branches.insert(branch.clone(), head.clone());
            Ok(MadeBranch::Created { head, signature: None })
        })
    }
}
