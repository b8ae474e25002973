//! Delivery over HTTP, in the format of the Staso SDKs.
//!
//! `ureq` fits a thread that sends one batch at a time: it is blocking, brings no runtime, and is small.

use std::time::Duration;

use staso_core::run::TraceBatch;
use ureq::Agent;

use super::endpoint::Endpoint;
use super::exporter::{ExportError, SpanExporter};
use super::receipt;
use super::report::FailureKind;
use super::wire;
use crate::capture::EffectivePolicy;
use crate::secret::Secret;

const MAX_ANSWER_BYTES: u64 = 64 << 10;
const USER_AGENT: &str = concat!("staso-rust/", env!("CARGO_PKG_VERSION"));

/// Posts batches to `{endpoint}/v1/traces/ingest`.
#[derive(Debug)]
pub(crate) struct HttpExporter {
    agent: Agent,
    url: String,
    key: Secret,
    policy: EffectivePolicy,
}

impl HttpExporter {
    pub(crate) fn new(endpoint: &Endpoint, key: Secret, policy: EffectivePolicy) -> Self {
        // A redirect would carry the key elsewhere; an error status is judged with its headers.
        let config = Agent::config_builder()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .https_only(!endpoint.is_loopback())
            .user_agent(USER_AGENT);
        let config = if endpoint.is_loopback() { config.proxy(None) } else { config };
        #[cfg(feature = "tls")]
        let config = config.tls_config(tls());
        Self { agent: config.build().new_agent(), url: endpoint.join("/v1/traces/ingest"), key, policy }
    }
}

/// The trust roots of the operating system, so that the roots of a company network count too.
#[cfg(feature = "tls")]
fn tls() -> ureq::tls::TlsConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(provider)
        .build()
}

impl SpanExporter for HttpExporter {
    fn export(&mut self, batch: &TraceBatch, timeout: Duration) -> Result<(), ExportError> {
        let body = wire::body(batch, self.policy)
            .map_err(|_| ExportError::permanent(FailureKind::MalformedResponse))?;
        let sent = self
            .agent
            .post(&self.url)
            .header("X-API-Key", self.key.expose())
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", &batch.idempotency_key)
            .config()
            .timeout_global(Some(timeout))
            .build()
            .send(&body);
        let mut answer = sent.map_err(|error| unreachable_service(&error))?;
        let retry_after =
            answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = answer.status().as_u16();
        let body = match answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec() {
            Ok(body) => body,
            Err(ureq::Error::BodyExceedsLimit(_)) => Vec::new(),
            Err(error) => return Err(unreachable_service(&error)),
        };
        receipt::judge(status, retry_after.as_deref(), &body, batch.parts.len(), &batch.idempotency_key)
    }
}

/// A request that could not be made at all will not be made by another attempt either.
fn unreachable_service(error: &ureq::Error) -> ExportError {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::RequireHttpsOnly(_) => {
            ExportError::permanent(FailureKind::MalformedResponse)
        }
        _ => ExportError::retryable(FailureKind::NetworkUnavailable),
    }
}
