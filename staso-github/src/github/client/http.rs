//! The client itself: a request goes its way until there is an answer.

use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION};
use reqwest::{Method, Url};
use secrecy::ExposeSecret as _;
use serde::de::IgnoredAny;
use staso_core::run::RunContext;

use super::cache::{Cache, Kept, Key};
use super::exchange::{Broken, Hop, Received, Wire, headers};
use super::limit::Limit;
use super::options::ClientOptions;
use super::pages::below;
use super::queue::{Account, Queues};
use super::redirect::Trail;
use super::request::{Caller, Endpoint};
use super::retry::Tries;
use super::statistics::{ApiStatistics, Counters};
use super::verdict::Verdict;
use super::wait::pause;
use super::{ApiAnswer, ApiRequest, SendError};
use crate::address::RemoteAddress;
use crate::github::GitHubEndpoints;

/// A client of one GitHub. Cheap to clone; clones share connections, kept answers and queues.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    wire: Wire,
    api: RemoteAddress,
    graphql: RemoteAddress,
    options: Arc<ClientOptions>,
    cache: Arc<Cache>,
    queues: Arc<Queues>,
    counters: Arc<Counters>,
}

impl Client {
    /// A client of the GitHub at `endpoints`.
    pub(crate) fn new(endpoints: &GitHubEndpoints, options: ClientOptions) -> Result<Self, String> {
        let local = endpoints.api.is_local() || endpoints.graphql.is_local();
        Ok(Self {
            wire: Wire::new(local, &options)?,
            api: endpoints.api.clone(),
            graphql: endpoints.graphql.clone(),
            cache: Arc::new(Cache::new(options.cache_entries, options.cache_bytes)),
            queues: Arc::new(Queues::new(options.readers)),
            options: Arc::new(options),
            counters: Arc::default(),
        })
    }

    /// What was sent so far, by all clones together.
    pub(crate) fn statistics(&self) -> ApiStatistics {
        self.counters.read()
    }

    /// Sends a request until there is an answer, which may have any status.
    pub(crate) async fn send(
        &self,
        request: &ApiRequest,
        caller: Caller<'_>,
        ctx: &RunContext,
    ) -> Result<ApiAnswer, SendError> {
        let account = self.queues.account(caller.account, ctx.now());
        let _turn = account.turn(request, &self.options, ctx).await?;
        let mut tries = Tries::default();
        loop {
            account.wait_out(request.endpoint, ctx).await?;
            let attempt = self.follow(request, caller, ctx).await;
            match Verdict::of(request, attempt, ctx) {
                Verdict::Done(done) => return done,
                Verdict::Limited(limit) => limited(&account, request, limit, &mut tries, ctx)?,
                Verdict::Again { pause: said, otherwise } => {
                    let delay = tries.after_failure(self.options.retry_delay, said);
                    let Some(delay) = delay.filter(|delay| *delay < ctx.remaining()) else {
                        return otherwise;
                    };
                    tracing::debug!(operation = request.operation, ?delay, "repeating a request");
                    pause(ctx, delay).await?;
                }
            }
        }
    }

    /// One attempt: the request, and the redirects that it meets.
    async fn follow(
        &self,
        request: &ApiRequest,
        caller: Caller<'_>,
        ctx: &RunContext,
    ) -> Result<ApiAnswer, Broken> {
        let bad = |reason: String| Broken::Ended(SendError::BadAnswer { reason });
        let mut trail = Trail::new(self.address(request).map_err(bad)?, request.method.clone());
        loop {
            let received = self.step(request, caller, &trail, ctx).await?;
            if trail.follow(received.status, received.headers.get(LOCATION)).map_err(bad)? {
                continue;
            }
            let Received { status, headers, body } = received;
            let moved_to = trail.moved().then(|| self.place(&trail.url));
            let asked = (request.method.clone(), request.path.clone());
            return Ok(ApiAnswer { status, headers, body, moved_to, asked });
        }
    }

    /// One request of a trail. An answer that has not changed since it was kept counts as received.
    async fn step(
        &self,
        request: &ApiRequest,
        caller: Caller<'_>,
        trail: &Trail,
        ctx: &RunContext,
    ) -> Result<Received, Broken> {
        let bad = |reason: &str| Broken::Ended(SendError::BadAnswer { reason: reason.to_owned() });
        let mut headers = headers(request, &self.options).map_err(|reason| bad(&reason))?;
        if trail.with_credential {
            authorize(&mut headers, caller).map_err(bad)?;
        }
        let body = request.body.as_ref().filter(|_| trail.with_body);
        let body = body.map(|body| body.to_string().into_bytes());
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let key = (trail.with_credential && trail.method == Method::GET).then(|| Key {
            account: caller.account.to_owned(),
            url: trail.url.to_string(),
            accept: request.accept,
        });
        let kept = key.as_ref().and_then(|key| self.cache.get(key));
        if let Some(kept) = &kept {
            headers.insert(IF_NONE_MATCH, kept.tag.clone());
        }
        let (method, url) = (trail.method.clone(), trail.url.clone());
        let hop = Hop { method, url, headers, body, max_bytes: request.max_bytes };
        self.counters.request();
        let received = self.wire.exchange(hop, ctx).await?;
        if let (304, Some(kept)) = (received.status, kept) {
            return self.unchanged(&kept, &received.headers, request.max_bytes);
        }
        if is_cut(request, &received) {
            let reason = format!("status {} with a body that is cut or no JSON", received.status);
            return Err(Broken::Unusable { reason });
        }
        if let Some(key) = key {
            self.cache.put(key, received.status, &received.headers, &received.body);
        }
        Ok(received)
    }

    /// The answer that a 304 stands for, with that one's newer headers.
    fn unchanged(&self, kept: &Kept, newer: &HeaderMap, max_bytes: usize) -> Result<Received, Broken> {
        if kept.body.len() > max_bytes {
            return Err(Broken::Ended(SendError::TooLarge { max_bytes }));
        }
        self.counters.hit();
        let mut headers = kept.headers.clone();
        headers.extend(newer.clone());
        Ok(Received { status: 200, headers, body: kept.body.clone() })
    }

    /// Where a request goes: exactly to its path below the API. A path with `..` in it, from an answer or a trace, would
    /// be another request with the same credential.
    fn address(&self, request: &ApiRequest) -> Result<Url, String> {
        let base = match request.endpoint {
            Endpoint::Rest => &self.api,
            Endpoint::GraphQl => &self.graphql,
        };
        let text = format!("{base}{}", request.path);
        let mut url = Url::parse(&text).map_err(|error| format!("the path cannot be sent: {error}"))?;
        if request.endpoint == Endpoint::Rest && below(base, url.as_str()).as_ref() != Some(&request.path) {
            return Err("the path is not the one that would be asked for".to_owned());
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Ok(url)
    }

    fn place(&self, url: &Url) -> String {
        let mut url = url.clone();
        url.set_query(None);
        url.set_fragment(None);
        below(&self.api, url.as_str()).unwrap_or_else(|| url.to_string())
    }
}

fn authorize(headers: &mut HeaderMap, caller: Caller<'_>) -> Result<(), &'static str> {
    if let Some(bearer) = caller.bearer {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.expose_secret()))
            .map_err(|_| "the token has characters that no token has")?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(())
}

fn limited(
    account: &Account,
    request: &ApiRequest,
    limit: Limit,
    tries: &mut Tries,
    ctx: &RunContext,
) -> Result<(), SendError> {
    let (wait, again) = tries.after_limit(limit.wait);
    let until = ctx.now().saturating_add(wait);
    account.stop(request.endpoint, limit.kind, until);
    if again { Ok(()) } else { Err(SendError::RateLimited { kind: limit.kind, retry_at: until }) }
}

fn is_cut(request: &ApiRequest, received: &Received) -> bool {
    let has_body = matches!(received.status, 200 | 201 | 203);
    has_body && request.wants_json() && serde_json::from_slice::<IgnoredAny>(&received.body).is_err()
}
