//! What an event makes stale.

use std::collections::BTreeSet;

use super::event::{Account, Installation, RepositoryAction, RepositoryEvent, WebhookEvent};

/// What must be asked again after an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invalidation {
    /// Logins, in lower case, of which it must be asked again whether and how the app is installed.
    pub owners: BTreeSet<String>,
    /// The installation whose tokens and permissions are not what they were.
    pub installation: Option<u64>,
    /// Repositories, as `owner/name` in lower case, of which everything must be asked again.
    pub repositories: BTreeSet<String>,
}

impl Invalidation {
    /// Whether nothing is stale.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty() && self.installation.is_none() && self.repositories.is_empty()
    }

    fn of_installation(Installation { id, account }: &Installation) -> Self {
        Self { installation: Some(*id), ..Self::of_owner(account) }
    }

    fn of_owner(account: &Account) -> Self {
        Self { owners: BTreeSet::from([account.login.to_lowercase()]), ..Self::default() }
    }

    fn with_repositories<'a>(mut self, full_names: impl IntoIterator<Item = &'a String>) -> Self {
        self.repositories.extend(full_names.into_iter().map(|name| name.to_lowercase()));
        self
    }

    /// A repository under its present and its former name.
    fn of_repository(event: &RepositoryEvent) -> Self {
        let RepositoryEvent { action, repository, changes, .. } = event;
        if *action == RepositoryAction::Edited && changes.default_branch.is_none() {
            return Self::default();
        }
        let mut stale = match action {
            RepositoryAction::Transferred => Self::of_owner(&repository.owner),
            _ => Self::default(),
        };
        stale.owners.extend(changes.owner.as_deref().map(str::to_lowercase));
        let owner = changes.owner.as_ref().unwrap_or(&repository.owner.login);
        let name = changes.name.as_ref().unwrap_or(&repository.name);
        stale.with_repositories([&repository.full_name, &format!("{owner}/{name}")])
    }
}

impl WebhookEvent {
    /// What must be asked again after the event.
    #[must_use]
    pub fn invalidation(&self) -> Invalidation {
        match self {
            Self::Installation(event) => Invalidation::of_installation(&event.installation)
                .with_repositories(event.repositories.iter().map(|listed| &listed.full_name)),
            Self::InstallationRepositories(event) => {
                let listed = event.repositories_added.iter().chain(&event.repositories_removed);
                Invalidation::of_installation(&event.installation)
                    .with_repositories(listed.map(|listed| &listed.full_name))
            }
            Self::InstallationTarget(event) => {
                let mut stale = Invalidation::of_owner(&event.account);
                stale.owners.extend(event.changes.login.as_deref().map(str::to_lowercase));
                stale.installation = event.installation;
                stale
            }
            Self::Repository(event) => Invalidation::of_repository(event),
            _ => Invalidation::default(),
        }
    }
}
