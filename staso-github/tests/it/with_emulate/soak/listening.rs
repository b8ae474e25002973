//! Everything that is traced or logged in this process.

use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::peer::environment::say;

static HEARD: Mutex<String> = Mutex::new(String::new());
static ONCE: Once = Once::new();

/// Where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ear {
    /// Into memory, for [`heard`].
    Memory,
    /// To the standard error.
    StandardError,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {field}={value}").unwrap();
    }
}

impl Ear {
    fn hear(self, line: &str) {
        match self {
            Self::Memory => {
                let mut heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push_str(line);
                heard.push('\n');
            }
            Self::StandardError => say(line),
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ear {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut line = Line(format!("span {}", attributes.metadata().name()));
        attributes.record(&mut line);
        self.hear(&line.0);
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.hear(&line.0);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        self.hear(&line.0);
    }
}

impl log::Log for Ear {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.hear(&format!("{} {} {}", record.level(), record.target(), record.args()));
    }

    fn flush(&self) {}
}

/// Hears from now on, everything, in all threads.
pub(super) fn listen(ear: Ear) {
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(ear)).unwrap();
        log::set_logger(Box::leak(Box::new(ear))).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// What was heard since this was last asked.
pub(super) fn heard() -> String {
    std::mem::take(&mut *HEARD.lock().unwrap_or_else(PoisonError::into_inner))
}
