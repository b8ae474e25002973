//! Writing the files of a commit into a directory, byte for byte as git stores them.
//!
//! No attribute, filter, hook or line-end setting is looked at. Symbolic links are written as links but never followed:
//! every directory is made new, every file is created exclusively, so no entry of a crafted tree can lead a later one
//! out of the directory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use git2::Oid;
use staso_core::code::RepoPath;
use staso_core::vcs::{TreeEntryKind, VcsError};

use super::read::blob_size;
use super::repository::GitRepository;
use super::walk::{Met, Next, walk};
use crate::blocking::Stop;
use crate::limits::GitLimits;
use crate::{error, platform};

/// As in a clone, whatever the umask of the host says: commands of a session see them.
const DIRECTORY_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
const EXECUTABLE_MODE: u32 = 0o755;
/// What a name, and every begun block of a file, takes of the disk.
const BLOCK_BYTES: u64 = 4096;
/// Longest target that Linux takes for a symbolic link.
const LINK_MAX_BYTES: u64 = 4095;

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// What files, links and directories take of the disk, about.
    pub(crate) disk_bytes: u64,
    /// Entries that were left out because no path or link can express them safely.
    pub(crate) unusable: usize,
}

struct Writer<'a> {
    repository: &'a GitRepository,
    root: &'a Path,
    limits: &'a GitLimits,
    directories: Vec<PathBuf>,
    written: Written,
}

/// Writes the tree into the new directory `root`.
pub(crate) fn write_tree(
    repository: &GitRepository,
    tree: Oid,
    root: &Path,
    limits: &GitLimits,
    stop: &Stop,
) -> Result<Written, VcsError> {
    let mut writer =
        Writer { repository, root, limits, directories: Vec::new(), written: Written::default() };
    writer.directory(root.to_owned())?;
    let walked = walk(repository, tree, limits.checkout_entries, stop, &mut |met| {
        writer.meet(met).map(|()| Next::Continue)
    })?;
    if walked.truncated {
        return Err(too_large("the number of files", format!("{} files", limits.checkout_entries)));
    }
    writer.seal()?;
    writer.written.unusable += walked.unusable;
    Ok(writer.written)
}

impl<'a> Writer<'a> {
    fn meet(&mut self, met: Met) -> Result<(), VcsError> {
        match met {
            Met::Directory(path) => self.directory(self.root.join(path.as_str())),
            // A submodule is an empty directory, as in a clone that does not recurse.
            Met::Entry { path, kind: TreeEntryKind::Submodule, .. } => {
                self.directory(self.root.join(path.as_str()))
            }
            Met::Entry { path, kind: TreeEntryKind::Symlink, oid } => self.link(&path, oid),
            Met::Entry { path, kind: TreeEntryKind::Executable, oid } => {
                self.file(&path, oid, EXECUTABLE_MODE)
            }
            Met::Entry { path, kind: TreeEntryKind::File, oid } => self.file(&path, oid, FILE_MODE),
        }
    }

    fn directory(&mut self, path: PathBuf) -> Result<(), VcsError> {
        platform::make_directory(&path, 0o700).map_err(|error| self.fail(&path, error))?;
        self.directories.push(path);
        self.takes(0);
        Ok(())
    }

    fn file(&mut self, path: &RepoPath, oid: Oid, mode: u32) -> Result<(), VcsError> {
        let content = self.content(path, oid, self.limits.file_bytes)?;
        let path = self.root.join(path.as_str());
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = platform::with_mode(options.write(true).create_new(true), mode).open(&path)?;
            file.write_all(content.content())?;
            platform::set_file_mode(&file, mode)
        };
        write().map_err(|error| self.fail(&path, error))
    }

    fn link(&mut self, path: &RepoPath, oid: Oid) -> Result<(), VcsError> {
        let target = self.content(path, oid, LINK_MAX_BYTES)?;
        let target = target.content();
        if target.is_empty() || target.contains(&0) {
            self.written.unusable += 1;
            return Ok(());
        }
        let path = self.root.join(path.as_str());
        platform::link(target, &path).map_err(|error| self.fail(&path, error))
    }

    /// Sizes are checked before anything is unpacked: a few bytes can claim gigabytes.
    fn content(&mut self, path: &RepoPath, oid: Oid, limit: u64) -> Result<git2::Blob<'a>, VcsError> {
        let size = blob_size(self.repository, oid)?;
        if size > limit {
            return Err(too_large(path.as_str(), format!("{limit} bytes")));
        }
        self.takes(size);
        self.written.bytes = self.written.bytes.saturating_add(size);
        if self.written.bytes > self.limits.checkout_bytes {
            return Err(too_large("the checkout", format!("{} bytes", self.limits.checkout_bytes)));
        }
        self.repository.git().find_blob(oid).map_err(|error| self.repository.fail("reading a file", error))
    }

    /// Counts something with this many bytes of content.
    fn takes(&mut self, bytes: u64) {
        self.written.disk_bytes = self.written.disk_bytes.saturating_add(disk_bytes(bytes));
    }

    fn seal(&self) -> Result<(), VcsError> {
        for directory in self.directories.iter().rev() {
            platform::set_mode(directory, DIRECTORY_MODE).map_err(|error| self.fail(directory, error))?;
        }
        Ok(())
    }

    fn fail(&self, path: &Path, error: io::Error) -> VcsError {
        if error.kind() != io::ErrorKind::AlreadyExists {
            return error::backend("writing a checkout", error);
        }
        let name = path.strip_prefix(self.root).unwrap_or(path).display();
        let reason = format!("two entries of its tree have the name {name} on this file system");
        VcsError::Unreadable { url: self.repository.url().clone(), reason }
    }
}

/// What a name and this many bytes of content take of the disk, about.
pub(super) const fn disk_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES).saturating_add(1).saturating_mul(BLOCK_BYTES)
}

fn too_large(what: &str, limit: String) -> VcsError {
    VcsError::TooLarge { what: what.to_owned(), limit }
}

/// Removes a directory tree; parts of it may be closed to its owner. Links in it are removed, not followed.
pub(crate) fn remove_tree(root: &Path) -> io::Result<()> {
    match make_writable(root).and_then(|()| fs::remove_dir_all(root)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn make_writable(root: &Path) -> io::Result<()> {
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        platform::set_mode(&directory, 0o700)?;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    Ok(())
}
