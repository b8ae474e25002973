//! Pull requests as GitHub keeps them: one by its branch, a new one, a changed text.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::vcs::{Proposal, ProposalAction, ProposalState, VcsError};

use super::commit::commit_id;
use super::target::Target;
use crate::github::api::ApiFailure;
use crate::github::client::{ApiAnswer, ApiRequest, Repeat};

const LISTING: &str = "listing pull requests";
const PER_PAGE: usize = 100;
/// Pages of open pull requests that are searched where the search by branch does not know ours yet.
const MAX_PAGES: usize = 10;

/// A pull request.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) html_url: String,
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
        [&self.requested_reviewers, &self.requested_teams].into_iter().flatten().any(|asked| !asked.is_empty())
    }

    /// Whether it is for a branch of the repository itself, not for one of the same name in a fork.
    fn is_of(&self, target: Target<'_>, branch: &BranchName) -> bool {
        let ours = format!("{}/{}", target.name.owner, target.name.name);
        let repository = self.head.repo.as_ref().or(self.base.repo.as_ref());
        let same_repository = match (&self.head.repo, repository) {
            (Some(head), _) => {
                head.full_name.eq_ignore_ascii_case(&ours)
                    || self.base.repo.as_ref().is_some_and(|base| base.full_name == head.full_name)
            }
            (None, _) => false,
        };
        self.head.branch == branch.as_str() && same_repository
    }

    /// The proposal as the rest of the project knows it.
    pub(super) fn proposal(
        &self,
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
            url: self.html_url.clone(),
            state: self.state(),
            action,
            signature: None,
            warnings,
        })
    }

    fn head(&self) -> Result<CommitId, VcsError> {
        commit_id(LISTING, &self.head.sha)
    }
}
