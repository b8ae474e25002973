//! Repositories and forges: the [`VcsProvider`] plug trait and its vocabulary.
//!
//! This module only describes. Git and GitHub live in `staso-github`.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::RepoPath;
use crate::id::{BlobId, BranchName, CommitId, RunId};
use crate::run::RunContext;
use crate::trace::{RepositoryUrl, SourceRevision};

/// A repository as its provider knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryRef {
    /// The provider's lasting id; survives a rename.
    pub id: String,
    /// The current address.
    pub url: RepositoryUrl,
    /// The branch that new work goes to.
    pub default_branch: BranchName,
    /// Whether the repository accepts no changes.
    pub archived: bool,
}

/// A repository together with the revision that a trace names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResolvedSource {
    /// The repository.
    pub repository: RepositoryRef,
    /// The full id of the failing commit.
    pub commit: CommitId,
    /// The branch that a fix is for: the one the trace names when it exists, else the default branch.
    pub base_branch: BranchName,
    /// The newest commit of that branch.
    pub base_tip: CommitId,
    /// What the reader should know, e.g. that the recorded branch is gone.
    pub notes: Vec<String>,
}

/// What a run will need from a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Reading files and checking out.
    Read,
    /// Opening a proposal as well.
    Propose,
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Where it stands.
    pub path: RepoPath,
    /// What it is.
    pub kind: TreeEntryKind,
    /// Its content as git names it.
    pub blob: BlobId,
    /// Size in bytes, for files.
    pub size_bytes: Option<u64>,
}

/// What an entry of a tree is. Directories are not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TreeEntryKind {
    /// A regular file.
    File,
    /// An executable file.
    Executable,
    /// A symbolic link.
    Symlink,
    /// Another repository.
    Submodule,
}

/// All files of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The entries, sorted by path. Paths that [`RepoPath`] refuses are left out and counted.
    pub entries: Vec<TreeEntry>,
    /// Whether there are more than the limit allowed.
    pub truncated: bool,
    /// Entries left out because their path is not usable.
    pub unusable_paths: usize,
}

/// A file at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileContent {
    /// UTF-8 text.
    Text {
        /// The content.
        text: Arc<str>,
        /// The content as git names it.
        blob: BlobId,
        /// Whether the file is executable.
        executable: bool,
    },
    /// Not UTF-8, or with a NUL byte.
    Binary {
        /// Size in bytes.
        size_bytes: u64,
    },
    /// A pointer to Git LFS.
    LfsPointer,
    /// A symbolic link.
    Symlink {
        /// Where it points, as written.
        target: String,
    },
    /// Another repository.
    Submodule,
    /// Larger than the caller wanted.
    TooLarge {
        /// Size in bytes.
        size_bytes: u64,
    },
}

/// A read-only directory with the files of one commit. It stays until the value is dropped.
#[derive(Debug)]
pub struct Checkout {
    /// The directory. Nobody writes into it.
    pub path: PathBuf,
    /// The commit.
    pub commit: CommitId,
    lease: Option<Box<dyn Debug + Send + Sync>>,
}

impl Checkout {
    /// A checkout that lives as long as `lease`, a value of the provider's own.
    pub fn new(path: PathBuf, commit: CommitId, lease: Option<Box<dyn Debug + Send + Sync>>) -> Self {
        Self { path, commit, lease }
    }

    /// Whether something is released when this value is dropped.
    #[must_use]
    pub const fn is_leased(&self) -> bool {
        self.lease.is_some()
    }
}

/// A set of whole-file changes on a commit. Contents, not a diff, so that every backend can carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeSet {
    /// The commit that the changes are for.
    pub base: CommitId,
    /// The changes, one a path, sorted by path.
    pub edits: Vec<FileEdit>,
    /// First line of the commit message and title of the proposal, ≤ 72 characters.
    pub title: String,
    /// The commit message below the title.
    pub message: String,
    /// Markdown text of the proposal.
    pub body: String,
    /// Whether the proposal waits for a human before it asks for review.
    pub draft: bool,
    /// Labels, best effort.
    pub labels: Vec<String>,
}

impl ChangeSet {
    /// A draft without labels.
    pub fn new(
        base: CommitId,
        edits: Vec<FileEdit>,
        title: impl Into<String>,
        body: impl Into<String>,
    ) -> Self {
        Self {
            base,
            edits,
            title: title.into(),
            message: String::new(),
            body: body.into(),
            draft: true,
            labels: Vec::new(),
        }
    }
}

/// The change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// The file.
    pub path: RepoPath,
    /// What stood there, as git names it; `None` for a new file. The provider refuses the edit when it differs.
    pub before: Option<BlobId>,
    /// What shall stand there; `None` deletes the file.
    pub after: Option<NewContent>,
}

/// New content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContent {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the file is executable.
    pub executable: bool,
}

/// What to propose.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ProposeRequest<'a> {
    /// Where.
    pub repository: &'a RepositoryRef,
    /// Against which branch.
    pub base_branch: &'a BranchName,
    /// The branch to make: `fix/staso-<fingerprint>`. The provider appends `-<n>`, from 1.
    pub branch_prefix: &'a BranchName,
    /// The changes.
    pub changes: &'a ChangeSet,
    /// The same for every attempt to publish one fix: a retry finds its own branch by it.
    pub idempotency_key: &'a str,
    /// The run, for the commit's trailer.
    pub run_id: RunId,
}

impl<'a> ProposeRequest<'a> {
    /// All parts are required.
    #[must_use]
    pub const fn new(
        repository: &'a RepositoryRef,
        base_branch: &'a BranchName,
        branch_prefix: &'a BranchName,
        changes: &'a ChangeSet,
        idempotency_key: &'a str,
        run_id: RunId,
    ) -> Self {
        Self { repository, base_branch, branch_prefix, changes, idempotency_key, run_id }
    }
}

/// A pull request, or its local equivalent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proposal {
    /// The branch with the fix.
    pub branch: BranchName,
    /// The branch it is for.
    pub base: BranchName,
    /// The commit with the fix.
    pub head: CommitId,
    /// Where to read it: an address, or for a local repository the git command that shows it.
    pub url: String,
    /// What became of it.
    pub state: ProposalState,
    /// What this run did.
    pub action: ProposalAction,
    /// What did not work but did not stop the proposal, e.g. labels.
    pub warnings: Vec<String>,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    /// Open, waiting for a human to release it.
    Draft,
    /// Open.
    Open,
    /// Merged into its base.
    Merged,
    /// Closed without merging.
    Closed,
}

/// What a run did about a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProposalAction {
    /// Made it.
    Created,
    /// Found it as it should be.
    Reused,
    /// Found it and changed it.
    Updated,
}

/// What went wrong with a repository or forge. Messages never repeat credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VcsError {
    /// There is no repository at the address.
    #[error("{url} is not a git repository that can be read; check the path or address")]
    RepositoryNotFound {
        /// The address.
        url: RepositoryUrl,
    },
    /// The repository is there but cannot be read: damage, an unsupported format, missing objects.
    #[error("{url} cannot be read: {reason}")]
    Unreadable {
        /// The address.
        url: RepositoryUrl,
        /// What stands in the way, and what helps.
        reason: String,
    },
    /// Nobody answers at the address.
    #[error(
        "{url} cannot be reached: {reason}; check the address and the network, or give a local clone of it"
    )]
    Unreachable {
        /// The address.
        url: RepositoryUrl,
        /// What the transport said.
        reason: String,
    },
    /// Neither the trace nor the host names a repository.
    #[error(
        "the trace names no repository; call staso::init!() in the application so that runs record one, or name one"
    )]
    NoRepository,
    /// The provider does not serve this address.
    #[error("{url} is not served by {provider}; configure a provider for it")]
    Unsupported {
        /// The address.
        url: RepositoryUrl,
        /// The provider's name.
        provider: &'static str,
    },
    /// The repository has no commits.
    #[error("{url} has no commits yet")]
    Empty {
        /// The address.
        url: RepositoryUrl,
    },
    /// The trace names no commit.
    #[error("the trace names no commit; call staso::init!() in the application so that runs record one")]
    NoCommit,
    /// The commit is not in the repository.
    #[error("commit {commit} is not in {url}; push it, or fetch it into the local repository")]
    CommitNotFound {
        /// The commit.
        commit: CommitId,
        /// The address.
        url: RepositoryUrl,
    },
    /// The file is not in the commit.
    #[error("{path} is not in commit {commit}")]
    FileNotFound {
        /// The file.
        path: RepoPath,
        /// The commit.
        commit: CommitId,
    },
    /// The repository accepts no changes.
    #[error("{url} is archived; un-archive it to receive proposals")]
    Archived {
        /// The address.
        url: RepositoryUrl,
    },
    /// The credentials do not allow what is needed.
    #[error("no permission to {operation} at {url}; {remedy}")]
    PermissionDenied {
        /// What was tried.
        operation: &'static str,
        /// The address.
        url: RepositoryUrl,
        /// What the user can do.
        remedy: String,
    },
    /// The changes do not fit the newest commit of the branch.
    #[error("the change does not apply to {branch}: {}", paths.iter().map(RepoPath::as_str).collect::<Vec<_>>().join(", "))]
    Conflict {
        /// The branch.
        branch: BranchName,
        /// The files that differ from what the change expects.
        paths: Vec<RepoPath>,
    },
    /// The change set changes nothing.
    #[error("there is nothing to propose: every file already has the wanted content")]
    NothingToPropose,
    /// The change set cannot be carried.
    #[error("cannot carry the change: {reason}")]
    InvalidChange {
        /// What is wrong with it.
        reason: String,
    },
    /// No such proposal.
    #[error("there is no proposal {branch}")]
    ProposalNotFound {
        /// The branch.
        branch: BranchName,
    },
    /// A limit of the provider.
    #[error("{what} is over the limit of {limit}")]
    TooLarge {
        /// What.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The operation took too long.
    #[error("{operation} took longer than {limit_ms} ms")]
    Timeout {
        /// What.
        operation: &'static str,
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// The operating system, git or a third-party provider failed.
    #[error("{operation} failed in provider {provider}")]
    Backend {
        /// The provider's name.
        provider: &'static str,
        /// What was done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl VcsError {
    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Unreachable { .. } | Self::Backend { .. })
    }
}

/// Repositories: read at a commit, check out, propose.
///
/// # Contract
/// Reading never changes the repository or anyone's working tree. Hooks, filters, submodules and LFS never run.
/// [`propose`](Self::propose) only ever creates a branch below `fix/staso-`, never forces, never touches a branch that
/// it did not make, and is idempotent: the same `idempotency_key` finds its own branch again. It either leaves a
/// complete proposal or nothing.
///
/// # Cancellation
/// Every method returns within two seconds after the context is cancelled, with [`VcsError::Cancelled`].
///
/// # Errors
/// One [`VcsError`]; [`is_retryable`](VcsError::is_retryable) decides about retries.
///
/// # Implementing
/// Run `staso_core::conformance::vcs` against your provider.
#[async_trait]
pub trait VcsProvider: Debug + Send + Sync + 'static {
    /// Finds the repository, the failing commit and the branch a fix is for.
    async fn resolve(&self, source: &SourceRevision, ctx: &RunContext) -> Result<ResolvedSource, VcsError>;

    /// Finds out whether the run will be allowed to do what it needs, before any work is spent.
    async fn preflight(
        &self,
        repository: &RepositoryRef,
        access: Access,
        ctx: &RunContext,
    ) -> Result<(), VcsError>;

    /// Reads one file at a commit, at most `max_bytes` long.
    async fn read_file(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<FileContent, VcsError>;

    /// Lists the files of a commit, at most `max_entries`.
    async fn list_tree(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        max_entries: usize,
        ctx: &RunContext,
    ) -> Result<Tree, VcsError>;

    /// Gives a read-only directory with the files of a commit, without `.git`.
    async fn checkout(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        ctx: &RunContext,
    ) -> Result<Checkout, VcsError>;

    /// Publishes a change as a branch and a proposal.
    async fn propose(&self, request: &ProposeRequest<'_>, ctx: &RunContext) -> Result<Proposal, VcsError>;

    /// What became of a proposal.
    async fn proposal_status(
        &self,
        repository: &RepositoryRef,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Proposal, VcsError>;
}
