//! The helper program as something that can be executed.
#![expect(
    unsafe_code,
    reason = "the standard library has no sealed memory files, no effective user, no signals and no wait with a limit"
)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::program::PROGRAM;

/// A path that executes the helper. A file on disk is removed with it.
#[derive(Debug)]
pub(super) struct Executable {
    path: PathBuf,
    on_disk: bool,
}

impl Executable {
    /// The helper in sealed memory, or in a file of its own where memory cannot be executed.
    pub(super) fn new() -> io::Result<Self> {
        static MEMORY: OnceLock<Option<File>> = OnceLock::new();
        if PROGRAM.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the helper was not built for this machine",
            ));
        }
        match MEMORY.get_or_init(|| sealed_memory().ok()) {
            Some(file) => {
                Ok(Self { path: format!("/proc/self/fd/{}", file.as_raw_fd()).into(), on_disk: false })
            }
            None => Self::on_disk(),
        }
    }

    /// The helper in a file that only this user can read and run.
    pub(super) fn on_disk() -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        const ATTEMPTS: usize = 16;
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..ATTEMPTS {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("staso-sandbox-{}-{count}", std::process::id());
            let path = std::env::temp_dir().join(name);
            // A file that is there already is someone else's: it is neither used nor removed.
            match OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path) {
                Ok(mut file) => {
                    let this = Self { path, on_disk: true };
                    file.write_all(PROGRAM)?;
                    return Ok(this);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The path to execute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a file on disk already.
    pub(super) const fn is_on_disk(&self) -> bool {
        self.on_disk
    }
}

impl Drop for Executable {
    fn drop(&mut self) {
        if self.on_disk {
            drop(fs::remove_file(&self.path));
        }
    }
}

fn sealed_memory() -> io::Result<File> {
    const MFD_EXEC: libc::c_uint = 0x10;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a C string. Kernels before 6.3 do not know MFD_EXEC and need none.
    let raw = match unsafe { libc::memfd_create(c"staso-sandbox".as_ptr(), flags | MFD_EXEC) } {
        // SAFETY: as above.
        -1 => unsafe { libc::memfd_create(c"staso-sandbox".as_ptr(), flags) },
        raw => raw,
    };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    let mut file = unsafe { File::from_raw_fd(raw) };
    file.write_all(PROGRAM)?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: takes no pointers.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(file)
}

/// The user and group that this process acts as.
pub(super) fn effective_ids() -> (u32, u32) {
    // SAFETY: neither call has arguments or can fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Kills a process of a session.
pub(super) fn kill(pid: i32) {
    if pid > 0 {
        // SAFETY: takes no pointers.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

/// Waits until a child has ended, which leaves it to be reaped; whether it has.
pub(super) fn ended_within(child: u32, limit: Duration) -> io::Result<bool> {
    let no_flags: libc::c_uint = 0;
    // SAFETY: takes no pointers.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, child, no_flags) };
    let raw = RawFd::try_from(raw).map_err(io::Error::other)?;
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    let process = unsafe { OwnedFd::from_raw_fd(raw) };
    let deadline = Instant::now() + limit;
    loop {
        // Rounded up: what is left of a millisecond is waited for as well.
        let left = deadline.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
        let mut entry = libc::pollfd { fd: process.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: there is one entry, and it lives through the call.
        match unsafe { libc::poll(&raw mut entry, 1, i32::try_from(left).unwrap_or(i32::MAX)) } {
            0 => return Ok(false),
            1 => return Ok(true),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;
    use std::process::{Command, Stdio};

    /// Started without a host the helper ends with 2.
    fn answer(executable: &Executable) -> Option<i32> {
        Command::new(executable.path()).stdin(Stdio::null()).status().unwrap().code()
    }

    #[test]
    fn the_helper_runs_from_memory_and_from_a_private_file_that_goes_away() {
        let memory = Executable::new().unwrap();
        assert_eq!((memory.is_on_disk(), answer(&memory)), (false, Some(2)));
        let file = Executable::on_disk().unwrap();
        let path = file.path().to_path_buf();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        assert_eq!((file.is_on_disk(), answer(&file)), (true, Some(2)));
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn waiting_ends_with_the_child_or_with_the_time() {
        let limit = Duration::from_millis(20);
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let start = Instant::now();
        let early = ended_within(child.id(), limit).unwrap();
        let waited = start.elapsed();
        child.kill().unwrap();
        assert!(!early && waited >= limit, "{waited:?}");
        assert!(ended_within(child.id(), Duration::from_secs(60)).unwrap());
        child.wait().unwrap();
        assert!(ended_within(child.id(), limit).is_err(), "nobody waits for a process that is not there");
    }

    #[test]
    fn the_memory_cannot_be_changed() {
        let memory = Executable::new().unwrap();
        let written =
            OpenOptions::new().write(true).open(memory.path()).and_then(|mut file| file.write_all(b"x"));
        assert!(written.is_err(), "{written:?}");
    }
}
