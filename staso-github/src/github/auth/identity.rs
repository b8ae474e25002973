//! An app speaking for itself.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;
use serde::Deserialize;
use staso_core::run::RunContext;
use staso_core::trace::{RepositoryUrl, Timestamp};
use staso_core::vcs::VcsError;

use super::credentials::{AppCredentials, AppKey};
use super::jwt;
use super::key::{RsaKey, bad_key};
use super::signer::JwtSigner;
use super::single::Single;
use crate::github::api::{failure, message, without};
use crate::github::client::{ApiAnswer, ApiRequest, Caller, Client};
use crate::github::endpoints::GitHubEndpoints;

/// The queue of what an app finds out.
pub(crate) const LOOKUPS: &str = "app";
/// Seconds that a JWT must still be valid to be sent once more.
const LEFT: i64 = 120;
const NANOS: i64 = 1_000_000_000;

/// One app at one GitHub: its id, its key, and how far its clock is off.
#[derive(Debug)]
pub(crate) struct AppIdentity {
    client: Client,
    endpoints: GitHubEndpoints,
    id: String,
    signer: Arc<dyn JwtSigner>,
    /// Seconds that this machine is ahead of the forge.
    ahead: AtomicI64,
    signed: Mutex<Option<(SecretString, i64)>>,
    install_url: Single<String, VcsError>,
}

#[derive(Deserialize)]
struct AppAnswer {
    html_url: String,
}

impl AppIdentity {
    pub(crate) fn new(
        credentials: &AppCredentials,
        client: Client,
        endpoints: GitHubEndpoints,
    ) -> Result<Self, VcsError> {
        let id = credentials.id.trim().to_owned();
        if id.is_empty() {
            return Err(bad_key("the id of the app is empty"));
        }
        let signer: Arc<dyn JwtSigner> = match &credentials.key {
            AppKey::Pem(text) => Arc::new(RsaKey::from_pem(text)?),
            AppKey::Signer(signer) => Arc::clone(signer),
        };
        let (ahead, signed, install_url) = (AtomicI64::new(0), Mutex::new(None), Single::default());
        Ok(Self { client, endpoints, id, signer, ahead, signed, install_url })
    }

    /// The time by the forge's clock, as far as it is known.
    pub(crate) fn now(&self, ctx: &RunContext) -> Timestamp {
        let ahead = self.ahead.load(Ordering::Relaxed).saturating_mul(NANOS);
        Timestamp::from_nanos(ctx.now().as_nanos().saturating_sub(ahead))
    }

    /// Sends a request as the app, in the queue of `account`. A clock that is off is made up for once, and remembered.
    ///
    /// # Errors
    /// [`VcsError::BadAppKey`], [`VcsError::ClockSkew`], and what keeps an answer away. Any status but 401 is an answer.
    pub(crate) async fn send(
        &self,
        request: &ApiRequest,
        account: &str,
        url: &RepositoryUrl,
        ctx: &RunContext,
    ) -> Result<ApiAnswer, VcsError> {
        let mut corrected = false;
        loop {
            let bearer = self.jwt(ctx).await?;
            let caller = Caller { bearer: Some(&bearer), account };
            let answer = self.client.send(request, caller, ctx).await;
            let answer = answer.map_err(|error| VcsError::from(failure(error, request.operation, url)))?;
            let answer = without(answer, &bearer);
            let said = message(&answer);
            match answer.status {
                401 if said.is_empty() => return Err(bad_key("GitHub refuses it without a word")),
                401 if !names_the_time(&said) => return Err(bad_key(format!("GitHub says: {said}"))),
                401 => {
                    let seconds = seconds_ahead(&answer, request.operation, ctx)?;
                    if corrected {
                        return Err(VcsError::ClockSkew { seconds });
                    }
                    corrected = true;
                    self.ahead.store(seconds, Ordering::Relaxed);
                    self.keep(None);
                }
                404 if said == "Integration not found" => {
                    return Err(bad_key(format!("GitHub knows no app {}", self.id)));
                }
                _ => return Ok(answer),
            }
        }
    }

    /// Where the app is installed: its own page, or the settings of the user when that cannot be found out.
    ///
    /// # Errors
    /// When the run is cancelled.
    pub(crate) async fn install_url(
        &self,
        url: &RepositoryUrl,
        ctx: &RunContext,
    ) -> Result<String, VcsError> {
        const OPERATION: &str = "finding the page of the app";
        let fetch = async {
            let answer = self.send(&ApiRequest::get(OPERATION, "/app"), LOOKUPS, url, ctx).await?;
            let said = answer.json::<AppAnswer>(OPERATION)?.html_url;
            match self.endpoints.page(&said) {
                Some(page) => Ok(format!("{page}/installations/new")),
                None => {
                    let reason = "its page is elsewhere".to_owned();
                    Err(VcsError::BadAnswer { operation: OPERATION, reason })
                }
            }
        };
        match self.install_url.get(ctx, |_| true, fetch).await {
            Ok(page) => Ok(page.as_ref().clone()),
            Err(VcsError::Cancelled) => Err(VcsError::Cancelled),
            Err(_) => Ok(self.settings_url()),
        }
    }

    /// Where people find their installations, when it is not known where the one in question is.
    fn settings_url(&self) -> String {
        format!("{}/settings/installations", self.endpoints.git)
    }

    /// Where an installation is changed, as GitHub says it; the settings of the user when that is elsewhere.
    pub(crate) fn page_or_settings(&self, said: &str) -> String {
        self.endpoints.page(said).map_or_else(|| self.settings_url(), str::to_owned)
    }

    async fn jwt(&self, ctx: &RunContext) -> Result<SecretString, VcsError> {
        let now = seconds(self.now(ctx));
        let signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((jwt, at)) = signed
            && (at..at + jwt::LIFETIME - LEFT).contains(&now)
        {
            return Ok(jwt);
        }
        let jwt = jwt::sign(&*self.signer, &self.id, now, ctx).await?;
        self.keep(Some((jwt.clone(), now)));
        Ok(jwt)
    }

    fn keep(&self, signed: Option<(SecretString, i64)>) {
        *self.signed.lock().unwrap_or_else(PoisonError::into_inner) = signed;
    }
}

/// Whether a refusal is about when the JWT says that it was made or ends: `'Issued at' claim ('iat') must be …`,
/// `'Expiration time' claim ('exp') is too far in the future`.
fn names_the_time(said: &str) -> bool {
    said.contains("'iat'") || said.contains("'exp'")
}

fn seconds_ahead(answer: &ApiAnswer, operation: &'static str, ctx: &RunContext) -> Result<i64, VcsError> {
    let theirs = answer.date().ok_or_else(|| VcsError::BadAnswer {
        operation,
        reason: "it refuses the time of the request, but does not say what time it is".to_owned(),
    })?;
    Ok(seconds(ctx.now()).saturating_sub(seconds(theirs)))
}

const fn seconds(time: Timestamp) -> i64 {
    time.as_nanos().div_euclid(NANOS)
}
