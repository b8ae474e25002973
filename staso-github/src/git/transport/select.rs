//! Which program or library speaks to servers.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use tokio::sync::OnceCell;

use super::program::{self, GitCall};
use super::{Advertised, CliTransport, Fetch, GitTransport, Pushed, Remote, TransportError};
use crate::limits::GitLimits;

/// The oldest git that takes settings from the environment.
const OLDEST_GIT: (u32, u32) = (2, 31);

/// What speaks to servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TransportKind {
    /// The git program where there is one, else libgit2 where it is compiled in.
    #[default]
    Auto,
    /// The git program.
    Git,
    /// libgit2.
    #[cfg(feature = "git2-https")]
    Libgit2,
}

/// The network side of git, chosen at its first use.
pub(crate) fn transport(kind: TransportKind, limits: &GitLimits) -> Arc<dyn GitTransport> {
    match kind {
        TransportKind::Auto => Arc::new(Chosen { limits: limits.clone(), transport: OnceCell::new() }),
        TransportKind::Git => Arc::new(CliTransport::new(limits.clone())),
        #[cfg(feature = "git2-https")]
        TransportKind::Libgit2 => Arc::new(super::Git2Transport::new(limits.clone())),
    }
}

/// Asks once whether there is a git program.
#[derive(Debug)]
struct Chosen {
    limits: GitLimits,
    transport: OnceCell<Arc<dyn GitTransport>>,
}

impl Chosen {
    async fn get(&self, ctx: &RunContext) -> Result<&Arc<dyn GitTransport>, TransportError> {
        self.transport.get_or_try_init(|| self.choose(ctx)).await
    }

    async fn choose(&self, ctx: &RunContext) -> Result<Arc<dyn GitTransport>, TransportError> {
        match usable_git(&self.limits, ctx).await {
            Ok(()) => Ok(transport(TransportKind::Git, &self.limits)),
            #[cfg(feature = "git2-https")]
            Err(TransportError::Missing { .. }) => Ok(transport(TransportKind::Libgit2, &self.limits)),
            Err(error) => Err(error),
        }
    }
}

async fn usable_git(limits: &GitLimits, ctx: &RunContext) -> Result<(), TransportError> {
    let arguments = vec!["version".to_owned()];
    let call = GitCall { remote: None, settings: Vec::new(), arguments, limit: limits.operation };
    let answer = program::run(&call, None, ctx, || Ok(())).await?.accepted()?;
    match version(&answer.output) {
        Some(found) if found >= OLDEST_GIT => Ok(()),
        _ => Err(TransportError::Missing {
            reason: format!(
                "{} is too old; install git 2.31 or newer",
                answer.output.lines().next().unwrap_or("the git program")
            ),
        }),
    }
}

/// Reads `git version 2.47.3 (Apple Git-1)`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.trim().parse().ok()?))
}

impl TransportError {
    /// There is no git program.
    pub(super) fn no_git() -> Self {
        let remedy = if cfg!(feature = "git2-https") {
            "install it"
        } else {
            "install it, or build with the feature git2-https"
        };
        Self::Missing { reason: format!("the git program is not installed; {remedy}") }
    }
}

#[async_trait]
impl GitTransport for Chosen {
    async fn list(
        &self,
        remote: &Remote<'_>,
        prefixes: &[String],
        ctx: &RunContext,
    ) -> Result<Advertised, TransportError> {
        self.get(ctx).await?.list(remote, prefixes, ctx).await
    }

    async fn fetch(
        &self,
        remote: &Remote<'_>,
        into: &Path,
        fetch: &Fetch<'_>,
        ctx: &RunContext,
    ) -> Result<(), TransportError> {
        self.get(ctx).await?.fetch(remote, into, fetch, ctx).await
    }

    async fn push(
        &self,
        remote: &Remote<'_>,
        from: &Path,
        commit: &CommitId,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Pushed, TransportError> {
        self.get(ctx).await?.push(remote, from, commit, branch, ctx).await
    }

    async fn may_push(
        &self,
        remote: &Remote<'_>,
        from: &Path,
        commit: &CommitId,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<(), TransportError> {
        self.get(ctx).await?.may_push(remote, from, commit, branch, ctx).await
    }

    async fn compact(&self, directory: &Path, ctx: &RunContext) -> Result<(), TransportError> {
        self.get(ctx).await?.compact(directory, ctx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_git_are_read() {
        for (text, expected) in [
            ("git version 2.47.3\n", Some((2, 47))),
            ("git version 2.39.5 (Apple Git-154)", Some((2, 39))),
            ("git version 3.0", Some((3, 0))),
            ("git version 2.31.windows.1", Some((2, 31))),
            ("no git", None),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
    }
}
