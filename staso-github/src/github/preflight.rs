//! Whether a run will be allowed to do what it needs.

use staso_core::run::RunContext;
use staso_core::vcs::{Access, RepositoryRef, VcsError};

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
            None => resolve::granted(parts, &name, ctx).await?,
        },
        known => known,
    };
    match granted.missing(access) {
        None => Ok(()),
        Some(permission) => {
            Err(VcsError::MissingPermission { permission, url: name.url, remedy: granted.remedy() })
        }
    }
}
