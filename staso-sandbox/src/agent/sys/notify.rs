//! System calls that a filter hands to another process, which answers in the kernel's place.

use std::ffi::{CStr, c_int, c_long, c_uint, c_ulong, c_void};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use super::{Result, check, fd, ioctl, number, syscall, unit};

const RECEIVE: c_ulong = 0xc050_2100;
const SEND: c_ulong = 0xc018_2101;
const IS_VALID: c_ulong = 0x4008_2102;

/// As the kernel's `struct seccomp_notif`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Call {
    id: u64,
    /// The thread that waits.
    pub(crate) thread: u32,
    flags: u32,
    /// The system call.
    pub(crate) number: c_int,
    arch: u32,
    instruction: u64,
    pub(crate) arguments: [u64; 6],
}

/// As the kernel's `struct seccomp_notif_resp`.
#[repr(C)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// Installs a filter; what it hands over arrives at the descriptor.
pub(crate) fn install(program: &[u64]) -> Result<OwnedFd> {
    const SET_MODE_FILTER: c_uint = 1;
    const NEW_LISTENER: c_ulong = 8;
    let program = super::privilege::FilterProgram::new(program)?;
    // SAFETY: the program is as long as said and lives through the call.
    fd(unsafe { syscall(number::SECCOMP, SET_MODE_FILTER, NEW_LISTENER, &raw const program) })
}

/// The next call that waits; `None` when whoever made it is gone.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> Option<Call> {
    let mut call = Call::default();
    // SAFETY: the structure is zeroed and has the kernel's size.
    unit(unsafe { ioctl(listener.as_raw_fd(), RECEIVE, &raw mut call) }).ok().map(|()| call)
}

/// Whether the thread still waits: only then is what was found by its number its own.
pub(crate) fn still_waits(listener: BorrowedFd<'_>, call: &Call) -> bool {
    // SAFETY: the id lives through the call.
    unit(unsafe { ioctl(listener.as_raw_fd(), IS_VALID, &raw const call.id) }).is_ok()
}

/// Lets the call return.
pub(crate) fn answer(listener: BorrowedFd<'_>, call: &Call, result: Result<()>) {
    let error = result.err().map_or(0, |errno| -errno.0);
    let answer = Answer { id: call.id, value: 0, error, flags: 0 };
    // SAFETY: the structure lives through the call. One who was killed meanwhile needs no answer.
    let _ = unit(unsafe { ioctl(listener.as_raw_fd(), SEND, &raw const answer) });
}

/// Sets access and modification time of an open file, or of the link itself.
pub(crate) fn set_times(file: BorrowedFd<'_>, times: Option<[i64; 4]>) -> Result<()> {
    const EMPTY_PATH: c_int = 0x1000;
    let times = times.as_ref().map_or(std::ptr::null(), |times| times.as_ptr().cast::<c_void>());
    // SAFETY: the times are two pairs of 64-bit integers, or none, and live through the call.
    check(unsafe { syscall(number::UTIMENSAT as c_long, file.as_raw_fd(), c"".as_ptr(), times, EMPTY_PATH) })
        .map(|_| ())
}

/// Opens a path only to know what it is. Follows links, but not those that lead to open files.
pub(crate) fn find(directory: BorrowedFd<'_>, path: &CStr, follow: bool) -> Result<OwnedFd> {
    const PATH_CLOEXEC: u64 = 0o12_000_000;
    #[cfg(target_arch = "x86_64")]
    const NOFOLLOW: u64 = 0o400_000;
    #[cfg(target_arch = "aarch64")]
    const NOFOLLOW: u64 = 0o100_000;
    const NO_MAGICLINKS: u64 = 2;
    let flags = PATH_CLOEXEC | if follow { 0 } else { NOFOLLOW };
    let how: [u64; 3] = [flags, 0, NO_MAGICLINKS];
    // SAFETY: path and structure live through the call.
    fd(unsafe {
        syscall(super::SYS_OPENAT2, directory.as_raw_fd(), path.as_ptr(), how.as_ptr(), size_of_val(&how))
    })
}

/// A pointer of another process that is none.
pub(crate) const NO_POINTER: u64 = 0;
