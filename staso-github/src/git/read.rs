//! Files and trees of a commit, as data.

use std::sync::Arc;

use git2::{ObjectType, Oid};
use staso_core::code::RepoPath;
use staso_core::id::{BlobId, CommitId};
use staso_core::vcs::{FileContent, Tree, TreeEntry, TreeEntryKind, VcsError};

use super::repository::GitRepository;
use super::walk::{Met, Next, kind, walk};
use crate::blocking::Stop;
use crate::error;

/// How pointer files begin, by the Git LFS specification and, for older ones, by what its program takes.
const LFS_HEADERS: [&str; 3] = [
    "version https://git-lfs.github.com/spec/v",
    "version https://hawser.github.com/spec/v",
    "version http://git-media.io/v/",
];
/// Largest pointer file, by the same: less than 1024 bytes.
pub(crate) const LFS_MAX_BYTES: u64 = 1023;
/// Longest target of a symbolic link that is shown.
const LINK_MAX_BYTES: u64 = 4096;

/// Directories that a listing may pass for each file it returns, so that a tree of empty directories ends.
const DIRECTORIES_PER_ENTRY: usize = 4;

/// A file of a tree whose content was not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundFile {
    pub(crate) kind: TreeEntryKind,
    pub(crate) blob: BlobId,
    /// Size in bytes; zero for a submodule, which has no content here.
    pub(crate) size_bytes: u64,
}

impl FoundFile {
    /// What can be said without the content; `None` when it has to be read.
    pub(crate) fn unread(&self, max_bytes: u64) -> Option<FileContent> {
        let max_bytes = if self.kind == TreeEntryKind::Symlink { LINK_MAX_BYTES } else { max_bytes };
        match self.kind {
            TreeEntryKind::Submodule => Some(FileContent::Submodule),
            _ if self.size_bytes > max_bytes => Some(FileContent::TooLarge { size_bytes: self.size_bytes }),
            _ => None,
        }
    }

    /// What the content is.
    pub(crate) fn read(self, bytes: &[u8]) -> FileContent {
        if self.kind == TreeEntryKind::Symlink {
            return FileContent::Symlink { target: String::from_utf8_lossy(bytes).into_owned() };
        }
        if is_lfs_pointer(bytes) {
            return FileContent::LfsPointer;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if !bytes.contains(&0) => FileContent::Text {
                text: Arc::from(text),
                blob: self.blob,
                executable: self.kind == TreeEntryKind::Executable,
            },
            _ => FileContent::Binary { size_bytes: self.size_bytes },
        }
    }
}

/// Reads a file at a commit.
pub(crate) fn read_file(
    repository: &GitRepository,
    commit: &CommitId,
    path: &RepoPath,
    max_bytes: u64,
) -> Result<FileContent, VcsError> {
    let missing = || VcsError::FileNotFound { path: path.clone(), commit: commit.clone() };
    let mut tree = repository.tree(commit)?;
    let (parents, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
    for parent in parents.split('/').filter(|parent| !parent.is_empty()) {
        let entry = tree.get_name(parent).filter(|entry| kind(entry).is_none()).ok_or_else(missing)?;
        let oid = entry.id();
        drop(entry);
        tree = repository.directory(oid)?;
    }
    let entry = tree.get_name(name).ok_or_else(missing)?;
    let kind = kind(&entry).ok_or_else(missing)?;
    let size_bytes = if kind == TreeEntryKind::Submodule { 0 } else { blob_size(repository, entry.id())? };
    let found = FoundFile { kind, blob: blob_id(entry.id())?, size_bytes };
    if let Some(content) = found.unread(max_bytes) {
        return Ok(content);
    }
    let blob =
        repository.git().find_blob(entry.id()).map_err(|error| repository.fail("reading a file", error))?;
    Ok(found.read(blob.content()))
}

/// Whether a file is a pointer to content that Git LFS keeps elsewhere.
pub(crate) fn holds_lfs_pointer(repository: &GitRepository, oid: Oid) -> Result<bool, VcsError> {
    if blob_size(repository, oid)? > LFS_MAX_BYTES {
        return Ok(false);
    }
    let blob = repository.git().find_blob(oid).map_err(|error| repository.fail("reading a file", error))?;
    Ok(is_lfs_pointer(blob.content()))
}

/// Whether these bytes are such a pointer.
pub(crate) fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.len() as u64 <= LFS_MAX_BYTES
        && LFS_HEADERS.iter().any(|header| bytes.starts_with(header.as_bytes()))
}

/// Lists the files of a commit.
pub(crate) fn list_tree(
    repository: &GitRepository,
    commit: &CommitId,
    max_entries: usize,
    stop: &Stop,
) -> Result<Tree, VcsError> {
    let root = repository.tree(commit)?.id();
    let mut entries = Vec::new();
    let limit = max_entries.saturating_mul(1 + DIRECTORIES_PER_ENTRY).saturating_add(1000);
    let walked = walk(repository, root, limit, stop, &mut |met| {
        let Met::Entry { path, kind, oid } = met else { return Ok(Next::Continue) };
        if entries.len() == max_entries {
            return Ok(Next::Finish);
        }
        let is_file = matches!(kind, TreeEntryKind::File | TreeEntryKind::Executable);
        let size_bytes = is_file.then(|| blob_size(repository, oid)).transpose()?;
        entries.push(TreeEntry { path, kind, blob: blob_id(oid)?, size_bytes });
        Ok(Next::Continue)
    })?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Tree { entries, truncated: walked.truncated, unusable_paths: walked.unusable })
}

/// The size of a file without reading it.
pub(crate) fn blob_size(repository: &GitRepository, oid: Oid) -> Result<u64, VcsError> {
    let fail = |error| repository.fail("reading a file", error);
    let (size, kind) = repository.git().odb().and_then(|odb| odb.read_header(oid)).map_err(fail)?;
    if kind != ObjectType::Blob {
        let reason = format!("{oid} should be a file but is a {kind}; run `git fsck`");
        return Err(VcsError::Unreadable { url: repository.url().clone(), reason });
    }
    Ok(size as u64)
}

/// The id of a file's content as core names it.
pub(crate) fn blob_id(oid: Oid) -> Result<BlobId, VcsError> {
    BlobId::new(oid.to_string()).map_err(|error| error::backend("naming a file", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_44_pointers_of_every_version_are_told_from_other_files() {
        let rest = "oid sha256:4d7a\nsize 1\n";
        for header in LFS_HEADERS {
            for end in ["\n", "\r\n"] {
                assert!(is_lfs_pointer(format!("{header}1{end}{rest}").as_bytes()), "{header}");
            }
        }
        let long = format!("{}1\n{rest}{}", LFS_HEADERS[0], " ".repeat(1024));
        for other in [long.as_str(), "version 1\n", "", " version https://git-lfs.github.com/spec/v1\n"] {
            assert!(!is_lfs_pointer(other.as_bytes()), "{other:?}");
        }
    }
}
