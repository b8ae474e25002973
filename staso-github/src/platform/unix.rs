//! Linux, macOS and their relatives.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink,
};
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// Makes a new directory with this mode, as far as the umask allows.
pub(crate) fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().mode(mode).create(path)
}

/// The mode of a file that is made, as far as the umask allows.
pub(crate) fn with_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    options.mode(mode)
}

/// Sets the mode of what is at the path, whatever the umask says.
pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// The same for an open file.
pub(crate) fn set_file_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// Lets nobody but its owner into a directory.
pub(crate) fn close_to_others(directory: &Path) -> io::Result<()> {
    match fs::metadata(directory)?.mode() & 0o077 {
        0 => Ok(()),
        _ => set_mode(directory, 0o700),
    }
}

/// Makes a symbolic link. Its target need not be there.
pub(crate) fn link(target: &[u8], path: &Path) -> io::Result<()> {
    symlink(OsStr::from_bytes(target), path)
}

/// Whether both are about one file.
pub(crate) fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    one.dev() == other.dev() && one.ino() == other.ino()
}

/// What differs when a file was changed, replaced or given to somebody. The kernel sets the time of the last change of
/// metadata by itself, whatever other times are set.
pub(crate) fn signs_of_change(file: &Metadata) -> [i128; 8] {
    let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()].map(i128::from);
    let [modified, modified_ns, changed, changed_ns] = times;
    let (mode, owner) = (file.mode().into(), file.uid().into());
    [mode, owner, file.ino().into(), file.size().into(), modified, modified_ns, changed, changed_ns]
}

/// Whether this process may and should write into the directory: nobody, root included, does where all write bits are
/// off.
pub(crate) fn is_writable(directory: &Path) -> bool {
    let bits = fs::metadata(directory).map_or(0, |found| found.mode());
    bits & 0o222 != 0 && access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// The stranger whom the path belongs to, when this process is root and could write there all the same.
pub(crate) fn foreign_owner(path: &Path) -> Option<u32> {
    let owner = fs::metadata(path).map_or(0, |found| found.uid());
    (rustix::process::geteuid().is_root() && owner != 0).then_some(owner)
}

/// Makes the command lead a group of processes that [`kill_tree`] ends.
pub(crate) fn lead_tree(command: &mut Command) {
    command.process_group(0);
}

/// Kills a child with everything it started.
pub(crate) fn kill_tree(child: &mut Child) -> io::Result<()> {
    // A child that was waited for has no id any more, so the number cannot belong to a stranger.
    let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    leader.map_or(Ok(()), |leader| Ok(kill_process_group(leader, Signal::KILL)?))
}
