//! Everything that is logged in this process, down to the finest level.

use std::fmt::{self, Write as _};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

/// More than any of these tests may log, in bytes.
const MAX_BYTES: usize = 256 << 20;

static LINES: Mutex<String> = Mutex::new(String::new());

/// Begins to record, once for all tests. Returns where the log stands now.
pub(crate) fn record() -> usize {
    static BEGIN: Once = Once::new();
    BEGIN.call_once(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Recorder)).unwrap();
    });
    lines().len()
}

/// What was logged since then, also by others.
pub(crate) fn since(mark: usize) -> String {
    let lines = lines();
    assert!(lines.len() < MAX_BYTES, "the log was cut");
    lines[mark..].to_owned()
}

fn lines() -> MutexGuard<'static, String> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Recorder;

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _context: Context<'_, S>) {
        note(attributes.metadata().target(), |line| attributes.record(line));
    }

    fn on_record(&self, _id: &Id, values: &Record<'_>, _context: Context<'_, S>) {
        note("", |line| values.record(line));
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        note(event.metadata().target(), |line| event.record(line));
    }
}

fn note(target: &str, write: impl FnOnce(&mut Line)) {
    let mut line = Line(target.to_owned());
    write(&mut line);
    let mut lines = lines();
    if lines.len() < MAX_BYTES {
        lines.push_str(&line.0);
        lines.push('\n');
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

#[test]
fn the_finest_level_is_recorded() {
    let mark = record();
    tracing::trace!(word = "spoken", "said");
    assert!(since(mark).contains("word=\"spoken\""));
}
