//! Asking a provider for what every part of the suite needs.

use super::fixture::VcsFixture;
use crate::code::RepoPath;
use crate::id::{BlobId, BranchName, CommitId};
use crate::run::RunContext;
use crate::trace::SourceRevision;
use crate::vcs::{
    ChangeSet, FileContent, FileEdit, NewContent, Proposal, ProposeRequest, RepositoryRef, VcsError,
    VcsProvider,
};

/// A provider with the fixture's repository, resolved in a run of its own.
pub(super) struct Asking<'a> {
    pub(super) provider: &'a dyn VcsProvider,
    pub(super) fixture: &'a dyn VcsFixture,
    pub(super) repository: RepositoryRef,
    pub(super) ctx: RunContext,
}

impl<'a> Asking<'a> {
    pub(super) async fn new(provider: &'a dyn VcsProvider, fixture: &'a dyn VcsFixture) -> Self {
        let ctx = fixture.context();
        let found = provider.resolve(&source(fixture, fixture.tip()), &ctx).await;
        let repository = must(found, "the newest commit resolves").repository;
        Self { provider, fixture, repository, ctx }
    }

    /// Reads a file of up to 4 MiB.
    pub(super) async fn read(&self, commit: &CommitId, path: &RepoPath) -> Result<FileContent, VcsError> {
        self.provider.read_file(&self.repository, commit, path, 4 << 20, &self.ctx).await
    }

    /// The id of a file's content at a commit. `None` without the file.
    pub(super) async fn blob(&self, commit: &CommitId, path: &RepoPath) -> Option<BlobId> {
        match self.read(commit, path).await {
            Ok(FileContent::Text { blob, .. }) => Some(blob),
            Ok(other) => panic!("{path} is text, not {other:?}"),
            Err(VcsError::FileNotFound { .. }) => None,
            Err(error) => panic!("{path} is read, but: {error}"),
        }
    }

    /// The change that gives these files these texts, seen from the newest commit that the fixture started with.
    pub(super) async fn change(&self, texts: &[(RepoPath, &str)]) -> ChangeSet {
        let mut edits = Vec::new();
        for (path, text) in texts {
            let executable = self.fixture.files().get(path).is_some_and(|file| file.executable);
            let after = Some(NewContent { bytes: text.as_bytes().to_vec(), executable });
            edits.push(self.edit(path, after).await);
        }
        self.change_of(edits)
    }

    /// The edit that leaves `after` where the fixture's newest commit has what it has.
    pub(super) async fn edit(&self, path: &RepoPath, after: Option<NewContent>) -> FileEdit {
        let before = self.blob(&self.fixture.tip(), path).await;
        FileEdit { path: path.clone(), before, after }
    }

    /// The edits as a change of the fixture's newest commit.
    pub(super) fn change_of(&self, mut edits: Vec<FileEdit>) -> ChangeSet {
        edits.sort_by(|a, b| a.path.cmp(&b.path));
        ChangeSet::new(self.fixture.tip(), edits, "Keep the conformance suite happy", "Body.")
    }

    /// Proposes for the default branch.
    pub(super) async fn propose(
        &self,
        prefix: &str,
        changes: &ChangeSet,
        key: &str,
    ) -> Result<Proposal, VcsError> {
        self.propose_for(&self.fixture.default_branch(), prefix, changes, key).await
    }

    pub(super) async fn propose_for(
        &self,
        base: &BranchName,
        prefix: &str,
        changes: &ChangeSet,
        key: &str,
    ) -> Result<Proposal, VcsError> {
        let prefix = name(prefix);
        let request = ProposeRequest::new(&self.repository, base, &prefix, changes, key, self.ctx.run_id());
        self.provider.propose(&request, &self.ctx).await
    }

    pub(super) async fn status(&self, branch: &BranchName) -> Result<Proposal, VcsError> {
        self.provider.proposal_status(&self.repository, branch, &self.ctx).await
    }

    /// The commit that a branch points to, as the fixture sees it.
    pub(super) async fn tip_of(&self, branch: &str) -> Option<CommitId> {
        self.fixture.branch_tip(&name(branch)).await
    }
}

pub(super) fn must<T>(result: Result<T, VcsError>, sentence: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{sentence}, but: {error} ({error:?})"),
    }
}

pub(super) fn name(text: &str) -> BranchName {
    BranchName::new(text).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn absent_commit() -> CommitId {
    CommitId::new("0123456789".repeat(4)).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn source(fixture: &dyn VcsFixture, commit: CommitId) -> SourceRevision {
    SourceRevision {
        repository_url: Some(fixture.url()),
        branch: None,
        commit: Some(commit),
        dirty: Some(false),
    }
}

pub(super) fn first_file(fixture: &dyn VcsFixture) -> RepoPath {
    fixture.files().into_keys().next().unwrap_or_else(|| panic!("the fixture has files"))
}
