//! What git says who it is with, when it speaks to a server.

use std::fmt::Debug;

use async_trait::async_trait;
use secrecy::SecretString;
use staso_core::run::RunContext;
use staso_core::vcs::{Access, VcsError};

/// A name and a password or token for one server. Never part of an address, an argument, a file or an output.
#[derive(Debug, Clone)]
pub struct GitCredentials {
    /// The name; for tokens usually a fixed word such as `x-access-token`.
    pub username: String,
    /// The password or token. Its `Debug` shows nothing of it.
    pub password: SecretString,
}

impl GitCredentials {
    /// Both parts.
    pub fn new(username: impl Into<String>, password: SecretString) -> Self {
        Self { username: username.into(), password }
    }

    /// A token, with the name that GitHub, GitLab and Gitea accept for any.
    #[must_use]
    pub fn token(token: SecretString) -> Self {
        Self::new("x-access-token", token)
    }
}

/// Gives credentials at the moment they are needed: fixed ones, or fresh ones for each operation.
///
/// # Contract
/// [`Access::Propose`] is asked only when a change is about to be pushed; give the weaker credentials otherwise.
#[async_trait]
pub trait CredentialSource: Debug + Send + Sync + 'static {
    /// The credentials for the next operation; `None` for none.
    async fn credentials(&self, access: Access, ctx: &RunContext)
    -> Result<Option<GitCredentials>, VcsError>;

    /// Told that the server did not accept credentials of this source. Returns whether asking again is worth it: a source
    /// of short-lived tokens forgets this one, and waits while a new one is not known everywhere yet. Asked at most four
    /// times for one operation. Default: it is not.
    async fn refused(&self, credentials: &GitCredentials, ctx: &RunContext) -> bool {
        let _ = (credentials, ctx);
        false
    }
}

#[async_trait]
impl CredentialSource for GitCredentials {
    async fn credentials(&self, _: Access, _: &RunContext) -> Result<Option<Self>, VcsError> {
        Ok(Some(self.clone()))
    }
}

/// No credentials: for what everyone may read.
#[derive(Debug, Clone, Copy)]
pub struct NoCredentials;

#[async_trait]
impl CredentialSource for NoCredentials {
    async fn credentials(&self, _: Access, _: &RunContext) -> Result<Option<GitCredentials>, VcsError> {
        Ok(None)
    }
}
