//! A bare copy of a remote repository, brought up to date with the git program.
//!
//! Branches of the remote are copied by name. `fix/staso-…` branches are ours: they are neither fetched nor pruned.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use git2::Repository;
use staso_core::id::{BranchName, CommitId, Digest};
use staso_core::run::RunContext;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::VcsError;

use super::bare;
use super::data;
use super::in_use::InUse;
use super::room;
use super::transport::{CliTransport, Fetch, GitTransport as _, Remote, TransportError, Wanted, check_size};
use crate::address::RemoteAddress;
use crate::blocking::Stop;
use crate::limits::GitLimits;
use crate::{blocking, error};

/// A mirror below the data directory. From the first look at it until the value and its clones are dropped, it is not
/// removed to make room.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    data: PathBuf,
    directory: PathBuf,
    remote: RepositoryUrl,
    limits: GitLimits,
    in_use: InUse,
}

/// While it lives, no other run fetches into the mirror or publishes in it.
#[derive(Debug)]
pub(crate) struct MirrorLock {
    _file: File,
}

impl Mirror {
    pub(crate) fn new(data: &Path, remote: RepositoryUrl, limits: GitLimits) -> Self {
        let digest = Digest::of(remote.as_str());
        let name = format!("{}.git", digest.hex().get(..32).unwrap_or_default());
        let directory = data.join("mirrors").join(name);
        let in_use = InUse::of(&directory);
        Self { data: data.to_owned(), directory, remote, limits, in_use }
    }

    /// Where the bare repository stands.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether it was ever fetched. It stays from now on.
    pub(crate) async fn exists(&self, ctx: &RunContext) -> Result<bool, VcsError> {
        self.enter(ctx).await?;
        Ok(self.directory.join("fetched").exists())
    }

    /// Fetches all branches.
    pub(crate) async fn update(&self, ctx: &RunContext) -> Result<MirrorLock, VcsError> {
        let lock = self.lock(ctx).await?;
        let address = self.address()?;
        let (git, remote) = (self.git(), Remote { address: &address, credentials: None });
        let listed = git.list(&remote, &["HEAD".to_owned()], ctx).await.map_err(|error| self.fail(error))?;
        match git.mirror(&remote, &self.directory, ctx).await {
            // What branches no longer hold has piled up.
            Err(TransportError::TooLarge { .. })
                if bare::start_over(&self.directory, &self.in_use, &self.limits, ctx).await? =>
            {
                git.mirror(&remote, &self.directory, ctx).await
            }
            fetched => fetched,
        }
        .map_err(|error| self.fail(error))?;
        bare::compact(&self.directory, &git, &self.remote, ctx).await?;
        let mirror = self.clone();
        blocking::run(ctx, "updating a mirror", self.limits.operation, move |_| mirror.finish(listed.head))
            .await?;
        room::make_room(&self.data, &self.limits, ctx).await?;
        Ok(lock)
    }

    /// Fetches a commit that no branch holds any more; servers may refuse.
    pub(crate) async fn fetch_commit(&self, commit: &CommitId, ctx: &RunContext) -> Result<(), VcsError> {
        let _lock = self.lock(ctx).await?;
        let address = self.address()?;
        let remote = Remote { address: &address, credentials: None };
        let fetch = Fetch { wanted: Wanted::Commits(std::slice::from_ref(commit)), depth: None };
        match self.git().fetch(&remote, &self.directory, &fetch, ctx).await {
            Err(error @ (TransportError::Cancelled | TransportError::TimedOut { .. })) => {
                Err(self.fail(error))
            }
            Err(error @ TransportError::TooLarge { .. }) => Err(self.fail(error)),
            Err(_) => Err(VcsError::CommitNotFound { commit: commit.clone(), url: self.remote.clone() }),
            Ok(()) => Ok(()),
        }
    }

    /// While it lives, no pack of the mirror is replaced.
    pub(crate) fn read_lock(&self, stop: &Stop) -> Result<File, VcsError> {
        bare::read_lock(&self.directory, stop)
    }

    async fn lock(&self, ctx: &RunContext) -> Result<MirrorLock, VcsError> {
        self.enter(ctx).await?;
        Ok(MirrorLock { _file: bare::lock(&self.directory, &self.limits, ctx).await? })
    }

    async fn enter(&self, ctx: &RunContext) -> Result<(), VcsError> {
        data::make_directory(&self.data, "mirrors")
            .map_err(|error| error::backend("preparing a mirror", error))?;
        self.in_use.enter(&self.limits, ctx).await
    }

    fn finish(&self, default: Option<BranchName>) -> Result<(), VcsError> {
        let fail = |error: git2::Error| error::backend("updating a mirror", error);
        let repo = Repository::open_bare(&self.directory).map_err(fail)?;
        if let Some(default) = default {
            repo.set_head(&format!("refs/heads/{default}")).map_err(fail)?;
        }
        check_size(&self.directory, &self.limits).map_err(|error| self.fail(error))?;
        fs::write(self.directory.join("fetched"), [])
            .map_err(|error| error::backend("updating a mirror", error))
    }

    fn git(&self) -> CliTransport {
        CliTransport::new(self.limits.clone())
    }

    fn address(&self) -> Result<RemoteAddress, VcsError> {
        self.remote
            .as_str()
            .parse()
            .map_err(|_| VcsError::Unsupported { url: self.remote.clone(), provider: error::PROVIDER })
    }

    fn fail(&self, error: TransportError) -> VcsError {
        error.into_vcs("fetching from a remote", &self.remote)
    }
}
