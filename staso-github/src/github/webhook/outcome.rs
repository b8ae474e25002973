//! What became of a proposal.

use staso_core::id::{BranchName, CommitId, TraceId};
use staso_core::trace::Timestamp;

use super::event::{PullRequest, PullRequestAction, PullRequestEvent, WebhookEvent, WebhookRepository};

/// What the branches of proposals begin with.
const BRANCHES: &str = "fix/staso-";
/// What the hidden mark in a proposal's text begins and ends with.
const MARK: (&str, &str) = ("<!-- staso:diagnosis=", " -->");

/// What became of a proposal: what calibration learns from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProposalOutcome {
    /// The lasting number of the repository.
    pub repository: u64,
    /// The number of the proposal.
    pub number: u64,
    /// Its branch. `None` for a proposal that was reverted under a branch of another name than GitHub gives.
    pub branch: Option<BranchName>,
    /// The trace whose diagnosis it is for. `None` when it was reverted: look it up by the number.
    pub diagnosis: Option<TraceId>,
    /// What became of it.
    pub fate: ProposalFate,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProposalFate {
    /// A person released the draft.
    ReadyForReview,
    /// It was merged.
    Merged {
        /// When.
        at: Timestamp,
        /// The commit that was merged. When it is not the proposed one, people changed the fix first.
        head: CommitId,
    },
    /// It was closed without being merged.
    ClosedUnmerged,
    /// It is open again.
    Reopened,
    /// It was merged, and now another pull request that undoes it was merged too. That one may also undo something that
    /// Staso never proposed: only the number tells.
    Reverted {
        /// When.
        at: Timestamp,
        /// The number of the pull request that undid it.
        by: u64,
    },
}

impl ProposalOutcome {
    /// What the branch says of the failure: the digits between `fix/staso-` and the last dash. Proposals for the same
    /// failure share them.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&str> {
        let name = self.branch.as_ref()?.as_str().strip_prefix(BRANCHES)?;
        name.rsplit_once('-').map(|(fingerprint, _)| fingerprint)
    }
}

impl WebhookEvent {
    /// What became of a proposal, if the event tells.
    ///
    /// Only pull requests count that bear the hidden mark and come from a branch below `fix/staso-` of the repository
    /// itself: a fork can copy both, but not be it. Of a revert only the form counts that GitHub's own button gives it.
    #[must_use]
    pub fn proposal_outcome(&self) -> Option<ProposalOutcome> {
        let Self::PullRequest(event) = self else { return None };
        let PullRequestEvent { action, pull_request, repository, .. } = &**event;
        match pull_request.proposed_diagnosis(repository.id) {
            Some(diagnosis) => Some(ProposalOutcome {
                repository: repository.id,
                number: pull_request.number,
                branch: BranchName::new(&pull_request.head.name).ok(),
                diagnosis: Some(diagnosis),
                fate: fate(*action, pull_request)?,
            }),
            None if *action == PullRequestAction::Closed => reverted(pull_request, repository),
            None => None,
        }
    }
}

fn fate(action: PullRequestAction, proposal: &PullRequest) -> Option<ProposalFate> {
    match action {
        PullRequestAction::ReadyForReview => Some(ProposalFate::ReadyForReview),
        PullRequestAction::Reopened => Some(ProposalFate::Reopened),
        PullRequestAction::Closed if proposal.merged => {
            Some(ProposalFate::Merged { at: proposal.merged_at?, head: proposal.head.commit.clone() })
        }
        PullRequestAction::Closed => Some(ProposalFate::ClosedUnmerged),
        _ => None,
    }
}

impl PullRequest {
    /// The trace that a proposal of Staso is for; `None` for the pull requests of others.
    pub(super) fn proposed_diagnosis(&self, repository: u64) -> Option<TraceId> {
        let ours = self.head.name.starts_with(BRANCHES) && self.head.repository == Some(repository);
        if ours { marked_diagnosis(&self.body) } else { None }
    }
}

/// The trace in the last hidden mark of a text.
pub(super) fn marked_diagnosis(body: &str) -> Option<TraceId> {
    let (_, rest) = body.rsplit_once(MARK.0)?;
    rest.split_once(MARK.1)?.0.parse().ok()
}

/// Which pull request another one undoes: `Revert "<title>"`, and a line `Reverts <owner>/<name>#<number>`, from the
/// branch `revert-<number>-<branch>`.
fn reverted(undoing: &PullRequest, repository: &WebhookRepository) -> Option<ProposalOutcome> {
    let at = undoing.merged_at.filter(|_| undoing.merged)?;
    if !undoing.title.starts_with("Revert \"") {
        return None;
    }
    let number = undoing.body.lines().find_map(|line| {
        let (name, number) = line.trim().strip_prefix("Reverts ")?.split_once('#')?;
        if name.eq_ignore_ascii_case(&repository.full_name) { number.parse().ok() } else { None }
    })?;
    let branch = undoing.head.name.strip_prefix(&format!("revert-{number}-"));
    Some(ProposalOutcome {
        repository: repository.id,
        number,
        branch: branch.filter(|name| name.starts_with(BRANCHES)).and_then(|name| BranchName::new(name).ok()),
        diagnosis: None,
        fate: ProposalFate::Reverted { at, by: undoing.number },
    })
}
