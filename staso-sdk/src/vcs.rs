//! Where repositories come from and proposals go: the providers that come with Staso.
//!
//! [`heal::local`](crate::heal::local) serves repositories on this machine. For others, give
//! [`LocalOptions::with_provider`](crate::heal::LocalOptions::with_provider) one of these, or your own
//! [`VcsProvider`](staso_core::vcs::VcsProvider).

pub use staso_github::{
    CredentialSource, GitCredentials, GitLimits, LocalGit, NoCredentials, RemoteAddress, RemoteAddressError,
};
#[cfg(feature = "github")]
pub use staso_github::{GitHubAuth, GitHubEndpoints};
