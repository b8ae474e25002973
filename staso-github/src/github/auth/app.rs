//! An app: which installation and which token a repository needs.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use staso_core::run::RunContext;
use staso_core::trace::Timestamp;
use staso_core::vcs::{Access, VcsError};

use super::credentials::AppCredentials;
use super::identity::AppIdentity;
use super::installation::{Installation, Lookup, REFUSED, look_up};
use super::permissions::{first_missing, remedy};
use super::recent::Recent;
use super::single::Single;
use super::token::{MintError, Token, TokenKey, Use, mint};
use crate::github::api::{RepositoryName, Scope};
use crate::github::client::{Client, pause};
use crate::github::endpoints::GitHubEndpoints;

/// Most repositories, and most tokens, that are remembered.
const REMEMBERED: usize = 1024;

/// An app at one GitHub, with what it has found out.
#[derive(Debug)]
pub(crate) struct App {
    identity: AppIdentity,
    /// By owner and name, both in lower case.
    lookups: Recent<(String, String), Single<Lookup, VcsError>>,
    tokens: Recent<TokenKey, Single<Token, MintError>>,
}

impl App {
    pub(crate) fn new(
        credentials: &AppCredentials,
        client: Client,
        endpoints: GitHubEndpoints,
    ) -> Result<Self, VcsError> {
        let identity = AppIdentity::new(credentials, client, endpoints)?;
        Ok(Self { identity, lookups: Recent::new(REMEMBERED), tokens: Recent::new(REMEMBERED) })
    }

    /// A token for a repository that lasts long enough for its use: a known one or a new one.
    pub(crate) async fn token(
        &self,
        scope: Scope<'_>,
        usage: Use,
        ctx: &RunContext,
    ) -> Result<Arc<Token>, VcsError> {
        let repository = scope.repository;
        let mut looked_again = false;
        loop {
            let lookup = self.lookup(repository, ctx).await?;
            let installation = lookup.installation(repository)?;
            let key = TokenKey::new(installation, repository, scope.access);
            let lasts = |token: &Token| token.lasts(usage, self.identity.now(ctx));
            let fetch = mint(&self.identity, &key, installation, repository, ctx);
            match self.tokens.entry(&key).get(ctx, lasts, fetch).await {
                Ok(token) => return Ok(token),
                Err(MintError::Failed(error)) => {
                    if matches!(error, VcsError::Suspended { .. }) {
                        self.forget_lookup(repository, &lookup);
                    }
                    return Err(error);
                }
                Err(_) if !looked_again => self.forget_lookup(repository, &lookup),
                Err(MintError::NotPermitted) => return Err(missing(installation, scope)),
                Err(MintError::Stale) => return Err(not_granted(installation, repository)),
            }
            looked_again = true;
        }
    }

    /// Forgets a token that GitHub does not take any more.
    pub(crate) fn forget_token(&self, token: &Arc<Token>) {
        self.tokens.entry(&token.key).forget(token);
    }

    /// The token of a scope, if one was made.
    pub(crate) fn known_token(&self, scope: Scope<'_>) -> Option<Arc<Token>> {
        let lookup = self.lookups.entry(&key(scope.repository)).peek()?;
        let installation = lookup.installation(scope.repository).ok()?;
        self.tokens.entry(&TokenKey::new(installation, scope.repository, scope.access)).peek()
    }

    /// What to do about a token that git was refused with. Returns whether there is any use in asking again.
    pub(crate) async fn refused(
        &self,
        repository: &RepositoryName,
        secret: &SecretString,
        ctx: &RunContext,
    ) -> bool {
        let known = |access| self.known_token(Scope { repository, access });
        let mut known = [Access::Read, Access::Propose].into_iter().filter_map(known);
        let Some(token) = known.find(|known| known.secret.expose_secret() == secret.expose_secret()) else {
            // Another caller has replaced it.
            return true;
        };
        if let Some(wait) = token.wait(self.now(ctx)) {
            return pause(ctx, wait).await.is_ok();
        }
        self.forget_token(&token);
        true
    }

    /// The installation of a repository with at least what `access` needs, if it has that: a permission that is missing
    /// may have been granted a moment ago.
    pub(crate) async fn installation(
        &self,
        repository: &RepositoryName,
        access: Access,
        ctx: &RunContext,
    ) -> Result<Installation, VcsError> {
        let enough = |found: &Installation| first_missing(&found.permissions, access).is_none();
        self.believed(repository, enough, ctx).await
    }

    /// Whether the app may still see a repository that is not where it was.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) async fn confirm(
        &self,
        repository: &RepositoryName,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        self.believed(repository, |_| false, ctx).await.map(drop)
    }

    /// Forgets what is known of an owner, in any case.
    pub(crate) fn forget_owner(&self, owner: &str) {
        self.lookups.retain(|(known, _), _| !known.eq_ignore_ascii_case(owner));
    }

    /// Forgets an installation and its tokens.
    pub(crate) fn forget_installation(&self, id: u64) {
        self.lookups
            .retain(|_, lookup| lookup.peek().is_none_or(|lookup| lookup.installation_id() != Some(id)));
        self.tokens.retain(|key, _| key.installation != id);
    }

    /// The time by GitHub's clock.
    pub(crate) fn now(&self, ctx: &RunContext) -> Timestamp {
        self.identity.now(ctx)
    }

    async fn lookup(&self, repository: &RepositoryName, ctx: &RunContext) -> Result<Arc<Lookup>, VcsError> {
        let holds = |lookup: &Lookup| lookup.holds(self.identity.now(ctx));
        let fetch = async {
            let standing = look_up(&self.identity, repository, ctx).await?;
            Ok(Lookup { standing, at: self.identity.now(ctx) })
        };
        self.lookups.entry(&key(repository)).get(ctx, holds, fetch).await
    }

    /// The installation of a repository; looked up anew when there is doubt and what is known is older than a minute.
    async fn believed(
        &self,
        repository: &RepositoryName,
        no_doubt: impl Fn(&Installation) -> bool,
        ctx: &RunContext,
    ) -> Result<Installation, VcsError> {
        let lookup = self.lookup(repository, ctx).await?;
        let known = lookup.installation(repository)?;
        if no_doubt(known) || self.identity.now(ctx).since(lookup.at) < REFUSED {
            return Ok(known.clone());
        }
        self.forget_lookup(repository, &lookup);
        self.lookup(repository, ctx).await?.installation(repository).cloned()
    }

    fn forget_lookup(&self, repository: &RepositoryName, lookup: &Arc<Lookup>) {
        self.lookups.entry(&key(repository)).forget(lookup);
    }
}

fn key(repository: &RepositoryName) -> (String, String) {
    (repository.owner.to_ascii_lowercase(), repository.name.to_ascii_lowercase())
}

fn missing(installation: &Installation, scope: Scope<'_>) -> VcsError {
    let permission = first_missing(&installation.permissions, scope.access);
    VcsError::MissingPermission {
        permission: permission.unwrap_or_else(|| "one that GitHub does not name".to_owned()),
        url: scope.repository.url.clone(),
        remedy: remedy(&installation.settings_url),
    }
}

fn not_granted(installation: &Installation, repository: &RepositoryName) -> VcsError {
    VcsError::RepositoryNotGranted {
        url: repository.url.clone(),
        settings_url: installation.settings_url.clone(),
    }
}
