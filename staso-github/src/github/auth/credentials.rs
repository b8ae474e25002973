//! The credentials that a host configures.

use secrecy::SecretString;

/// Who asks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum GitHubAuth {
    /// A GitHub App: every repository gets short-lived tokens of its own.
    App(AppCredentials),
    /// A personal access token, classic or fine-grained.
    Token(SecretString),
    /// Nobody: public repositories can be read, nothing can be proposed.
    Anonymous,
}

/// The id and private key of a GitHub App.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    /// The client id (`Iv23…`) or the number of the app.
    pub(crate) id: String,
    /// The private key: PEM text, PKCS#1 or PKCS#8.
    pub(crate) key: SecretString,
}

impl AppCredentials {
    /// The id of the app, a client id or a number, and its private key as PEM text.
    pub fn new(id: impl Into<String>, key: SecretString) -> Self {
        Self { id: id.into(), key }
    }
}
