//! A directory with the files of a commit.

use std::fmt::Debug;
use std::path::PathBuf;

use crate::id::CommitId;

/// A directory with the files of one commit, which other runs may be reading. It stays until the value is dropped.
#[derive(Debug)]
pub struct Checkout {
    /// The directory. Nobody writes into it, also where permissions would let them: sandboxes show it read-only.
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
