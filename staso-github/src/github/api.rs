//! Requests with the right credential for a repository.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use staso_core::run::RunContext;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::{Access, VcsError};

use super::auth::{App, GitHubAuth, Granted, RepositoryCredentials, Use, lag};
use super::client::{ApiAnswer, ApiRequest, ApiStatistics, Caller, Client, ClientOptions, SendError, pause};
pub(crate) use super::client::{message, refusal};
use super::endpoints::GitHubEndpoints;
use crate::credentials::GitCredentials;
use crate::error;

/// The name in errors of this provider.
pub(crate) const PROVIDER: &str = "github";

/// A repository as requests name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RepositoryName {
    pub(crate) owner: String,
    pub(crate) name: String,
    /// The address that errors name.
    pub(crate) url: RepositoryUrl,
    /// Its lasting number, once it is known. Another repository may have the name by now.
    pub(crate) id: Option<u64>,
}

impl RepositoryName {
    /// The path of its API: `/repos/{owner}/{name}`.
    pub(crate) fn path(&self) -> String {
        format!("/repos/{}/{}", segment(&self.owner), segment(&self.name))
    }
}

/// One part of a path, encoded. Parts that would lead elsewhere become names that nothing has.
pub(crate) fn segment(name: &str) -> String {
    match name {
        "" | "." | ".." => "-".to_owned(),
        _ => utf8_percent_encode(name, RESERVED).to_string(),
    }
}

/// All that is not unreserved in RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// For which repository, and how much a request needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) repository: &'a RepositoryName,
    /// [`Access::Propose`] takes a token that can write; nothing before the patch is frozen asks for it.
    pub(crate) access: Access,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum ApiFailure {
    /// The request may have been carried out: look before sending it again.
    Lost { operation: &'static str, reason: String },
    /// Anything else, already in the words of users.
    Failed(VcsError),
}

impl From<ApiFailure> for VcsError {
    fn from(failure: ApiFailure) -> Self {
        match failure {
            ApiFailure::Lost { operation, reason } => {
                Self::Backend { provider: PROVIDER, operation, source: reason.into() }
            }
            ApiFailure::Failed(error) => error,
        }
    }
}

impl From<VcsError> for ApiFailure {
    fn from(error: VcsError) -> Self {
        Self::Failed(error)
    }
}

/// A client that knows which credential a request needs. Cheap to clone; clones share tokens.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    client: Client,
    endpoints: GitHubEndpoints,
    credential: Credential,
}

#[derive(Debug, Clone)]
enum Credential {
    App(Arc<App>),
    Token(SecretString),
    Nobody,
}

impl Api {
    /// # Errors
    /// [`VcsError::BadAppKey`] when the key of an app cannot be used.
    pub(crate) fn new(
        endpoints: GitHubEndpoints,
        auth: GitHubAuth,
        options: ClientOptions,
    ) -> Result<Self, VcsError> {
        let client = Client::new(&endpoints, options)
            .map_err(|reason| error::backend("preparing the client", reason))?;
        let credential = match auth {
            GitHubAuth::App(app) => {
                Credential::App(Arc::new(App::new(&app, client.clone(), endpoints.clone())?))
            }
            GitHubAuth::Token(token) => Credential::Token(token),
            GitHubAuth::Anonymous => Credential::Nobody,
        };
        Ok(Self { client, endpoints, credential })
    }

    pub(crate) const fn endpoints(&self) -> &GitHubEndpoints {
        &self.endpoints
    }

    /// What was sent so far, tokens included.
    pub(crate) fn statistics(&self) -> ApiStatistics {
        self.client.statistics()
    }

    /// Sends a request. Any status comes back as an answer, but for those that say that the credential is no good:
    /// they are typed errors, after one try with a fresh token.
    ///
    /// Where a token of an app was made less than five seconds ago, 401 and "Resource not accessible" are asked again
    /// after 1, 2 and 3 seconds.
    pub(crate) async fn send(
        &self,
        request: &ApiRequest,
        scope: Scope<'_>,
        ctx: &RunContext,
    ) -> Result<ApiAnswer, ApiFailure> {
        match &self.credential {
            Credential::App(app) => self.send_as_app(app, request, scope, ctx).await,
            Credential::Token(token) => {
                let answer = self.send_with(Some(token), "token", request, scope, ctx).await?;
                if answer.status == 401 {
                    return Err(revoked(scope));
                }
                Ok(answer)
            }
            Credential::Nobody => {
                let answer = self.send_with(None, "nobody", request, scope, ctx).await?;
                if answer.status == 401 {
                    return Err(VcsError::PermissionDenied {
                        operation: request.operation,
                        url: scope.repository.url.clone(),
                        remedy: "configure a GitHub App or a token".to_owned(),
                    }
                    .into());
                }
                Ok(answer)
            }
        }
    }

    /// What the credential may do in a repository, without making a token that can.
    pub(crate) async fn granted(
        &self,
        repository: &RepositoryName,
        ctx: &RunContext,
    ) -> Result<Granted, VcsError> {
        match &self.credential {
            Credential::App(app) => {
                let installation = app.installation(repository, Access::Propose, ctx).await?;
                Ok(Granted::Installation {
                    permissions: installation.permissions,
                    settings_url: installation.settings_url,
                })
            }
            Credential::Token(_) => Ok(Granted::Unknown),
            Credential::Nobody => Ok(Granted::Public),
        }
    }

    /// What git says who it is with. For apps a token with at least five minutes left.
    pub(crate) async fn git_credentials(
        &self,
        scope: Scope<'_>,
        ctx: &RunContext,
    ) -> Result<Option<GitCredentials>, VcsError> {
        Ok(match &self.credential {
            Credential::App(app) => {
                let token = app.token(scope, Use::Git, ctx).await?;
                Some(GitCredentials::token(token.secret.clone()))
            }
            Credential::Token(token) => Some(GitCredentials::token(token.clone())),
            Credential::Nobody => None,
        })
    }

    /// The same for whoever runs git on a repository: fresh credentials for each command.
    pub(crate) fn source(&self, repository: RepositoryName) -> RepositoryCredentials {
        RepositoryCredentials::new(self.clone(), repository)
    }

    /// Told that git was refused with a token. Returns whether asking for another one is worth it: a fresh token is waited
    /// for, an old one is forgotten.
    pub(crate) async fn refused(
        &self,
        repository: &RepositoryName,
        token: &SecretString,
        ctx: &RunContext,
    ) -> bool {
        match &self.credential {
            Credential::App(app) => app.refused(repository, token, ctx).await,
            Credential::Token(_) | Credential::Nobody => false,
        }
    }

    /// Forgets where the app is installed for an owner: a webhook says that this changed.
    pub(crate) fn forget_owner(&self, owner: &str) {
        if let Credential::App(app) = &self.credential {
            app.forget_owner(owner);
        }
    }

    /// Forgets an installation and its tokens: a webhook says that it changed.
    pub(crate) fn forget_installation(&self, id: u64) {
        if let Credential::App(app) = &self.credential {
            app.forget_installation(id);
        }
    }

    async fn send_as_app(
        &self,
        app: &App,
        request: &ApiRequest,
        scope: Scope<'_>,
        ctx: &RunContext,
    ) -> Result<ApiAnswer, ApiFailure> {
        let mut waits = lag::WAITS.iter().peekable();
        let mut replaced = false;
        loop {
            let token = app.token(scope, Use::Call, ctx).await?;
            let lagging = waits.len() < lag::WAITS.len() || token.is_fresh(app.now(ctx));
            let answer = self.send_with(Some(&token.secret), &token.account, request, scope, ctx).await?;
            match (answer.status, waits.next_if(|_| lagging && lag::is_possible(&answer))) {
                (401 | 403, Some(wait)) => pause(ctx, *wait).await.map_err(|_| VcsError::Cancelled)?,
                (401, None) if replaced || lagging => {
                    app.forget_token(&token);
                    return Err(revoked(scope));
                }
                (401, None) => {
                    app.forget_token(&token);
                    replaced = true;
                }
                (404, _) if has_left(&answer, request, scope) => {
                    app.confirm(scope.repository, ctx).await?;
                    return Ok(answer);
                }
                _ => return Ok(answer),
            }
        }
    }

    async fn send_with(
        &self,
        bearer: Option<&SecretString>,
        account: &str,
        request: &ApiRequest,
        scope: Scope<'_>,
        ctx: &RunContext,
    ) -> Result<ApiAnswer, ApiFailure> {
        let answer = self.client.send(request, Caller { bearer, account }, ctx).await;
        let answer = answer.map_err(|error| failure(error, request.operation, &scope.repository.url))?;
        Ok(match bearer {
            Some(bearer) => without(answer, bearer),
            None => answer,
        })
    }
}

/// An answer that is no success, without the credential: some proxies print requests into their error pages, and what
/// a refusal says goes into errors.
pub(crate) fn without(mut answer: ApiAnswer, secret: &SecretString) -> ApiAnswer {
    let secret = secret.expose_secret();
    if !answer.is_success() && !secret.is_empty() {
        answer.body = String::from_utf8_lossy(&answer.body).replace(secret, "***").into_bytes();
    }
    answer
}

/// Whether the repository itself is not there, or not where it was.
fn has_left(answer: &ApiAnswer, request: &ApiRequest, scope: Scope<'_>) -> bool {
    answer.moved_to.is_some() || request.path == scope.repository.path()
}

fn revoked(scope: Scope<'_>) -> ApiFailure {
    VcsError::CredentialRevoked { url: scope.repository.url.clone() }.into()
}

pub(crate) fn failure(error: SendError, operation: &'static str, url: &RepositoryUrl) -> ApiFailure {
    match error {
        SendError::Cancelled => VcsError::Cancelled.into(),
        SendError::TimedOut { limit_ms } => VcsError::Timeout { operation, limit_ms }.into(),
        SendError::Unreachable { reason } => VcsError::Unreachable { url: url.clone(), reason }.into(),
        SendError::Lost { reason } => ApiFailure::Lost { operation, reason },
        SendError::BadAnswer { reason } => VcsError::BadAnswer { operation, reason }.into(),
        SendError::TooLarge { max_bytes } => VcsError::TooLarge {
            what: format!("the answer to {operation}"),
            limit: format!("{max_bytes} bytes"),
        }
        .into(),
        SendError::RateLimited { kind, retry_at } => VcsError::RateLimited { kind, retry_at }.into(),
    }
}
