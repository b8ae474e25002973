//! Failures on the way to a server, in the words of users.

use staso_core::trace::RepositoryUrl;
use staso_core::vcs::VcsError;

use super::TransportError;
use crate::error;

/// What GitHub says to a push into an archive.
const ARCHIVED: &str = "archived so it is read-only";

impl TransportError {
    /// The failure of `operation` on the repository that users know as `url`.
    pub(crate) fn into_vcs(self, operation: &'static str, url: &RepositoryUrl) -> VcsError {
        let url = url.clone();
        match self {
            Self::Cancelled => VcsError::Cancelled,
            Self::TimedOut { limit_ms } => VcsError::Timeout { operation, limit_ms },
            Self::NotFound => VcsError::RepositoryNotFound { url },
            Self::Unauthorized => VcsError::CredentialRevoked { url },
            Self::CredentialsWanted => {
                let remedy =
                    "it is private or does not exist; give credentials for it, or a local clone".to_owned();
                VcsError::PermissionDenied { operation, url, remedy }
            }
            Self::Forbidden { reason } if reason.contains(ARCHIVED) => VcsError::Archived { url },
            Self::Forbidden { reason } => {
                let remedy = format!(
                    "the server says: {reason}; give credentials that allow it, or change what these may do"
                );
                VcsError::PermissionDenied { operation, url, remedy }
            }
            Self::UnknownCommit { commit } => VcsError::CommitNotFound { commit, url },
            Self::ShaWantsRefused => VcsError::FeatureUnavailable {
                feature: "commits by id that no branch holds".to_owned(),
                server: url.to_string(),
            },
            Self::Unusable { reason } => VcsError::BadAnswer { operation, reason },
            Self::Unreachable { reason } => VcsError::Unreachable { url, reason },
            reason @ (Self::Moved | Self::Untrusted { .. }) => {
                VcsError::Unreachable { url, reason: reason.to_string() }
            }
            Self::TooLarge { what, limit } => VcsError::TooLarge { what, limit },
            other @ (Self::Rejected { .. }
            | Self::ShallowRefused
            | Self::Missing { .. }
            | Self::Failed { .. }) => error::backend(operation, other),
        }
    }
}
