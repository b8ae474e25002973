//! The provider itself.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use staso_core::code::RepoPath;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::trace::{RepositoryUrl, SourceRevision};
use staso_core::vcs::{
    Access, Checkout, FileContent, Proposal, ProposeRequest, RepositoryRef, ResolvedSource, Tree, VcsError,
    VcsProvider,
};

use super::api::Api;
use super::auth::GitHubAuth;
use super::client::{ApiStatistics, ClientOptions};
use super::endpoints::GitHubEndpoints;
use super::options::GitHubOptions;
use super::parts::{Parts, failed};
use super::pattern::RepositoryPattern;
use super::proposal::{ProposalPreview, Show};
use super::{contents, preflight, proposal, resolve};
use crate::limits::GitLimits;

/// Repositories on github.com or a GitHub Enterprise Server.
///
/// Code is read at a commit, with git or through the API ([`CodeAccess`](super::CodeAccess)); a fix becomes one pull
/// request. Hooks, filters, submodules and LFS never run, and no checkout, address or output holds a credential.
///
/// It serves what traces name: all that the credential may see, unless
/// [`with_repositories`](Self::with_repositories) says less. An app is set up as `docs/github-app.md` in the repository of
/// Staso tells.
///
/// # What a run costs
/// Requests to the API from [`resolve`](VcsProvider::resolve) to [`propose`](VcsProvider::propose), as an app, without
/// labels and reviewers, with code read by git. *Cold* is a new value, *warm* the same one with another proposal:
///
/// | commits by | cold | warm | warm, and the base has moved |
/// |---|---|---|---|
/// | [`CommitMode::Push`](super::CommitMode::Push) | 7 | 3 | 4 |
/// | [`CommitMode::Api`](super::CommitMode::Api) | 10 | 6 | 6 |
///
/// One less when the failing commit is the newest of its branch and the value is cold. Each file that is binary or over
/// the room for texts (512 KiB) costs one more by API. Labels, reviewers of users and of teams cost one each.
///
/// # Examples
/// ```no_run
/// use staso_github::{AppCredentials, GitHub, GitHubAuth, GitHubOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = std::fs::read_to_string("app.pem")?;
/// let app = AppCredentials::new("Iv23liExample", key.into());
/// let provider = GitHub::new("/var/lib/staso", GitHubAuth::App(app))?
///     .with_options(GitHubOptions::default().with_labels(["staso"]));
/// # drop(provider);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GitHub {
    pub(super) parts: Parts,
    auth: GitHubAuth,
    client: ClientOptions,
}

impl GitHub {
    /// A provider for github.com that keeps commits and checkouts below `data`, a directory of its own that is made
    /// on first use. What is in it is for this user alone; nobody else may be able to write there.
    ///
    /// # Errors
    /// [`VcsError::BadAppKey`] when the id or key of an app cannot be used; [`VcsError::Backend`] when no HTTP client can
    /// be made, e.g. because the system has no trust roots.
    pub fn new(data: impl Into<PathBuf>, auth: GitHubAuth) -> Result<Self, VcsError> {
        let endpoints =
            GitHubEndpoints::github_com().map_err(|source| failed("preparing the client", source))?;
        let data = data.into();
        let data = std::path::absolute(&data).unwrap_or(data);
        let client = ClientOptions::default();
        let parts = Parts::new(Api::new(endpoints, auth.clone(), client.clone())?, data);
        Ok(Self { parts, auth, client })
    }

    /// Serves another GitHub: an Enterprise Server.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_endpoints(mut self, endpoints: GitHubEndpoints) -> Result<Self, VcsError> {
        self.parts.set_api(Api::new(endpoints, self.auth.clone(), self.client.clone())?);
        Ok(self)
    }

    /// Sets how hard the API is asked.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_client(self, client: ClientOptions) -> Result<Self, VcsError> {
        let endpoints = self.parts.api.endpoints().clone();
        Self { client, ..self }.with_endpoints(endpoints)
    }

    /// Sets the choices of the host.
    #[must_use]
    pub fn with_options(mut self, options: GitHubOptions) -> Self {
        self.parts.options = options;
        self
    }

    /// Serves these repositories alone. Default: all that the credential may see.
    ///
    /// Traces name the repository they come from, and strangers can write traces: name what is yours wherever the
    /// credential may see more than the one who sends traces. A repository that was renamed counts under its recorded
    /// name and under the one of today, and both must be served. What is not is [`VcsError::PermissionDenied`], without a
    /// request under its name. With no pattern at all nothing is served.
    #[must_use]
    pub fn with_repositories(mut self, served: impl IntoIterator<Item = RepositoryPattern>) -> Self {
        self.parts.served = Some(served.into_iter().collect());
        self
    }

    /// Sets the upper bounds.
    #[must_use]
    pub fn with_limits(mut self, limits: GitLimits) -> Self {
        self.parts.set_limits(limits);
        self
    }

    /// Shows what a proposal would send and sends none of it. Everything is looked at as for a real one: what the change
    /// must not hold, whether it fits, which branch is free. [`propose`](VcsProvider::propose) then ends with
    /// [`VcsError::DryRun`].
    #[must_use]
    pub fn with_dry_run(mut self, show: impl Fn(&ProposalPreview) + Send + Sync + 'static) -> Self {
        self.parts.show = Some(Show(Arc::new(show)));
        self
    }

    /// A repository as GitHub knows it today, whatever its address was when it was recorded.
    ///
    /// # Errors
    /// As [`resolve`](VcsProvider::resolve), except for those about commits and branches.
    pub async fn repository(&self, url: &RepositoryUrl, ctx: &RunContext) -> Result<RepositoryRef, VcsError> {
        resolve::repository(&self.parts, url, ctx).await
    }

    /// What was asked of the API so far, by all clones together.
    #[must_use]
    pub fn statistics(&self) -> ApiStatistics {
        self.parts.api.statistics()
    }
}

#[async_trait]
impl VcsProvider for GitHub {
    async fn resolve(&self, source: &SourceRevision, ctx: &RunContext) -> Result<ResolvedSource, VcsError> {
        resolve::resolve(&self.parts, source, ctx).await
    }

    async fn preflight(
        &self,
        repository: &RepositoryRef,
        access: Access,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        preflight::preflight(&self.parts, repository, access, ctx).await
    }

    async fn read_file(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<FileContent, VcsError> {
        contents::read_file(&self.parts, repository, commit, path, max_bytes, ctx).await
    }

    async fn list_tree(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        max_entries: usize,
        ctx: &RunContext,
    ) -> Result<Tree, VcsError> {
        contents::list_tree(&self.parts, repository, commit, max_entries, ctx).await
    }

    async fn checkout(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        ctx: &RunContext,
    ) -> Result<Checkout, VcsError> {
        contents::checkout(&self.parts, repository, commit, ctx).await
    }

    async fn propose(&self, request: &ProposeRequest<'_>, ctx: &RunContext) -> Result<Proposal, VcsError> {
        proposal::propose(&self.parts, request, ctx).await
    }

    async fn proposal_status(
        &self,
        repository: &RepositoryRef,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Proposal, VcsError> {
        proposal::status(&self.parts, repository, branch, ctx).await
    }
}
