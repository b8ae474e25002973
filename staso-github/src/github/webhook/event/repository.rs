//! Repositories, and what happens to them.

use serde::Deserialize;

use super::{Account, text};

/// A repository, in full.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct WebhookRepository {
    /// Its lasting number.
    pub id: u64,
    /// Its name without the owner.
    #[serde(deserialize_with = "text::short")]
    pub name: String,
    /// `owner/name`.
    #[serde(deserialize_with = "text::short")]
    pub full_name: String,
    /// Whom it belongs to.
    pub owner: Account,
    /// Its address for people.
    #[serde(deserialize_with = "text::short")]
    pub html_url: String,
    /// The branch that new work goes to.
    #[serde(default, deserialize_with = "text::optional_short")]
    pub default_branch: Option<String>,
}

/// A repository in a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ListedRepository {
    /// Its lasting number.
    pub id: u64,
    /// `owner/name`.
    #[serde(deserialize_with = "text::short")]
    pub full_name: String,
}

/// Something happened to a repository itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct RepositoryEvent {
    /// What happened.
    pub action: RepositoryAction,
    /// The repository as it is now.
    pub repository: WebhookRepository,
    /// What was different before.
    #[serde(default)]
    pub changes: RepositoryChanges,
    /// The installation that hears of it.
    #[serde(default, deserialize_with = "text::id")]
    pub installation: Option<u64>,
}

/// What happened to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RepositoryAction {
    /// Has another name.
    Renamed,
    /// Belongs to someone else.
    Transferred,
    /// Accepts no changes any more.
    Archived,
    /// Accepts changes again.
    Unarchived,
    /// Is gone.
    Deleted,
    /// Is not public any more.
    Privatized,
    /// Is public now.
    Publicized,
    /// Has another default branch, description, …
    Edited,
}

/// What a repository was before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Wire")]
#[non_exhaustive]
pub struct RepositoryChanges {
    /// Its former name.
    pub name: Option<String>,
    /// The login of its former owner.
    pub owner: Option<String>,
    /// Its former default branch.
    pub default_branch: Option<String>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    repository: Renaming,
    #[serde(default)]
    owner: Moving,
    #[serde(default, deserialize_with = "text::from")]
    default_branch: Option<String>,
}

#[derive(Default, Deserialize)]
struct Renaming {
    #[serde(default, deserialize_with = "text::from")]
    name: Option<String>,
}

#[derive(Default, Deserialize)]
struct Moving {
    #[serde(default)]
    from: FormerOwner,
}

#[derive(Default, Deserialize)]
struct FormerOwner {
    #[serde(default)]
    user: Option<Account>,
    #[serde(default)]
    organization: Option<Account>,
}

impl From<Wire> for RepositoryChanges {
    fn from(wire: Wire) -> Self {
        let owner = wire.owner.from.user.or(wire.owner.from.organization);
        Self {
            name: wire.repository.name,
            owner: owner.map(|account| account.login),
            default_branch: wire.default_branch,
        }
    }
}
