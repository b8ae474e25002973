//! Signing where the host keeps its key.

use std::fmt::Debug;

use async_trait::async_trait;
use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

/// Signs for an app whose private key the host does not give out, e.g. one in a KMS or HSM.
///
/// # Contract
/// The signature is RSASSA-PKCS1-v1_5 with SHA-256 over `message` as it is, by a key of the app.
///
/// # Cancellation
/// A signature is waited for at most 30 seconds, and not beyond the end of the run; the future is dropped then.
///
/// # Errors
/// [`VcsError::Backend`] when the key cannot be used now, [`VcsError::BadAppKey`] when it never can. Neither may hold
/// anything of the key.
///
/// # Implementing
/// ```
/// use staso_core::run::RunContext;
/// use staso_core::vcs::VcsError;
/// use staso_github::JwtSigner;
///
/// #[derive(Debug)]
/// struct Kms;
///
/// #[async_trait::async_trait]
/// impl JwtSigner for Kms {
///     async fn sign(&self, message: &[u8], _: &RunContext) -> Result<Vec<u8>, VcsError> {
///         let signature = message.to_vec(); // what the KMS answers
///         Ok(signature)
///     }
/// }
/// ```
#[async_trait]
pub trait JwtSigner: Debug + Send + Sync + 'static {
    /// The signature of `message`, as raw bytes.
    async fn sign(&self, message: &[u8], ctx: &RunContext) -> Result<Vec<u8>, VcsError>;
}
