//! Credentials for git, fresh for each of its commands.

use async_trait::async_trait;
use staso_core::run::RunContext;
use staso_core::vcs::{Access, VcsError};

use crate::credentials::{CredentialSource, GitCredentials};
use crate::github::api::{Api, RepositoryName, Scope};

/// The credentials of one repository.
#[derive(Debug, Clone)]
pub(crate) struct RepositoryCredentials {
    api: Api,
    repository: RepositoryName,
}

impl RepositoryCredentials {
    pub(crate) const fn new(api: Api, repository: RepositoryName) -> Self {
        Self { api, repository }
    }
}

#[async_trait]
impl CredentialSource for RepositoryCredentials {
    async fn credentials(
        &self,
        access: Access,
        ctx: &RunContext,
    ) -> Result<Option<GitCredentials>, VcsError> {
        self.api.git_credentials(Scope { repository: &self.repository, access }, ctx).await
    }
    async fn refused(&self, credentials: &GitCredentials, ctx: &RunContext) -> bool {
        self.api.refused(&self.repository, &credentials.password, ctx).await
    }
}
