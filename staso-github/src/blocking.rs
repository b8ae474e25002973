//! Git work on the blocking pool, with a way to stop it.

use std::time::Duration;

use staso_core::run::{Interrupted, RunContext};
use staso_core::vcs::VcsError;
use tokio_util::sync::CancellationToken;

use crate::error;

/// How long stopped work may take to reach its next step, so that what it wrote before is known and not left behind unseen.
const GRACE: Duration = Duration::from_secs(1);

/// Tells blocking work that nobody waits for it any more.
#[derive(Debug, Clone)]
pub(crate) struct Stop(CancellationToken);

impl Stop {
    /// Ends the work between two steps.
    ///
    /// # Errors
    /// [`VcsError::Cancelled`] when the run was cancelled or its time is over.
    pub(crate) fn check(&self) -> Result<(), VcsError> {
        if self.0.is_cancelled() { Err(VcsError::Cancelled) } else { Ok(()) }
    }
}

/// Runs blocking work until it is done, `limit` is over or the run is cancelled. Work that was stopped ends at its next
/// step; the caller waits a second for that, and when the work was done all the same, its result counts. Work that takes
/// longer cleans up after itself.
pub(crate) async fn run<T: Send + 'static>(
    ctx: &RunContext,
    operation: &'static str,
    limit: Duration,
    work: impl FnOnce(&Stop) -> Result<T, VcsError> + Send + 'static,
) -> Result<T, VcsError> {
    if ctx.is_cancelled() {
        return Err(VcsError::Cancelled);
    }
    let token = ctx.cancellation().child_token();
    let stop = Stop(token.clone());
    let stop_when_dropped = token.drop_guard();
    let mut task = tokio::task::spawn_blocking(move || work(&stop));
    let ended = match ctx.bounded(limit, &mut task).await {
        Ok(ended) => ended,
        Err(interrupted) => {
            drop(stop_when_dropped);
            tokio::select! {
                biased;
                ended = &mut task => match ended {
                    Ok(Err(VcsError::Cancelled)) => return Err(interruption(operation, interrupted)),
                    ended => ended,
                },
                () = ctx.clock().sleep(GRACE) => return Err(interruption(operation, interrupted)),
            }
        }
    };
    ended.unwrap_or_else(|join| Err(error::backend(operation, join)))
}

/// The error for a wait that ended early.
pub(crate) const fn interruption(operation: &'static str, interrupted: Interrupted) -> VcsError {
    match interrupted {
        Interrupted::Cancelled => VcsError::Cancelled,
        Interrupted::TimedOut { limit_ms } => VcsError::Timeout { operation, limit_ms },
    }
}
