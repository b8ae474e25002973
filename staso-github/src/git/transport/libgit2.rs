//! The network side of git with libgit2, where no git program is installed.
//!
//! It speaks the first version of git's protocol only: servers that do not offer commits by id give out branches alone.
//! Redirects are followed within one host, because libgit2 cannot be told otherwise.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use git2::{
    Config, FetchOptions, Odb, Oid, ProxyOptions, PushOptions, RemoteCallbacks, RemoteRedirect, Repository,
    RepositoryOpenFlags,
};
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use tokio_util::sync::CancellationToken;

use super::conversation::Conversation;
use super::relay::Relay;
use super::{Advertised, Fetch, GitTransport, Pushed, Remote, TransportError, Wanted, check_size};
use crate::limits::GitLimits;

/// How long stopped work may take to end.
const GRACE: Duration = Duration::from_secs(1);
/// A reference that no server has.
const NOTHING: &str = "+refs/staso/nothing:refs/staso/nothing";

/// Runs libgit2.
#[derive(Debug, Clone)]
pub(crate) struct Git2Transport {
    limits: GitLimits,
}

/// A server, as a thread of its own sees it.
struct Line {
    url: String,
    proxy: Option<String>,
    talk: Arc<Conversation>,
}

impl Git2Transport {
    pub(crate) const fn new(limits: GitLimits) -> Self {
        Self { limits }
    }

    /// Runs `work` on a thread, which is given a way to the server that ends with the run.
    async fn run<T: Send + 'static>(
        &self,
        remote: &Remote<'_>,
        directory: Option<&Path>,
        ctx: &RunContext,
        work: impl FnOnce(&Line) -> Result<T, TransportError> + Send + 'static,
    ) -> Result<T, TransportError> {
        if ctx.is_cancelled() {
            return Err(TransportError::Cancelled);
        }
        let failed = |error: std::io::Error| TransportError::Failed { reason: error.to_string() };
        let relay = match remote.address.scheme() {
            "file" => None,
            _ => Some(Relay::open(remote.address).await.map_err(failed)?),
        };
        let url = relay.as_ref().map_or_else(|| remote.url(), |relay| relay.url().to_owned());
        let proxy = relay.as_ref().and_then(Relay::proxy);
        let token = CancellationToken::new();
        let stop_when_dropped = token.clone().drop_guard();
        let talk = Conversation::new(remote, &url, ctx.redactor(), token, directory, &self.limits);
        let line = Line { url, proxy, talk: Arc::new(talk) };
        let mut task = tokio::task::spawn_blocking(move || work(&line));
        let ended = ctx
            .bounded(self.limits.fetch, async {
                tokio::select! {
                    ended = &mut task => ended,
                    () = serve(relay.as_ref()) => (&mut task).await,
                }
            })
            .await;
        let (ended, interrupted) = match ended {
            Ok(ended) => (ended, None),
            Err(interrupted) => {
                drop((relay, stop_when_dropped));
                tokio::select! {
                    ended = &mut task => (ended, Some(interrupted)),
                    () = ctx.clock().sleep(GRACE) => return Err(interrupted.into()),
                }
            }
        };
        let ended = ended.unwrap_or_else(|join| Err(TransportError::Failed { reason: join.to_string() }));
        match (ended, interrupted) {
            (Err(_), Some(interrupted)) => Err(interrupted.into()),
            (ended, _) => ended,
        }
    }
}

async fn serve(relay: Option<&Relay>) {
    match relay {
        Some(relay) => relay.serve().await,
        None => std::future::pending().await,
    }
}

#[async_trait]
impl GitTransport for Git2Transport {
    async fn list(
        &self,
        remote: &Remote<'_>,
        prefixes: &[String],
        ctx: &RunContext,
    ) -> Result<Advertised, TransportError> {
        let prefixes = prefixes.to_vec();
        self.run(remote, None, ctx, move |line| {
            // Listing alone cannot be told to leave redirects; a fetch of nothing can.
            let nowhere = line.talk.check(Odb::new().and_then(Repository::from_odb))?;
            line.without_settings(&nowhere)?;
            let mut server = line.talk.check(nowhere.remote_anonymous(&line.url))?;
            line.talk.check(server.download(&[NOTHING], Some(&mut line.fetch_options(0))))?;
            let heads = line.talk.check(server.list())?;
            Ok(advertised(heads, &prefixes))
        })
        .await
    }

    async fn fetch(
        &self,
        remote: &Remote<'_>,
        into: &Path,
        fetch: &Fetch<'_>,
        ctx: &RunContext,
    ) -> Result<(), TransportError> {
        let directory = into.to_owned();
        let depth = match fetch.depth {
            // Between repositories of one machine libgit2 copies all history or nothing.
            _ if remote.address.scheme() == "file" => 0,
            depth => depth.and_then(|depth| i32::try_from(depth).ok()).unwrap_or(i32::MAX),
        };
        let commits = match fetch.wanted {
            Wanted::Commits(commits) => Some(commits.to_vec()),
            // libgit2 cannot leave files out.
            Wanted::History(commit) => Some(vec![commit.clone()]),
            Wanted::Branches => None,
        };
        self.run(remote, Some(into), ctx, move |line| {
            let repository = line.open(&directory)?;
            match commits {
                Some(commits) => {
                    commits.iter().try_for_each(|commit| line.fetch_commit(&repository, commit, depth))
                }
                None => line.fetch_branches(&repository, depth),
            }
        })
        .await?;
        check_size(into, &self.limits)
    }

    async fn push(
        &self,
        remote: &Remote<'_>,
        from: &Path,
        commit: &CommitId,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Pushed, TransportError> {
        let (directory, commit, branch) = (from.to_owned(), commit.clone(), branch.clone());
        let pushed = {
            let (directory, branch) = (directory, branch.clone());
            self.run(remote, None, ctx, move |line| {
                line.push(&directory, &commit, &branch, line.talk.push_callbacks())
            })
            .await
        };
        match pushed {
            // A branch that was made since the list was sent is refused in many words.
            Err(TransportError::Rejected { reason }) => {
                let listed = self.list(remote, &[branch.to_string()], ctx).await?;
                if listed.branches.contains_key(&branch) {
                    Ok(Pushed::Taken)
                } else {
                    Err(TransportError::Rejected { reason })
                }
            }
            other => other,
        }
    }

    async fn may_push(
        &self,
        remote: &Remote<'_>,
        from: &Path,
        commit: &CommitId,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<(), TransportError> {
        let (directory, commit, branch) = (from.to_owned(), commit.clone(), branch.clone());
        self.run(remote, None, ctx, move |line| {
            line.push(&directory, &commit, &branch, line.talk.preflight_callbacks()).map(drop)
        })
        .await
    }

    async fn compact(&self, directory: &Path, ctx: &RunContext) -> Result<(), TransportError> {
        let directory: PathBuf = directory.to_owned();
        let token = ctx.cancellation().clone();
        let task = tokio::task::spawn_blocking(move || super::packs::join(&directory, &token));
        let ended = ctx.bounded(self.limits.fetch, task).await?;
        ended.unwrap_or_else(|join| Err(TransportError::Failed { reason: join.to_string() }))
    }
}

impl Line {
    fn open(&self, directory: &Path) -> Result<Repository, TransportError> {
        // `open_bare` does not read where history was cut off.
        let how = RepositoryOpenFlags::BARE | RepositoryOpenFlags::NO_SEARCH;
        let nowhere_else: [&Path; 0] = [];
        let repository = self.talk.check(Repository::open_ext(directory, how, nowhere_else))?;
        self.without_settings(&repository)?;
        Ok(repository)
    }

    /// No setting of this user has an effect, such as another address for a server.
    fn without_settings(&self, repository: &Repository) -> Result<(), TransportError> {
        self.talk.check(Config::new().and_then(|empty| repository.set_config(&empty)))
    }

    fn proxy_options(&self) -> ProxyOptions<'_> {
        let mut options = ProxyOptions::new();
        if let Some(proxy) = &self.proxy {
            options.url(proxy);
        }
        options
    }

    fn fetch_options(&self, depth: i32) -> FetchOptions<'_> {
        let mut options = FetchOptions::new();
        options.remote_callbacks(self.talk.callbacks());
        options.proxy_options(self.proxy_options());
        options.follow_redirects(RemoteRedirect::None);
        options.download_tags(git2::AutotagOption::None);
        options.update_fetchhead(false);
        options.depth(depth);
        options
    }

    fn fetch_commit(
        &self,
        repository: &Repository,
        commit: &CommitId,
        depth: i32,
    ) -> Result<(), TransportError> {
        let mut server = self.talk.check(repository.remote_anonymous(&self.url))?;
        let kept = format!("refs/staso/commits/{commit}");
        let refspec = format!("{commit}:{kept}");
        if let Err(error) = server.download(&[&refspec], Some(&mut self.fetch_options(depth))) {
            return Err(self.talk.failure(&error, Some(commit)));
        }
        let oid = self.talk.check(Oid::from_str(commit.as_str()))?;
        if repository.find_commit(oid).is_err() {
            return Err(TransportError::UnknownCommit { commit: commit.clone() });
        }
        self.talk.check(repository.reference(&kept, oid, true, "")).map(drop)
    }

    fn fetch_branches(&self, repository: &Repository, depth: i32) -> Result<(), TransportError> {
        let mut server = self.talk.check(repository.remote_anonymous(&self.url))?;
        let refspec = "+refs/heads/*:refs/staso/branches/*";
        self.talk.check(server.download(&[refspec], Some(&mut self.fetch_options(depth))))?;
        // A branch that is gone may stand in the way of one below its name.
        for gone in self.talk.check(repository.references_glob("refs/staso/branches/*"))? {
            self.talk.check(gone.and_then(|mut gone| gone.delete()))?;
        }
        for head in self.talk.check(server.list())? {
            if let Some(name) = head.name().strip_prefix("refs/heads/") {
                let name = format!("refs/staso/branches/{name}");
                self.talk.check(repository.reference(&name, head.oid(), true, "")).map(drop)?;
            }
        }
        Ok(())
    }

    fn push(
        &self,
        directory: &Path,
        commit: &CommitId,
        branch: &BranchName,
        callbacks: RemoteCallbacks<'_>,
    ) -> Result<Pushed, TransportError> {
        let repository = self.open(directory)?;
        let mut server = self.talk.check(repository.remote_anonymous(&self.url))?;
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        options.proxy_options(self.proxy_options());
        options.follow_redirects(RemoteRedirect::None);
        let pushed = server.push(&[format!("{commit}:refs/heads/{branch}")], Some(&mut options));
        self.talk.settle_push(pushed)
    }
}

fn advertised(heads: &[git2::RemoteHead<'_>], prefixes: &[String]) -> Advertised {
    let mut found = Advertised::default();
    for head in heads {
        let Some(name) = head.name().strip_prefix("refs/heads/") else {
            if head.name() == "HEAD" {
                let target = head.symref_target().and_then(|target| target.strip_prefix("refs/heads/"));
                found.head = target.and_then(|name| BranchName::new(name).ok());
            }
            continue;
        };
        if !prefixes.is_empty() && !prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())) {
            continue;
        }
        if let (Ok(branch), Ok(commit)) = (BranchName::new(name), CommitId::new(head.oid().to_string())) {
            found.branches.insert(branch, commit);
        }
    }
    found
}
