//! The HTTP client of a model: own timeouts, no redirects, the trust roots of the operating system.

use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::base_url::BaseUrl;
use super::error::ModelConfigError;
use super::provider::{Delivery, Provider};
use super::timeouts::ModelTimeouts;
use crate::secret::Secret;

const USER_AGENT: &str = concat!("staso-rust/", env!("CARGO_PKG_VERSION"));
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// A client that adds the key itself: nothing above it, `genai` included, ever holds the key.
pub(super) fn client(
    provider: Provider,
    base: &BaseUrl,
    key: Option<&Secret>,
    timeouts: ModelTimeouts,
    delivery: Delivery,
) -> Result<reqwest::Client, ModelConfigError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers(provider, key)?)
        .connect_timeout(timeouts.connect)
        .redirect(reqwest::redirect::Policy::none())
        .https_only(!base.is_loopback())
        // One call at a time needs one connection; the frames of HTTP/2 would show up in logs.
        .http1_only()
        // A small answer must not grow into a large one.
        .no_gzip()
        .tls_backend_preconfigured(tls()?);
    if base.is_loopback() {
        builder = builder.no_proxy();
    }
    if delivery == Delivery::Whole {
        builder = builder.timeout(timeouts.whole);
    }
    builder.build().map_err(|_| ModelConfigError::Tls { reason: "the HTTP client cannot be built" })
}

fn headers(provider: Provider, key: Option<&Secret>) -> Result<HeaderMap, ModelConfigError> {
    let mut headers = HeaderMap::new();
    if provider == Provider::Anthropic {
        headers.insert(
            HeaderName::from_static("anthropic-version"),
            HeaderValue::from_static(ANTHROPIC_VERSION),
        );
    }
    let Some(key) = key else { return Ok(headers) };
    let (name, value) = match provider {
        Provider::Anthropic => ("x-api-key", key.expose().to_owned()),
        Provider::Gemini => ("x-goog-api-key", key.expose().to_owned()),
        Provider::OpenAi | Provider::OpenAiResponses | Provider::Compatible => {
            ("authorization", format!("Bearer {}", key.expose()))
        }
    };
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| ModelConfigError::setting("the key", "it cannot be sent as a header"))?;
    value.set_sensitive(true);
    headers.insert(HeaderName::from_static(name), value);
    Ok(headers)
}

/// The trust roots of the operating system, so that the roots of a company network count too.
fn tls() -> Result<rustls::ClientConfig, ModelConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ModelConfigError::Tls { reason: "no common version of TLS" })?
        .with_platform_verifier()
        .map_err(|_| ModelConfigError::Tls { reason: "the trust roots of the system cannot be used" })?
        .with_no_client_auth();
    Ok(config)
}
