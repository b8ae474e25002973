//! Directories and locks below the provider's data directory.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use staso_core::vcs::VcsError;

use crate::blocking::Stop;
use crate::error;

/// Traversable by the sandbox's user, but not listable.
pub(crate) const PASSABLE: u32 = 0o711;
/// For this user alone.
pub(crate) const PRIVATE: u32 = 0o700;

/// How often a lock that another run holds is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(10);

/// Whether others may hold the lock at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Shared,
    Alone,
}

/// Makes a directory below the data directory, whose mode is [`PASSABLE`]. What is there already keeps its mode.
pub(crate) fn make_directory(data: &Path, name: &str, mode: u32) -> io::Result<()> {
    for (directory, mode) in [(data, PASSABLE), (&data.join(name), mode)] {
        if !directory.is_dir() {
            fs::create_dir_all(directory)?;
            fs::set_permissions(directory, Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

/// Takes the lock, if it is free. The kernel releases it when the value is dropped or the process dies.
pub(crate) fn try_lock(path: &Path, hold: Hold) -> io::Result<Option<File>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    let taken = match hold {
        Hold::Shared => file.try_lock_shared(),
        Hold::Alone => file.try_lock(),
    };
    match taken {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Waits for the lock.
pub(crate) fn lock(path: &Path, hold: Hold, stop: &Stop) -> Result<File, VcsError> {
    loop {
        stop.check()?;
        match try_lock(path, hold) {
            Ok(Some(lock)) => return Ok(lock),
            Ok(None) => std::thread::sleep(LOCK_RETRY),
            Err(error) => return Err(error::backend("locking the data directory", error)),
        }
    }
}
