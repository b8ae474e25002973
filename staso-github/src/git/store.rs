//! The commits of a remote repository that runs need, and no more: one bare repository below the data directory,
//! fetched by commit and without history.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{Oid, Repository, RepositoryInitOptions};
use staso_core::id::{CommitId, Digest};
use staso_core::run::RunContext;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::{Access, VcsError};

use super::repository::GitRepository;
use super::transport::{Fetch, GitTransport, Remote, TransportError};
use crate::address::RemoteAddress;
use crate::blocking::{self, Stop};
use crate::credentials::CredentialSource;
use crate::error;
use crate::limits::GitLimits;

/// The kept commits of one remote repository.
#[derive(Debug, Clone)]
pub(crate) struct CommitStore {
    directory: PathBuf,
    /// The address that errors and checkouts name.
    url: RepositoryUrl,
    address: RemoteAddress,
    limits: GitLimits,
    transport: Arc<dyn GitTransport>,
}

impl CommitStore {
    /// `key` is the lasting id of the repository: it survives a rename.
    pub(crate) fn new(
        data: &Path,
        key: &str,
        url: RepositoryUrl,
        address: RemoteAddress,
        limits: GitLimits,
        transport: Arc<dyn GitTransport>,
    ) -> Self {
        let name = format!("{}.git", Digest::of(key).hex().get(..32).unwrap_or_default());
        Self { directory: data.join("commits").join(name), url, address, limits, transport }
    }

    /// Fetches those of the commits that are not here yet, files and all.
    pub(crate) async fn ensure(
        &self,
        commits: &[CommitId],
        credentials: &dyn CredentialSource,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        let (store, wanted) = (self.clone(), commits.to_vec());
        let missing = blocking::run(ctx, "looking for commits", self.limits.operation, move |_| {
            store.prepare()?;
            let repository = GitRepository::open(&store.directory, &store.url)?;
            Ok(wanted.into_iter().filter(|commit| !holds(&repository, commit)).collect::<Vec<_>>())
        })
        .await?;
        if missing.is_empty() {
            return Ok(());
        }
        let credentials = credentials.credentials(Access::Read, ctx).await?;
        let remote = Remote { address: &self.address, credentials: credentials.as_ref() };
        let fetch = Fetch { commits: &missing, depth: Some(1) };
        self.transport
            .fetch(&remote, &self.directory, &fetch, ctx)
            .await
            .map_err(|error| self.fail("fetching from a remote", error))
    }

    /// Runs `work` on the commits that are here.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        operation: &'static str,
        ctx: &RunContext,
        work: impl FnOnce(&GitRepository, &Stop) -> Result<T, VcsError> + Send + 'static,
    ) -> Result<T, VcsError> {
        let store = self.clone();
        blocking::run(ctx, operation, self.limits.operation, move |stop| {
            let repository = GitRepository::open(&store.directory, &store.url)?;
            stop.check()?;
            work(&repository, stop)
        })
        .await
    }

    /// Where the bare repository stands.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A failure of the transport, in the words of users.
    pub(crate) fn fail(&self, operation: &'static str, error: TransportError) -> VcsError {
        match error {
            TransportError::Cancelled => VcsError::Cancelled,
            TransportError::TimedOut { limit_ms } => VcsError::Timeout { operation, limit_ms },
            TransportError::NotFound => VcsError::RepositoryNotFound { url: self.url.clone() },
            TransportError::UnknownCommit { commit } => {
                VcsError::CommitNotFound { commit, url: self.url.clone() }
            }
            other => error::backend(operation, other),
        }
    }

    fn prepare(&self) -> Result<(), VcsError> {
        if self.directory.exists() {
            return Ok(());
        }
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).mkpath(true);
        Repository::init_opts(&self.directory, &options)
            .map(drop)
            .map_err(|error| error::backend("preparing a repository", error))
    }
}

/// Whether a commit is here with its tree.
fn holds(repository: &GitRepository, commit: &CommitId) -> bool {
    let found = Oid::from_str(commit.as_str()).and_then(|oid| repository.git().find_commit(oid));
    found.and_then(|commit| commit.tree().map(drop)).is_ok()
}
