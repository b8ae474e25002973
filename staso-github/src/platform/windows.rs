//! Windows: files have no modes but one attribute, links need a right, processes have no groups.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt as _, symlink_file};
use std::path::Path;

use tokio::process::{Child, Command};

/// Any bit that lets somebody write.
const WRITE: u32 = 0o222;

/// Makes a new directory. Who may enter it is what the one above says.
pub(crate) fn make_directory(path: &Path, _mode: u32) -> io::Result<()> {
    DirBuilder::new().create(path)
}

/// Nothing: a file is made with the rights that its directory hands down.
pub(crate) const fn with_mode(options: &mut OpenOptions, _mode: u32) -> &mut OpenOptions {
    options
}

/// Makes a file read-only when the mode lets nobody write, else writable. The attribute means nothing on a directory.
pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Ok(());
    }
    let mut permissions = found.permissions();
    permissions.set_readonly(mode & WRITE == 0);
    fs::set_permissions(path, permissions)
}

/// The same for an open file.
pub(crate) fn set_file_mode(file: &File, mode: u32) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(mode & WRITE == 0);
    file.set_permissions(permissions)
}

/// Nothing: who may enter a directory is what the one above says.
pub(crate) const fn close_to_others(_directory: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes a symbolic link to a file. Windows allows it to administrators and in developer mode.
pub(crate) fn link(target: &[u8], path: &Path) -> io::Result<()> {
    let target = std::str::from_utf8(target)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidFilename, "the target of a link is not Unicode"))?;
    symlink_file(target, path)
}

/// Whether both are about one file, as far as their times tell.
pub(crate) fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    one.creation_time() == other.creation_time() && one.file_size() == other.file_size()
}

/// What differs when a file was changed or replaced, as far as it is told without opening it: who sets the times back
/// after a change of the same size is not found out.
pub(crate) fn signs_of_change(file: &Metadata) -> [i128; 4] {
    let (made, written) = (file.creation_time().into(), file.last_write_time().into());
    [file.file_attributes().into(), file.file_size().into(), made, written]
}

/// Whether the directory is there and not marked as read-only. Whether its rights allow writing shows when it is tried.
pub(crate) fn is_writable(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|found| !found.permissions().readonly())
}

/// None: no user writes where the rights of a directory do not allow it.
pub(crate) const fn foreign_owner(_path: &Path) -> Option<u32> {
    None
}

/// Nothing: [`kill_tree`] ends the child alone.
pub(crate) const fn lead_tree(_command: &mut Command) {}

/// Kills a child. What it started notices that its pipes are closed.
pub(crate) fn kill_tree(child: &mut Child) -> io::Result<()> {
    child.start_kill()
}
