//! Pushes.

use serde::Deserialize;
use staso_core::id::CommitId;

use super::{WebhookRepository, text};

/// A branch or tag was made, moved or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PushEvent {
    /// `refs/heads/<branch>` or `refs/tags/<tag>`.
    #[serde(rename = "ref", deserialize_with = "text::short")]
    pub reference: String,
    /// Where it was; `None` when it is new.
    #[serde(deserialize_with = "text::commit")]
    pub before: Option<CommitId>,
    /// Where it is now; `None` when it is gone.
    #[serde(deserialize_with = "text::commit")]
    pub after: Option<CommitId>,
    /// Whether history was rewritten.
    #[serde(default)]
    pub forced: bool,
    /// Whether it is gone.
    #[serde(default)]
    pub deleted: bool,
    /// The repository.
    pub repository: WebhookRepository,
    /// The installation that hears of it.
    #[serde(default, deserialize_with = "text::id")]
    pub installation: Option<u64>,
}

impl PushEvent {
    /// The branch; `None` for a tag.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/heads/")
    }
}
