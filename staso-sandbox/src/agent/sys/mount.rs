//! Mounts, and the root made of them.

use std::ffi::{CStr, c_int, c_uint, c_ulong};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use super::{
    AT_FDCWD, Errno, Result, SYS_MOUNT_SETATTR, SYS_MOVE_MOUNT, SYS_OPEN_TREE, check, fd, mount, number,
    syscall, umount2, unit,
};

const OPEN_TREE_CLONE: c_uint = 1;
const OPEN_TREE_CLOEXEC: c_uint = 0o2_000_000;
const AT_EMPTY_PATH: c_uint = 0x1000;
const AT_RECURSIVE: c_uint = 0x8000;

/// A detached copy of the mount at `path`, with the mounts below it when `recursive`.
pub(crate) fn open_tree(path: &CStr, recursive: bool) -> Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a C string that lives through the call.
    fd(unsafe { syscall(SYS_OPEN_TREE, AT_FDCWD, path.as_ptr(), flags) })
}

/// Attaches a detached mount.
pub(crate) fn move_mount(tree: BorrowedFd<'_>, target: &CStr) -> Result<()> {
    const FROM_EMPTY_PATH: c_uint = 4;
    // SAFETY: the paths are C strings that live through the call.
    check(unsafe {
        syscall(SYS_MOVE_MOUNT, tree.as_raw_fd(), c"".as_ptr(), AT_FDCWD, target.as_ptr(), FROM_EMPTY_PATH)
    })
    .map(|_| ())
}

pub(crate) const MOUNT_RDONLY: u64 = 1;
pub(crate) const MOUNT_NOSUID: u64 = 2;
pub(crate) const MOUNT_NODEV: u64 = 4;
pub(crate) const MOUNT_NOEXEC: u64 = 8;
pub(crate) const MOUNT_IDMAP: u64 = 0x0010_0000;

/// Sets attributes of a mount; with [`MOUNT_IDMAP`], `users` is the namespace that maps owners.
pub(crate) fn mount_setattr(
    tree: BorrowedFd<'_>,
    set: u64,
    recursive: bool,
    users: Option<BorrowedFd<'_>>,
) -> Result<()> {
    let users = users.map_or(0, |fd| u64::try_from(fd.as_raw_fd()).unwrap_or(0));
    let attributes: [u64; 4] = [set, 0, 0, users];
    let flags = AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the attribute structure is four 64-bit integers and lives through the call.
    check(unsafe {
        syscall(
            SYS_MOUNT_SETATTR,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    })
    .map(|_| ())
}

/// Mounts a file system.
pub(crate) fn mount_fs(kind: &CStr, target: &CStr, flags: c_ulong, data: &CStr) -> Result<()> {
    // SAFETY: all pointers are C strings that live through the call.
    unit(unsafe { mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast()) })
}

pub(crate) const MS_NOSUID: c_ulong = 2;
pub(crate) const MS_NODEV: c_ulong = 4;
pub(crate) const MS_NOEXEC: c_ulong = 8;

/// Keeps mounts of this namespace from reaching any other.
pub(crate) fn make_private() -> Result<()> {
    const MS_REC_PRIVATE: c_ulong = 0x4000 | (1 << 18);
    // SAFETY: the kernel ignores the other arguments for a propagation change.
    unit(unsafe { mount(c"".as_ptr(), c"/".as_ptr(), c"".as_ptr(), MS_REC_PRIVATE, std::ptr::null()) })
}

/// Makes the working directory the root and forgets the old one.
pub(crate) fn pivot_here() -> Result<()> {
    const MNT_DETACH: c_int = 2;
    // SAFETY: the paths are C strings.
    check(unsafe { syscall(number::PIVOT_ROOT, c".".as_ptr(), c".".as_ptr()) })?;
    // SAFETY: the path is a C string. The old root lies on top of the new one and is taken away.
    unit(unsafe { umount2(c".".as_ptr(), MNT_DETACH) })?;
    std::env::set_current_dir("/").map_err(Errno::from)
}
