//! Branches of ours that have no commit of ours yet.
//!
//! `createCommitOnBranch` needs a branch. Between making it at the tip of the base and making the commit, only a record
//! on this machine says whose branch it is: it is written before and removed after.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use staso_core::id::{BranchName, CommitId, Digest};
use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

use crate::{blocking, error};

/// Below the data directory.
const DIRECTORY: &str = "pending";
/// Longest record, in bytes.
const MAX_BYTES: u64 = 4 << 10;
const LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// The records of one repository and key.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    data: PathBuf,
    /// What tells this repository and key from others.
    scope: String,
}

/// One branch that waits for its commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    branch: BranchName,
    /// Where it was made.
    parent: CommitId,
}

impl Pending {
    pub(super) fn new(data: &Path, repository: &str, key: &str) -> Self {
        Self { data: data.to_owned(), scope: format!("{repository}\n{key}") }
    }

    /// Whether this machine made the branch at this commit and has not seen a commit of ours on it.
    pub(super) async fn holds(
        &self,
        branch: &BranchName,
        parent: &CommitId,
        ctx: &RunContext,
    ) -> Result<bool, VcsError> {
        let path = self.path(branch);
        let found = self.work(ctx, move || read(&path)).await?;
        Ok(found.is_some_and(|record| record.branch == *branch && record.parent == *parent))
    }

    /// Says that the branch is about to be made. What was said before is replaced as a whole.
    pub(super) async fn write(
        &self,
        branch: &BranchName,
        parent: &CommitId,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        let path = self.path(branch);
        let record = Record { branch: branch.clone(), parent: parent.clone() };
        let data = self.data.clone();
        self.work(ctx, move || {
            crate::git::make_directory(&data, DIRECTORY, crate::git::PRIVATE)?;
            let text = serde_json::to_vec(&record)?;
            let beside = path.with_extension(format!("{}.new", std::process::id()));
            fs::write(&beside, text)?;
            fs::rename(&beside, &path)
        })
        .await
    }

    /// The branch has its commit, or is not ours. A record that stays does no harm: its branch is elsewhere by now.
    pub(super) async fn remove(&self, branch: &BranchName, ctx: &RunContext) {
        let path = self.path(branch);
        if let Err(error) = self.work(ctx, move || fs::remove_file(path)).await {
            tracing::debug!(%branch, %error, "the record of a branch stays");
        }
    }

    fn path(&self, branch: &BranchName) -> PathBuf {
        let name = Digest::of(format!("{}\n{branch}", self.scope));
        self.data.join(DIRECTORY).join(format!("{}.json", name.hex()))
    }

    async fn work<T: Send + 'static>(
        &self,
        ctx: &RunContext,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, VcsError> {
        let operation = "keeping the record of a branch";
        let fail = |source| error::backend(operation, source);
        blocking::run(ctx, operation, LIMIT, move |_| work().map_err(fail)).await
    }
}

/// A record that cannot be read is none.
fn read(path: &Path) -> io::Result<Option<Record>> {
    match fs::metadata(path) {
        Ok(found) if found.len() <= MAX_BYTES => Ok(serde_json::from_slice(&fs::read(path)?).ok()),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
