//! The network side of git with the git program.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;

use super::program::{self, GitAnswer, GitCall};
use super::{Advertised, Fetch, GitTransport, Pushed, Remote, TransportError, Wanted};
use crate::git::bare::packed_bytes;
use crate::limits::GitLimits;

/// What a pack takes beside the new content: trees, headers, and what does not compress.
const PACK_OVERHEAD_BYTES: u64 = 8 << 20;
/// All of the history: git's own word for it, which also holds for repositories that are complete.
const ALL_HISTORY: u32 = 0x7fff_ffff;

/// Runs the git program.
#[derive(Debug, Clone)]
pub(crate) struct CliTransport {
    limits: GitLimits,
}

impl CliTransport {
    pub(crate) const fn new(limits: GitLimits) -> Self {
        Self { limits }
    }

    async fn git(
        &self,
        remote: &Remote<'_>,
        directory: Option<&Path>,
        arguments: Vec<String>,
        ctx: &RunContext,
    ) -> Result<GitAnswer, TransportError> {
        program::run(&self.call(remote, arguments), directory, ctx, || Ok(())).await
    }

    /// Runs git that makes the repository larger, within its limit.
    async fn receive(
        &self,
        remote: &Remote<'_>,
        into: &Path,
        arguments: Vec<String>,
        ctx: &RunContext,
    ) -> Result<(), TransportError> {
        let call = self.call(remote, arguments);
        let answer = program::run(&call, Some(into), ctx, || check_size(into, &self.limits)).await?;
        answer.accepted().map(drop)
    }

    fn call<'a>(&self, remote: &Remote<'a>, arguments: Vec<String>) -> GitCall<'a> {
        GitCall { remote: Some(*remote), settings: self.settings(), arguments, limit: self.limits.fetch }
    }

    /// Packs that a proposal may make are sent in one piece: not all proxies take chunked requests (HTTP 411).
    fn settings(&self) -> Vec<String> {
        let bytes = self.limits.proposal_bytes.saturating_add(PACK_OVERHEAD_BYTES);
        vec![format!("http.postBuffer={bytes}")]
    }
}

#[async_trait]
impl GitTransport for CliTransport {
    async fn list(
        &self,
        remote: &Remote<'_>,
        prefixes: &[String],
        ctx: &RunContext,
    ) -> Result<Advertised, TransportError> {
        let mut arguments = words(&["ls-remote", "--quiet", "--symref", "--", &remote.url(), "HEAD"]);
        if prefixes.is_empty() {
            arguments.push("refs/heads/*".to_owned());
        }
        arguments.extend(prefixes.iter().map(|prefix| format!("refs/heads/{}*", literal(prefix))));
        let answer = self.git(remote, None, arguments, ctx).await?.accepted()?;
        Ok(advertised(&answer.output, prefixes))
    }

    async fn fetch(
        &self,
        remote: &Remote<'_>,
        into: &Path,
        fetch: &Fetch<'_>,
        ctx: &RunContext,
    ) -> Result<(), TransportError> {
        let depth = format!("--depth={}", fetch.depth.unwrap_or(ALL_HISTORY));
        let mut arguments = words(&[
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--force",
            &depth,
        ]);
        match fetch.wanted {
            Wanted::Commits(_) => {}
            Wanted::History(_) => arguments.push("--filter=tree:0".to_owned()),
            // A branch that is gone may stand in the way of one below its name.
            Wanted::Branches => arguments.push("--prune".to_owned()),
        }
        arguments.extend(words(&["--", &remote.url()]));
        arguments.extend(fetch.wanted.refspecs());
        self.receive(remote, into, arguments, ctx).await
    }

    async fn push(
        &self,
        remote: &Remote<'_>,
        from: &Path,
        commit: &CommitId,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Pushed, TransportError> {
        let reference = format!("refs/heads/{branch}");
        let arguments = new_branch(remote, commit, &reference);
        let answer = self.git(remote, Some(from), arguments, ctx).await?;
        let Some((flag, summary)) = outcome(&answer.output, &reference) else {
            return Err(answer.complaint.failure());
        };
        match flag {
            '*' if answer.success => Ok(Pushed::Created),
            '=' => Ok(Pushed::Taken),
            '!' if summary.starts_with("[rejected]") => Ok(Pushed::Taken),
            '!' if summary.contains("shallow update not allowed") => Err(TransportError::ShallowRefused),
            // A branch that was made since the list was sent is refused in many words.
            '!' if self.exists(remote, branch, ctx).await? => Ok(Pushed::Taken),
            '!' => {
                let said = answer.complaint.of_server();
                let summary = answer.complaint.readable(summary);
                let reason = if said.is_empty() { summary } else { format!("{summary}: {said}") };
                Err(TransportError::Rejected { reason })
            }
            _ => Err(answer.complaint.failure()),
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
        let reference = format!("refs/heads/{branch}");
        let mut arguments = new_branch(remote, commit, &reference);
        arguments.insert(1, "--dry-run".to_owned());
        let answer = self.git(remote, Some(from), arguments, ctx).await?;
        // That there is such a branch is no matter: the server let us in.
        if outcome(&answer.output, &reference).is_some() { Ok(()) } else { Err(answer.complaint.failure()) }
    }

    async fn compact(&self, directory: &Path, ctx: &RunContext) -> Result<(), TransportError> {
        // What no branch holds any more stays: a trace may name it.
        let arguments = words(&["repack", "-a", "-d", "-k", "-q"]);
        let call = GitCall { remote: None, settings: Vec::new(), arguments, limit: self.limits.fetch };
        program::run(&call, Some(directory), ctx, || Ok(())).await?.accepted().map(drop)
    }
}

impl CliTransport {
    /// Copies all branches by name, but for those that proposals have.
    pub(crate) async fn mirror(
        &self,
        remote: &Remote<'_>,
        into: &Path,
        ctx: &RunContext,
    ) -> Result<(), TransportError> {
        let arguments = words(&[
            "fetch",
            "--quiet",
            "--no-tags",
            "--prune",
            "--force",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--",
            &remote.url(),
            "+refs/heads/*:refs/heads/*",
            "^refs/heads/fix/staso-*",
        ]);
        self.receive(remote, into, arguments, ctx).await
    }

    async fn exists(
        &self,
        remote: &Remote<'_>,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<bool, TransportError> {
        let listed = self.list(remote, &[branch.to_string()], ctx).await?;
        Ok(listed.branches.contains_key(branch))
    }
}

impl Wanted<'_> {
    fn refspecs(&self) -> Vec<String> {
        let kept = |commit: &CommitId| format!("{commit}:refs/staso/commits/{commit}");
        match self {
            Self::Commits(commits) => commits.iter().map(kept).collect(),
            Self::History(commit) => vec![kept(commit)],
            Self::Branches => vec!["+refs/heads/*:refs/staso/branches/*".to_owned()],
        }
    }
}

/// The push of a branch that is expected not to be there: git checks that against the list it gets, and the server
/// against the branch itself at the moment it makes it.
fn new_branch(remote: &Remote<'_>, commit: &CommitId, reference: &str) -> Vec<String> {
    words(&[
        "push",
        "--no-progress",
        "--porcelain",
        "--no-verify",
        "--no-follow-tags",
        "--no-signed",
        "--recurse-submodules=no",
        &format!("--force-with-lease={reference}:"),
        "--",
        &remote.url(),
        &format!("{commit}:{reference}"),
    ])
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A name as a pattern that matches it alone.
fn literal(name: &str) -> String {
    name.chars()
        .flat_map(|c| matches!(c, '*' | '?' | '[' | '\\').then_some('\\').into_iter().chain([c]))
        .collect()
}

/// Reads lines `ref: refs/heads/main<TAB>HEAD` and `<id><TAB>refs/heads/main`. Patterns also match the ends of names.
fn advertised(listing: &str, prefixes: &[String]) -> Advertised {
    let mut found = Advertised { head: None, branches: BTreeMap::new() };
    for (left, name) in listing.lines().filter_map(|line| line.split_once('\t')) {
        if name == "HEAD" {
            let target = left.strip_prefix("ref: refs/heads/").and_then(|name| BranchName::new(name).ok());
            found.head = target.or(found.head);
            continue;
        }
        let Some(name) = name.strip_prefix("refs/heads/") else { continue };
        if !prefixes.is_empty() && !prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())) {
            continue;
        }
        if let (Ok(branch), Ok(commit)) = (BranchName::new(name), CommitId::new(left)) {
            found.branches.insert(branch, commit);
        }
    }
    found
}

/// Reads the line `<flag><TAB><from>:<to><TAB><summary>` of one reference.
fn outcome<'a>(output: &'a str, reference: &str) -> Option<(char, &'a str)> {
    output.lines().find_map(|line| {
        let mut parts = line.splitn(3, '\t');
        let (flag, names, summary) = (parts.next()?, parts.next()?, parts.next()?);
        let (_, to) = names.split_once(':')?;
        (to == reference).then_some((flag.chars().next()?, summary))
    })
}

/// Whether a repository is within its limit, half-received packs included.
pub(crate) fn check_size(directory: &Path, limits: &GitLimits) -> Result<(), TransportError> {
    if packed_bytes(directory) <= limits.mirror_bytes {
        return Ok(());
    }
    Err(TransportError::over_the_limit(limits))
}

impl TransportError {
    /// What is kept of a repository would be more than the limits allow.
    pub(super) fn over_the_limit(limits: &GitLimits) -> Self {
        let limit = format!("{} bytes", limits.mirror_bytes);
        Self::TooLarge { what: "what is kept of the repository".to_owned(), limit }
    }
}
