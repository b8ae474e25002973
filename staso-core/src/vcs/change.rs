//! What a proposal carries: whole files, not a diff.

use crate::code::RepoPath;
use crate::id::{BlobId, CommitId};

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
