//! What became of a proposal.

use staso_core::id::{BranchName, CommitId, TraceId};
use staso_core::run::RunArtifact;
use staso_core::trace::Timestamp;

use super::event::{
    Account, PullRequest, PullRequestAction, PullRequestEvent, WebhookEvent, WebhookRepository,
};

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
    /// The trace whose diagnosis it is for, as its text says, which people may edit: see [`is_of`](Self::is_of). `None`
    /// when it was reverted: look it up by the number.
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

    /// Whether the run that left `artifact` made this proposal: its diagnosis is of the marked trace, and its branch is
    /// the proposal's.
    #[must_use]
    pub fn is_of(&self, artifact: &RunArtifact) -> bool {
        let trace = artifact.diagnosis.as_ref().map(|diagnosis| diagnosis.trace_id);
        let branch = artifact.proposal.as_ref().map(|proposal| &proposal.branch);
        trace.is_some() && trace == self.diagnosis && branch.is_some() && branch == self.branch.as_ref()
    }
}

impl WebhookEvent {
    /// What became of a proposal, if the event tells. `proposer` is the login that proposals are made with: `<slug>[bot]`
    /// for an app.
    ///
    /// Only pull requests count that `proposer` opened, that bear the hidden mark and that come from a branch below
    /// `fix/staso-` of the repository itself: others can copy mark and branch, but not be the app, and a fork cannot be the
    /// repository. Of a revert only the form counts that GitHub's own button gives it, from a branch of the repository.
    #[must_use]
    pub fn proposal_outcome(&self, proposer: &str) -> Option<ProposalOutcome> {
        let Self::PullRequest(event) = self else { return None };
        let PullRequestEvent { action, pull_request, repository, .. } = &**event;
        match pull_request.proposed_diagnosis(repository.id, proposer) {
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
    /// The trace that a proposal of `proposer` is for; `None` for the pull requests of others.
    pub(super) fn proposed_diagnosis(&self, repository: u64, proposer: &str) -> Option<TraceId> {
        let ours = self.head.name.starts_with(BRANCHES)
            && self.head.repository == Some(repository)
            && is_by(self.author.as_ref(), proposer);
        if ours { marked_diagnosis(&self.body) } else { None }
    }
}

/// Whether `author` has the login `proposer`.
pub(super) fn is_by(author: Option<&Account>, proposer: &str) -> bool {
    author.is_some_and(|author| author.login.eq_ignore_ascii_case(proposer))
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
    // Whoever may make the branch may undo what was merged; a fork only says so.
    if undoing.head.repository != Some(repository.id) || !undoing.title.starts_with("Revert \"") {
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
