//! Whether a run will be allowed to do what it needs.

use std::collections::BTreeMap;

use staso_core::run::RunContext;
use staso_core::vcs::{Access, RepositoryRef, VcsError};

use super::api::{Granted, RepositoryName};
use super::parts::Parts;
use super::resolve::describe;

/// What reading takes, as GitHub names it.
const READ: [(&str, &str); 2] = [("metadata", "read"), ("contents", "read")];
/// What proposing takes.
const PROPOSE: [(&str, &str); 3] = [("metadata", "read"), ("contents", "write"), ("pull_requests", "write")];

/// Finds out what will be refused, before any work is spent.
pub(super) async fn preflight(
    parts: &Parts,
    repository: &RepositoryRef,
    access: Access,
    ctx: &RunContext,
) -> Result<(), VcsError> {
    let name = parts.name(repository)?;
    if access == Access::Propose && repository.archived {
        return Err(VcsError::Archived { url: name.url });
    }
    match parts.api.granted(&name, ctx).await? {
        Granted::Permissions(permissions) => check(&name, &permissions, access),
        Granted::Unknown => ask(parts, &name, repository, access, ctx).await,
    }
}

fn check(
    name: &RepositoryName,
    permissions: &BTreeMap<String, String>,
    access: Access,
) -> Result<(), VcsError> {
    let needs: &[_] = if access == Access::Propose { &PROPOSE } else { &READ };
    let has = |permission: &str, level: &str| {
        permissions
            .get(permission)
            .is_some_and(|granted| granted == "write" || granted == "admin" || granted == level)
    };
    match needs.iter().find(|(permission, level)| !has(permission, level)) {
        None => Ok(()),
        Some((permission, level)) => Err(VcsError::MissingPermission {
            permission: format!("{permission}: {level}"),
            url: name.url.clone(),
            remedy: format!(
                "add it to the app's permissions in its settings; the owner {} then accepts it at the installation",
                name.owner
            ),
        }),
    }
}

/// What a personal token may do stands in the description of the repository.
async fn ask(
    parts: &Parts,
    name: &RepositoryName,
    repository: &RepositoryRef,
    access: Access,
    ctx: &RunContext,
) -> Result<(), VcsError> {
    let permissions = match parts.permissions.get(&repository.id) {
        Some(known) => Some(known),
        None => describe(parts, name, ctx).await?.permissions,
    };
    if access == Access::Read || permissions.is_some_and(|permissions| permissions.push) {
        return Ok(());
    }
    Err(VcsError::MissingPermission {
        permission: "contents: write".to_owned(),
        url: name.url.clone(),
        remedy:
            "give a token of someone who may push there, with `contents: write` and `pull_requests: write`"
                .to_owned(),
    })
}
