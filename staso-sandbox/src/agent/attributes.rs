//! Modes and times of files, set for commands that share the host's file system.
//!
//! Landlock keeps files from being opened, not from getting another mode or other times: a command could close or open
//! what its user has on the host. So the filter hands such calls to the keeper, which looks at the very file that it is
//! about to change and changes those of the session alone. It reads the path once and never lets the kernel read it
//! again: nothing that the command does meanwhile makes a difference.

use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::sys::notify::{self, Call, NO_POINTER};
use crate::sys::{self, Errno, Kind, Result, number};

const MAX_PATH_BYTES: usize = 4096;
/// Set-user-id and the like have no place in a session.
const MODE: u32 = 0o777;
const AT_FDCWD: i32 = -100;
const AT_SYMLINK_NOFOLLOW: u64 = 0x100;
const AT_EMPTY_PATH: u64 = 0x1000;
/// The kernel's own rule about the nanoseconds of a time: these two mean "now" and "as it is".
const MOST_NANOSECONDS: i64 = 0x3fff_ffff;

/// Answers one call. `root` is the session's directory.
pub(crate) fn answer(listener: BorrowedFd<'_>, root: &Path) {
    let Some(call) = notify::receive(listener) else { return };
    notify::answer(listener, &call, Request { listener, root, call: &call }.carry_out());
}

struct Request<'a> {
    listener: BorrowedFd<'a>,
    root: &'a Path,
    call: &'a Call,
}

impl Request<'_> {
    fn carry_out(&self) -> Result<()> {
        let [first, second, third, fourth, ..] = self.call.arguments;
        let follow = |flags: u64| flags & AT_SYMLINK_NOFOLLOW == 0;
        match i64::from(self.call.number) {
            #[cfg(target_arch = "x86_64")]
            number::CHMOD => set_mode(&self.file(None, first, 0)?, second),
            number::FCHMOD => set_mode(&self.file(Some(first), NO_POINTER, 0)?, second),
            number::FCHMODAT => set_mode(&self.file(Some(first), second, 0)?, third),
            sys::SYS_FCHMODAT2 => {
                let file = self.file(Some(first), second, fourth)?;
                if follow(fourth) || !is_link(&file) { set_mode(&file, third) } else { Err(Errno::NOTSUP) }
            }
            number::UTIMENSAT => {
                let file = self.file(Some(first), second, fourth)?;
                let times = if third == NO_POINTER { None } else { Some(self.times(third)?) };
                notify::set_times(file.as_fd(), times)
            }
            _ => Err(Errno::PERM),
        }
    }

    /// The file that the call is about, if it is one of the session.
    fn file(&self, directory: Option<u64>, path: u64, flags: u64) -> Result<OwnedFd> {
        let path = if path == NO_POINTER { CString::default() } else { self.path(path)? };
        let descriptor = directory.map(lower_half).unwrap_or(AT_FDCWD);
        let is_descriptor = path.is_empty() && descriptor != AT_FDCWD;
        // An empty path names the descriptor only for those who say so, or who gave none.
        let says_so = flags & AT_EMPTY_PATH != 0 || self.call.arguments.get(1) == Some(&NO_POINTER);
        let is_fchmod = i64::from(self.call.number) == number::FCHMOD;
        if path.is_empty() && !(is_descriptor && (says_so || is_fchmod)) {
            return Err(Errno::NOENT);
        }
        let place = match descriptor {
            AT_FDCWD => self.own("cwd")?,
            number if number >= 0 => self.own(&format!("fd/{number}"))?,
            _ => return Err(Errno::BADF),
        };
        let file = if path.is_empty() {
            place
        } else {
            notify::find(place.as_fd(), &path, flags & AT_SYMLINK_NOFOLLOW == 0)?
        };
        // Until here the number may have come to mean another process.
        if !notify::still_waits(self.listener, self.call) {
            return Err(Errno::INTR);
        }
        let found = fs::read_link(itself(&file))?;
        if self.is_of_session(&found) { Ok(file) } else { Err(Errno::PERM) }
    }

    fn is_of_session(&self, found: &Path) -> bool {
        ["workspace", "tmp"].iter().any(|part| found.starts_with(self.root.join(part)))
    }

    /// What a link of the waiting thread's own directory leads to.
    fn own(&self, name: &str) -> Result<OwnedFd> {
        use std::os::unix::fs::OpenOptionsExt as _;
        const PATH: i32 = 0o10_000_000;
        let link = format!("/proc/{}/{name}", self.call.thread);
        Ok(File::options().read(true).custom_flags(PATH).open(link)?.into())
    }

    fn memory(&self, address: u64, into: &mut [u8]) -> Result<usize> {
        let memory = File::open(format!("/proc/{}/mem", self.call.thread))?;
        if !notify::still_waits(self.listener, self.call) {
            return Err(Errno::INTR);
        }
        Ok(memory.read_at(into, address)?)
    }

    /// A string of the waiting thread. It may end just before memory that is not there.
    fn path(&self, address: u64) -> Result<CString> {
        const PAGE_BYTES: u64 = 4096;
        let mut bytes = vec![0u8; MAX_PATH_BYTES];
        let in_page = usize::try_from(PAGE_BYTES - address % PAGE_BYTES).map_err(|_| Errno::INVAL)?;
        let (first, rest) = bytes.split_at_mut(in_page.min(MAX_PATH_BYTES));
        let mut count = self.memory(address, first)?;
        if !first.contains(&0) && count == first.len() && !rest.is_empty() {
            let next = address.checked_add(PAGE_BYTES - address % PAGE_BYTES).ok_or(Errno::INVAL)?;
            count += self.memory(next, rest)?;
        }
        bytes.truncate(count);
        let end = bytes.iter().position(|byte| *byte == 0).ok_or(Errno::NAMETOOLONG)?;
        bytes.truncate(end);
        CString::new(bytes).map_err(|_| Errno::INVAL)
    }

    fn times(&self, address: u64) -> Result<[i64; 4]> {
        let mut bytes = [0u8; 32];
        if self.memory(address, &mut bytes)? != bytes.len() {
            return Err(Errno::INVAL);
        }
        let mut times = [0; 4];
        for (time, bytes) in times.iter_mut().zip(bytes.chunks_exact(8)) {
            *time = bytes.try_into().map(i64::from_ne_bytes).map_err(|_| Errno::INVAL)?;
        }
        let [_, access, _, modification] = times;
        let possible = 0..=MOST_NANOSECONDS;
        if possible.contains(&access) && possible.contains(&modification) {
            Ok(times)
        } else {
            Err(Errno::INVAL)
        }
    }
}

fn set_mode(file: &OwnedFd, mode: u64) -> Result<()> {
    let mode = u32::try_from(mode & u64::from(MODE)).map_err(|_| Errno::INVAL)?;
    if is_link(file) {
        return Err(Errno::NOTSUP);
    }
    Ok(fs::set_permissions(itself(file), Permissions::from_mode(mode))?)
}

fn is_link(file: &OwnedFd) -> bool {
    sys::stat_at(file.as_fd(), c"").is_ok_and(|found| found.kind == Kind::Symlink)
}

/// A path to just this file, whatever becomes of its name.
fn itself(file: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// A descriptor as the kernel takes it from an argument.
fn lower_half(argument: u64) -> i32 {
    let [a, b, c, d, ..] = argument.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}
