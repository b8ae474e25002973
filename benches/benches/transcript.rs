//! What the tamper-evident transcript of a run costs: recording and checking it, next to hashing the same bytes once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use divan::counter::ItemsCount;
use sha2::{Digest as _, Sha256};
use staso_core::id::{Digest, RunId};
use staso_core::run::{Clock, EventKind, EventSink, RunContext, RunEvent, Sleep, verify_transcript};
use staso_core::trace::Timestamp;

const EVENTS: usize = 1_000;

fn main() {
    divan::main();
}

/// Stands still, so that only the recording is measured.
#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(1_767_225_600_000_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _duration: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

#[derive(Debug, Default)]
struct Lines(Mutex<String>);

impl EventSink for Lines {
    fn emit(&self, event: &RunEvent) {
        let line = serde_json::to_string(event).unwrap_or_default();
        let mut text = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        text.push_str(&line);
        text.push('\n');
    }
}

/// Records a run of a usual shape and returns its transcript.
fn record() -> (String, Digest) {
    let lines = Arc::new(Lines::default());
    let ctx =
        RunContext::new(RunId::from_bytes([7; 16]), Arc::new(StoppedClock)).with_sinks(vec![lines.clone()]);
    for at in 0..EVENTS {
        ctx.emit(EventKind::CheckCompleted {
            name: "tests".to_owned(),
            at: "patched".to_owned(),
            ok: true,
            result: format!("candidate {at}: 12 passed, 0 failed"),
        });
    }
    let text = std::mem::take(&mut *lines.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    (text, ctx.events_digest())
}

#[divan::bench]
fn record_1000_events(bencher: divan::Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(EVENTS)).bench(record);
}

#[divan::bench]
fn verify_1000_events(bencher: divan::Bencher<'_, '_>) {
    let (text, digest) = record();
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| verify_transcript(&text, &digest));
}

#[divan::bench]
fn sha256_of_the_same_bytes(bencher: divan::Bencher<'_, '_>) {
    let (text, _) = record();
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| Sha256::digest(text.as_bytes()));
}
