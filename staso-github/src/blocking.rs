//! Git work on the blocking pool, with a way to stop it.

use std::time::Duration;

use staso_core::run::{Interrupted, RunContext};
use staso_core::vcs::VcsError;
use tokio_util::sync::CancellationToken;

use crate::error;

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

/// Runs blocking work until it is done, `limit` is over or the run is cancelled. The caller does not wait for work that
/// was stopped; it cleans up after itself at its next step.
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
    let _stop_when_dropped = token.drop_guard();
    let task = tokio::task::spawn_blocking(move || work(&stop));
    match ctx.bounded(limit, task).await {
        Ok(Ok(result)) => result,
        Ok(Err(join)) => Err(error::backend(operation, join)),
        Err(interrupted) => Err(interruption(operation, interrupted)),
    }
}

/// The error for a wait that ended early.
pub(crate) const fn interruption(operation: &'static str, interrupted: Interrupted) -> VcsError {
    match interrupted {
        Interrupted::Cancelled => VcsError::Cancelled,
        Interrupted::TimedOut { limit_ms } => VcsError::Timeout { operation, limit_ms },
    }
}
