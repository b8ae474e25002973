//! The commits of a remote repository that runs need, and no more: one bare repository below the data directory,
//! fetched by commit and without history.
//!
//! ```text
//! <data>/commits/<repository>.git      the repository
//! <data>/commits/<repository>.history  commits alone, as far as anyone asked for their history
//! <data>/commits/<repository>.lock     held while something is fetched
//! <data>/commits/<repository>.packs    shared by all who read; held alone while packs are replaced
//! <data>/commits/<repository>.use      shared by all who use any of it; held alone by who removes it to make room
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use staso_core::id::{BranchName, CommitId, Digest};
use staso_core::run::RunContext;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::{Access, VcsError};

use super::ancestry::{self, Ancestry};
use super::bare;
use super::cache::system_time;
use super::data;
use super::in_use::InUse;
use super::repository::GitRepository;
use super::room;
use super::transport::{Advertised, Fetch, GitTransport, Pushed, Remote, TransportError, Wanted};
use crate::address::RemoteAddress;
use crate::blocking::{self, Stop};
use crate::credentials::{CredentialSource, GitCredentials};
use crate::error;
use crate::limits::GitLimits;

/// How far branches are followed into the past when a server gives out no commits by id; then all the way.
const DEPTHS: [Option<u32>; 4] = [Some(1), Some(50), Some(500), None];
/// How much history is fetched at first; most failing commits and merged fixes are among the newest ones.
const FIRST_HISTORY: u32 = 50;
/// The branch that a server is asked about before there is one. It is never made.
const PREFLIGHT_BRANCH: &str = "fix/staso-preflight-1";
/// How often other credentials are asked for when a server refuses the first.
const MAX_REFUSALS: u32 = 4;

/// The kept commits of one remote repository. From the first look at them until the value and its clones are dropped, they
/// are not removed to make room.
#[derive(Debug, Clone)]
pub(crate) struct CommitStore {
    data: PathBuf,
    directory: PathBuf,
    /// The address that errors and checkouts name.
    url: RepositoryUrl,
    address: RemoteAddress,
    limits: GitLimits,
    transport: Arc<dyn GitTransport>,
    in_use: InUse,
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
        let directory = data.join("commits").join(name);
        let in_use = InUse::of(&directory);
        Self { data: data.to_owned(), directory, url, address, limits, transport, in_use }
    }

    /// Fetches those of the commits that are not here yet, files and all, but no history. Servers that give out no
    /// commits by id are asked for their branches, with more and more history.
    ///
    /// # Errors
    /// [`VcsError::CommitNotFound`] names the first commit that the server does not have.
    /// [`VcsError::FeatureUnavailable`]: the server gives out no commits by id, and no branch holds one of them; an
    /// archive of it may still be had.
    pub(crate) async fn ensure(
        &self,
        commits: &[CommitId],
        credentials: &dyn CredentialSource,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        if self.missing(commits, None, ctx).await?.1.is_empty() {
            return Ok(());
        }
        let lock = self.lock(ctx).await?;
        // Another run may have fetched them meanwhile.
        let (lock, missing) = self.missing(commits, Some(lock), ctx).await?;
        if missing.is_empty() {
            return Ok(());
        }
        match self.bring(&missing, credentials, ctx).await {
            // Commits have piled up: without the others there is room for these.
            Err(VcsError::TooLarge { .. })
                if bare::start_over(&self.directory, &self.in_use, &self.limits, ctx).await? =>
            {
                self.bring(commits, credentials, ctx).await?;
            }
            brought => brought?,
        }
        let (lock, missing) = self.missing(commits, lock, ctx).await?;
        if let Some(commit) = missing.into_iter().next() {
            return Err(VcsError::CommitNotFound { commit, url: self.url.clone() });
        }
        let compacted = bare::compact(&self.directory, self.transport.as_ref(), &self.url, ctx).await;
        drop(lock);
        compacted?;
        room::make_room(&self.data, &self.limits, ctx).await
    }

    async fn bring(
        &self,
        commits: &[CommitId],
        credentials: &dyn CredentialSource,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        match self.fetch(Wanted::Commits(commits), Some(1), credentials, ctx).await {
            Err(VcsError::FeatureUnavailable { .. }) => self.follow_branches(commits, credentials, ctx).await,
            fetched => fetched,
        }
    }

    /// Whether a commit is here with its files.
    #[cfg(feature = "github")]
    pub(crate) async fn has(&self, commit: &CommitId, ctx: &RunContext) -> Result<bool, VcsError> {
        Ok(self.missing(std::slice::from_ref(commit), None, ctx).await?.1.is_empty())
    }

    /// The branches of the server whose names begin with one of `prefixes`, and its head.
    pub(crate) async fn list(
        &self,
        prefixes: &[String],
        credentials: &dyn CredentialSource,
        ctx: &RunContext,
    ) -> Result<Advertised, VcsError> {
        let mut turn = Turn::new(self, Access::Read, credentials);
        loop {
            let held = turn.credentials(ctx).await?;
            let listed = self.transport.list(&self.remote(held.as_ref()), prefixes, ctx).await;
            if let Some(listed) = turn.settle("listing branches", held, listed, ctx).await? {
                return Ok(listed);
            }
        }
    }

    /// Makes a new branch on the server at a commit that is here. Never moves one that is there.
    ///
    /// # Errors
    /// [`VcsError::PolicyRejected`] with what the server says. [`VcsError::CommitNotFound`] names the commit's parent
    /// when no branch of the server holds it any more.
    pub(crate) async fn push(
        &self,
        commit: &CommitId,
        branch: &BranchName,
        credentials: &dyn CredentialSource,
        ctx: &RunContext,
    ) -> Result<Pushed, VcsError> {
        let parent = {
            let commit = commit.clone();
            self.work("reading a commit", ctx, move |repository, _| {
                let parent = repository.commit(&commit)?.parent_id(0);
                Ok(parent.ok().and_then(|oid| CommitId::new(oid.to_string()).ok()))
            })
            .await?
        };
        let _packs = self.packs_lock(ctx).await?;
        let operation = "pushing a branch";
        let mut turn = Turn::new(self, Access::Propose, credentials);
        loop {
            let held = turn.credentials(ctx).await?;
            let remote = self.remote(held.as_ref());
            let pushed = match self.transport.push(&remote, &self.directory, commit, branch, ctx).await {
                Err(TransportError::Rejected { reason }) => {
                    return Err(VcsError::PolicyRejected { branch: branch.clone(), rule: reason });
                }
                Err(TransportError::ShallowRefused) => {
                    let commit = parent.unwrap_or_else(|| commit.clone());
                    return Err(VcsError::CommitNotFound { commit, url: self.url.clone() });
                }
                other => other,
            };
            if let Some(pushed) = turn.settle(operation, held, pushed, ctx).await? {
                return Ok(pushed);
            }
        }
    }

    /// Finds out whether a branch could be made at a commit that is here, as far as the server tells before it gets one.
    pub(crate) async fn may_push(
        &self,
        commit: &CommitId,
        credentials: &dyn CredentialSource,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        let branch =
            BranchName::new(PREFLIGHT_BRANCH).map_err(|error| error::backend("asking to push", error))?;
        let _packs = self.packs_lock(ctx).await?;
        let mut turn = Turn::new(self, Access::Propose, credentials);
        loop {
            let held = turn.credentials(ctx).await?;
            let remote = self.remote(held.as_ref());
            let asked = self.transport.may_push(&remote, &self.directory, commit, &branch, ctx).await;
            if turn.settle("push a branch", held, asked, ctx).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// Whether a commit is in the history of another one. Both are here. More and more of the history is fetched, up to
    /// [`GitLimits::history_commits`], into a repository beside this one, without files where the server can leave them
    /// out. What cannot be found out is [`Ancestry::Unknown`].
    pub(crate) async fn ancestry(
        &self,
        tip: &CommitId,
        ancestor: &CommitId,
        credentials: &dyn CredentialSource,
        ctx: &RunContext,
    ) -> Result<Ancestry, VcsError> {
        let depths = [FIRST_HISTORY.min(self.limits.history_commits), self.limits.history_commits];
        self.ancestry_among(&depths, tip, ancestor, credentials, ctx).await
    }

    /// As [`ancestry`](Self::ancestry), among the newest commits alone.
    #[cfg(feature = "github")]
    pub(crate) async fn recent_ancestry(
        &self,
        tip: &CommitId,
        ancestor: &CommitId,
        credentials: &dyn CredentialSource,
        ctx: &RunContext,
    ) -> Result<Ancestry, VcsError> {
        let depth = FIRST_HISTORY.min(self.limits.history_commits);
        self.ancestry_among(&[depth], tip, ancestor, credentials, ctx).await
    }

    async fn ancestry_among(
        &self,
        depths: &[u32],
        tip: &CommitId,
        ancestor: &CommitId,
        credentials: &dyn CredentialSource,
        ctx: &RunContext,
    ) -> Result<Ancestry, VcsError> {
        let mut known = self.known_ancestry(tip, ancestor, ctx).await?;
        let history = Self { directory: self.directory.with_extension("history"), ..self.clone() };
        if known == Ancestry::Unknown && history.directory.exists() {
            known = history.known_ancestry(tip, ancestor, ctx).await?;
        }
        for &depth in depths {
            if known != Ancestry::Unknown {
                break;
            }
            let lock = history.lock(ctx).await?;
            let fetched = history.fetch(Wanted::History(tip), Some(depth), credentials, ctx).await;
            drop(lock);
            match fetched {
                Ok(()) => known = history.known_ancestry(tip, ancestor, ctx).await?,
                Err(VcsError::Cancelled) => return Err(VcsError::Cancelled),
                Err(error) => {
                    tracing::debug!(%error, "the history could not be fetched");
                    break;
                }
            }
        }
        Ok(known)
    }

    async fn known_ancestry(
        &self,
        tip: &CommitId,
        ancestor: &CommitId,
        ctx: &RunContext,
    ) -> Result<Ancestry, VcsError> {
        let (tip, ancestor) = (tip.clone(), ancestor.clone());
        self.work("reading the history", ctx, move |repository, stop| {
            ancestry::ancestry(repository, &tip, &ancestor, stop)
        })
        .await
    }

    /// Runs `work` on the commits that are here. They stay here meanwhile.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        operation: &'static str,
        ctx: &RunContext,
        work: impl FnOnce(&GitRepository, &Stop) -> Result<T, VcsError> + Send + 'static,
    ) -> Result<T, VcsError> {
        let (store, now) = (self.clone(), system_time(ctx.now()));
        blocking::run(ctx, operation, self.limits.operation, move |stop| {
            let _packs = store.read_lock(now, stop)?;
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

    const fn remote<'a>(&'a self, credentials: Option<&'a GitCredentials>) -> Remote<'a> {
        Remote { address: &self.address, credentials }
    }

    /// Those of the commits that are not here. The lock goes with the work, so that it is held as long as that runs.
    async fn missing(
        &self,
        commits: &[CommitId],
        lock: Option<File>,
        ctx: &RunContext,
    ) -> Result<(Option<File>, Vec<CommitId>), VcsError> {
        let (store, mut wanted, now) = (self.clone(), commits.to_vec(), system_time(ctx.now()));
        blocking::run(ctx, "looking for commits", self.limits.operation, move |stop| {
            let packs = store.directory.exists().then(|| store.read_lock(now, stop)).transpose()?;
            // Before it was in use, it may have been removed.
            if packs.is_some() && store.directory.exists() {
                let repository = GitRepository::open(&store.directory, &store.url)?;
                wanted.retain(|commit| !holds(&repository, commit));
            }
            wanted.sort_unstable();
            wanted.dedup();
            Ok((lock, wanted))
        })
        .await
    }

    async fn fetch(
        &self,
        wanted: Wanted<'_>,
        depth: Option<u32>,
        credentials: &dyn CredentialSource,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        let mut turn = Turn::new(self, Access::Read, credentials);
        loop {
            let held = turn.credentials(ctx).await?;
            let fetch = Fetch { wanted, depth };
            let fetched =
                self.transport.fetch(&self.remote(held.as_ref()), &self.directory, &fetch, ctx).await;
            if turn.settle("fetching commits", held, fetched, ctx).await?.is_some() {
                return Ok(());
            }
        }
    }

    async fn follow_branches(
        &self,
        commits: &[CommitId],
        credentials: &dyn CredentialSource,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        for depth in DEPTHS {
            self.fetch(Wanted::Branches, depth, credentials, ctx).await?;
            if self.missing(commits, None, ctx).await?.1.is_empty() {
                return self.keep(commits, ctx).await;
            }
        }
        Err(TransportError::ShaWantsRefused.into_vcs("fetching commits", &self.url))
    }

    /// Gives commits names of their own, as branches move on.
    async fn keep(&self, commits: &[CommitId], ctx: &RunContext) -> Result<(), VcsError> {
        let commits = commits.to_vec();
        self.work("keeping commits", ctx, move |repository, _| {
            for commit in &commits {
                let oid = repository.commit(commit)?.id();
                let name = format!("refs/staso/commits/{commit}");
                let kept = repository.git().reference(&name, oid, true, "");
                kept.map(drop).map_err(|error| repository.fail("keeping commits", error))?;
            }
            Ok(())
        })
        .await
    }

    /// Waits until nobody else fetches, and makes the repository ready to be fetched into.
    pub(crate) async fn lock(&self, ctx: &RunContext) -> Result<File, VcsError> {
        self.make_parent()?;
        self.in_use.enter(&self.limits, ctx).await?;
        bare::lock(&self.directory, &self.limits, ctx).await
    }

    fn make_parent(&self) -> Result<(), VcsError> {
        data::make_directory(&self.data, "commits")
            .map_err(|error| error::backend("preparing kept commits", error))
    }

    /// While it lives, no pack is replaced.
    async fn packs_lock(&self, ctx: &RunContext) -> Result<File, VcsError> {
        let (store, now) = (self.clone(), system_time(ctx.now()));
        let limit = self.limits.fetch;
        blocking::run(ctx, "waiting for packs", limit, move |stop| store.read_lock(now, stop)).await
    }

    fn read_lock(&self, now: SystemTime, stop: &Stop) -> Result<File, VcsError> {
        self.make_parent()?;
        self.in_use.begin(now, stop)?;
        bare::read_lock(&self.directory, stop)
    }
}

/// One operation on a server, with the credentials that are good at its moment.
struct Turn<'a> {
    store: &'a CommitStore,
    access: Access,
    source: &'a dyn CredentialSource,
    refusals: u32,
}

impl<'a> Turn<'a> {
    const fn new(store: &'a CommitStore, access: Access, source: &'a dyn CredentialSource) -> Self {
        Self { store, access, source, refusals: 0 }
    }

    async fn credentials(&self, ctx: &RunContext) -> Result<Option<GitCredentials>, VcsError> {
        self.source.credentials(self.access, ctx).await
    }

    /// What came of it; `None` when other credentials may help.
    async fn settle<T>(
        &mut self,
        operation: &'static str,
        held: Option<GitCredentials>,
        result: Result<T, TransportError>,
        ctx: &RunContext,
    ) -> Result<Option<T>, VcsError> {
        match (result, held) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(TransportError::Unauthorized), Some(refused)) if self.refusals < MAX_REFUSALS => {
                self.refusals += 1;
                if self.source.refused(&refused, ctx).await {
                    return Ok(None);
                }
                Err(TransportError::Unauthorized.into_vcs(operation, &self.store.url))
            }
            (Err(error), _) => Err(error.into_vcs(operation, &self.store.url)),
        }
    }
}

/// Whether a commit is here with its tree.
fn holds(repository: &GitRepository, commit: &CommitId) -> bool {
    let found = repository.commit(commit).and_then(|commit| repository.directory(commit.tree_id()));
    match found {
        Ok(_) | Err(VcsError::TooLarge { .. }) => true,
        Err(_) => false,
    }
}
