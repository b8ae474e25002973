//! Who uses a bare repository below the data directory: meanwhile nobody removes it.

use std::fs::{File, FileTimes};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

use super::cache::system_time;
use super::data::{self, Hold};
use crate::blocking::{self, Stop};
use crate::limits::GitLimits;

/// One user: a call of a provider, from its first look at the repository to its end. Clones are the same user.
#[derive(Debug, Clone)]
pub(super) struct InUse {
    path: PathBuf,
    shared: Arc<OnceLock<File>>,
}

impl InUse {
    /// A user of the repository at `directory`, who has not begun.
    pub(super) fn of(directory: &Path) -> Self {
        Self { path: lock_of(directory), shared: Arc::default() }
    }

    /// Begins, or goes on. `now` orders the uses.
    pub(super) fn begin(&self, now: SystemTime, stop: &Stop) -> Result<(), VcsError> {
        if self.shared.get().is_some() {
            return Ok(());
        }
        let lock = data::lock(&self.path, Hold::Shared, stop)?;
        if lock.set_times(FileTimes::new().set_modified(now)).is_err() {
            tracing::debug!("the time of the last use of a repository could not be noted");
        }
        // When another clone was faster, its lock does for both.
        drop(self.shared.set(lock));
        Ok(())
    }

    /// [`begin`](Self::begin), for callers that do not block.
    pub(super) async fn enter(&self, limits: &GitLimits, ctx: &RunContext) -> Result<(), VcsError> {
        let (user, now) = (self.clone(), system_time(ctx.now()));
        blocking::run(ctx, "preparing a repository", limits.operation, move |stop| user.begin(now, stop))
            .await
    }

    /// Does `work` if nobody else uses the repository, and lets nobody begin meanwhile. `None` when somebody does.
    pub(super) fn alone<T>(
        &self,
        stop: &Stop,
        work: impl FnOnce() -> std::io::Result<T>,
    ) -> Result<Option<std::io::Result<T>>, VcsError> {
        let Some(lock) = self.shared.get() else { return Ok(None) };
        let done = lock.try_lock().ok().map(|()| work());
        // Changing a lock gives up the one that was held.
        data::share_again(lock, stop)?;
        Ok(done)
    }
}

/// The lock that users of a repository share.
pub(super) fn lock_of(directory: &Path) -> PathBuf {
    directory.with_extension("use")
}

/// When a repository was last used, by the clocks of the runs.
pub(super) fn last_use(directory: &Path) -> Option<SystemTime> {
    std::fs::metadata(lock_of(directory)).and_then(|found| found.modified()).ok()
}
