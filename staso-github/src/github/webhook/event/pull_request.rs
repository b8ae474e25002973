//! Pull requests.

use serde::Deserialize;
use staso_core::id::CommitId;
use staso_core::trace::Timestamp;

use super::{Account, WebhookRepository, text};

/// Something happened to a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PullRequestEvent {
    /// What happened.
    pub action: PullRequestAction,
    /// The pull request as it is now.
    pub pull_request: PullRequest,
    /// Where it is.
    pub repository: WebhookRepository,
    /// The label that was added or taken away.
    #[serde(default)]
    pub label: Option<Label>,
    /// The installation that hears of it.
    #[serde(default, deserialize_with = "text::id")]
    pub installation: Option<u64>,
}

/// What happened to a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PullRequestAction {
    /// Is new.
    Opened,
    /// Is open again.
    Reopened,
    /// Was merged, or closed without.
    Closed,
    /// Has another title, body or base.
    Edited,
    /// Is no draft any more.
    ReadyForReview,
    /// Is a draft again.
    ConvertedToDraft,
    /// Has other commits.
    Synchronize,
    /// Has one more label.
    Labeled,
    /// Has one label less.
    Unlabeled,
}

/// A label.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Label {
    /// Its name.
    #[serde(deserialize_with = "text::short")]
    pub name: String,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PullRequest {
    /// Its number in the repository.
    pub number: u64,
    /// Its address.
    #[serde(deserialize_with = "text::short")]
    pub html_url: String,
    /// Its title.
    #[serde(deserialize_with = "text::short")]
    pub title: String,
    /// Its text, at most 256 KiB.
    #[serde(default, deserialize_with = "text::long")]
    pub body: String,
    /// Who opened it; `None` when that account is gone.
    #[serde(rename = "user")]
    pub author: Option<Account>,
    /// What the author is to the repository.
    #[serde(default)]
    pub author_association: super::AuthorAssociation,
    /// Whether it is a draft.
    #[serde(default)]
    pub draft: bool,
    /// Whether it was merged.
    #[serde(default)]
    pub merged: bool,
    /// When it was merged.
    #[serde(default)]
    pub merged_at: Option<Timestamp>,
    /// Who merged it.
    #[serde(default)]
    pub merged_by: Option<Account>,
    /// Where it comes from.
    pub head: PullRequestBranch,
    /// Where it goes to.
    pub base: PullRequestBranch,
}

/// One end of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PullRequestBranch {
    /// The branch.
    #[serde(rename = "ref", deserialize_with = "text::short")]
    pub name: String,
    /// The newest commit that the pull request knows of.
    #[serde(rename = "sha")]
    pub commit: CommitId,
    /// The number of the repository it is in; `None` when that is gone.
    #[serde(default, rename = "repo", deserialize_with = "text::id")]
    pub repository: Option<u64>,
}
