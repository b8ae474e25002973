//! Whether a proposal can be written into a repository, found out before any work is spent.

use staso_core::trace::RepositoryUrl;
use staso_core::vcs::VcsError;

use super::repository::GitRepository;
use crate::platform;

/// Checks that this process may and should write objects and references.
///
/// Two cases beyond plain permissions: nobody, root included, writes where all write bits are off; and root does not
/// write into a stranger's repository, because the stranger could not manage the files that root leaves there.
pub(crate) fn check_writable(repository: &GitRepository) -> Result<(), VcsError> {
    let denied = |remedy: String| VcsError::PermissionDenied {
        operation: "create a branch",
        url: repository.url().clone(),
        remedy,
    };
    let common = repository.git().commondir();
    for directory in [common.to_owned(), common.join("objects"), common.join("refs")] {
        if !platform::is_writable(&directory) {
            return Err(denied(format!("make {} writable for this user", directory.display())));
        }
    }
    if let Some(owner) = platform::foreign_owner(common) {
        return Err(denied(format!(
            "{} belongs to user {owner}; run as that user, or give a clone of your own",
            common.display()
        )));
    }
    if repository.git().find_reference("refs/heads/fix").is_ok() {
        return Err(name_in_the_way(repository.url()));
    }
    Ok(())
}

/// Where there is a branch `fix`, none of ours can be made.
pub(crate) fn name_in_the_way(url: &RepositoryUrl) -> VcsError {
    VcsError::PermissionDenied {
        operation: "create a branch",
        url: url.clone(),
        remedy: "rename the branch `fix`: it stands in the way of branches below `fix/`".to_owned(),
    }
}
