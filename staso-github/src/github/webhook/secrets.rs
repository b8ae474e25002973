//! The secrets that sign deliveries.

use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};

/// No secret can be used: an app without one would believe everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook needs a secret that is not blank, the same as in the settings of the app")]
pub struct WebhookSecretError;

/// The keys made of the secrets. Its `Debug` shows nothing of them.
#[derive(Debug)]
pub(super) struct Secrets(Vec<hmac::Key>);

/// A signature that fits a body.
pub(super) type Signature = [u8; 32];

impl Secrets {
    pub(super) fn new(secrets: impl IntoIterator<Item = SecretString>) -> Result<Self, WebhookSecretError> {
        let keys = secrets.into_iter().map(|secret| {
            // Files end in a line break that the form on GitHub never held.
            let text = secret.expose_secret().trim_end_matches(['\r', '\n']);
            let blank = text.trim().is_empty();
            if blank {
                Err(WebhookSecretError)
            } else {
                Ok(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
            }
        });
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(WebhookSecretError) } else { Ok(Self(keys)) }
    }

    /// The signature in `header` (`sha256=<64 hexadecimal digits>`), if it is that of `body` with one of the secrets.
    pub(super) fn verify(&self, header: &str, body: &[u8]) -> Option<Signature> {
        let signature = decode(header.strip_prefix("sha256=")?)?;
        self.0.iter().any(|key| hmac::verify(key, body, &signature).is_ok()).then_some(signature)
    }
}

fn decode(hex: &str) -> Option<Signature> {
    // `from_str_radix` also takes a sign.
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut signature = Signature::default();
    for (byte, at) in signature.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(signature)
}
