//! The token that an app signs to speak for itself.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::json;
use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

use super::signer::JwtSigner;
use crate::blocking::interruption;

/// Seconds by which the time of signing is dated back.
const BACKDATED: i64 = 60;
/// Seconds after which it is void. GitHub allows ten minutes by its own clock.
pub(crate) const LIFETIME: i64 = 300;
const SIGNING: Duration = Duration::from_secs(30);

/// Signs a JWT for the app `id` at `now`, seconds since the epoch by the forge's clock.
pub(crate) async fn sign(
    signer: &dyn JwtSigner,
    id: &str,
    now: i64,
    ctx: &RunContext,
) -> Result<SecretString, VcsError> {
    let claims = json!({ "iat": now - BACKDATED, "exp": now + LIFETIME, "iss": id });
    let message = format!("{}.{}", encoded(br#"{"alg":"RS256","typ":"JWT"}"#), encoded(claims.to_string()));
    let limit = SIGNING.min(ctx.remaining());
    let signature = ctx.bounded(limit, signer.sign(message.as_bytes(), ctx)).await;
    let signature = signature.map_err(|end| interruption("signing with the key of the app", end))??;
    Ok(SecretString::from(format!("{message}.{}", encoded(signature))))
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
