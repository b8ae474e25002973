//! System calls that the standard library does not offer, each turned into a `Result` with the error number.
//!
//! The helper has no dependencies, so the few C functions and numbers it needs are declared here.

mod file;
pub(crate) mod landlock;
mod message;
mod mount;
mod network;
pub(crate) mod notify;
mod privilege;

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

pub(crate) use file::{
    Kind, O_CREAT, O_DIRECTORY, O_EXCL, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY, Stamp, Stat, attribute,
    list_dir, list_entries, make_dir, make_link, open_beneath, read_link, set_attribute, set_mode, set_umask,
    stat_at,
};
pub(crate) use message::{receive_with_fds, send_with_fds, socket_pair};
pub(crate) use mount::{
    MOUNT_IDMAP, MOUNT_NODEV, MOUNT_NOEXEC, MOUNT_NOSUID, MOUNT_RDONLY, MS_NODEV, MS_NOEXEC, MS_NOSUID,
    make_private, mount_fs, mount_setattr, move_mount, open_tree, pivot_here,
};
pub(crate) use network::{enter_network, loopback_up, new_network};
pub(crate) use privilege::{
    adopt_orphans, become_user, die_with_parent, drop_bounding_set, drop_capabilities, drop_groups,
    install_filter, keep_capabilities, keep_reading, new_keyring, no_new_privileges, set_dumpable, set_limit,
};

use file::Statx;
use message::Message;

/// The number of a failed system call's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

impl Errno {
    pub(crate) const PERM: Self = Self(1);
    pub(crate) const NOENT: Self = Self(2);
    pub(crate) const INTR: Self = Self(4);
    pub(crate) const BADF: Self = Self(9);
    pub(crate) const CHILD: Self = Self(10);
    pub(crate) const AGAIN: Self = Self(11);
    pub(crate) const EXIST: Self = Self(17);
    pub(crate) const XDEV: Self = Self(18);
    pub(crate) const NOTDIR: Self = Self(20);
    pub(crate) const ISDIR: Self = Self(21);
    pub(crate) const INVAL: Self = Self(22);
    pub(crate) const NXIO: Self = Self(6);
    pub(crate) const FBIG: Self = Self(27);
    pub(crate) const NAMETOOLONG: Self = Self(36);
    pub(crate) const NOSYS: Self = Self(38);
    pub(crate) const LOOP: Self = Self(40);
    pub(crate) const NOTSUP: Self = Self(95);

    /// The error of the last failed call.
    pub(crate) fn last() -> Self {
        Self(io::Error::last_os_error().raw_os_error().unwrap_or(Self::INVAL.0))
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(Self::INVAL.0))
    }
}

pub(crate) type Result<T> = std::result::Result<T, Errno>;

// The numbers below are the same on every architecture (asm-generic table, at or above 424), or given per
// architecture.
const AT_FDCWD: c_int = -100;
const SYS_PIDFD_OPEN: c_long = 434;
const SYS_OPEN_TREE: c_long = 428;
const SYS_MOVE_MOUNT: c_long = 429;
const SYS_CLOSE_RANGE: c_long = 436;
const SYS_OPENAT2: c_long = 437;
const SYS_MOUNT_SETATTR: c_long = 442;
pub(crate) const SYS_FCHMODAT2: c_long = 452;

#[cfg(target_arch = "x86_64")]
pub(crate) mod number {
    use std::ffi::c_long;
    pub(super) const CLONE: c_long = 56;
    pub(super) const PIVOT_ROOT: c_long = 155;
    pub(super) const CAPSET: c_long = 126;
    pub(super) const GETDENTS64: c_long = 217;
    pub(super) const KEYCTL: c_long = 250;
    pub(super) const SETGROUPS: c_long = 116;
    pub(super) const SETRESUID: c_long = 117;
    pub(super) const SETRESGID: c_long = 119;
    pub(super) const SECCOMP: c_long = 317;
    pub(super) const PRLIMIT64: c_long = 302;
    pub(crate) const CHMOD: c_long = 90;
    pub(crate) const FCHMOD: c_long = 91;
    pub(crate) const FCHMODAT: c_long = 268;
    pub(crate) const UTIMENSAT: c_long = 280;
}

#[cfg(target_arch = "aarch64")]
pub(crate) mod number {
    use std::ffi::c_long;
    pub(super) const CLONE: c_long = 220;
    pub(super) const PIVOT_ROOT: c_long = 41;
    pub(super) const CAPSET: c_long = 91;
    pub(super) const GETDENTS64: c_long = 61;
    pub(super) const KEYCTL: c_long = 219;
    pub(super) const SETGROUPS: c_long = 159;
    pub(super) const SETRESUID: c_long = 147;
    pub(super) const SETRESGID: c_long = 149;
    pub(super) const SECCOMP: c_long = 277;
    pub(super) const PRLIMIT64: c_long = 261;
    pub(crate) const FCHMOD: c_long = 52;
    pub(crate) const FCHMODAT: c_long = 53;
    pub(crate) const UTIMENSAT: c_long = 88;
}

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn mount(
        source: *const c_char,
        target: *const c_char,
        kind: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
    fn umount2(target: *const c_char, flags: c_int) -> c_int;
    fn prctl(option: c_int, ...) -> c_int;
    fn pipe2(fds: *mut c_int, flags: c_int) -> c_int;
    fn dup2(from: c_int, to: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn setsid() -> c_int;
    fn getppid() -> c_int;
    fn _exit(code: c_int) -> !;
    fn poll(fds: *mut PollFd, count: c_ulong, timeout: c_int) -> c_int;
    fn read(fd: c_int, buffer: *mut c_void, count: usize) -> isize;
    fn write(fd: c_int, buffer: *const c_void, count: usize) -> isize;
    fn execve(path: *const c_char, argv: *const *const c_char, env: *const *const c_char) -> c_int;
    fn unshare(flags: c_int) -> c_int;
    fn setns(fd: c_int, kind: c_int) -> c_int;
    fn sethostname(name: *const c_char, length: usize) -> c_int;
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn sigprocmask(how: c_int, set: *const SignalSet, old: *mut SignalSet) -> c_int;
    fn signalfd(fd: c_int, set: *const SignalSet, flags: c_int) -> c_int;
    fn signal(number: c_int, handler: usize) -> usize;
    fn mkdirat(dir: c_int, path: *const c_char, mode: c_uint) -> c_int;
    fn symlinkat(target: *const c_char, dir: c_int, path: *const c_char) -> c_int;
    fn fchmod(fd: c_int, mode: c_uint) -> c_int;
    fn umask(mode: c_uint) -> c_uint;
    fn readlinkat(dir: c_int, path: *const c_char, buffer: *mut c_char, size: usize) -> isize;
    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, fds: *mut c_int) -> c_int;
    fn sendmsg(fd: c_int, message: *const Message, flags: c_int) -> isize;
    fn recvmsg(fd: c_int, message: *mut Message, flags: c_int) -> isize;
    fn statx(dir: c_int, path: *const c_char, flags: c_int, mask: c_uint, into: *mut Statx) -> c_int;
    fn fgetxattr(fd: c_int, name: *const c_char, value: *mut c_void, size: usize) -> isize;
    fn setxattr(
        path: *const c_char,
        name: *const c_char,
        value: *const c_void,
        size: usize,
        flags: c_int,
    ) -> c_int;
}

/// As C's `sigset_t`: 128 bytes in glibc and musl.
#[repr(C, align(8))]
struct SignalSet([u64; 16]);

/// As C's `struct pollfd`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct PollFd {
    pub(crate) fd: c_int,
    pub(crate) events: i16,
    pub(crate) revents: i16,
}

pub(crate) const POLLIN: i16 = 1;
pub(crate) const POLLOUT: i16 = 4;

fn check(result: c_long) -> Result<c_long> {
    if result < 0 { Err(Errno::last()) } else { Ok(result) }
}

fn unit(result: c_int) -> Result<()> {
    check(c_long::from(result)).map(|_| ())
}

fn fd(result: c_long) -> Result<OwnedFd> {
    let raw = RawFd::try_from(check(result)?).map_err(|_| Errno::INVAL)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// `clone` without a new stack: the child continues here, as after `fork`. `Ok(0)` in the child.
pub(crate) fn clone(flags: c_ulong) -> Result<i32> {
    const SIGCHLD: c_ulong = 17;
    // SAFETY: the helper has one thread and shares no memory with the child (no CLONE_VM).
    let pid = check(unsafe { syscall(number::CLONE, flags | SIGCHLD, 0usize, 0usize, 0usize, 0usize) })?;
    i32::try_from(pid).map_err(|_| Errno::INVAL)
}

pub(crate) const CLONE_NEWNS: c_ulong = 0x0002_0000;
pub(crate) const CLONE_NEWCGROUP: c_ulong = 0x0200_0000;
pub(crate) const CLONE_NEWUTS: c_ulong = 0x0400_0000;
pub(crate) const CLONE_NEWIPC: c_ulong = 0x0800_0000;
pub(crate) const CLONE_NEWUSER: c_ulong = 0x1000_0000;
pub(crate) const CLONE_NEWPID: c_ulong = 0x2000_0000;

/// The name that this program was started by, from the list that `main` got.
pub(crate) fn first_argument<'a>(arguments: *const *const c_char) -> Option<&'a CStr> {
    // SAFETY: `main` gets a list that ends with a null pointer, and its strings live as long as the process.
    let first = unsafe { arguments.as_ref() }.copied().filter(|first| !first.is_null())?;
    // SAFETY: as above.
    Some(unsafe { CStr::from_ptr(first) })
}

/// Ends this process without running anything else.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: takes no pointers.
    unsafe { _exit(code) }
}

/// A descriptor that becomes readable when the process ends.
pub(crate) fn pidfd_open(pid: u32) -> Result<OwnedFd> {
    // SAFETY: takes no pointers.
    fd(unsafe { syscall(SYS_PIDFD_OPEN, pid, 0usize) })
}

/// The parent's process number.
pub(crate) fn parent() -> i32 {
    // SAFETY: takes no pointers.
    unsafe { getppid() }
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: u32) {
    // SAFETY: callers own no descriptor at or above `first` that they use afterwards.
    unsafe { syscall(SYS_CLOSE_RANGE, first, u32::MAX, 0usize) };
}

/// A pipe that is closed on exec: reading end, writing end.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    const O_CLOEXEC: c_int = 0o2_000_000;
    let mut fds = [0; 2];
    // SAFETY: the array holds two descriptors.
    unit(unsafe { pipe2(fds.as_mut_ptr(), O_CLOEXEC) })?;
    // SAFETY: the kernel just made both descriptors for us.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Puts copies of `fds` at 0, 1, 2, … and closes everything else. Ownership ends here: the process is about to become
/// something else.
pub(crate) fn place_fds(fds: &[RawFd]) -> Result<()> {
    const F_DUPFD: c_int = 0;
    const ABOVE_ALL_TARGETS: c_int = 64;
    let mut copies = Vec::with_capacity(fds.len());
    for &from in fds {
        // SAFETY: takes no pointers.
        copies.push(unsafe { fcntl(from, F_DUPFD, ABOVE_ALL_TARGETS) });
    }
    for (to, from) in (0..).zip(copies) {
        // SAFETY: takes no pointers; whatever was open at the target is not used any more.
        unit(unsafe { dup2(from, to) })?;
    }
    close_from(u32::try_from(fds.len()).unwrap_or(0));
    Ok(())
}

/// Makes reads and writes return at once.
pub(crate) fn set_nonblocking(fd: RawFd) -> Result<()> {
    const F_SETFL: c_int = 4;
    const O_NONBLOCK: c_int = 0o4000;
    // SAFETY: takes no pointers.
    unit(unsafe { fcntl(fd, F_SETFL, O_NONBLOCK) })
}

/// Marks a descriptor to be closed on exec.
pub(crate) fn set_close_on_exec(fd: RawFd) {
    const F_SETFD: c_int = 2;
    // SAFETY: takes no pointers.
    unsafe { fcntl(fd, F_SETFD, 1) };
}

/// Closes a descriptor by number.
pub(crate) fn close_raw(raw: RawFd) {
    // SAFETY: callers give up the descriptor.
    drop(unsafe { OwnedFd::from_raw_fd(raw) });
}

/// Reads once; 0 at the end.
pub(crate) fn read_fd(fd: RawFd, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the buffer is as long as said.
    let count = unsafe { read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(count).map_err(|_| Errno::last())
}

/// Writes once.
pub(crate) fn write_fd(fd: RawFd, bytes: &[u8]) -> Result<usize> {
    // SAFETY: the buffer is as long as said.
    let count = unsafe { write(fd, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(count).map_err(|_| Errno::last())
}

/// Waits for one of the descriptors, at most `timeout_ms`; -1 waits for ever.
pub(crate) fn wait_fds(fds: &mut [PollFd], timeout_ms: i32) {
    let count = c_ulong::try_from(fds.len()).unwrap_or(0);
    // SAFETY: the array is as long as said. An interrupted wait is a wait without events.
    unsafe { poll(fds.as_mut_ptr(), count, timeout_ms) };
}

/// A child that ended, if any: number and status.
pub(crate) fn reap(pid: i32, block: bool) -> Result<Option<(i32, i32)>> {
    const WNOHANG: c_int = 1;
    let mut status = 0;
    loop {
        // SAFETY: the status outlives the call.
        match unsafe { waitpid(pid, &raw mut status, if block { 0 } else { WNOHANG }) } {
            0 => return Ok(None),
            child if child > 0 => return Ok(Some((child, status))),
            _ if Errno::last() == Errno::INTR => {}
            _ => return Err(Errno::last()),
        }
    }
}

/// Kills a process.
pub(crate) fn kill_now(pid: i32) {
    const SIGKILL: c_int = 9;
    if pid > 0 {
        // SAFETY: takes no pointers; the process is a child that was not reaped yet.
        unsafe { kill(pid, SIGKILL) };
    }
}

/// Kills every process that this one may signal, but not itself. Only for process 1 of a process namespace, and for a
/// process whose signals Landlock keeps to its own descendants. A process that is just forking is killed with its child:
/// the kernel does not complete a fork with a kill pending.
pub(crate) fn kill_all_others() {
    const SIGKILL: c_int = 9;
    // SAFETY: takes no pointers.
    unsafe { kill(-1, SIGKILL) };
}

/// Whether this process may signal another.
pub(crate) fn may_signal(pid: i32) -> bool {
    // SAFETY: takes no pointers; signal 0 only asks.
    pid > 0 && unsafe { kill(pid, 0) } == 0
}

/// Leads a new session without a terminal.
pub(crate) fn new_session() {
    // SAFETY: takes no pointers.
    unsafe { setsid() };
}

/// Replaces this process. Returns only the error.
pub(crate) fn exec(path: &CStr, argv: &[*const c_char], env: &[*const c_char]) -> Errno {
    // SAFETY: both lists end with a null pointer and their strings are alive.
    unsafe { execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    Errno::last()
}

const SIGCHLD_BIT: u64 = 1 << (17 - 1);

/// Holds back the signal of ended children, or lets it through.
pub(crate) fn block_child_signal(block: bool) {
    let set = SignalSet(std::array::from_fn(|at| if at == 0 && block { SIGCHLD_BIT } else { 0 }));
    const SIG_SETMASK: c_int = 2;
    // SAFETY: the set has the size of C's.
    unsafe { sigprocmask(SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
}

/// A descriptor that becomes readable when a child ends.
pub(crate) fn child_signal_fd() -> Result<OwnedFd> {
    const CLOEXEC_NONBLOCK: c_int = 0o2_004_000;
    let set = SignalSet(std::array::from_fn(|at| if at == 0 { SIGCHLD_BIT } else { 0 }));
    // SAFETY: the set has the size of C's.
    fd(c_long::from(unsafe { signalfd(-1, &raw const set, CLOEXEC_NONBLOCK) }))
}

/// Ignores broken pipes, or restores their default.
pub(crate) fn ignore_broken_pipes(ignore: bool) {
    const SIGPIPE: c_int = 13;
    // SAFETY: 0 is the default action and 1 ignores; neither is a function.
    unsafe { signal(SIGPIPE, usize::from(ignore)) };
}

/// Restores the default of every signal: what is ignored stays so in programs that are started.
pub(crate) fn default_signals() {
    const LAST: c_int = 64;
    for number in 1..=LAST {
        // SAFETY: 0 is the default action. Signals that have no other are refused.
        unsafe { signal(number, 0) };
    }
}

/// Names the machine.
pub(crate) fn set_host_name(name: &CStr) -> Result<()> {
    // SAFETY: the name is as long as said.
    unit(unsafe { sethostname(name.as_ptr(), name.count_bytes()) })
}
