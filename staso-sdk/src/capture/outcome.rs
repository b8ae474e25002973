//! How a step that a helper records came out.

use std::error::Error;
use std::fmt::Display;
use std::panic::Location;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::Span;

use super::fields::Chain;

/// Notices when a step is left before it is done: its future is dropped, by a timeout, a cancelled task or a lost race.
#[derive(Debug)]
pub(super) struct Watch {
    span: Span,
    done: bool,
}

impl Watch {
    pub(super) const fn new(span: Span) -> Self {
        Self { span, done: false }
    }

    pub(super) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.done && !std::thread::panicking() {
            self.span.record(super::UNFINISHED_FIELD, "dropped");
        }
    }
}

/// A value as JSON text. What cannot be written as JSON is named instead.
pub(super) fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value)
        .unwrap_or_else(|error| Value::from(format!("not serializable: {error}")).to_string())
}

/// Records the error with its type and causes.
pub(super) fn record_error<E: Error + 'static>(span: &Span, error: &E) {
    if !span.is_disabled() {
        span.record("exception.type", std::any::type_name::<E>());
        span.record("exception.message", Chain(error).to_string().as_str());
    }
}

/// Records an error that is only known by its text. The alternate form prints the causes of `anyhow` errors.
pub(super) fn record_display<E: Display>(span: &Span, error: &E) {
    if !span.is_disabled() {
        span.record("exception.type", std::any::type_name::<E>());
        span.record("exception.message", format!("{error:#}").as_str());
    }
}

/// Attributes whose names are not known when the program is compiled.
#[derive(Debug, Default)]
pub(super) struct Extra(Map<String, Value>);

impl Extra {
    pub(super) fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    pub(super) fn text(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| json(&self.0))
    }
}

/// Where the application made the step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller(pub(super) &'static Location<'static>);

impl Caller {
    pub(super) const fn file(self) -> &'static str {
        self.0.file()
    }

    pub(super) fn line(self) -> u64 {
        u64::from(self.0.line())
    }
}
