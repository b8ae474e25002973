//! Waiting, so that a cancelled run stops at once.

use std::future::Future;
use std::time::Duration;

use staso_core::run::RunContext;

use super::SendError;

/// Waits on the run's clock.
///
/// # Errors
/// Only [`SendError::Cancelled`].
pub(crate) async fn pause(ctx: &RunContext, duration: Duration) -> Result<(), SendError> {
    tokio::select! {
        biased;
        () = ctx.cancellation().cancelled() => Err(SendError::Cancelled),
        () = ctx.clock().sleep(duration) => Ok(()),
    }
}

/// Waits for others: sockets, and who is before us in a queue. They live in real time whatever clock the run has, so this
/// is not [`RunContext::bounded`]. Never longer than what is left of the run.
pub(super) async fn within<T>(
    ctx: &RunContext,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, SendError> {
    let limit = limit.min(ctx.remaining());
    tokio::select! {
        biased;
        () = ctx.cancellation().cancelled() => Err(SendError::Cancelled),
        // Work is begun before its time is looked at, and what is begun may be sent.
        () = std::future::ready(()), if limit.is_zero() => Err(timed_out(limit)),
        done = tokio::time::timeout(limit, work) => done.map_err(|_| timed_out(limit)),
    }
}

pub(super) fn timed_out(limit: Duration) -> SendError {
    SendError::TimedOut { limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) }
}
