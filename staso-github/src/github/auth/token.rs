//! Tokens of an installation: one repository, the least permissions, about an hour.

use std::time::Duration;

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use staso_core::run::RunContext;
use staso_core::trace::Timestamp;
use staso_core::vcs::{Access, VcsError};

use super::identity::AppIdentity;
use super::installation::Installation;
use super::lag;
use super::permissions::permissions;
use super::single::Failure;
use crate::github::api::{RepositoryName, message, refusal};
use crate::github::client::{ApiRequest, Repeat};

/// What a token is for. Base and app are the same for all tokens of one client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TokenKey {
    pub(crate) installation: u64,
    repository: Target,
    /// Stands for the permissions, see [`permissions`](super::permissions).
    access: Access,
}

/// The one repository of a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Target {
    Id(u64),
    /// In lower case.
    Name(String),
}

impl TokenKey {
    pub(crate) fn new(installation: &Installation, repository: &RepositoryName, access: Access) -> Self {
        let name = || Target::Name(repository.name.to_ascii_lowercase());
        // What writes is good for the repository that was resolved, even if its name went to another one since.
        let id = installation.repository_id.or(repository.id.filter(|_| access == Access::Propose));
        let repository = id.map_or_else(name, Target::Id);
        Self { installation: installation.id, repository, access }
    }
}

/// What a request or a git command needs a token for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// One call.
    Call,
    /// A git command, which may take minutes.
    Git,
}

impl Use {
    const fn time_left(self) -> Duration {
        match self {
            Self::Call => Duration::from_mins(1),
            Self::Git => Duration::from_mins(5),
        }
    }
}

/// A token, with times by GitHub's clock.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) key: TokenKey,
    pub(crate) secret: SecretString,
    /// The installation, for queues and caches.
    pub(crate) account: String,
    made_at: Timestamp,
    expires_at: Timestamp,
}

impl Token {
    /// Whether it lasts long enough.
    pub(crate) fn lasts(&self, usage: Use, now: Timestamp) -> bool {
        self.expires_at.since(now) > usage.time_left()
    }

    /// Whether parts of GitHub may not know its permissions yet.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        now >= self.made_at && now.since(self.made_at) < lag::FRESH
    }

    /// How long to wait for that, while it is fresh: the younger it is, the shorter.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let [short, middle, long] = lag::WAITS;
        let wait = match now.since(self.made_at) {
            age if age < short => short,
            age if age < long => middle,
            _ => long,
        };
        self.is_fresh(now).then_some(wait)
    }
}

/// Why there is no token.
#[derive(Debug)]
pub(crate) enum MintError {
    /// What was known of the installation is not true any more.
    Stale,
    /// The installation lacks a permission, as far as GitHub says.
    NotPermitted,
    Failed(VcsError),
}

impl From<VcsError> for MintError {
    fn from(error: VcsError) -> Self {
        Self::Failed(error)
    }
}

impl Failure for MintError {
    fn for_others(&self) -> Option<Self> {
        match self {
            Self::Stale => Some(Self::Stale),
            Self::NotPermitted => Some(Self::NotPermitted),
            Self::Failed(error) => error.for_others().map(Self::Failed),
        }
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: String,
    expires_at: Timestamp,
}

const OPERATION: &str = "making a token of the installation";

/// Has GitHub make a token.
pub(crate) async fn mint(
    identity: &AppIdentity,
    key: &TokenKey,
    installation: &Installation,
    repository: &RepositoryName,
    ctx: &RunContext,
) -> Result<Token, MintError> {
    let path = format!("/app/installations/{}/access_tokens", key.installation);
    // One token more does no harm: it is void in an hour.
    let request = ApiRequest::send(OPERATION, Method::POST, path, body(key), Repeat::Safe);
    // Not the queue of the changes that the token is for.
    let queue = format!("app/installation/{}", key.installation);
    let answer = identity.send(&request, &queue, &repository.url, ctx).await?;
    match answer.status {
        201 => {
            // What a parser says of the body may hold parts of it.
            let made: TokenAnswer =
                serde_json::from_slice(&answer.body).map_err(|_| VcsError::BadAnswer {
                    operation: OPERATION,
                    reason: "status 201 with a body that is not the documented JSON".to_owned(),
                })?;
            tracing::debug!(installation = key.installation, access = ?key.access, "made a token");
            Ok(Token {
                key: key.clone(),
                secret: SecretString::from(made.token),
                account: format!("installation/{}", key.installation),
                made_at: identity.now(ctx),
                expires_at: made.expires_at,
            })
        }
        403 if !message(&answer).contains("IP allow list") => {
            Err(installation.suspended_error(repository).into())
        }
        404 => Err(MintError::Stale),
        422 if message(&answer).to_ascii_lowercase().contains("permission") => Err(MintError::NotPermitted),
        422 => Err(MintError::Stale),
        _ => Err(refusal(&answer, OPERATION, repository).into()),
    }
}

fn body(key: &TokenKey) -> Value {
    let permissions: serde_json::Map<String, Value> =
        permissions(key.access).iter().map(|(name, level)| ((*name).to_owned(), (*level).into())).collect();
    match &key.repository {
        Target::Id(id) => json!({ "repository_ids": [id], "permissions": permissions }),
        Target::Name(name) => json!({ "repositories": [name], "permissions": permissions }),
    }
}
