//! Failures of git and the operating system, as [`VcsError`]s.

use std::error::Error;

use staso_core::trace::RepositoryUrl;
use staso_core::vcs::VcsError;

/// What failures of code that all providers share name as the provider.
pub(crate) const PROVIDER: &str = "git";

/// A failure that may pass.
pub(crate) fn backend(operation: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> VcsError {
    VcsError::Backend { provider: PROVIDER, operation, source: source.into() }
}

/// A failure of libgit2 while working on `url`. Damage is told apart from trouble with the machine, because a retry
/// does not help against it.
pub(crate) fn git(operation: &'static str, url: &RepositoryUrl, error: git2::Error) -> VcsError {
    use git2::{ErrorClass, ErrorCode};
    let unreadable = |reason: String| VcsError::Unreadable { url: url.clone(), reason };
    match (error.code(), error.class()) {
        (ErrorCode::NotFound, ErrorClass::Odb) => unreadable(format!(
            "{}; the local repository lacks it: fetch it completely (no shallow or partial clone)",
            error.message()
        )),
        (
            _,
            ErrorClass::Odb | ErrorClass::Zlib | ErrorClass::Object | ErrorClass::Tree | ErrorClass::Indexer,
        ) => unreadable(format!("{} while {operation}; run `git fsck`", error.message())),
        _ => backend(operation, error),
    }
}
