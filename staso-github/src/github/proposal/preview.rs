//! What a proposal would send, for people who want to see it first.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use staso_core::id::{BlobId, BranchName, CommitId};
use staso_core::redaction;
use staso_core::run::RunContext;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::{ChangeSet, FileEdit, VcsError};

use crate::publish::{BranchHost, CommitDraft, CommitFacts, MadeBranch, Prepared, Standing};

/// Where previews go.
#[derive(Clone)]
pub(crate) struct Show(pub(crate) Arc<dyn Fn(&ProposalPreview) + Send + Sync>);

impl fmt::Debug for Show {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Show(..)")
    }
}

/// What would be sent for one proposal. Its `Display` is for a terminal: control and hidden characters of strangers are
/// shown, not obeyed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProposalPreview {
    /// The repository.
    pub repository: RepositoryUrl,
    /// The branch that carries the change.
    pub branch: BranchName,
    /// The commit that would be made; `None` when the branch is there already and is reused.
    pub commit: Option<CommitPreview>,
    /// The requests that change something, in their order.
    pub requests: Vec<RequestPreview>,
}

/// A commit that would be made and become the new branch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitPreview {
    /// Whether it would be pushed with git; else GitHub makes it.
    pub pushed: bool,
    /// The commit that it stands on.
    pub parent: CommitId,
    /// Its whole message.
    pub message: String,
    /// Its changes.
    pub edits: Vec<FileEdit>,
}

/// A request that would be sent. `{number}` stands for the number that the pull request gets.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RequestPreview {
    /// The method, e.g. `POST`.
    pub method: &'static str,
    /// The path below the address of the API.
    pub path: String,
    /// The JSON body.
    pub body: Value,
}

impl RequestPreview {
    pub(super) const fn post(path: String, body: Value) -> Self {
        Self { method: "POST", path, body }
    }
}

impl fmt::Display for ProposalPreview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("For {}:\n\n", self.repository);
        match &self.commit {
            Some(commit) => commit.write(&self.branch, &mut text)?,
            None => writeln!(text, "the branch {} is there already and would be reused", self.branch)?,
        }
        for request in &self.requests {
            writeln!(text, "\n{} {}\n{:#}", request.method, request.path, request.body)?;
        }
        f.write_str(&visible(&text))
    }
}

impl CommitPreview {
    fn write(&self, branch: &BranchName, text: &mut String) -> fmt::Result {
        let how = if self.pushed { "git push" } else { "commit by API" };
        writeln!(text, "{how}: the new branch {branch} with one commit on {}", self.parent)?;
        for line in self.message.lines() {
            writeln!(text, "    {line}")?;
        }
        for edit in &self.edits {
            match (&edit.before, &edit.after) {
                (None, Some(new)) => writeln!(text, "  + {} ({} bytes)", edit.path, new.bytes.len())?,
                (_, Some(new)) => writeln!(text, "  ~ {} ({} bytes)", edit.path, new.bytes.len())?,
                (_, None) => writeln!(text, "  - {}", edit.path)?,
            }
        }
        Ok(())
    }
}

/// With a sign for each character that a terminal obeys or does not show.
fn visible(text: &str) -> String {
    let is_seen = |c: char| redaction::visible(c.encode_utf8(&mut [0; 4])).starts_with(c);
    text.chars().map(|c| if is_seen(c) { c } else { '\u{fffd}' }).collect()
}

/// A host of branches that is looked at and not written to.
#[derive(Debug)]
pub(super) struct Untouched<'a> {
    host: &'a dyn BranchHost,
    pushed: bool,
    wanted: Mutex<Option<(BranchName, CommitPreview)>>,
}

impl<'a> Untouched<'a> {
    pub(super) fn new(host: &'a dyn BranchHost, pushed: bool) -> Self {
        Self { host, pushed, wanted: Mutex::new(None) }
    }

    /// The branch that would have been made, with its commit.
    pub(super) fn into_wanted(self) -> Option<(BranchName, CommitPreview)> {
        self.wanted.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BranchHost for Untouched<'_> {
    async fn standing(
        &self,
        prefix: &BranchName,
        base: &BranchName,
        ctx: &RunContext,
    ) -> Result<Standing, VcsError> {
        self.host.standing(prefix, base, ctx).await
    }

    async fn tip(&self, branch: &BranchName, ctx: &RunContext) -> Result<Option<CommitId>, VcsError> {
        self.host.tip(branch, ctx).await
    }

    async fn inspect(
        &self,
        commit: &CommitId,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<CommitFacts, VcsError> {
        self.host.inspect(commit, changes, ctx).await
    }

    async fn content(&self, commit: &CommitId, blob: &BlobId, ctx: &RunContext) -> Result<Vec<u8>, VcsError> {
        self.host.content(commit, blob, ctx).await
    }

    async fn check(
        &self,
        commit: &CommitId,
        base: &BranchName,
        changes: &ChangeSet,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        self.host.check(commit, base, changes, ctx).await
    }

    async fn prepare(&self, draft: &CommitDraft<'_>, ctx: &RunContext) -> Result<Prepared, VcsError> {
        self.host.check(draft.parent, draft.base, draft.changes, ctx).await?;
        Ok(Prepared { head: None })
    }

    async fn create(
        &self,
        branch: &BranchName,
        draft: &CommitDraft<'_>,
        _: &Prepared,
        _: &RunContext,
    ) -> Result<MadeBranch, VcsError> {
        let commit = CommitPreview {
            pushed: self.pushed,
            parent: draft.parent.clone(),
            message: draft.message.to_owned(),
            edits: draft.changes.edits.clone(),
        };
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        *wanted = Some((branch.clone(), commit));
        Err(VcsError::DryRun)
    }
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_a_terminal_obeys_or_hides_is_shown() {
        assert_eq!(visible("a\u{1b}[2Jb\u{202e}c\u{200b}\n d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\n d");
        assert_eq!(visible("ä 漢 👍"), "ä 漢 👍");
    }
}
