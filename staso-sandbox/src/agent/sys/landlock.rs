//! Landlock: rules that a process puts on itself and on everything it starts, and can never take off.
//!
//! The interface grows by version; a right that the kernel does not know is not asked for.

use std::ffi::{CStr, c_int, c_long, c_uint};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use super::{AT_FDCWD, Errno, Result, check, fd, syscall};

// The same numbers on every architecture.
const SYS_CREATE_RULESET: c_long = 444;
const SYS_ADD_RULE: c_long = 445;
const SYS_RESTRICT_SELF: c_long = 446;
const SYS_OPENAT2: c_long = super::SYS_OPENAT2;

/// Rights over files: the names and bits of `linux/landlock.h`.
pub(crate) mod access {
    pub(crate) const EXECUTE: u64 = 1;
    pub(crate) const WRITE_FILE: u64 = 1 << 1;
    pub(crate) const READ_FILE: u64 = 1 << 2;
    pub(crate) const READ_DIR: u64 = 1 << 3;
    pub(crate) const MAKE_CHAR: u64 = 1 << 6;
    pub(crate) const MAKE_BLOCK: u64 = 1 << 11;
    pub(crate) const REFER: u64 = 1 << 13;
    pub(crate) const TRUNCATE: u64 = 1 << 14;
    pub(crate) const IOCTL_DEV: u64 = 1 << 15;
}

/// Everything that a rule about a file can be about; other rights need a directory.
const OF_FILES: u64 =
    access::EXECUTE | access::WRITE_FILE | access::READ_FILE | access::TRUNCATE | access::IOCTL_DEV;
const OF_ABI_1: u64 = (1 << 13) - 1;
/// Binding and connecting TCP sockets, from version 4.
const NET: u64 = 3;
/// Abstract sockets and signals, from version 6.
const SCOPE: u64 = 3;
/// The latest version whose rights are known here.
const LATEST: u32 = 7;

/// The version of the interface that this kernel offers and that is known here, at most `most`; 0 without Landlock.
pub(crate) fn abi(most: u32) -> u32 {
    const VERSION: c_uint = 1;
    // SAFETY: asking for the version takes no structure.
    let found = unsafe { syscall(SYS_CREATE_RULESET, 0usize, 0usize, VERSION) };
    u32::try_from(found).unwrap_or(0).min(LATEST).min(most)
}

/// What a ruleset denies unless a rule allows it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Handled {
    /// Every right over files.
    pub(crate) files: bool,
    /// TCP.
    pub(crate) network: bool,
    /// Signals to and abstract sockets of processes that are not under the same rules.
    pub(crate) scope: bool,
}

/// Rules, before they are put on a process.
#[derive(Debug)]
pub(crate) struct Ruleset {
    rules: OwnedFd,
    files: u64,
}

impl Ruleset {
    /// Denies what is handled, as far as version `abi` can.
    pub(crate) fn new(abi: u32, handled: Handled) -> Result<Self> {
        let files = if handled.files { known_rights(abi) } else { 0 };
        let network = if handled.network && abi >= 4 { NET } else { 0 };
        let scope = if handled.scope && abi >= 6 { SCOPE } else { 0 };
        let attributes = [files, network, scope];
        // SAFETY: the structure is three 64-bit integers and lives through the call; kernels that know fewer accept zeros.
        let rules = fd(unsafe {
            syscall(SYS_CREATE_RULESET, attributes.as_ptr(), size_of_val(&attributes), 0 as c_uint)
        })?;
        Ok(Self { rules, files })
    }

    /// Allows rights over a file, or over a directory and everything in it. What is not there needs no rule.
    pub(crate) fn allow(&self, path: &CStr, rights: u64) -> Result<()> {
        const PATH: u64 = 0o10_000_000;
        const CLOEXEC: u64 = 0o2_000_000;
        let how: [u64; 3] = [PATH | CLOEXEC, 0, 0];
        // SAFETY: path and structure live through the call.
        let place =
            unsafe { fd(syscall(SYS_OPENAT2, AT_FDCWD, path.as_ptr(), how.as_ptr(), size_of_val(&how))) };
        match place {
            Ok(place) => self.allow_at(&place, rights),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn allow_at(&self, place: &OwnedFd, rights: u64) -> Result<()> {
        const PATH_BENEATH: c_int = 1;
        #[repr(C, packed)]
        struct PathBeneath {
            rights: u64,
            place: c_int,
        }
        let is_dir = super::stat_at(std::os::fd::AsFd::as_fd(place), c"")?.kind == super::Kind::Directory;
        let rights = rights & self.files & if is_dir { u64::MAX } else { OF_FILES };
        let rule = PathBeneath { rights, place: place.as_raw_fd() };
        // SAFETY: the rule has the kernel's packed layout and lives through the call.
        check(unsafe {
            syscall(SYS_ADD_RULE, self.rules.as_raw_fd(), PATH_BENEATH, &raw const rule, 0 as c_uint)
        })
        .map(|_| ())
    }

    /// The rules as a descriptor for [`restrict`].
    pub(crate) fn into_fd(self) -> OwnedFd {
        self.rules
    }
}

/// Every right over files that version `abi` knows.
const fn known_rights(abi: u32) -> u64 {
    let mut rights = OF_ABI_1;
    if abi >= 2 {
        rights |= access::REFER;
    }
    if abi >= 3 {
        rights |= access::TRUNCATE;
    }
    if abi >= 5 {
        rights |= access::IOCTL_DEV;
    }
    rights
}

/// Puts rules on this process. It must have given up new privileges.
pub(crate) fn restrict(rules: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { syscall(SYS_RESTRICT_SELF, rules.as_raw_fd(), 0 as c_uint) }).map(|_| ())
}
