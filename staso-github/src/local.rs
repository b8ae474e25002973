//! Repositories on this machine, and mirrors of plain git remotes, as a [`VcsProvider`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use staso_core::code::RepoPath;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::trace::{RepositoryUrl, SourceRevision};
use staso_core::vcs::{
    Access, Checkout, FileContent, Proposal, ProposeRequest, RepositoryRef, ResolvedSource, Tree, VcsError,
    VcsProvider,
};

use crate::blocking::{self, Stop};
use crate::git::{self, CheckoutCache, GitRepository, Mirror, MirrorLock};
use crate::limits::GitLimits;
use crate::publish::Publication;

/// The provider's name in errors.
const PROVIDER: &str = "local-git";

/// Serves repositories that are on this machine: bare ones, clones, linked working trees.
///
/// Which repository a recorded address means is decided in this order: [`with_repository`](Self::with_repository),
/// [`with_mirror`](Self::with_mirror), [`with_fallback`](Self::with_fallback), and then, for `file:///path` alone, the
/// path itself. Addresses come from traces, which strangers can write: give a fallback or a mapping where traces are not
/// your own, and no recorded path is opened.
///
/// A proposal is a branch with one commit on the newest commit of its base, and a record under `refs/staso/proposals/`.
/// Both are written into the object database and the references alone. Nobody's working tree, index or current branch
/// changes, and no hook runs. Proposals into a mirror stay in the mirror.
///
/// Repositories of other users are read, as nothing in them is executed; root does not write into them
/// ([`VcsError::PermissionDenied`]). Objects are not flushed to the disk before a branch names them: a killed process
/// does no harm, a power failure within seconds may lose the proposal.
///
/// # Examples
/// ```
/// use staso_github::LocalGit;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let provider = LocalGit::new("/var/lib/staso")
///     .with_repository("https://github.com/acme/support".parse()?, "/srv/clones/support");
/// # drop(provider);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LocalGit {
    data: PathBuf,
    limits: GitLimits,
    repositories: BTreeMap<RepositoryUrl, PathBuf>,
    mirrors: BTreeMap<RepositoryUrl, RepositoryUrl>,
    fallback: Option<PathBuf>,
    recorded_paths: bool,
}

/// Where a repository is.
#[derive(Debug)]
enum Place {
    Local(PathBuf),
    Mirror(Mirror),
}

impl Place {
    fn directory(&self) -> &Path {
        match self {
            Self::Local(path) => path,
            Self::Mirror(mirror) => mirror.directory(),
        }
    }
}

impl LocalGit {
    /// A provider that keeps checkouts and mirrors below `data`, a directory of its own that is made on first use. What is
    /// in it is for this user alone; nobody else may be able to write there.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        let data = data.into();
        Self {
            data: std::path::absolute(&data).unwrap_or(data),
            limits: GitLimits::default(),
            repositories: BTreeMap::new(),
            mirrors: BTreeMap::new(),
            fallback: None,
            recorded_paths: true,
        }
    }

    /// Sets the upper bounds.
    #[must_use]
    pub fn with_limits(mut self, limits: GitLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves a recorded address from a repository on this machine.
    #[must_use]
    pub fn with_repository(mut self, recorded: RepositoryUrl, path: impl Into<PathBuf>) -> Self {
        self.repositories.insert(recorded, path.into());
        self
    }

    /// Serves a recorded address from a mirror of `remote`, usually the same address. The git program fetches it, without
    /// credentials, whenever a run begins or publishes.
    #[must_use]
    pub fn with_mirror(mut self, recorded: RepositoryUrl, remote: RepositoryUrl) -> Self {
        self.mirrors.insert(recorded, remote);
        self
    }

    /// Serves every other address, and traces that record none, from one repository on this machine.
    #[must_use]
    pub fn with_fallback(mut self, path: impl Into<PathBuf>) -> Self {
        self.fallback = Some(path.into());
        self
    }

    /// Opens no path only because an address names it: for traces that strangers can write.
    #[must_use]
    pub const fn without_recorded_paths(mut self) -> Self {
        self.recorded_paths = false;
        self
    }

    fn place(&self, url: &RepositoryUrl) -> Result<Place, VcsError> {
        if let Some(path) = self.repositories.get(url) {
            return Ok(Place::Local(path.clone()));
        }
        if let Some(remote) = self.mirrors.get(url) {
            return Ok(Place::Mirror(Mirror::new(&self.data, remote.clone(), self.limits.clone())));
        }
        let recorded = || url.local_path().filter(|_| self.recorded_paths).map(PathBuf::from);
        self.fallback
            .clone()
            .or_else(recorded)
            .map(Place::Local)
            .ok_or_else(|| VcsError::Unsupported { url: url.clone(), provider: PROVIDER })
    }

    /// The address that a trace means, and what the reader should know about it.
    fn address(&self, source: &SourceRevision) -> Result<(RepositoryUrl, Vec<String>), VcsError> {
        match (&source.repository_url, &self.fallback) {
            (Some(url), Some(path))
                if !self.repositories.contains_key(url) && !self.mirrors.contains_key(url) =>
            {
                let same = url.local_path().is_some_and(|local| Path::new(local) == path);
                let note = format!("{} stands in for the recorded repository {url}", path.display());
                Ok((url.clone(), if same { Vec::new() } else { vec![note] }))
            }
            (Some(url), _) => Ok((url.clone(), Vec::new())),
            (None, Some(path)) => {
                let absolute = path.canonicalize().unwrap_or_else(|_| path.clone());
                let url = RepositoryUrl::from_local_path(&absolute.to_string_lossy()).map_err(|error| {
                    VcsError::InvalidChange { reason: format!("the path of the repository is {error}") }
                })?;
                Ok((url, Vec::new()))
            }
            (None, None) => Err(VcsError::NoRepository),
        }
    }

    /// Runs `work` on the repository at `url`; a mirror that was never fetched is fetched first, and so is a commit that no
    /// branch of it holds.
    async fn with<T: Send + 'static>(
        &self,
        url: &RepositoryUrl,
        operation: &'static str,
        ctx: &RunContext,
        work: impl FnOnce(&GitRepository, &Stop) -> Result<T, VcsError> + Clone + Send + 'static,
    ) -> Result<T, VcsError> {
        let place = self.place(url)?;
        if let Place::Mirror(mirror) = &place
            && !mirror.exists(ctx).await?
        {
            drop(mirror.update(ctx).await?);
        }
        match (self.work(&place, url, operation, None, ctx, work.clone()).await, &place) {
            // It went with the mirror, to make room, after the run had resolved it.
            (Err(VcsError::CommitNotFound { commit, .. }), Place::Mirror(mirror)) => {
                mirror.fetch_commit(&commit, ctx).await?;
                self.work(&place, url, operation, None, ctx, work).await
            }
            (done, _) => done,
        }
    }

    async fn work<T: Send + 'static>(
        &self,
        place: &Place,
        url: &RepositoryUrl,
        operation: &'static str,
        lock: Option<MirrorLock>,
        ctx: &RunContext,
        work: impl FnOnce(&GitRepository, &Stop) -> Result<T, VcsError> + Send + 'static,
    ) -> Result<T, VcsError> {
        let (directory, url) = (place.directory().to_owned(), url.clone());
        let mirror = match place {
            Place::Mirror(mirror) => Some(mirror.clone()),
            Place::Local(_) => None,
        };
        blocking::run(ctx, operation, self.limits.operation, move |stop| {
            let _lock = lock;
            let _packs = mirror.map(|mirror| mirror.read_lock(stop)).transpose()?;
            let repository = GitRepository::open(&directory, &url)?;
            stop.check()?;
            work(&repository, stop)
        })
        .await
    }
}

#[async_trait]
impl VcsProvider for LocalGit {
    async fn resolve(&self, source: &SourceRevision, ctx: &RunContext) -> Result<ResolvedSource, VcsError> {
        let (url, notes) = self.address(source)?;
        let place = self.place(&url)?;
        if let Place::Mirror(mirror) = &place {
            drop(mirror.update(ctx).await?);
        }
        let operation = "resolving the revision";
        let first = {
            let (source, notes) = (source.clone(), notes.clone());
            self.work(&place, &url, operation, None, ctx, move |repository, _| {
                git::resolve(repository, &source, notes)
            })
            .await
        };
        match (first, &place) {
            (Err(VcsError::CommitNotFound { commit, url }), Place::Mirror(mirror)) => {
                mirror.fetch_commit(&commit, ctx).await?;
                let source = source.clone();
                self.work(&place, &url, operation, None, ctx, move |repository, _| {
                    git::resolve(repository, &source, notes)
                })
                .await
            }
            (result, _) => result,
        }
    }

    async fn preflight(
        &self,
        repository: &RepositoryRef,
        access: Access,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        let archived = repository.archived;
        self.with(&repository.url, "checking access", ctx, move |repository, _| match access {
            Access::Propose if archived => Err(VcsError::Archived { url: repository.url().clone() }),
            Access::Propose => git::check_writable(repository),
            Access::Read => Ok(()),
        })
        .await
    }

    async fn read_file(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<FileContent, VcsError> {
        let (commit, path) = (commit.clone(), path.clone());
        self.with(&repository.url, "reading a file", ctx, move |repository, _| {
            git::read_file(repository, &commit, &path, max_bytes)
        })
        .await
    }

    async fn list_tree(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        max_entries: usize,
        ctx: &RunContext,
    ) -> Result<Tree, VcsError> {
        let commit = commit.clone();
        self.with(&repository.url, "listing files", ctx, move |repository, stop| {
            git::list_tree(repository, &commit, max_entries, stop)
        })
        .await
    }

    async fn checkout(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        ctx: &RunContext,
    ) -> Result<Checkout, VcsError> {
        let cache = CheckoutCache::new(self.data.clone(), self.limits.clone());
        let (commit, now) = (commit.clone(), git::system_time(ctx.now()));
        self.with(&repository.url, "checking out", ctx, move |repository, stop| {
            cache.acquire(repository, &commit, now, stop)
        })
        .await
    }

    async fn propose(&self, request: &ProposeRequest<'_>, ctx: &RunContext) -> Result<Proposal, VcsError> {
        let url = &request.repository.url;
        if request.repository.archived {
            return Err(VcsError::Archived { url: url.clone() });
        }
        let place = self.place(url)?;
        let lock = match &place {
            Place::Mirror(mirror) => Some(mirror.update(ctx).await?),
            Place::Local(_) => None,
        };
        let publication = Publication::new(request, ctx);
        let (limits, redactor) = (self.limits.clone(), ctx.redactor().clone());
        self.work(&place, url, "proposing a fix", lock, ctx, move |repository, stop| {
            git::check_writable(repository)?;
            git::propose(repository, &publication, &limits, &redactor, stop)
        })
        .await
    }

    async fn proposal_status(
        &self,
        repository: &RepositoryRef,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Proposal, VcsError> {
        let branch = branch.clone();
        self.with(&repository.url, "reading a proposal", ctx, move |repository, _| {
            git::status(repository, &branch)
        })
        .await
    }
}
