//! The machine's clock, for runs.

use std::time::{Duration, Instant};

use staso_core::run::{Clock, Sleep};
use staso_core::trace::Timestamp;

/// The machine's clock and tokio's timer.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        crate::clock::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}
