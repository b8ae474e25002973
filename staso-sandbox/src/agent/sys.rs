//! System calls that the standard library does not offer, each turned into a `Result` with the error number.
//!
//! The helper has no dependencies, so the few C functions and numbers it needs are declared here.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The number of a failed system call's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

impl Errno {
    pub(crate) const NOENT: Self = Self(2);
    pub(crate) const INTR: Self = Self(4);
    pub(crate) const CHILD: Self = Self(10);
    pub(crate) const AGAIN: Self = Self(11);
    pub(crate) const EXIST: Self = Self(17);
    pub(crate) const XDEV: Self = Self(18);
    pub(crate) const NOTDIR: Self = Self(20);
    pub(crate) const ISDIR: Self = Self(21);
    pub(crate) const INVAL: Self = Self(22);
    pub(crate) const NXIO: Self = Self(6);
    pub(crate) const LOOP: Self = Self(40);

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
const SYS_PIDFD_OPEN: c_long = 434;
const SYS_OPEN_TREE: c_long = 428;
const SYS_MOVE_MOUNT: c_long = 429;
const SYS_CLOSE_RANGE: c_long = 436;
const SYS_OPENAT2: c_long = 437;
const SYS_MOUNT_SETATTR: c_long = 442;

#[cfg(target_arch = "x86_64")]
mod number {
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
}

#[cfg(target_arch = "aarch64")]
mod number {
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
    fn sethostname(name: *const c_char, length: usize) -> c_int;
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn sigprocmask(how: c_int, set: *const SignalSet, old: *mut SignalSet) -> c_int;
    fn signalfd(fd: c_int, set: *const SignalSet, flags: c_int) -> c_int;
    fn signal(number: c_int, handler: usize) -> usize;
    fn mkdirat(dir: c_int, path: *const c_char, mode: c_uint) -> c_int;
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
pub(crate) const CLONE_NEWNET: c_ulong = 0x4000_0000;

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

const OPEN_TREE_CLONE: c_uint = 1;
const OPEN_TREE_CLOEXEC: c_uint = 0o2_000_000;
const AT_FDCWD: c_int = -100;
const AT_EMPTY_PATH: c_uint = 0x1000;
const AT_RECURSIVE: c_uint = 0x8000;
const AT_SYMLINK_NOFOLLOW: c_int = 0x100;

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

/// A pipe that is closed on exec: reading end, writing end.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    const O_CLOEXEC: c_int = 0o2_000_000;
    let mut fds = [0; 2];
    // SAFETY: the array holds two descriptors.
    unit(unsafe { pipe2(fds.as_mut_ptr(), O_CLOEXEC) })?;
    // SAFETY: the kernel just made both descriptors for us.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// A connected pair of sockets that are closed on exec.
pub(crate) fn socket_pair() -> Result<(OwnedFd, OwnedFd)> {
    const AF_UNIX: c_int = 1;
    const STREAM_CLOEXEC: c_int = 1 | 0o2_000_000;
    let mut fds = [0; 2];
    // SAFETY: the array holds two descriptors.
    unit(unsafe { socketpair(AF_UNIX, STREAM_CLOEXEC, 0, fds.as_mut_ptr()) })?;
    // SAFETY: the kernel just made both descriptors for us.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Descriptors that travel together: those of one command.
pub(crate) const FDS_PER_MESSAGE: usize = 4;
const SOL_SOCKET: c_int = 1;
const SCM_RIGHTS: c_int = 1;

/// As C's `struct msghdr`; the padding of musl's narrower fields is zero here.
#[repr(C)]
struct Message {
    name: *mut c_void,
    name_length: u32,
    parts: *mut Part,
    part_count: usize,
    control: *mut FdMessage,
    control_length: usize,
    flags: c_int,
}

/// As C's `struct iovec`.
#[repr(C)]
struct Part {
    start: *mut c_void,
    length: usize,
}

/// As C's `struct cmsghdr`, followed by descriptors.
#[repr(C)]
struct FdMessage {
    length: usize,
    level: c_int,
    kind: c_int,
    fds: [c_int; FDS_PER_MESSAGE],
}

/// Sends bytes with descriptors; gives the number of bytes that were sent.
pub(crate) fn send_with_fds(socket: RawFd, bytes: &[u8], fds: [RawFd; FDS_PER_MESSAGE]) -> Result<usize> {
    const MSG_NOSIGNAL: c_int = 0x4000;
    let mut control = FdMessage { length: size_of::<FdMessage>(), level: SOL_SOCKET, kind: SCM_RIGHTS, fds };
    let mut part = Part { start: bytes.as_ptr().cast_mut().cast(), length: bytes.len() };
    let message = message(&mut part, &mut control);
    // SAFETY: all parts of the message live through the call, and sending only reads them.
    let count = unsafe { sendmsg(socket, &raw const message, MSG_NOSIGNAL) };
    usize::try_from(count).map_err(|_| Errno::last())
}

/// Receives bytes, and descriptors when they came with them.
pub(crate) fn receive_with_fds(
    socket: RawFd,
    buffer: &mut [u8],
) -> Result<(usize, Option<[OwnedFd; FDS_PER_MESSAGE]>)> {
    const MSG_CMSG_CLOEXEC: c_int = 0x4000_0000;
    let mut control = FdMessage { length: 0, level: 0, kind: 0, fds: [-1; FDS_PER_MESSAGE] };
    let mut part = Part { start: buffer.as_mut_ptr().cast(), length: buffer.len() };
    let mut message = message(&mut part, &mut control);
    // SAFETY: all parts of the message live through the call and are as long as said.
    let count = unsafe { recvmsg(socket, &raw mut message, MSG_CMSG_CLOEXEC) };
    let count = usize::try_from(count).map_err(|_| Errno::last())?;
    let complete = control.level == SOL_SOCKET
        && control.kind == SCM_RIGHTS
        && control.length == size_of::<FdMessage>()
        && control.fds.iter().all(|fd| *fd >= 0);
    // SAFETY: the kernel just made these descriptors for us.
    let fds = complete.then(|| control.fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
    Ok((count, fds))
}

fn message(part: &mut Part, control: &mut FdMessage) -> Message {
    Message {
        name: std::ptr::null_mut(),
        name_length: 0,
        parts: part,
        part_count: 1,
        control,
        control_length: size_of::<FdMessage>(),
        flags: 0,
    }
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

/// Kills every process of this process namespace but its process 1, which is the only one that may call this. A
/// process that is just forking is killed with its child: the kernel does not complete a fork with a kill pending.
pub(crate) fn kill_all_others() {
    const SIGKILL: c_int = 9;
    // SAFETY: takes no pointers.
    unsafe { kill(-1, SIGKILL) };
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

const PR_SET_PDEATHSIG: c_int = 1;
const PR_SET_DUMPABLE: c_int = 4;
const PR_CAPBSET_DROP: c_int = 24;
const PR_SET_NO_NEW_PRIVS: c_int = 38;
const PR_CAP_AMBIENT: c_int = 47;

fn process_control(option: c_int, value: c_ulong) -> Result<()> {
    // SAFETY: none of the options used here takes a pointer.
    unit(unsafe { prctl(option, value, 0 as c_ulong, 0 as c_ulong, 0 as c_ulong) })
}

/// Dies with the parent.
pub(crate) fn die_with_parent() -> Result<()> {
    process_control(PR_SET_PDEATHSIG, 9)
}

/// Whether others of the same user may look into this process.
pub(crate) fn set_dumpable(dumpable: bool) -> Result<()> {
    process_control(PR_SET_DUMPABLE, c_ulong::from(dumpable))
}

/// Makes set-uid bits and file capabilities mean nothing, for ever.
pub(crate) fn no_new_privileges() -> Result<()> {
    process_control(PR_SET_NO_NEW_PRIVS, 1)
}

/// Takes every capability out of the bounding set and the ambient set.
pub(crate) fn drop_bounding_set() -> Result<()> {
    const CLEAR_ALL: c_ulong = 4;
    for capability in 0..64 {
        match process_control(PR_CAPBSET_DROP, capability) {
            Ok(()) => {}
            Err(Errno::INVAL) if capability > 30 => break,
            Err(error) => return Err(error),
        }
    }
    process_control(PR_CAP_AMBIENT, CLEAR_ALL)
}

/// Gives up every capability.
pub(crate) fn drop_capabilities() -> Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION_3, 0];
    let sets = [0u32; 6];
    // SAFETY: header and sets have the layout of version 3 and live through the call.
    check(unsafe { syscall(number::CAPSET, header.as_ptr(), sets.as_ptr()) }).map(|_| ())
}

/// Drops the supplementary groups.
pub(crate) fn drop_groups() -> Result<()> {
    // SAFETY: a length of 0 reads no list.
    check(unsafe { syscall(number::SETGROUPS, 0usize, 0usize) }).map(|_| ())
}

/// Becomes user and group `id`.
pub(crate) fn become_user(id: u32) -> Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { syscall(number::SETRESGID, id, id, id) })?;
    // SAFETY: takes no pointers.
    check(unsafe { syscall(number::SETRESUID, id, id, id) }).map(|_| ())
}

/// Leaves the host's session keyring for an empty one.
pub(crate) fn new_keyring() {
    const JOIN_SESSION_KEYRING: c_long = 1;
    // SAFETY: a null name makes an anonymous keyring. A kernel without keyrings has none to leave.
    unsafe { syscall(number::KEYCTL, JOIN_SESSION_KEYRING, 0usize) };
}

/// Bounds a resource, soft and hard.
pub(crate) fn set_limit(resource: c_int, value: u64) -> Result<()> {
    let bounds = [value, value];
    // SAFETY: the bounds are two 64-bit integers and live through the call; the old ones are not asked for.
    check(unsafe { syscall(number::PRLIMIT64, 0usize, resource, bounds.as_ptr(), 0usize) }).map(|_| ())
}

/// Installs a system-call filter.
pub(crate) fn install_filter(program: &[u64]) -> Result<()> {
    const SET_MODE_FILTER: c_uint = 1;
    #[repr(C)]
    struct Program {
        length: u16,
        filter: *const u64,
    }
    let program =
        Program { length: u16::try_from(program.len()).map_err(|_| Errno::INVAL)?, filter: program.as_ptr() };
    // SAFETY: the program is as long as said and lives through the call.
    check(unsafe { syscall(number::SECCOMP, SET_MODE_FILTER, 0usize, &raw const program) }).map(|_| ())
}

/// Names the machine.
pub(crate) fn set_host_name(name: &CStr) -> Result<()> {
    // SAFETY: the name is as long as said.
    unit(unsafe { sethostname(name.as_ptr(), name.count_bytes()) })
}

/// Brings the loopback interface up.
pub(crate) fn loopback_up() -> Result<()> {
    const AF_INET: c_int = 2;
    const SOCK_DGRAM: c_int = 2 | 0o2_000_000;
    const SIOCSIFFLAGS: c_ulong = 0x8914;
    const IFF_UP_RUNNING: u8 = 0x41;
    // SAFETY: takes no pointers.
    let socket = fd(c_long::from(unsafe { socket(AF_INET, SOCK_DGRAM, 0) }))?;
    let mut request = [0u8; 40];
    request[..2].copy_from_slice(b"lo");
    request[16] = IFF_UP_RUNNING;
    // SAFETY: the request has the size of `struct ifreq`.
    unit(unsafe { ioctl(socket.as_raw_fd(), SIOCSIFFLAGS, request.as_ptr()) })
}

pub(crate) const O_RDONLY: u64 = 0;
pub(crate) const O_WRONLY: u64 = 1;
pub(crate) const O_CREAT: u64 = 0o100;
pub(crate) const O_NONBLOCK: u64 = 0o4000;
pub(crate) const O_CLOEXEC: u64 = 0o2_000_000;
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

/// As the kernel's `struct statx`.
#[repr(C)]
struct Statx {
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
}

/// Looks at a name in a directory without following it, or at the directory itself when the name is empty.
pub(crate) fn stat_at(dir: BorrowedFd<'_>, name: &CStr) -> Result<Stat> {
    const BASIC: c_uint = 0x7ff;
    const EMPTY_PATH: c_int = 0x1000;
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
    Ok(Stat { kind, mode: u32::from(stat.mode), size: stat.size })
}

/// The names in an open directory, sorted, at most `most`.
pub(crate) fn list_dir(dir: BorrowedFd<'_>, most: usize) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    let mut buffer = vec![0u8; 32 << 10];
    loop {
        // SAFETY: the buffer is as long as said.
        let count = check(unsafe {
            syscall(number::GETDENTS64, dir.as_raw_fd(), buffer.as_mut_ptr(), buffer.len())
        })?;
        let count = usize::try_from(count).map_err(|_| Errno::INVAL)?;
        if count == 0 {
            names.sort_unstable();
            return Ok(names);
        }
        let mut entries = buffer.get(..count).unwrap_or_default();
        while let Some(length) = entries.get(16..18).and_then(|two| two.try_into().ok()) {
            let length = usize::from(u16::from_le_bytes(length));
            let Some((entry, rest)) = entries.split_at_checked(length).filter(|_| length > 19) else { break };
            let name =
                entry.get(19..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
            if name != b"." && name != b".." {
                names.push(name.to_vec());
            }
            entries = rest;
        }
        if names.len() > most {
            return Err(Errno(75));
        }
    }
}
