//! Repositories for Staso: checkouts per commit, fixes as branches and proposals.
//!
//! [`LocalGit`] is the provider for repositories on this machine and for plain git remotes. Nothing here runs code of a
//! repository: no hook, filter, submodule, diff driver or LFS client, and nobody's working tree is ever touched.

mod address;
mod blocking;
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
mod peer;
mod publish;

pub use address::{RemoteAddress, RemoteAddressError};
pub use credentials::{CredentialSource, GitCredentials, NoCredentials};
#[cfg(feature = "github")]
pub use github::{
    AppCredentials, ClientOptions, CodeAccess, CommitMode, CredentialsError, GitHub, GitHubAuth,
    GitHubEndpoints, GitHubOptions, JwtSigner,
};
pub use limits::GitLimits;
pub use local::LocalGit;
