//! Where repositories come from and proposals go: the providers that come with Staso.
//!
//! [`heal::local`](crate::heal::local) serves repositories on this machine. For others, give
//! [`LocalOptions::with_provider`](crate::heal::LocalOptions::with_provider) one of these, or your own
//! [`VcsProvider`](staso_core::vcs::VcsProvider).

#[cfg(feature = "github")]
pub use staso_github::{
    ApiStatistics, AppCredentials, ClientOptions, CodeAccess, CommitMode, CommitPreview, CredentialsError,
    GitHub, GitHubAuth, GitHubEndpoints, GitHubOptions, JwtSigner, ProposalPreview, RepositoryPattern,
    RepositoryPatternError, RequestPreview, webhook,
};
pub use staso_github::{
    CompareLink, CredentialSource, GitCredentials, GitLimits, GitRemote, LocalGit, NoCredentials,
    RemoteAddress, RemoteAddressError, SecretString,
};
