//! Whether a run will be allowed to do what it needs.

use staso_core::run::RunContext;
use staso_core::vcs::{Access, RepositoryRef, VcsError};

use super::api::RepositoryName;
use super::auth::Granted;
use super::parts::Parts;
use super::resolve;

/// Finds out what will be refused, before any work is spent.
pub(super) async fn preflight(
    parts: &Parts,
    repository: &RepositoryRef,
    access: Access,
    ctx: &RunContext,
) -> Result<(), VcsError> {
    if ctx.is_cancelled() {
        return Err(VcsError::Cancelled);
    }
    let name = parts.name(repository)?;
    if access == Access::Propose && repository.archived {
        return Err(VcsError::Archived { url: name.url });
    }
    let granted = match parts.api.granted(&name, ctx).await? {
        Granted::Unknown => match parts.granted.get(&repository.id) {
            Some(known) => known,
            None => resolve::look(parts, repository, &name, ctx).await?.granted,
        },
        known => known,
    };
    if let Some(permission) = granted.missing(access) {
        return Err(VcsError::MissingPermission { permission, url: name.url, remedy: granted.remedy() });
    }
    if access == Access::Propose && is_archived(parts, repository, &name, ctx).await? {
        return Err(VcsError::Archived { url: name.url });
    }
    Ok(())
}

/// Resolving has told in the usual run; what the caller holds may be older than that.
async fn is_archived(
    parts: &Parts,
    repository: &RepositoryRef,
    name: &RepositoryName,
    ctx: &RunContext,
) -> Result<bool, VcsError> {
    match parts.is_archived(repository, ctx) {
        Some(known) => Ok(known),
        None => Ok(resolve::look(parts, repository, name, ctx).await?.archived),
    }
}
