//! Exactly one pull request for a branch of ours, whatever happened to earlier tries.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use staso_core::id::BranchName;
use staso_core::run::RunContext;
use staso_core::vcs::{ProposalAction, VcsError};
use tokio_util::sync::CancellationToken;

use super::marker::{self, Origin};
use super::preview::RequestPreview;
use super::problem::Problem;
use super::pull::{self, Pull};
use super::target::Target;
use crate::github::api::{ApiFailure, PROVIDER};
use crate::github::client::{ApiAnswer, Repeat};
use crate::publish::title;

const OPENING: &str = "opening the pull request";
const CHANGING: &str = "changing the text of the pull request";
/// How often opening is tried when its answer is lost and no pull request is found.
const TRIES: usize = 2;
/// How long a request that was sent is waited for after the run was cancelled.
const GRACE: Duration = Duration::from_millis(1_500);

/// The pull request that is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) branch: &'a BranchName,
    pub(super) base: &'a BranchName,
    pub(super) title: &'a str,
    pub(super) body: &'a str,
    pub(super) draft: bool,
    /// The key of the proposal.
    pub(super) key: &'a str,
    /// Whether the branch was there before this run: then so may be its pull request.
    pub(super) is_known: bool,
}

/// The pull request that is there.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) pull: Pull,
    pub(super) action: ProposalAction,
    /// Whether its text is ours, unchanged by others.
    pub(super) is_ours: bool,
    pub(super) warnings: Vec<String>,
}

impl Opened {
    /// A request whose answer was lost did what it should.
    fn of_this_run(mut self) -> Self {
        if self.is_ours && self.action == ProposalAction::Reused && self.pull.is_open() {
            self.action = ProposalAction::Created;
        }
        self
    }
}

/// How one try to open a pull request ended.
enum Tried {
    Opened(Box<Pull>),
    /// There is one already, or not yet a branch to be seen.
    Exists,
    /// Nobody knows.
    Lost,
    /// The repository knows no drafts.
    NoDrafts,
}

struct Opener<'a> {
    target: Target<'a>,
    wanted: Wanted<'a>,
    title: String,
    body: String,
    warnings: Vec<String>,
}

/// The request that would open the pull request.
pub(super) fn request(target: Target<'_>, wanted: Wanted<'_>) -> RequestPreview {
    RequestPreview::post(target.path("pulls"), Opener::new(target, wanted).json(wanted.draft))
}

/// Opens the pull request, or finds it.
pub(super) async fn open(
    target: Target<'_>,
    wanted: Wanted<'_>,
    ctx: &RunContext,
) -> Result<Opened, VcsError> {
    let opener = Opener::new(target, wanted);
    if wanted.is_known
        && let Some(found) = opener.find(ctx).await?
    {
        return opener.keep(found, ctx).await;
    }
    opener.create(ctx).await
}

impl<'a> Opener<'a> {
    fn new(target: Target<'a>, wanted: Wanted<'a>) -> Self {
        let (body, is_cut) = marker::marked(wanted.body, wanted.key);
        let warnings = if is_cut {
            vec!["the text of the pull request was cut to 58,000 bytes".to_owned()]
        } else {
            Vec::new()
        };
        Self { target, wanted, title: title(wanted.title).0, body, warnings }
    }

    async fn create(mut self, ctx: &RunContext) -> Result<Opened, VcsError> {
        let mut draft = self.wanted.draft;
        let (mut tries, mut is_lost) = (0, false);
        while tries < TRIES {
            match self.attempt(draft, ctx).await? {
                Tried::Opened(pull) => {
                    let (pull, action, warnings) = (*pull, ProposalAction::Created, self.warnings);
                    return Ok(Opened { pull, action, is_ours: true, warnings });
                }
                Tried::NoDrafts => {
                    draft = false;
                    self.warnings.push(
                        "the repository does not offer draft pull requests: this one is ready for review"
                            .to_owned(),
                    );
                }
                tried @ (Tried::Exists | Tried::Lost) => {
                    tries += 1;
                    is_lost |= matches!(tried, Tried::Lost);
                    if let Some(found) = self.search(ctx).await? {
                        let kept = self.keep(found, ctx).await?;
                        return Ok(if is_lost { kept.of_this_run() } else { kept });
                    }
                }
            }
        }
        let source = format!("no pull request of {} is to be found after {TRIES} tries", self.wanted.branch);
        Err(VcsError::Backend { provider: PROVIDER, operation: OPENING, source: source.into() })
    }

    async fn attempt(&self, draft: bool, ctx: &RunContext) -> Result<Tried, VcsError> {
        match self.post(self.json(draft), ctx).await? {
            Ok(answer) if answer.is_success() => {
                answer.json(OPENING).map(|pull| Tried::Opened(Box::new(pull)))
            }
            Ok(answer) if answer.status >= 500 => Ok(Tried::Lost),
            Ok(answer) => self.judge(&answer, draft),
            Err(ApiFailure::Lost { .. }) => Ok(Tried::Lost),
            Err(ApiFailure::Failed(error)) => Err(error),
        }
    }

    fn json(&self, draft: bool) -> Value {
        json!({
            "title": self.title,
            "head": self.wanted.branch.as_str(),
            "base": self.wanted.base.as_str(),
            "body": self.body,
            "draft": draft,
            "maintainer_can_modify": true,
        })
    }

    /// Sends the request that opens it. Once sent it is not called off at once, so that a run that is cancelled still
    /// learns of the pull request that it opened.
    async fn post(&self, body: Value, ctx: &RunContext) -> Result<Result<ApiAnswer, ApiFailure>, VcsError> {
        if ctx.is_cancelled() {
            return Err(VcsError::Cancelled);
        }
        let unstopped = ctx.clone().with_cancellation(CancellationToken::new());
        let sending = self.target.write(OPENING, Method::POST, "pulls", body, Repeat::ReadBack, &unstopped);
        let over = async {
            ctx.cancellation().cancelled().await;
            ctx.clock().sleep(GRACE).await;
        };
        tokio::select! {
            biased;
            sent = sending => Ok(sent),
            () = over => Err(VcsError::Cancelled),
        }
    }

    /// What a refusal means.
    fn judge(&self, answer: &ApiAnswer, draft: bool) -> Result<Tried, VcsError> {
        let problem = Problem::of(answer);
        let (branch, base) = (self.wanted.branch, self.wanted.base);
        if problem.says("already exists") {
            Ok(Tried::Exists)
        } else if draft && problem.says("draft pull requests are not supported") {
            Ok(Tried::NoDrafts)
        } else if problem.says("no commits between") {
            Err(VcsError::NothingToPropose)
        } else if answer.status == 422 && problem.blames("base") {
            Err(VcsError::InvalidChange { reason: format!("the base branch {base} is gone") })
        } else if answer.status == 422 && problem.blames("head") {
            // What was pushed a moment ago is not seen everywhere at once.
            Ok(Tried::Exists)
        } else if problem.is_policy() {
            Err(VcsError::PolicyRejected { branch: branch.clone(), rule: problem.text() })
        } else {
            Err(self.target.refusal(answer, OPENING))
        }
    }

    /// The pull request of the branch that counts: the open one, else the newest.
    async fn find(&self, ctx: &RunContext) -> Result<Option<Pull>, VcsError> {
        let found = pull::of_branch(self.target, self.wanted.branch, ctx).await?;
        let for_base = found.into_iter().filter(|pull| pull.is_for(self.wanted.base) || pull.is_open());
        Ok(newest_open(for_base))
    }

    async fn search(&self, ctx: &RunContext) -> Result<Option<Pull>, VcsError> {
        match self.find(ctx).await? {
            Some(found) => Ok(Some(found)),
            None => pull::among_open(self.target, self.wanted.branch, ctx).await,
        }
    }

    /// Leaves a pull request as it is, unless it is open and says in our own words something else than it should.
    async fn keep(mut self, pull: Pull, ctx: &RunContext) -> Result<Opened, VcsError> {
        let text = pull.body.as_deref().unwrap_or_default();
        let origin = marker::origin(text, self.wanted.key);
        let is_ours = origin == Origin::Ours;
        let action = ProposalAction::Reused;
        if !pull.is_open() {
            return Ok(Opened { pull, action, is_ours, warnings: self.warnings });
        }
        let number = pull.number;
        let mut opened = Opened { pull, action, is_ours, warnings: std::mem::take(&mut self.warnings) };
        match origin {
            Origin::Ours if marker::is_same(opened.pull.body.as_deref().unwrap_or_default(), &self.body) => {}
            Origin::Ours => match self.change(number, ctx).await? {
                Ok(changed) => {
                    opened.pull = changed;
                    opened.action = ProposalAction::Updated;
                }
                Err(warning) => opened.warnings.push(warning),
            },
            Origin::Edited => opened
                .warnings
                .push(format!("someone has changed the text of pull request {number}: it stays as it is")),
            Origin::Foreign => opened.warnings.push(format!(
                "pull request {number} of this branch was not opened for this proposal: it stays as it is"
            )),
        }
        Ok(opened)
    }

    /// Writes our text again. What does not work is a warning: the pull request is there.
    async fn change(&self, number: u64, ctx: &RunContext) -> Result<Result<Pull, String>, VcsError> {
        let (rest, body) = (format!("pulls/{number}"), json!({ "body": self.body }));
        match self.target.write(CHANGING, Method::PATCH, &rest, body, Repeat::Safe, ctx).await {
            Ok(answer) if answer.is_success() => answer.json(CHANGING).map(Ok),
            Ok(answer) => Ok(Err(format!("{CHANGING} was refused: {}", Problem::of(&answer).text()))),
            Err(ApiFailure::Failed(VcsError::Cancelled)) => Err(VcsError::Cancelled),
            Err(failure) => Ok(Err(format!("{CHANGING} failed: {}", VcsError::from(failure)))),
        }
    }
}

/// The open one of several, else the newest; they come newest first.
pub(super) fn newest_open(pulls: impl IntoIterator<Item = Pull>) -> Option<Pull> {
    let pulls: Vec<Pull> = pulls.into_iter().collect();
    let open = pulls.iter().position(Pull::is_open).unwrap_or(0);
    pulls.into_iter().nth(open)
}
