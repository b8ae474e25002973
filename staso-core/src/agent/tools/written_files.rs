//! [`WrittenFiles`].

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::code::RepoPath;

/// The files that an agent wrote with its own tools, as opposed to what commands left behind. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct WrittenFiles(Arc<Mutex<BTreeSet<RepoPath>>>);

impl WrittenFiles {
    /// Notes a file.
    pub fn add(&self, path: RepoPath) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path);
    }

    /// Whether the file was written.
    #[must_use]
    pub fn contains(&self, path: &RepoPath) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }
}
