//! Where an app is installed, and what it is allowed there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use staso_core::run::RunContext;
use staso_core::trace::Timestamp;
use staso_core::vcs::VcsError;

use super::identity::{AppIdentity, LOOKUPS};
use crate::github::api::{RepositoryName, refusal, segment};
use crate::github::client::{ApiAnswer, ApiRequest};

/// How long it is believed that an app is installed for a repository.
const INSTALLED: Duration = Duration::from_hours(1);
/// How long anything is believed that a user may be changing right now.
pub(crate) const REFUSED: Duration = Duration::from_mins(1);

/// An installation, as one repository sees it.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    pub(crate) id: u64,
    /// Where its administrator changes it.
    pub(crate) settings_url: String,
    /// As GitHub names them: `contents` → `write`.
    pub(crate) permissions: BTreeMap<String, String>,
    /// The number of the repository, known when it goes by another name now.
    pub(crate) repository_id: Option<u64>,
    suspended: bool,
    selected: bool,
}

/// What GitHub says about an app and a repository.
#[derive(Debug)]
pub(crate) enum Standing {
    Installed(Installation),
    /// For nobody who has the repository.
    NotInstalled {
        owner: String,
        install_url: String,
    },
    /// For the owner, but not for this repository of theirs.
    NotGranted {
        settings_url: String,
    },
    /// For all repositories of the owner: there is no such repository.
    NoRepository,
}

/// A standing, and when GitHub said so by its own clock.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) standing: Standing,
    pub(crate) at: Timestamp,
}

impl Lookup {
    /// Whether it can still be believed at `now`.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        let held = match &self.standing {
            Standing::Installed(installation) if !installation.suspended => INSTALLED,
            _ => REFUSED,
        };
        now.since(self.at) < held
    }

    /// The installation, if requests can be made through it.
    pub(crate) fn installation(&self, repository: &RepositoryName) -> Result<&Installation, VcsError> {
        let url = repository.url.clone();
        match &self.standing {
            Standing::Installed(installation) if installation.suspended => {
                Err(installation.suspended_error(repository))
            }
            Standing::Installed(installation) => Ok(installation),
            Standing::NotInstalled { owner, install_url } => {
                Err(VcsError::NotInstalled { owner: owner.clone(), install_url: install_url.clone() })
            }
            Standing::NotGranted { settings_url } => {
                Err(VcsError::RepositoryNotGranted { url, settings_url: settings_url.clone() })
            }
            Standing::NoRepository => Err(VcsError::RepositoryNotFound { url }),
        }
    }

    pub(crate) const fn installation_id(&self) -> Option<u64> {
        match &self.standing {
            Standing::Installed(installation) => Some(installation.id),
            _ => None,
        }
    }
}

impl Installation {
    pub(crate) fn suspended_error(&self, repository: &RepositoryName) -> VcsError {
        VcsError::Suspended { owner: repository.owner.clone(), settings_url: self.settings_url.clone() }
    }
}

#[derive(Deserialize)]
struct InstallationAnswer {
    id: u64,
    html_url: String,
    permissions: BTreeMap<String, String>,
    repository_selection: String,
    suspended_at: Option<String>,
}

/// Finds the installation for a repository; when there is none, whether its owner has one.
pub(crate) async fn look_up(
    identity: &AppIdentity,
    repository: &RepositoryName,
    ctx: &RunContext,
) -> Result<Standing, VcsError> {
    let ask = async |path: String| {
        let request = ApiRequest::get(OPERATION, path);
        let answer = identity.send(&request, LOOKUPS, &repository.url, ctx).await?;
        if answer.is_success() || answer.status == 404 {
            return Ok(answer);
        }
        Err(refusal(&answer, OPERATION, repository))
    };
    let not_installed = async |owner| {
        let install_url = identity.install_url(&repository.url, ctx).await?;
        Ok(Standing::NotInstalled { owner, install_url })
    };
    let answer = ask(format!("{}/installation", repository.path())).await?;
    if answer.is_success() {
        return Ok(Standing::Installed(parsed(identity, &answer)?));
    }
    if answer.moved_to.is_some() {
        return not_installed(format!("the new owner of {}/{}", repository.owner, repository.name)).await;
    }
    for kind in ["orgs", "users"] {
        let answer = ask(format!("/{kind}/{}/installation", segment(&repository.owner))).await?;
        if answer.is_success() {
            let found = parsed(identity, &answer)?;
            return Ok(match found {
                _ if found.suspended => Standing::Installed(found),
                _ if found.selected => Standing::NotGranted { settings_url: found.settings_url },
                _ => Standing::NoRepository,
            });
        }
    }
    not_installed(repository.owner.clone()).await
}

const OPERATION: &str = "finding the installation of the app";

fn parsed(identity: &AppIdentity, answer: &ApiAnswer) -> Result<Installation, VcsError> {
    let found: InstallationAnswer = answer.json(OPERATION)?;
    Ok(Installation {
        id: found.id,
        settings_url: identity.page_or_settings(&found.html_url),
        permissions: found.permissions,
        repository_id: answer.moved_to.as_deref().and_then(moved_id),
        suspended: found.suspended_at.is_some(),
        selected: found.repository_selection == "selected",
    })
}

/// The number in `/repositories/1000/installation`, where a renamed repository is found.
fn moved_id(path: &str) -> Option<u64> {
    path.strip_prefix("/repositories/")?.split('/').next()?.parse().ok()
}
