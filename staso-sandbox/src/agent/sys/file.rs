//! Files opened without following anything, and what they are.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use super::{
    Errno, Result, SYS_OPENAT2, check, fchmod, fd, fgetxattr, mkdirat, mmap, munmap, number, readlinkat,
    setxattr, statx, symlinkat, syscall, umask, unit,
};

pub(crate) const O_RDONLY: u64 = 0;
pub(crate) const O_WRONLY: u64 = 1;
pub(crate) const O_RDWR: u64 = 2;
pub(crate) const O_CREAT: u64 = 0o100;
pub(crate) const O_EXCL: u64 = 0o200;
pub(crate) const O_PATH: u64 = 0o10_000_000;
pub(crate) const O_NONBLOCK: u64 = 0o4000;
const O_CLOEXEC: u64 = 0o2_000_000;
#[cfg(target_arch = "x86_64")]
pub(crate) const O_DIRECTORY: u64 = 0o200_000;
#[cfg(target_arch = "aarch64")]
pub(crate) const O_DIRECTORY: u64 = 0o40_000;

/// Opens a path below a directory: no link, no `..` out of it, no other mount's magic.
pub(crate) fn open_beneath(dir: BorrowedFd<'_>, path: &CStr, flags: u64, mode: u64) -> Result<OwnedFd> {
    const NO_MAGICLINKS: u64 = 2;
    const NO_SYMLINKS: u64 = 4;
    const BENEATH: u64 = 8;
    const ATTEMPTS: usize = 16;
    let how: [u64; 3] = [flags | O_CLOEXEC, mode, NO_MAGICLINKS | NO_SYMLINKS | BENEATH];
    let mut last = Errno::AGAIN;
    for _ in 0..ATTEMPTS {
        // SAFETY: path and structure live through the call.
        let raw =
            unsafe { syscall(SYS_OPENAT2, dir.as_raw_fd(), path.as_ptr(), how.as_ptr(), size_of_val(&how)) };
        match fd(raw) {
            // The kernel could not rule out a race with a rename: try again.
            Err(Errno::AGAIN) => last = Errno::AGAIN,
            Err(Errno::INTR) => last = Errno::INTR,
            other => return other,
        }
    }
    Err(last)
}

/// Makes a directory; one that is there already is fine.
pub(crate) fn make_dir(dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    // SAFETY: the name is a C string.
    match unit(unsafe { mkdirat(dir.as_raw_fd(), name.as_ptr(), 0o755) }) {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

/// Makes a symbolic link.
pub(crate) fn make_link(target: &CStr, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    // SAFETY: both are C strings.
    unit(unsafe { symlinkat(target.as_ptr(), dir.as_raw_fd(), name.as_ptr()) })
}

/// Sets the mode of an open file.
pub(crate) fn set_mode(file: BorrowedFd<'_>, mode: u32) -> Result<()> {
    // SAFETY: takes no pointers.
    unit(unsafe { fchmod(file.as_raw_fd(), mode) })
}

/// Sets the bits that new files do not get.
pub(crate) fn set_umask(mask: u32) {
    // SAFETY: takes no pointers.
    unsafe { umask(mask) };
}

/// Where a link points.
pub(crate) fn read_link(dir: BorrowedFd<'_>, name: &CStr) -> Result<Vec<u8>> {
    let mut target = vec![0u8; 4096];
    // SAFETY: the buffer is as long as said.
    let count =
        unsafe { readlinkat(dir.as_raw_fd(), name.as_ptr(), target.as_mut_ptr().cast(), target.len()) };
    target.truncate(usize::try_from(count).map_err(|_| Errno::last())?);
    Ok(target)
}

/// The value of an extended attribute, at most 16 bytes.
pub(crate) fn attribute(file: BorrowedFd<'_>, name: &CStr) -> Option<Vec<u8>> {
    let mut value = vec![0u8; 16];
    // SAFETY: the buffer is as long as said.
    let count = unsafe { fgetxattr(file.as_raw_fd(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    value.truncate(usize::try_from(count).ok()?);
    Some(value)
}

/// Sets an extended attribute.
pub(crate) fn set_attribute(path: &CStr, name: &CStr, value: &[u8]) -> Result<()> {
    // SAFETY: the value is as long as said.
    unit(unsafe { setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) })
}

/// The first byte of a file in memory that is the file's own, so that writing needs no call.
#[derive(Debug)]
pub(crate) struct Mapped(*mut u8);

impl Mapped {
    const BYTES: usize = 1;

    /// Maps a file that is open for reading and writing and is not empty, and reads the byte, which brings it into memory.
    pub(crate) fn new(file: BorrowedFd<'_>) -> Result<Self> {
        const READ_WRITE: c_int = 3;
        const SHARED: c_int = 1;
        let (anywhere, file) = (std::ptr::null_mut(), file.as_raw_fd());
        // SAFETY: the kernel chooses the place, so that nothing else is there.
        let place = unsafe { mmap(anywhere, Self::BYTES, READ_WRITE, SHARED, file, 0) };
        if place.addr() == usize::MAX {
            return Err(Errno::last());
        }
        let mapped = Self(place.cast());
        // SAFETY: it is mapped for as long as the value lives.
        unsafe { mapped.0.read_volatile() };
        Ok(mapped)
    }

    /// Writes the byte.
    pub(crate) fn write(&mut self, byte: u8) {
        // SAFETY: as above, and nobody else has the place.
        unsafe { self.0.write_volatile(byte) };
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the place was mapped with this size and is not used any more.
        unsafe { munmap(self.0.cast::<c_void>(), Self::BYTES) };
    }
}

/// As the kernel's `struct statx`.
#[repr(C)]
pub(super) struct Statx {
    mask: u32,
    block_size: u32,
    attributes: u64,
    links: u32,
    uid: u32,
    gid: u32,
    mode: u16,
    padding: u16,
    inode: u64,
    size: u64,
    blocks: u64,
    attributes_mask: u64,
    times: [u64; 8],
    rdev_major: u32,
    rdev_minor: u32,
    rest: [u64; 15],
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    Directory,
    Symlink,
    /// The mark of an overlay for "deleted": a character device 0/0.
    Whiteout,
    Special,
}

/// What is known of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stat {
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    pub(crate) size: u64,
    /// What it takes of the disk.
    pub(crate) disk_bytes: u64,
    /// Which file, and when anything about it was last changed: nobody but the kernel sets that time.
    pub(crate) stamp: Stamp,
}

/// A file at a moment: its number, and seconds and nanoseconds of its last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) changed: (u64, u64),
    pub(crate) inode: u64,
}

/// Looks at a name in a directory without following it, or at the directory itself when the name is empty.
pub(crate) fn stat_at(dir: BorrowedFd<'_>, name: &CStr) -> Result<Stat> {
    const BASIC: c_uint = 0x7ff;
    const EMPTY_PATH: c_int = 0x1000;
    const AT_SYMLINK_NOFOLLOW: c_int = 0x100;
    let mut stat = std::mem::MaybeUninit::<Statx>::zeroed();
    // SAFETY: the name is a C string and the structure has the kernel's size.
    unit(unsafe {
        statx(dir.as_raw_fd(), name.as_ptr(), AT_SYMLINK_NOFOLLOW | EMPTY_PATH, BASIC, stat.as_mut_ptr())
    })?;
    // SAFETY: zeroed integers are valid, and the kernel filled them.
    let stat = unsafe { stat.assume_init() };
    let kind = match stat.mode & 0o170_000 {
        0o100_000 => Kind::Regular,
        0o040_000 => Kind::Directory,
        0o120_000 => Kind::Symlink,
        0o020_000 if (stat.rdev_major, stat.rdev_minor) == (0, 0) => Kind::Whiteout,
        _ => Kind::Special,
    };
    // Access, birth, change, modification: each the seconds, then the nanoseconds in the lower half.
    let [_, _, _, _, seconds, nanoseconds, ..] = stat.times;
    let stamp = Stamp { changed: (seconds, nanoseconds & 0xffff_ffff), inode: stat.inode };
    let disk_bytes = stat.blocks.saturating_mul(512);
    Ok(Stat { kind, mode: u32::from(stat.mode), size: stat.size, disk_bytes, stamp })
}

/// The names in an open directory, sorted, at most `most`.
pub(crate) fn list_dir(dir: BorrowedFd<'_>, most: usize) -> Result<Vec<Vec<u8>>> {
    Ok(list_entries(dir, most)?.into_iter().map(|(name, _)| name).collect())
}

/// The names in an open directory, sorted, at most `most`, and what each is as far as the directory itself tells.
pub(crate) fn list_entries(dir: BorrowedFd<'_>, most: usize) -> Result<Vec<(Vec<u8>, Option<Kind>)>> {
    let mut names = Vec::new();
    let mut buffer = vec![0u8; 32 << 10];
    loop {
        // SAFETY: the buffer is as long as said.
        let count = check(unsafe {
            syscall(number::GETDENTS64, dir.as_raw_fd(), buffer.as_mut_ptr(), buffer.len())
        })?;
        let count = usize::try_from(count).map_err(|_| Errno::INVAL)?;
        if count == 0 {
            names.sort_unstable_by(|(one, _): &(Vec<u8>, _), (other, _)| one.cmp(other));
            return Ok(names);
        }
        let mut entries = buffer.get(..count).unwrap_or_default();
        while let Some(length) = entries.get(16..18).and_then(|two| two.try_into().ok()) {
            let length = usize::from(u16::from_le_bytes(length));
            let Some((entry, rest)) = entries.split_at_checked(length).filter(|_| length > 19) else { break };
            let name =
                entry.get(19..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
            if name != b"." && name != b".." {
                names.push((name.to_vec(), entry.get(18).copied().and_then(listed_kind)));
            }
            entries = rest;
        }
        if names.len() > most {
            return Err(Errno::OVERFLOW);
        }
    }
}

/// The kind behind the type of a directory entry, when it settles it: not every file system tells, and a character device
/// may be a whiteout.
const fn listed_kind(entry_type: u8) -> Option<Kind> {
    match entry_type {
        4 => Some(Kind::Directory),
        8 => Some(Kind::Regular),
        10 => Some(Kind::Symlink),
        _ => None,
    }
}
