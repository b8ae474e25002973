//! Files and trees of a commit.

use std::sync::Arc;

use crate::code::RepoPath;
use crate::id::BlobId;

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
