//! Installations of the app.

use serde::Deserialize;

use super::{Account, ListedRepository, text};

/// The app on an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Installation {
    /// Its number.
    pub id: u64,
    /// Where it is installed.
    pub account: Account,
}

/// Something happened to an installation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct InstallationEvent {
    /// What happened.
    pub action: InstallationAction,
    /// The installation.
    pub installation: Installation,
    /// The repositories it may see. Empty when GitHub does not list them.
    #[serde(default)]
    pub repositories: Vec<ListedRepository>,
}

/// What happened to an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InstallationAction {
    /// Is new.
    Created,
    /// Was removed.
    Deleted,
    /// May do nothing for the time being.
    Suspend,
    /// May work again.
    Unsuspend,
    /// Has the permissions that the app asked for.
    NewPermissionsAccepted,
}

/// An installation sees more or fewer repositories.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct InstallationRepositoriesEvent {
    /// What happened.
    pub action: InstallationRepositoriesAction,
    /// The installation.
    pub installation: Installation,
    /// The repositories it sees now and did not before.
    #[serde(default)]
    pub repositories_added: Vec<ListedRepository>,
    /// The repositories it does not see any more.
    #[serde(default)]
    pub repositories_removed: Vec<ListedRepository>,
}

/// What happened to the repositories of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InstallationRepositoriesAction {
    /// More.
    Added,
    /// Fewer.
    Removed,
}

/// The account of an installation has another name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct InstallationTargetEvent {
    /// The account with its new name.
    pub account: Account,
    /// The number of the installation.
    #[serde(default, deserialize_with = "text::id")]
    pub installation: Option<u64>,
    /// What was different before.
    #[serde(default)]
    pub changes: AccountChanges,
}

/// What an account was before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct AccountChanges {
    /// Its former login.
    #[serde(default, deserialize_with = "text::from")]
    pub login: Option<String>,
}
