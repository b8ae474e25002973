//! A span between its end and its delivery.

use std::sync::Arc;

use staso_core::id::TraceId;
use staso_core::trace::Timestamp;
use tracing::Metadata;

use super::fields::Fields;

/// What a span hands down to the spans inside it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) agent: Option<Box<str>>,
    pub(crate) conversation: Option<Box<str>>,
}

/// How a span came to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A root that has only begun.
    Provisional,
    /// It returned.
    Ended,
    /// It was left by a panic, or its future was dropped before it was ready.
    Unfinished {
        /// Whether it was a panic.
        panicked: bool,
    },
}

/// A span as recorded, before the capture policy. It must not leave the process in this form.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) start: Timestamp,
    pub(crate) duration_ns: u64,
    pub(crate) phase: Phase,
    pub(crate) metadata: &'static Metadata<'static>,
    pub(crate) scope: Option<Arc<Scope>>,
    pub(crate) fields: Fields,
}

impl Recorded {
    /// About how much memory this holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.fields.bytes()
    }
}
