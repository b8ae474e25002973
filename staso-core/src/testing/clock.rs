//! A clock that tests can steer.

use std::sync::Arc;
use std::time::Duration;

use crate::id::RunId;
use crate::run::{Clock, RunContext, Sleep};
use crate::trace::Timestamp;

/// Starts at 2026-01-01T00:00:00Z and follows tokio's timer, which tests may pause and advance.
#[derive(Debug)]
pub struct TestClock {
    started: tokio::time::Instant,
}

const START: Timestamp = Timestamp::from_nanos(1_767_225_600_000_000_000);

impl Default for TestClock {
    fn default() -> Self {
        Self { started: tokio::time::Instant::now() }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        START.saturating_add(self.started.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A context with a fixed run id, a [`TestClock`] and default bounds.
#[must_use]
pub fn test_context() -> RunContext {
    RunContext::new(RunId::from_bytes([7; 16]), Arc::new(TestClock::default()))
}
