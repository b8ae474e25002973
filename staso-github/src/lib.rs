//! Repositories for Staso: checkouts per commit, fixes as branches and proposals.
//!
//! [`LocalGit`] is the provider for repositories on this machine and mirrors of remotes that are only read, [`GitRemote`]
//! for a repository on any git server, and `GitHub` (feature `github`, on by default) for all that an app or token may
//! see on a GitHub. Nothing here runs code of a repository: no hook, filter, submodule, diff driver or LFS client, and
//! nobody's working tree is ever touched.

mod address;
mod blocking;
mod compare_link;
mod credentials;
mod environment;
mod error;
mod git;
#[cfg(feature = "github")]
mod github;
mod limits;
mod local;
#[cfg(test)]
#[path = "../tests/it/peer/mod.rs"]
#[expect(dead_code, reason = "some of it is for the integration tests, which include it too")]
mod peer;
mod platform;
mod publish;
mod remote;
mod shell;

pub use address::{RemoteAddress, RemoteAddressError};
pub use compare_link::CompareLink;
pub use credentials::{CredentialSource, GitCredentials, NoCredentials};
#[cfg(feature = "github")]
pub use github::webhook;
#[cfg(feature = "github")]
pub use github::{
    ApiStatistics, AppCredentials, ClientOptions, CodeAccess, CommitMode, CommitPreview, CredentialsError,
    GitHub, GitHubAuth, GitHubEndpoints, GitHubOptions, JwtSigner, ProposalPreview, RepositoryPattern,
    RepositoryPatternError, RequestPreview,
};
pub use limits::GitLimits;
pub use local::LocalGit;
pub use remote::GitRemote;
pub use secrecy::SecretString;
