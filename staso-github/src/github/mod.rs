//! GitHub: apps and tokens, reading at a commit, and one good pull request.

mod api;
mod auth;
mod client;
mod contents;
mod endpoints;
mod name;
mod no_git;
mod options;
mod parts;
mod pattern;
mod preflight;
mod proposal;
mod provider;
mod remembered;
mod resolve;
mod tree;
pub mod webhook;

pub use auth::{AppCredentials, CredentialsError, GitHubAuth, JwtSigner};
pub use client::{ApiStatistics, ClientOptions};
pub use endpoints::GitHubEndpoints;
pub use options::{CodeAccess, CommitMode, GitHubOptions};
pub use pattern::{RepositoryPattern, RepositoryPatternError};
pub use proposal::{CommitPreview, ProposalPreview, RequestPreview};
pub use provider::GitHub;
