//! A clock on which every wait is over at once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use staso_core::run::{Clock, Sleep};
use staso_core::trace::Timestamp;

/// 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_nanos(1_767_225_600_000_000_000);

/// Stands still but for waits, which it jumps over and remembers.
#[derive(Debug, Default)]
pub(super) struct JumpClock {
    waits: Mutex<Vec<Duration>>,
}

impl JumpClock {
    fn lock(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All waits so far, in seconds.
    pub(super) fn waits(&self) -> Vec<f64> {
        self.lock().iter().map(Duration::as_secs_f64).collect()
    }

    /// Jumps ahead.
    pub(super) fn advance(&self, duration: Duration) {
        self.lock().push(duration);
    }
}

impl Clock for JumpClock {
    fn now(&self) -> Timestamp {
        START.saturating_add(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.lock().iter().sum()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.advance(duration);
        Box::pin(std::future::ready(()))
    }
}
