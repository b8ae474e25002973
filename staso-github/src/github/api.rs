//! Requests with the right credential for a repository.

use secrecy::SecretString;
use staso_core::run::RunContext;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::{Access, VcsError};

use super::auth::GitHubAuth;
use super::client::{ApiAnswer, ApiRequest, Caller, Client, ClientOptions, SendError};
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
}

/// For which repository, and how much a request needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) repository: &'a RepositoryName,
    /// [`Access::Propose`] takes a token that can write; nothing before the patch is frozen asks for it.
    pub(crate) access: Access,
}

/// What a credential is allowed in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Granted {
    /// The permissions of an app's installation, as GitHub names them: `contents` → `write`.
    Permissions(std::collections::BTreeMap<String, String>),
    /// A personal token or nobody: only the answers tell.
    Unknown,
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
    auth: GitHubAuth,
}

impl Api {
    pub(crate) fn new(endpoints: GitHubEndpoints, auth: GitHubAuth) -> Result<Self, VcsError> {
        let client = Client::new(&endpoints, ClientOptions::default())
            .map_err(|reason| error::backend("preparing the client", reason))?;
        Ok(Self { client, endpoints, auth })
    }

    pub(crate) const fn endpoints(&self) -> &GitHubEndpoints {
        &self.endpoints
    }

    /// Sends a request. Any status comes back as an answer, but for those that say that the credential is no good:
    /// they are typed errors, after one try with a fresh token.
    pub(crate) async fn send(
        &self,
        request: &ApiRequest,
        scope: Scope<'_>,
        ctx: &RunContext,
    ) -> Result<ApiAnswer, ApiFailure> {
        let bearer = self.token();
        let caller = Caller { bearer: bearer.as_ref(), account: &scope.repository.owner };
        let answer = self.client.send(request, caller, ctx).await;
        answer.map_err(|error| failure(error, request.operation, &scope.repository.url))
    }

    /// What the credential may do in a repository, without making a token that can.
    pub(crate) async fn granted(&self, _: &RepositoryName, _: &RunContext) -> Result<Granted, VcsError> {
        Ok(Granted::Unknown)
    }

    /// What git says who it is with. For apps a token with at least five minutes left.
    pub(crate) async fn git_credentials(
        &self,
        _: Scope<'_>,
        _: &RunContext,
    ) -> Result<Option<GitCredentials>, VcsError> {
        Ok(self.token().map(GitCredentials::token))
    }

    fn token(&self) -> Option<SecretString> {
        match &self.auth {
            GitHubAuth::Token(token) => Some(token.clone()),
            _ => None,
        }
    }
}

fn failure(error: SendError, operation: &'static str, url: &RepositoryUrl) -> ApiFailure {
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
