//! The client itself.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use rustls_platform_verifier::BuilderVerifierExt as _;
use secrecy::ExposeSecret as _;
use staso_core::run::RunContext;

use super::request::Caller;
use super::{ApiAnswer, ApiRequest, SendError};
use crate::address::RemoteAddress;

const USER_AGENT: &str = concat!("staso-rust/", env!("CARGO_PKG_VERSION"));

/// A client of one API. Cheap to clone; clones share connections, cached answers and queues.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    api: RemoteAddress,
}

impl Client {
    /// A client of the API at `api`.
    pub(crate) fn new(api: RemoteAddress) -> Result<Self, String> {
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!api.is_local())
            .http1_only()
            .tls_backend_preconfigured(tls()?);
        if api.is_local() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|_| "the HTTP client cannot be built".to_owned())?;
        Ok(Self { http, api })
    }

    /// Sends a request until there is an answer.
    pub(crate) async fn send(
        &self,
        request: &ApiRequest,
        caller: Caller<'_>,
        ctx: &RunContext,
    ) -> Result<ApiAnswer, SendError> {
        let unreachable =
            |error: reqwest::Error| SendError::Unreachable { reason: error.without_url().to_string() };
        let mut url = reqwest::Url::parse(&format!("{}{}", self.api, request.path))
            .map_err(|error| SendError::BadAnswer { reason: error.to_string() })?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut builder = self.http.request(request.method.clone(), url).header(ACCEPT, request.accept);
        if let Some(bearer) = caller.bearer {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.expose_secret()))
                .map_err(|_| SendError::BadAnswer { reason: "the token cannot be sent".to_owned() })?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(body) = &request.body {
            builder = builder.header("content-type", "application/json").body(body.to_string());
        }
        let work = async {
            let answer = builder.send().await.map_err(unreachable)?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let body = answer.bytes().await.map_err(unreachable)?.to_vec();
            Ok(ApiAnswer { status, headers, body, moved_to: None })
        };
        match ctx.bounded(Duration::from_secs(60), work).await {
            Ok(answer) => answer,
            Err(staso_core::run::Interrupted::Cancelled) => Err(SendError::Cancelled),
            Err(staso_core::run::Interrupted::TimedOut { limit_ms }) => Err(SendError::TimedOut { limit_ms }),
        }
    }
}

/// The trust roots of the operating system, so that the roots of a company network count too.
fn tls() -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| "no common version of TLS".to_owned())?
        .with_platform_verifier()
        .map_err(|_| "the trust roots of the system cannot be used".to_owned())?
        .with_no_client_auth())
}
