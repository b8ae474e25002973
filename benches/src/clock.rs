//! The clock of the process, for benchmarks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use staso_core::id::RunId;
use staso_core::run::{Clock, RunContext, Sleep};
use staso_core::trace::Timestamp;

#[derive(Debug)]
struct ProcessClock(Instant);

impl Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(1_767_225_600_000_000_000)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A context with the clock of the process, at a date that stands still.
#[must_use]
pub fn process_context() -> RunContext {
    RunContext::new(RunId::from_bytes([7; 16]), Arc::new(ProcessClock(Instant::now())))
}
