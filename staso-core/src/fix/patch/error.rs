//! The [`PatchError`].

use crate::code::RepoPath;

/// The change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// The file was not read, so nobody can say what changes.
    #[error("{path} is not among the files that were read")]
    UnknownFile {
        /// The file.
        path: RepoPath,
    },
    /// Ranges overlap, lie outside of the file or split a character.
    #[error("the ranges to replace in {path} overlap or do not fit the file")]
    BadRange {
        /// The file.
        path: RepoPath,
    },
    /// The surroundings of the change differ, or another file stands where a new one should.
    #[error("the lines around the change in {path} are not there exactly once")]
    Conflict {
        /// The file.
        path: RepoPath,
    },
    /// The file would stay as it is.
    #[error("{path} would not change")]
    NoChange {
        /// The file.
        path: RepoPath,
    },
    /// No file would change.
    #[error("no file would change")]
    Empty,
    /// A symbolic link is new or points elsewhere.
    #[error("{path} became a symbolic link; a fix changes text files only")]
    Symlink {
        /// The link.
        path: RepoPath,
    },
    /// A file is gone.
    #[error("{path} was deleted; a fix deletes nothing")]
    Deleted {
        /// The file.
        path: RepoPath,
    },
    /// A file became executable, or is so no longer.
    #[error("the mode of {path} changed; a fix changes no file's mode")]
    ModeChanged {
        /// The file.
        path: RepoPath,
    },
    /// A new file is executable.
    #[error("the new file {path} is executable; a fix adds no programs")]
    NewExecutable {
        /// The file.
        path: RepoPath,
    },
    /// The new content is not UTF-8 or holds a NUL.
    #[error("{path} is not text")]
    NotText {
        /// The file.
        path: RepoPath,
    },
    /// The new content is longer than [`Patch::MAX_FILE_BYTES`](super::Patch::MAX_FILE_BYTES).
    #[error("{path} has {bytes} bytes, more than the limit of {limit_bytes}")]
    TooLarge {
        /// The file.
        path: RepoPath,
        /// Its size, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit_bytes: usize,
    },
    /// More files changed than [`Patch::MAX_FILES`](super::Patch::MAX_FILES).
    #[error("{files} files changed, more than the limit of {limit}")]
    TooManyFiles {
        /// How many.
        files: usize,
        /// The limit.
        limit: usize,
    },
    /// The sandbox did not let the change out of the session.
    #[error("the change of {path} does not leave the sandbox: {why}")]
    Refused {
        /// The path.
        path: RepoPath,
        /// Why not.
        why: String,
    },
    /// Some file system takes the new path for an existing one: it differs by case or Unicode form only, or lies below
    /// something that is no directory.
    #[error("the new file {path} collides with {existing}")]
    Collision {
        /// The new file.
        path: RepoPath,
        /// What stands there.
        existing: RepoPath,
    },
    /// A new path that some file system reads as another.
    #[error("{path} is no usable name for a new file: {reason}")]
    UnsafeName {
        /// The new file.
        path: RepoPath,
        /// What is wrong with its name.
        reason: &'static str,
    },
}
