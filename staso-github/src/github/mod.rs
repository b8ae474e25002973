//! GitHub: apps and tokens, reading at a commit, and one good pull request.

mod api;
mod auth;
mod client;
mod endpoints;

pub use auth::{AppCredentials, CredentialsError, GitHubAuth, JwtSigner};
pub use client::ClientOptions;
pub use endpoints::GitHubEndpoints;
