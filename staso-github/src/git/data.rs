//! Directories and locks below the provider's data directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

use crate::blocking::{self, Stop};
use crate::{error, platform};

/// What is kept of a private repository is for this user alone, whatever else may be reached below the data directory.
/// Sandboxes whose sessions are another user open a checkout before they become that one.
const PRIVATE: u32 = 0o700;

/// How often a lock that another run holds is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(10);

/// Whether others may hold the lock at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Shared,
    Alone,
}

/// Makes a directory below the data directory that only this user can enter. A data directory that is there already keeps
/// its mode; the directory in it is closed to others in any case.
pub(crate) fn make_directory(data: &Path, name: &str) -> io::Result<()> {
    let directory = data.join(name);
    for made in [data, &directory] {
        if !made.is_dir() {
            make_whole(made)?;
        }
    }
    platform::close_to_others(&directory)
}

/// Makes a directory that nobody sees before it has its mode: a process that dies in between would leave it as the umask
/// says, perhaps open to everyone. Others may do the same at the same time.
fn make_whole(directory: &Path) -> io::Result<()> {
    let mut name = directory.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = directory.with_file_name(name);
    let made = fs::create_dir_all(&new)
        .and_then(|()| platform::set_mode(&new, PRIVATE))
        .and_then(|()| fs::rename(&new, directory));
    match made {
        // Someone else was faster with one of the steps.
        Err(_) if directory.is_dir() => match fs::remove_dir(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
        made => made,
    }
}

/// Takes the lock, if it is free. The kernel releases it when the value is dropped or the process dies.
pub(crate) fn try_lock(path: &Path, hold: Hold) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = platform::with_mode(&mut options, 0o600).open(path)?;
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

/// Shares a file again whose lock was changed.
pub(super) fn share_again(file: &File, stop: &Stop) -> Result<(), VcsError> {
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => {
                stop.check()?;
                std::thread::sleep(LOCK_RETRY);
            }
            Err(TryLockError::Error(error)) => {
                return Err(error::backend("locking the data directory", error));
            }
        }
    }
}

/// Waits for a lock that others may hold for minutes while they fetch. It waits on no thread: its holders do their work
/// on the blocking pool, which a crowd of waiting runs would fill.
pub(crate) async fn wait(
    path: &Path,
    hold: Hold,
    operation: &'static str,
    limit: Duration,
    ctx: &RunContext,
) -> Result<File, VcsError> {
    let taken = async {
        loop {
            match try_lock(path, hold) {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) => tokio::time::sleep(LOCK_RETRY).await,
                Err(error) => return Err(error::backend("locking the data directory", error)),
            }
        }
    };
    let ended = ctx.bounded(limit, taken).await;
    ended.unwrap_or_else(|interrupted| Err(blocking::interruption(operation, interrupted)))
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

#[cfg(test)]
mod tests {
    use staso_core::testing::test_context;

    use super::*;

    #[test]
    fn who_waits_for_a_lock_takes_no_thread_from_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = try_lock(&path, Hold::Alone).unwrap().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let waiting = tokio::spawn(async move {
                let ctx = test_context();
                wait(&path, Hold::Alone, "waiting", Duration::from_secs(60), &ctx).await.map(drop)
            });
            tokio::task::yield_now().await;
            let ctx = test_context();
            let limit = Duration::from_secs(60);
            blocking::run(&ctx, "the work of the holder", limit, move |_| {
                drop(held);
                Ok(())
            })
            .await
            .unwrap();
            waiting.await.unwrap().unwrap();
        });
    }
}
