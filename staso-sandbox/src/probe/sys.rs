//! System calls by number, so that what is tried is what was meant: no wrapper of a C library in between.

use std::ffi::{CStr, CString, c_int, c_long};

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn __errno_location() -> *mut c_int;
}

/// A number of the kernel for what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

/// Numbers with their names, and whether they mean that something is not there (`-`) or is refused (`!`). Any other says
/// that the attempt was badly made.
const NAMES: &[(i32, &str, char)] = &[
    (1, "EPERM", '!'),
    (2, "ENOENT", '-'),
    (3, "ESRCH", '-'),
    (6, "ENXIO", '-'),
    (11, "EAGAIN", '!'),
    (12, "ENOMEM", '!'),
    (13, "EACCES", '!'),
    (18, "EXDEV", '!'),
    (19, "ENODEV", '-'),
    (20, "ENOTDIR", '-'),
    (23, "ENFILE", '!'),
    (24, "EMFILE", '!'),
    (27, "EFBIG", '!'),
    (28, "ENOSPC", '!'),
    (30, "EROFS", '!'),
    (38, "ENOSYS", '!'),
    (40, "ELOOP", '!'),
    (87, "EUSERS", '!'),
    (93, "EPROTONOSUPPORT", '!'),
    (94, "ESOCKTNOSUPPORT", '!'),
    (97, "EAFNOSUPPORT", '!'),
    (99, "EADDRNOTAVAIL", '!'),
    (100, "ENETDOWN", '!'),
    (101, "ENETUNREACH", '!'),
    (111, "ECONNREFUSED", '!'),
    (113, "EHOSTUNREACH", '!'),
    (122, "EDQUOT", '!'),
    (4, "EINTR", '?'),
    (5, "EIO", '?'),
    (9, "EBADF", '?'),
    (14, "EFAULT", '?'),
    (16, "EBUSY", '?'),
    (17, "EEXIST", '?'),
    (22, "EINVAL", '?'),
    (25, "ENOTTY", '?'),
    (26, "ETXTBSY", '?'),
    (95, "EOPNOTSUPP", '?'),
    (110, "ETIMEDOUT", '?'),
    (116, "ESTALE", '?'),
];

impl Errno {
    pub(crate) const NOENT: Self = Self(2);
    pub(crate) const TXTBSY: Self = Self(26);

    fn last() -> Self {
        // SAFETY: the location is this thread's own and always valid.
        Self(unsafe { *__errno_location() })
    }

    /// Its name, or its number.
    pub(crate) fn name(self) -> String {
        let found = NAMES.iter().find(|(number, ..)| *number == self.0);
        found.map_or_else(|| format!("errno {}", self.0), |(_, name, _)| (*name).to_owned())
    }

    /// What it means for an attempt.
    pub(crate) fn verdict(self) -> String {
        let meaning = NAMES.iter().find(|(number, ..)| *number == self.0).map(|(.., meaning)| *meaning);
        match meaning {
            Some('!') => format!("denied {}", self.name()),
            Some('-') => format!("absent {}", self.name()),
            _ => format!("broken refused with {}, which says nothing", self.name()),
        }
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(0))
    }
}

/// One argument of a system call. Those with pointers keep what they point to alive.
#[derive(Debug)]
pub(crate) enum Arg<'a> {
    Number(i64),
    Text(&'a CStr),
    In(&'a [u64]),
    Out(&'a mut [u64]),
}

impl Arg<'_> {
    fn raw(&mut self) -> usize {
        match self {
            // A register of the two 64-bit machines that this is for.
            Self::Number(number) => isize::try_from(*number).unwrap_or(-1).cast_unsigned(),
            Self::Text(text) => text.as_ptr() as usize,
            Self::In(words) => words.as_ptr() as usize,
            Self::Out(words) => words.as_mut_ptr() as usize,
        }
    }
}

/// A number as an argument.
pub(crate) const fn n(number: i64) -> Arg<'static> {
    Arg::Number(number)
}

/// Makes a system call.
///
/// Callers hand over buffers at least as large as the call may write; numbers that the call takes for addresses are
/// either null or deliberately wrong, which the kernel answers with an error.
pub(crate) fn call<const N: usize>(number: c_long, arguments: [Arg<'_>; N]) -> Result<i64, Errno> {
    let mut raw = [0usize; 6];
    for (slot, mut argument) in raw.iter_mut().zip(arguments) {
        *slot = argument.raw();
    }
    let [a, b, c, d, e, f] = raw;
    // SAFETY: every pointer comes from a live borrow of the caller, and buffers are as large as the calls used here need.
    match unsafe { syscall(number, a, b, c, d, e, f) } {
        -1 => Err(Errno::last()),
        value => Ok(value),
    }
}

/// Makes a child that goes on here: `Ok(0)` in the child. The probe has one thread.
pub(crate) fn fork(flags: i64) -> Result<i64, Errno> {
    const SIGCHLD: i64 = 17;
    call(number::CLONE, [n(flags | SIGCHLD), n(0), n(0), n(0), n(0)])
}

/// Waits for a child, or for any with -1: its number and how it ended, as in `wait(2)`.
pub(crate) fn wait(child: i64) -> Result<(i64, u64), Errno> {
    let mut status = [0u64; 1];
    let pid = call(number::WAIT4, [n(child), Arg::Out(&mut status), n(0), n(0)])?;
    Ok((pid, status[0] & 0xffff))
}

/// Ends this process at once.
pub(crate) fn exit(code: i64) -> ! {
    loop {
        let _ = call(number::EXIT_GROUP, [n(code)]);
    }
}

/// Kills a process.
pub(crate) fn kill(pid: i64, signal: i64) -> Result<i64, Errno> {
    call(number::KILL, [n(pid), n(signal)])
}

/// Ends children.
pub(crate) fn end(children: &[i64]) {
    const SIGKILL: i64 = 9;
    for child in children {
        let _ = kill(*child, SIGKILL);
    }
}

/// This process.
pub(crate) fn own_pid() -> i64 {
    i64::from(std::process::id())
}

/// This process as the kernel names it now: a child may not take what its parent remembers.
pub(crate) fn current_pid() -> i64 {
    call(number::GETPID, []).unwrap_or(-1)
}

/// Leads a new session.
pub(crate) fn new_session() {
    let _ = call(number::SETSID, []);
}

/// Closes a descriptor.
pub(crate) fn close(fd: i64) {
    let _ = call(number::CLOSE, [n(fd)]);
}

/// Has the kernel end this process after some time.
pub(crate) fn end_after(seconds: u64) {
    const ITIMER_REAL: i64 = 0;
    let _ = call(number::SETITIMER, [n(ITIMER_REAL), Arg::In(&[0, 0, seconds, 0]), n(0)]);
}

/// Opens a path with flags as the kernel defines them.
pub(crate) fn open(path: &str, flags: i64, mode: i64) -> Result<i64, Errno> {
    call(number::OPENAT, [n(AT_FDCWD), Arg::Text(&text(path)?), n(flags), n(mode)])
}

/// A string for the kernel.
pub(crate) fn text(text: &str) -> Result<CString, Errno> {
    CString::new(text).map_err(|_| Errno(22))
}

pub(crate) const AT_FDCWD: i64 = -100;
pub(crate) const O_WRONLY: i64 = 1;
pub(crate) const O_RDWR: i64 = 2;
pub(crate) const O_APPEND: i64 = 0o2000;
pub(crate) const O_NONBLOCK: i64 = 0o4000;
pub(crate) const O_CLOEXEC: i64 = 0o2_000_000;

pub(crate) const CLONE_NEWNS: i64 = 0x0002_0000;
pub(crate) const CLONE_NEWUSER: i64 = 0x1000_0000;
pub(crate) const CLONE_NEWNET: i64 = 0x4000_0000;

#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub(crate) mod number {
    use std::ffi::c_long;
    macro_rules! numbers { ($($name:ident = $number:literal),* $(,)?) => { $(pub(crate) const $name: c_long = $number;)* } }
    numbers! {
        CLOSE = 3, IOCTL = 16, SHMGET = 29, SHMCTL = 31, SETITIMER = 38, SOCKET = 41, CLONE = 56, WAIT4 = 61,
        KILL = 62, FCNTL = 72, PTRACE = 101, SYSLOG = 103, SETSID = 112, CAPGET = 125, MKNODAT = 259,
        SCHED_SETSCHEDULER = 144, PIVOT_ROOT = 155, PRCTL = 157, CHROOT = 161, MOUNT = 165, UMOUNT2 = 166, SWAPON = 167,
        REBOOT = 169, SETHOSTNAME = 170, INIT_MODULE = 175, EXIT_GROUP = 231, KEXEC_LOAD = 246,
        ADD_KEY = 248, KEYCTL = 250, OPENAT = 257, UNSHARE = 272, DUP3 = 292, PERF_EVENT_OPEN = 298, PRLIMIT64 = 302,
        NAME_TO_HANDLE_AT = 303, OPEN_BY_HANDLE_AT = 304, SETNS = 308, PROCESS_VM_READV = 310, KCMP = 312,
        FINIT_MODULE = 313, RENAMEAT2 = 316, MEMFD_CREATE = 319, BPF = 321, USERFAULTFD = 323, RT_SIGPROCMASK = 14,
        GETPID = 39, SETPRIORITY = 141, GETUID = 102, GETEUID = 107,
    }
}

#[cfg(target_arch = "aarch64")]
#[rustfmt::skip]
pub(crate) mod number {
    use std::ffi::c_long;
    macro_rules! numbers { ($($name:ident = $number:literal),* $(,)?) => { $(pub(crate) const $name: c_long = $number;)* } }
    numbers! {
        CLOSE = 57, IOCTL = 29, SHMGET = 194, SHMCTL = 195, SETITIMER = 103, SOCKET = 198, CLONE = 220,
        WAIT4 = 260, KILL = 129, FCNTL = 25, PTRACE = 117, SYSLOG = 116, SETSID = 157, CAPGET = 90, MKNODAT = 33,
        SCHED_SETSCHEDULER = 119, PIVOT_ROOT = 41, PRCTL = 167, CHROOT = 51, MOUNT = 40, UMOUNT2 = 39, SWAPON = 224,
        REBOOT = 142, SETHOSTNAME = 161, INIT_MODULE = 105, EXIT_GROUP = 94, KEXEC_LOAD = 104,
        ADD_KEY = 217, KEYCTL = 219, OPENAT = 56, UNSHARE = 97, DUP3 = 24, PERF_EVENT_OPEN = 241, PRLIMIT64 = 261,
        NAME_TO_HANDLE_AT = 264, OPEN_BY_HANDLE_AT = 265, SETNS = 268, PROCESS_VM_READV = 270, KCMP = 272,
        FINIT_MODULE = 273, RENAMEAT2 = 276, MEMFD_CREATE = 279, BPF = 280, USERFAULTFD = 282, RT_SIGPROCMASK = 135,
        GETPID = 172, GETUID = 174, GETEUID = 175, SETPRIORITY = 140,
    }
}

/// Calls with the same number everywhere.
pub(crate) mod anywhere {
    use std::ffi::c_long;

    pub(crate) const IO_URING_SETUP: c_long = 425;
    pub(crate) const OPEN_TREE: c_long = 428;
    pub(crate) const FSOPEN: c_long = 430;
    pub(crate) const PIDFD_OPEN: c_long = 434;
    pub(crate) const CLONE3: c_long = 435;
    pub(crate) const PIDFD_GETFD: c_long = 438;
    pub(crate) const MOUNT_SETATTR: c_long = 442;
}
