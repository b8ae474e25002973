//! Pull requests as GitHub keeps them: one by its branch, a new one, a changed text.

use serde::Deserialize;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::vcs::{Proposal, ProposalAction, ProposalState, VcsError};

use super::commit::commit_id;
use super::target::Target;
use crate::github::client::{ApiRequest, Pages};

const LISTING: &str = "listing pull requests";
const PER_PAGE: usize = 100;
/// Pages of open pull requests that are searched where the search by branch does not know ours yet.
const MAX_PAGES: usize = 10;

/// A pull request.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    html_url: String,
    state: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged_at: Option<String>,
    pub(super) body: Option<String>,
    head: End,
    base: End,
    #[serde(default)]
    pub(super) labels: Vec<Label>,
    #[serde(default)]
    requested_reviewers: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(default)]
    requested_teams: Option<Vec<serde::de::IgnoredAny>>,
}

/// A label of a pull request.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Label {
    pub(super) name: String,
}

/// One end of a pull request. Its repository is gone when a fork was deleted.
#[derive(Debug, Clone, Deserialize)]
struct End {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
    repo: Option<Repository>,
}

#[derive(Debug, Clone, Deserialize)]
struct Repository {
    full_name: String,
}

impl Pull {
    pub(super) fn state(&self) -> ProposalState {
        match (self.merged_at.is_some(), self.state == "open", self.draft) {
            (true, _, _) => ProposalState::Merged,
            (false, false, _) => ProposalState::Closed,
            (false, true, true) => ProposalState::Draft,
            (false, true, false) => ProposalState::Open,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state(), ProposalState::Draft | ProposalState::Open)
    }

    /// Whether anyone is asked for a review.
    pub(super) fn has_reviewers(&self) -> bool {
        [&self.requested_reviewers, &self.requested_teams]
            .into_iter()
            .flatten()
            .any(|asked| !asked.is_empty())
    }

    /// Whether it carries a branch of the repository itself, not one of the same name in a fork.
    pub(super) fn carries(&self, branch: &BranchName) -> bool {
        let same_repository = match (&self.head.repo, &self.base.repo) {
            (Some(head), Some(base)) => head.full_name == base.full_name,
            _ => false,
        };
        self.head.branch == branch.as_str() && same_repository
    }

    pub(super) fn is_for(&self, base: &BranchName) -> bool {
        self.base.branch == base.as_str()
    }

    /// The proposal as the rest of the project knows it.
    pub(super) fn proposal(
        &self,
        target: Target<'_>,
        action: ProposalAction,
        warnings: Vec<String>,
    ) -> Result<Proposal, VcsError> {
        let branch = |name: &str| {
            BranchName::new(name)
                .map_err(|error| VcsError::BadAnswer { operation: LISTING, reason: error.to_string() })
        };
        Ok(Proposal {
            branch: branch(&self.head.branch)?,
            base: branch(&self.base.branch)?,
            head: self.head()?,
            url: self.page(target),
            state: self.state(),
            action,
            signature: None,
            warnings,
        })
    }

    /// Its page. What the answer says counts only when it leads to this GitHub.
    fn page(&self, target: Target<'_>) -> String {
        let endpoints = target.api.endpoints();
        let (git, name) = (&endpoints.git, target.name);
        let ours = || format!("{git}/{}/{}/pull/{}", name.owner, name.name, self.number);
        endpoints.page(&self.html_url).map_or_else(ours, str::to_owned)
    }

    fn head(&self) -> Result<CommitId, VcsError> {
        commit_id(LISTING, &self.head.sha)
    }
}

/// All pull requests of a branch, newest first, whatever became of them.
pub(super) async fn of_branch(
    target: Target<'_>,
    branch: &BranchName,
    ctx: &RunContext,
) -> Result<Vec<Pull>, VcsError> {
    let request =
        page(target).with_query("state", "all").with_query("head", format!("{}:{branch}", target.name.owner));
    let mut found = list(target, request, ctx).await?;
    // A server that does not know the filter, or reads the branch in another way, lists others as well.
    found.retain(|pull| pull.carries(branch));
    Ok(found)
}

/// The open pull request of a branch, searched among all open ones: the search by branch lags behind.
pub(super) async fn among_open(
    target: Target<'_>,
    branch: &BranchName,
    ctx: &RunContext,
) -> Result<Option<Pull>, VcsError> {
    let mut pages = Pages::new(page(target).with_query("state", "open"), MAX_PAGES);
    while let Some(request) = pages.request() {
        let answer = target.read(request.clone(), ctx).await?;
        if answer.status == 404 {
            return Err(VcsError::RepositoryNotFound { url: target.name.url.clone() });
        }
        pages.turn(&request, &answer, &target.api.endpoints().api);
        let found: Vec<Pull> = answer.json(LISTING)?;
        if let Some(pull) = found.into_iter().find(|pull| pull.carries(branch)) {
            return Ok(Some(pull));
        }
    }
    if pages.is_cut() {
        tracing::warn!(%branch, "more pull requests are open than are searched");
    }
    Ok(None)
}

fn page(target: Target<'_>) -> ApiRequest {
    ApiRequest::get(LISTING, target.path("pulls"))
        .with_query("sort", "created")
        .with_query("direction", "desc")
        .with_query("per_page", PER_PAGE.to_string())
}

async fn list(target: Target<'_>, request: ApiRequest, ctx: &RunContext) -> Result<Vec<Pull>, VcsError> {
    let missing = || VcsError::RepositoryNotFound { url: target.name.url.clone() };
    target.find(request, ctx).await?.ok_or_else(missing)
}
