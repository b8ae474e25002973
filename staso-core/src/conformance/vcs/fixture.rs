//! What the suite needs of a test's repository.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;

use crate::code::RepoPath;
use crate::id::{BranchName, CommitId};
use crate::run::RunContext;
use crate::trace::RepositoryUrl;
use crate::vcs::{FileContent, NewContent};

/// A repository that the suite may use, and what it does there behind the provider's back.
#[async_trait]
pub trait VcsFixture: Debug + Send + Sync {
    /// Its address, as a trace would record it.
    fn url(&self) -> RepositoryUrl;

    /// Its default branch.
    fn default_branch(&self) -> BranchName;

    /// The newest commit of the default branch when the suite starts.
    fn tip(&self) -> CommitId;

    /// The commit before.
    fn previous(&self) -> CommitId;

    /// All files of the newest commit. Regular UTF-8 files only.
    fn files(&self) -> BTreeMap<RepoPath, NewContent>;

    /// A context for one run.
    fn context(&self) -> RunContext;

    /// Makes a branch that is not the provider's.
    async fn create_branch(&self, branch: &BranchName, commit: &CommitId);

    /// Removes a branch.
    async fn delete_branch(&self, branch: &BranchName);

    /// The commit that a branch points to.
    async fn branch_tip(&self, branch: &BranchName) -> Option<CommitId>;

    /// Adds a commit to the default branch in which one file has another text.
    async fn commit_on_default(&self, path: &RepoPath, text: &str) -> CommitId;

    /// Moves the default branch forward to a commit.
    async fn merge(&self, commit: &CommitId);

    /// Adds a commit to another branch, in which one file has another text.
    ///
    /// Default: nothing is done, and what a reviewer pushes on top of a proposal is not looked at.
    async fn commit_on(&self, _branch: &BranchName, _path: &RepoPath, _text: &str) -> Option<CommitId> {
        None
    }

    /// A branch with files that are not plain text. Default: none, and they are not looked at.
    fn odd_files(&self) -> Option<OddFiles> {
        None
    }

    /// Makes the repository accept no changes any more, and tells whether that is possible. Default: it is not.
    async fn archive(&self) -> bool {
        false
    }
}

/// A branch whose newest commit holds files that are not plain text.
#[derive(Debug, Clone)]
pub struct OddFiles {
    /// The branch. Not the default one.
    pub branch: BranchName,
    /// Its newest commit.
    pub commit: CommitId,
    /// The files, and what reading each with a limit of [`READ_BYTES`](Self::READ_BYTES) must give. Not all files of the
    /// commit need to be among them.
    pub files: BTreeMap<RepoPath, FileContent>,
}

impl OddFiles {
    /// The limit with which the files are read, in bytes.
    pub const READ_BYTES: u64 = 4096;
}
