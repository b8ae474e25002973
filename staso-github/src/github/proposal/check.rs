//! What is refused before anything leaves this machine.

use staso_core::code::RepoPath;
use staso_core::run::RunContext;
use staso_core::vcs::{ChangeSet, FileEdit, ProposeRequest, VcsError};

use super::commit::MAX_BLOB_BYTES;
use super::target::Target;
use crate::git::is_lfs_pointer;
use crate::github::auth::Granted;
use crate::github::parts::Parts;

/// Where GitHub keeps workflows, in lower case: some file systems do not tell the cases apart.
const WORKFLOWS: &str = ".github/workflows/";
/// Files of one change that GitHub shows.
const MAX_FILES: usize = 3_000;
/// Bytes of all new content of one change.
const MAX_BYTES: usize = 100 << 20;
/// Limits of GitHub, and contents that no change may carry.
pub(super) fn check_contents(changes: &ChangeSet) -> Result<(), VcsError> {
    let too_large = |what: String, limit: &str| Err(VcsError::TooLarge { what, limit: limit.to_owned() });
    if changes.edits.len() > MAX_FILES {
        return too_large("the number of changed files".to_owned(), "3,000 files of GitHub");
    }
    let sizes = changes.edits.iter().filter_map(|edit| edit.after.as_ref()).map(|new| new.bytes.len());
    if sizes.sum::<usize>() > MAX_BYTES {
        return too_large("the new content".to_owned(), "100 MiB");
    }
    for edit in &changes.edits {
        let Some(new) = &edit.after else { continue };
        if new.bytes.len() > MAX_BLOB_BYTES {
            return too_large(edit.path.to_string(), "40 MiB a file of GitHub");
        }
        if is_lfs_pointer(&new.bytes) {
            return Err(lfs(&edit.path));
        }
    }
    Ok(())
}

/// A file of Git LFS cannot be changed here.
pub(super) fn lfs(path: &RepoPath) -> VcsError {
    VcsError::InvalidChange {
        reason: format!("{path} is kept by Git LFS, where only its pointer would be changed"),
    }
}

/// Changes of workflows need a permission of their own, which GitHub would miss only after the push.
pub(super) async fn check_workflows(
    parts: &Parts,
    target: Target<'_>,
    request: &ProposeRequest<'_>,
    ctx: &RunContext,
) -> Result<(), VcsError> {
    let is_workflow = |edit: &FileEdit| edit.path.as_str().to_ascii_lowercase().starts_with(WORKFLOWS);
    if !request.changes.edits.iter().any(is_workflow) {
        return Ok(());
    }
    let granted = match target.api.granted(target.name, ctx).await? {
        Granted::Unknown => parts.granted.get(&request.repository.id).unwrap_or(Granted::Unknown),
        known => known,
    };
    let leave_out = format!("leave files below {WORKFLOWS} out of the change");
    let (permission, remedy) = match &granted {
        // Whatever the installation was granted: no token that is made here asks for it.
        Granted::Installation { .. } => {
            ("workflows: write", format!("{leave_out}: an app proposes none of them"))
        }
        // Fine-grained tokens have no scopes, and do not say what they are allowed.
        Granted::Personal { scopes, .. } if !scopes.is_empty() && !scopes.contains("workflow") => {
            ("workflow", format!("{}, or {leave_out}", granted.remedy()))
        }
        _ => return Ok(()),
    };
    Err(VcsError::MissingPermission {
        permission: permission.to_owned(),
        url: target.name.url.clone(),
        remedy,
    })
}
