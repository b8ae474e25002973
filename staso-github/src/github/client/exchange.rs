//! One request over the wire and its answer: no redirect, no retry, no wait.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, Url};
use rustls_platform_verifier::BuilderVerifierExt as _;
use staso_core::run::RunContext;

use super::options::ClientOptions;
use super::status::clean;
use super::wait::within;
use super::{ApiRequest, SendError};

const USER_AGENT: &str = concat!("staso-rust/", env!("CARGO_PKG_VERSION"));

/// What goes out.
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    /// Longest body of the answer.
    pub(super) max_bytes: usize,
}

/// What came back, whatever its status.
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why nothing usable came back.
#[derive(Debug)]
pub(super) enum Broken {
    /// There was no connection, so nothing was sent.
    NotSent { reason: String },
    /// The connection broke after something may have been sent.
    Lost { reason: String },
    /// The answer cannot be read.
    Unusable { reason: String },
    /// It took too long, was cancelled, or the answer is longer than wanted.
    Ended(SendError),
}

/// The connections to a GitHub.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    http: Client,
    limit: Duration,
}

impl Wire {
    /// `local` is for peers on this machine, which need neither TLS nor the proxy of the environment. Nothing else can be
    /// reached without TLS: no such address or redirect is accepted.
    pub(super) fn new(local: bool, options: &ClientOptions) -> Result<Self, String> {
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(options.connect)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .https_only(!local)
            .http1_only()
            .tls_backend_preconfigured(tls()?);
        if local {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|_| "the HTTP client cannot be built".to_owned())?;
        Ok(Self { http, limit: options.request })
    }

    /// Sends and reads to the end of the body.
    pub(super) async fn exchange(&self, hop: Hop, ctx: &RunContext) -> Result<Received, Broken> {
        let mut builder = self.http.request(hop.method, hop.url).headers(hop.headers);
        if let Some(body) = hop.body {
            builder = builder.body(body);
        }
        let work = async {
            let response = builder.send().await.map_err(broken)?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = read(response, hop.max_bytes).await?;
            Ok(Received { status, headers, body })
        };
        within(ctx, self.limit, work).await.unwrap_or_else(|ended| Err(Broken::Ended(ended)))
    }
}

/// The body, unless it is too long: what is announced as too long is not even begun.
async fn read(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, Broken> {
    let too_large = || Broken::Ended(SendError::TooLarge { max_bytes });
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > max_bytes) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn broken(error: reqwest::Error) -> Broken {
    let (unsendable, not_sent) = (error.is_builder(), error.is_connect());
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(of) = cause {
        reason = format!("{reason}: {of}");
        cause = of.source();
    }
    let reason = clean(&reason);
    match (unsendable, not_sent) {
        (true, _) => Broken::Ended(SendError::BadAnswer { reason }),
        (_, true) => Broken::NotSent { reason },
        _ => Broken::Lost { reason },
    }
}

/// What is needed to send a request of ours, without its credential.
pub(super) fn headers(request: &ApiRequest, options: &ClientOptions) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(request.accept))]);
    if let Some(version) = &options.api_version {
        let version = HeaderValue::from_str(version).map_err(|_| "the API version cannot be sent")?;
        headers.insert("x-github-api-version", version);
    }
    Ok(headers)
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
