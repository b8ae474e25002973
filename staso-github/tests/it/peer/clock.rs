//! The time of servers that someone else wrote: they look at JWTs with the clock of this machine.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use staso_core::id::RunId;
use staso_core::run::{Clock, RunContext, Sleep};
use staso_core::trace::Timestamp;

#[derive(Debug)]
struct WallClock(Instant);

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the server has the time of this machine")]
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
        Timestamp::from_nanos(i64::try_from(since.as_nanos()).expect("a clock before 2262"))
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A context with a fixed run id and the time of this machine.
pub(crate) fn wall_context() -> RunContext {
    RunContext::new(RunId::from_bytes([7; 16]), Arc::new(WallClock(Instant::now())))
}
