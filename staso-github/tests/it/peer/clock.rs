//! The time of servers that someone else wrote: they look at JWTs with the clock of this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// Longest real time of a wait that is jumped over.
const JUMP: Duration = Duration::from_millis(20);

/// The time of this machine, but that pauses before a repetition and of a rate limit are jumped over: afterwards it is
/// later. Longest times of operations are not: they are whole, and longer.
#[derive(Debug, Clone)]
struct JumpingClock {
    started: Instant,
    ahead_ns: Arc<AtomicU64>,
}

impl JumpingClock {
    fn ahead(&self) -> Duration {
        Duration::from_nanos(self.ahead_ns.load(Ordering::Relaxed))
    }

    /// Pauses are below half a minute, or what is left of one, two and four minutes.
    fn is_pause(duration: Duration) -> bool {
        let left_of = |seconds| {
            let whole = Duration::from_secs(seconds);
            duration < whole && duration + Duration::from_secs(2) > whole
        };
        duration < Duration::from_secs(30)
            || duration == Duration::from_secs(60)
            || [60, 120, 240].into_iter().any(left_of)
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        WallClock(self.started).now().saturating_add(self.ahead())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed() + self.ahead()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if !Self::is_pause(duration) {
            return Box::pin(tokio::time::sleep(duration));
        }
        let clock = self.clone();
        Box::pin(async move {
            let real = duration.min(JUMP);
            tokio::time::sleep(real).await;
            let rest = u64::try_from((duration - real).as_nanos()).expect("a pause");
            clock.ahead_ns.fetch_add(rest, Ordering::Relaxed);
        })
    }
}

/// A context of a run whose pauses take no time.
pub(crate) fn jumping_context(run: u64) -> RunContext {
    let id = u128::from(run).to_be_bytes();
    let clock = JumpingClock { started: Instant::now(), ahead_ns: Arc::default() };
    RunContext::new(RunId::from_bytes(id), Arc::new(clock))
}
