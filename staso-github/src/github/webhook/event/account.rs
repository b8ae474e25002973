//! Users, bots and organisations.

use serde::Deserialize;

use super::text;

/// A user, bot or organisation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Wire")]
#[non_exhaustive]
pub struct Account {
    /// Its lasting number.
    pub id: u64,
    /// Its name in addresses; of an enterprise the slug.
    pub login: String,
    /// What it is.
    pub kind: AccountKind,
}

/// What an account is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[non_exhaustive]
pub enum AccountKind {
    /// A person.
    User,
    /// An app.
    Bot,
    /// An organisation.
    Organization,
    /// Anything else.
    #[default]
    #[serde(other)]
    Other,
}

/// Enterprises have no login but a slug.
#[derive(Deserialize)]
struct Wire {
    id: u64,
    #[serde(default, deserialize_with = "text::optional_short")]
    login: Option<String>,
    #[serde(default, deserialize_with = "text::optional_short")]
    slug: Option<String>,
    #[serde(default, rename = "type")]
    kind: AccountKind,
}

impl TryFrom<Wire> for Account {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, &'static str> {
        let login = wire.login.or(wire.slug).ok_or("an account has neither login nor slug")?;
        Ok(Self { id: wire.id, login, kind: wire.kind })
    }
}

/// What an author is to the repository, as GitHub says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum AuthorAssociation {
    /// Owns it.
    Owner,
    /// Belongs to the organisation that owns it.
    Member,
    /// Was invited to it.
    Collaborator,
    /// Anything less.
    #[default]
    #[serde(other)]
    Outsider,
}

impl AuthorAssociation {
    /// Whether the author is one of the repository's people.
    #[must_use]
    pub const fn is_insider(self) -> bool {
        matches!(self, Self::Owner | Self::Member | Self::Collaborator)
    }
}
