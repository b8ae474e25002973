//! The contract of [`EventSink`].

use std::sync::Arc;
use std::time::Duration;

use crate::id::RunId;
use crate::run::{Clock as _, EventKind, EventSink, Phase, RunContext};
use crate::testing::TestClock;

/// Events of one burst.
const BURST: u32 = 5_000;
/// Longest time that a burst may hold up the run that makes it.
const LONGEST: Duration = Duration::from_secs(5);

/// All checks: a burst of events and the end of a run, with nobody taking anything out of the sink meanwhile.
///
/// # Panics
/// With a sentence that names the broken promise.
pub fn all(sink: &Arc<dyn EventSink>) {
    returns_at_once(sink);
    takes_events_of_several_runs(sink);
}

/// A run is never held up.
///
/// # Panics
/// When a burst takes longer than a sink that only queues or drops could take.
pub fn returns_at_once(sink: &Arc<dyn EventSink>) {
    let clock = TestClock::default();
    let ctx = context(sink, 1);
    for number in 0..BURST {
        ctx.emit(EventKind::Warning { message: format!("event {number}") });
    }
    end(&ctx);
    assert!(clock.monotonic() < LONGEST, "a sink queues or drops, it never waits");
}

/// Runs at the same time do not disturb each other.
///
/// # Panics
/// When the sink panics.
pub fn takes_events_of_several_runs(sink: &Arc<dyn EventSink>) {
    let runs = [context(sink, 2), context(sink, 3)];
    for ctx in runs.iter().cycle().take(100) {
        ctx.emit(EventKind::PhaseChanged { phase: Phase::Quick });
    }
    runs.iter().for_each(end);
}

fn context(sink: &Arc<dyn EventSink>, run: u8) -> RunContext {
    let ctx = RunContext::new(RunId::from_bytes([run; 16]), Arc::new(TestClock::default()))
        .with_sinks(vec![Arc::clone(sink)]);
    ctx.emit(EventKind::RunStarted { subject: format!("conformance {run}") });
    ctx
}

fn end(ctx: &RunContext) {
    ctx.emit(EventKind::RunCancelled { reason: "the suite is over".to_owned() });
}
