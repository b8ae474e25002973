//! The private key of an app.
//!
//! `ring` signs, because TLS brings it anyway: the usual JWT crate would bring a second library of cryptography
//! (aws-lc, or the `rsa` crate) for one signature.

use std::fmt;

use async_trait::async_trait;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

use super::signer::JwtSigner;
use crate::error;

/// An RSA key of 2048 to 4096 bits.
pub(crate) struct RsaKey(RsaKeyPair);

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey(***)")
    }
}

impl RsaKey {
    /// From PEM, PKCS#1 or PKCS#8, in the forms that settings and environments give it.
    ///
    /// # Errors
    /// [`VcsError::BadAppKey`].
    pub(crate) fn from_pem(text: &SecretString) -> Result<Self, VcsError> {
        let text = unfolded(text);
        let pem = text.expose_secret();
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| bad_key(not_a_key(pem)))?;
        let pair = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(bad_key("it is an EC key, and GitHub's are RSA keys")),
        };
        pair.map(Self).map_err(|rejected| {
            bad_key(match rejected.to_string().as_str() {
                "TooSmall" => "it is shorter than 2048 bits",
                "TooLarge" => "it is longer than 4096 bits",
                "WrongAlgorithm" => "it is no RSA key",
                _ => "it is damaged",
            })
        })
    }
}

#[async_trait]
impl JwtSigner for RsaKey {
    async fn sign(&self, message: &[u8], _: &RunContext) -> Result<Vec<u8>, VcsError> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| error::backend("signing with the key of the app", "the key cannot sign"))?;
        Ok(signature)
    }
}

pub(crate) fn bad_key(reason: impl Into<String>) -> VcsError {
    VcsError::BadAppKey { reason: reason.into() }
}

/// The PEM text as its lines: without the quotes, escapes, indentation and line ends that a way through environment
/// variables and YAML leaves.
fn unfolded(text: &SecretString) -> SecretString {
    let text = text.expose_secret().trim().trim_start_matches('\u{feff}');
    let bare = |quote| text.strip_prefix(quote).and_then(|text: &str| text.strip_suffix(quote));
    let text = bare('"').or_else(|| bare('\'')).unwrap_or(text);
    let text = SecretString::from(text.replace("\\r", "\n").replace("\\n", "\n").replace('\r', "\n"));
    let lines: Vec<&str> =
        text.expose_secret().split('\n').map(str::trim).filter(|l| !l.is_empty()).collect();
    SecretString::from(lines.join("\n"))
}

fn not_a_key(pem: &str) -> &'static str {
    if pem.contains("ENCRYPTED") {
        "it is encrypted with a passphrase"
    } else if pem.contains("BEGIN PUBLIC KEY") || pem.contains("BEGIN RSA PUBLIC KEY") {
        "it is the public key"
    } else if pem.contains("PRIVATE KEY-----") {
        "it is damaged"
    } else {
        "it is no private key in PEM"
    }
}
