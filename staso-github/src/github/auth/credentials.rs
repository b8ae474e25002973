//! The credentials that a host configures.

use std::sync::Arc;

use secrecy::SecretString;

use super::signer::JwtSigner;

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

/// The id and private key of a GitHub App. `Debug` shows nothing of the key.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    /// The client id (`Iv23…`) or the number of the app.
    pub(crate) id: String,
    pub(crate) key: AppKey,
}

/// What signs for an app.
#[derive(Debug, Clone)]
pub(crate) enum AppKey {
    /// The private key: PEM text, PKCS#1 or PKCS#8.
    Pem(SecretString),
    /// The host itself.
    Signer(Arc<dyn JwtSigner>),
}

impl AppCredentials {
    /// The id of the app, a client id or a number, and its private key as PEM text: PKCS#1 or PKCS#8, RSA with 2048 to
    /// 4096 bits. Line ends may be escaped (`\n`), and quotes may stand around it. A key that cannot be used is
    /// reported by what is made with the credentials.
    pub fn new(id: impl Into<String>, key: SecretString) -> Self {
        Self { id: id.into(), key: AppKey::Pem(key) }
    }

    /// The id of the app, and the host's own way to sign with a key that it keeps to itself.
    pub fn with_signer(id: impl Into<String>, signer: Arc<dyn JwtSigner>) -> Self {
        Self { id: id.into(), key: AppKey::Signer(signer) }
    }
}
