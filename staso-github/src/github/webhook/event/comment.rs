//! Comments and reviews.

use serde::{Deserialize, Deserializer};

use super::{Account, AuthorAssociation, PullRequest, WebhookRepository, text};

/// Someone wrote a comment below an issue or pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct IssueCommentEvent {
    /// Where.
    pub issue: CommentedIssue,
    /// What.
    pub comment: Comment,
    /// The repository.
    pub repository: WebhookRepository,
    /// The installation that hears of it.
    #[serde(default, deserialize_with = "text::id")]
    pub installation: Option<u64>,
}

/// Someone wrote a comment on lines of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ReviewCommentEvent {
    /// Where.
    pub pull_request: PullRequest,
    /// What.
    pub comment: Comment,
    /// The repository.
    pub repository: WebhookRepository,
    /// The installation that hears of it.
    #[serde(default, deserialize_with = "text::id")]
    pub installation: Option<u64>,
}

/// Someone reviewed a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ReviewEvent {
    /// Which.
    pub pull_request: PullRequest,
    /// What they said.
    pub review: Comment,
    /// The repository.
    pub repository: WebhookRepository,
    /// The installation that hears of it.
    #[serde(default, deserialize_with = "text::id")]
    pub installation: Option<u64>,
}

/// An issue or pull request that was commented on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct CommentedIssue {
    /// Its number in the repository.
    pub number: u64,
    /// Whether it is a pull request.
    #[serde(default, rename = "pull_request", deserialize_with = "is_there")]
    pub is_pull_request: bool,
    /// Who opened it; `None` when that account is gone.
    #[serde(rename = "user")]
    pub author: Option<Account>,
    /// Its text, at most 256 KiB.
    #[serde(default, deserialize_with = "text::long")]
    pub body: String,
}

/// A comment, or what was said with a review.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Comment {
    /// Its number.
    pub id: u64,
    /// Its address.
    #[serde(deserialize_with = "text::short")]
    pub html_url: String,
    /// Who wrote it; `None` when that account is gone.
    #[serde(rename = "user")]
    pub author: Option<Account>,
    /// What the author is to the repository.
    #[serde(default)]
    pub author_association: AuthorAssociation,
    /// What it says, at most 256 KiB; with a review often nothing.
    #[serde(default, deserialize_with = "text::long")]
    pub body: String,
}

fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<serde::de::IgnoredAny>::deserialize(deserializer)?.is_some())
}
