//! What the methods of the provider share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use staso_core::id::CommitId;
use staso_core::run::RunContext;
use staso_core::trace::{RepositoryUrl, Timestamp};
use staso_core::vcs::{RepositoryRef, VcsError};

use super::api::{Api, PROVIDER, RepositoryName};
use super::auth::{Granted, RepositoryCredentials};
use super::contents::Listing;
use super::no_git::NoGit;
use super::options::{CodeAccess, CommitMode, GitHubOptions};
use super::pattern::RepositoryPattern;
use super::proposal::Show;
use super::remembered::Remembered;
use crate::address::RemoteAddress;
use crate::environment;
use crate::git::CommitStore;
use crate::git::transport::{GitTransport, TransportKind, transport};
use crate::limits::GitLimits;

/// What the ids of repositories begin with; GitHub's number follows.
pub(super) const ID_PREFIX: &str = "github:";
/// Repositories that are remembered.
const REPOSITORIES: usize = 256;
/// Listings that are remembered; each may have some 10 MB.
const LISTINGS: usize = 4;
/// For how long it is believed that a repository is archived, or that it is not.
const ARCHIVED_AGE: Duration = Duration::from_mins(1);

/// The inside of a [`GitHub`](super::GitHub). Cheap to clone; clones share connections, tokens and what is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) api: Api,
    pub(crate) options: GitHubOptions,
    /// The repositories that may be served; `None` for all that the credential may see.
    pub(super) served: Option<Arc<[RepositoryPattern]>>,
    pub(crate) limits: GitLimits,
    /// Where commits and checkouts are kept.
    pub(crate) data: PathBuf,
    /// `None` where git cannot be used.
    pub(crate) transport: Option<Arc<dyn GitTransport>>,
    /// Where proposals are shown instead of being sent.
    pub(crate) show: Option<Show>,
    /// What a personal token may do, by repository, as it was last resolved.
    pub(super) granted: Remembered<Granted>,
    /// Whether a repository was archived, and when that was looked at, by its id.
    archived: Remembered<(bool, Timestamp)>,
    /// The other commit of a run, by [`commit_key`]: they are fetched together.
    pub(super) companions: Remembered<CommitId>,
    /// Tips of the base whose history has a commit, by [`commit_key`]. That never changes.
    pub(super) holders: Remembered<CommitId>,
    /// Listings, by [`commit_key`].
    pub(super) listings: Remembered<Arc<Listing>>,
}

/// A name for a commit of a repository.
pub(super) fn commit_key(repository: &RepositoryRef, commit: &CommitId) -> String {
    format!("{} {commit}", repository.id)
}

/// A failure that no other error names.
pub(super) fn failed(
    operation: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> VcsError {
    VcsError::Backend { provider: PROVIDER, operation, source: source.into() }
}

fn usable_transport(limits: &GitLimits) -> Option<Arc<dyn GitTransport>> {
    let usable = cfg!(feature = "git2-https") || environment::has_git();
    usable.then(|| transport(TransportKind::Auto, limits))
}

impl Parts {
    pub(super) fn new(api: Api, data: PathBuf) -> Self {
        let limits = GitLimits::default();
        Self {
            api,
            options: GitHubOptions::default(),
            served: None,
            transport: usable_transport(&limits),
            limits,
            data,
            show: None,
            granted: Remembered::new(REPOSITORIES),
            archived: Remembered::new(REPOSITORIES),
            companions: Remembered::new(REPOSITORIES),
            holders: Remembered::new(REPOSITORIES),
            listings: Remembered::new(LISTINGS),
        }
    }

    /// Asks another server. Nothing that was learnt of the first one counts there.
    pub(super) fn set_api(&mut self, api: Api) {
        self.api = api;
        self.granted = Remembered::new(REPOSITORIES);
        self.archived = Remembered::new(REPOSITORIES);
        self.companions = Remembered::new(REPOSITORIES);
        self.holders = Remembered::new(REPOSITORIES);
        self.listings = Remembered::new(LISTINGS);
    }

    pub(super) fn set_limits(&mut self, limits: GitLimits) {
        self.transport = usable_transport(&limits);
        self.limits = limits;
    }

    /// A repository as requests name it.
    ///
    /// # Errors
    /// As [`named`](Self::named).
    pub(crate) fn name(&self, repository: &RepositoryRef) -> Result<RepositoryName, VcsError> {
        let id = repository.id.strip_prefix(ID_PREFIX).and_then(|id| id.parse().ok());
        Ok(RepositoryName { id, ..self.named(&repository.url)? })
    }

    /// The repository at an address, if it may be served.
    ///
    /// # Errors
    /// [`VcsError::Unsupported`], [`VcsError::RepositoryNotFound`], [`VcsError::PermissionDenied`].
    pub(super) fn named(&self, url: &RepositoryUrl) -> Result<RepositoryName, VcsError> {
        let name = RepositoryName::parse(url, self.api.endpoints())?;
        self.check_served(&name)?;
        Ok(name)
    }

    /// Refuses what the host does not want to be served, whatever the credential may see.
    pub(super) fn check_served(&self, name: &RepositoryName) -> Result<(), VcsError> {
        match &self.served {
            Some(served) if !served.iter().any(|pattern| pattern.matches(name)) => {
                Err(VcsError::PermissionDenied {
                    operation: "use a repository",
                    url: name.url.clone(),
                    remedy: "add it to the repositories that the provider serves (GitHub::with_repositories)"
                        .to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Where the commits of a repository are kept.
    ///
    /// # Errors
    /// As [`name`](Self::name).
    pub(crate) fn store(&self, repository: &RepositoryRef) -> Result<CommitStore, VcsError> {
        let name = self.name(repository)?;
        let address = self.address(&name)?;
        // Two servers may give the same number.
        let key = format!("{}\n{}", self.api.endpoints().git.origin(), repository.id);
        let transport = self.transport.clone().unwrap_or_else(|| Arc::new(NoGit));
        Ok(CommitStore::new(&self.data, &key, name.url, address, self.limits.clone(), transport))
    }

    /// Where git reaches a repository.
    ///
    /// # Errors
    /// [`VcsError::Backend`] when its name makes no address.
    pub(crate) fn address(&self, name: &RepositoryName) -> Result<RemoteAddress, VcsError> {
        let path = format!("{}/{}.git", name.owner, name.name);
        self.api.endpoints().git.join(&path).map_err(|source| failed("naming a remote", source))
    }

    /// What git says who it is with at a repository.
    pub(crate) fn credentials(&self, name: &RepositoryName) -> RepositoryCredentials {
        self.api.source(name.clone())
    }

    /// Whether files are read with git.
    ///
    /// # Errors
    /// [`VcsError::Backend`] when the host wants git where there is none.
    pub(crate) fn reads_with_git(&self) -> Result<bool, VcsError> {
        match (self.options.code_access, &self.transport) {
            (CodeAccess::Auto | CodeAccess::Git, Some(_)) => Ok(true),
            (CodeAccess::Git, None) => Err(failed("reading code", "the git program is not installed")),
            (CodeAccess::Auto, None) | (CodeAccess::Api, _) => Ok(false),
        }
    }

    /// Keeps what resolving found out for what follows it in a run.
    pub(super) fn remember(
        &self,
        repository: &RepositoryRef,
        failing: &CommitId,
        tip: &CommitId,
        granted: Granted,
    ) {
        if failing != tip {
            self.companions.put(commit_key(repository, failing), tip.clone());
            self.companions.put(commit_key(repository, tip), failing.clone());
        }
        self.granted.put(repository.id.clone(), granted);
    }

    /// Keeps whether a repository is archived, which was asked just now.
    pub(super) fn remember_archived(&self, id: String, archived: bool, ctx: &RunContext) {
        self.archived.put(id, (archived, ctx.now()));
    }

    /// Whether a repository is archived, where that was asked not long ago.
    pub(super) fn is_archived(&self, repository: &RepositoryRef, ctx: &RunContext) -> Option<bool> {
        let (archived, asked) = self.archived.get(&repository.id)?;
        let now = ctx.now();
        (asked <= now && now.since(asked) < ARCHIVED_AGE).then_some(archived)
    }

    /// How commits are made here: [`CommitMode::Push`] needs git.
    pub(crate) fn commit_mode(&self) -> CommitMode {
        if self.transport.is_some() { self.options.commit_mode } else { CommitMode::Api }
    }
}
