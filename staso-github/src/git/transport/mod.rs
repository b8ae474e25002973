//! The network side of git: what a server has, fetching, and pushing one new branch.
//!
//! Two implementations behind one private trait: the git program, and libgit2 behind the feature `git2-https`.

mod cli;
mod complaint;
#[cfg(test)]
mod contract;
#[cfg(feature = "git2-https")]
mod conversation;
mod failure;
#[cfg(feature = "git2-https")]
mod libgit2;
#[cfg(feature = "git2-https")]
mod packs;
mod program;
#[cfg(feature = "git2-https")]
mod relay;
mod select;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use async_trait::async_trait;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;

pub(crate) use self::cli::{CliTransport, check_size};
#[cfg(feature = "git2-https")]
pub(crate) use self::libgit2::Git2Transport;
pub(crate) use self::select::{TransportKind, transport};
use crate::address::RemoteAddress;
use crate::credentials::GitCredentials;

/// A server's repository, and who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remote<'a> {
    pub(crate) address: &'a RemoteAddress,
    pub(crate) credentials: Option<&'a GitCredentials>,
}

impl Remote<'_> {
    /// The address as git reads it. In paths of this machine git takes `%41` for an `A`.
    fn url(&self) -> String {
        let address = self.address.as_str();
        if self.address.scheme() == "file" { address.replace('%', "%25") } else { address.to_owned() }
    }
}

/// The branches that a server shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Advertised {
    /// Where its `HEAD` points.
    pub(crate) head: Option<BranchName>,
    pub(crate) branches: BTreeMap<BranchName, CommitId>,
}

/// What to fetch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// Commits by id. Kept below `refs/staso/commits/`, so that they are never collected.
    Commits(&'a [CommitId]),
    /// All branches. Kept below `refs/staso/branches/`.
    Branches,
    /// A commit for the sake of its past, without files where both sides can leave them out. Kept as
    /// [`Commits`](Self::Commits) are, in a repository where no files are looked for.
    History(&'a CommitId),
}

/// What to fetch, and how much of its past.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fetch<'a> {
    pub(crate) wanted: Wanted<'a>,
    /// Commits of history; `None` for all of it.
    pub(crate) depth: Option<u32>,
}

/// How a push ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The branch is new and at the commit.
    Created,
    /// There is a branch of that name. Nothing was changed.
    Taken,
}

/// What went wrong on the way to a server or there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error("cancelled")]
    Cancelled,
    #[error("took longer than {limit_ms} ms")]
    TimedOut { limit_ms: u64 },
    /// No such repository, or none that these credentials may see.
    #[error("no such repository")]
    NotFound,
    /// The server wants other credentials.
    #[error("the credentials are not accepted")]
    Unauthorized,
    /// The server wants credentials, and there were none.
    #[error("the server asks for credentials")]
    CredentialsWanted,
    /// The credentials are good, but not for this.
    #[error("not allowed: {reason}")]
    Forbidden { reason: String },
    /// The server does not give out commits by id.
    #[error("commits cannot be asked for by id")]
    ShaWantsRefused,
    /// The server does not have the commit.
    #[error("no such commit: {commit}")]
    UnknownCommit { commit: CommitId },
    /// Rules of the server refuse the push: protected branches, hooks. `reason` is what it says, readable and cut.
    #[error("refused: {reason}")]
    Rejected { reason: String },
    /// The commit stands on one that no branch of the server holds, of which only a part was fetched.
    #[error("the commit stands on a commit that is in no branch of the server")]
    ShallowRefused,
    /// Something between here and the server, or the server, does not take the request, e.g. 411 for a chunked body.
    #[error("the server does not take the request: {reason}")]
    Unusable { reason: String },
    /// The repository has moved; redirects are not followed.
    #[error("it has moved: the server answers with a redirect")]
    Moved,
    /// The server's certificate is not trusted, or there is no secure connection for another reason.
    #[error("no secure connection: {reason}")]
    Untrusted { reason: String },
    #[error("cannot be reached: {reason}")]
    Unreachable { reason: String },
    /// More than the limits allow.
    #[error("{what} is over the limit of {limit}")]
    TooLarge { what: String, limit: String },
    /// There is nothing here that can speak to servers.
    #[error("{reason}")]
    Missing { reason: String },
    #[error("{reason}")]
    Failed { reason: String },
}

/// The network side of git.
///
/// Contract: no hook, filter, helper, prompt, submodule or LFS client runs; credentials stand in no argument, address,
/// file or output; redirects are not followed; everything ends within its limit and two seconds after a cancellation.
#[async_trait]
pub(crate) trait GitTransport: Debug + Send + Sync + 'static {
    /// The branches whose names begin with one of `prefixes`, and the head. All branches when there is no prefix.
    async fn list(
        &self,
        remote: &Remote<'_>,
        prefixes: &[String],
        ctx: &RunContext,
    ) -> Result<Advertised, TransportError>;

    /// Brings commits into the bare repository `into`.
    async fn fetch(
        &self,
        remote: &Remote<'_>,
        into: &Path,
        fetch: &Fetch<'_>,
        ctx: &RunContext,
    ) -> Result<(), TransportError>;

    /// Makes a new branch at a commit of the bare repository `from`. Never moves one that is there, not even forward.
    async fn push(
        &self,
        remote: &Remote<'_>,
        from: &Path,
        commit: &CommitId,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Pushed, TransportError>;

    /// Finds out whether [`push`](Self::push) would be let in, as far as a server tells before it gets anything.
    async fn may_push(
        &self,
        remote: &Remote<'_>,
        from: &Path,
        commit: &CommitId,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<(), TransportError>;

    /// Makes many packs of a repository one. Nobody else reads it meanwhile.
    async fn compact(&self, directory: &Path, ctx: &RunContext) -> Result<(), TransportError>;
}
