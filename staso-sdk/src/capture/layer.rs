//! The `tracing` layer: notices which spans belong to agent runs, and records them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use staso_core::id::TraceId;
use staso_core::trace::Timestamp;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::fields::Fields;
use super::recorded::{Phase, Recorded, Scope};
use super::{clock_now, ids};
use crate::export::Recorder;

/// Where the layer sends what it records. A later `init` puts its own recorder here.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    recorder: RwLock<Option<Arc<Recorder>>>,
}

impl Slot {
    pub(crate) fn holding(recorder: Arc<Recorder>) -> Self {
        Self { recorder: RwLock::new(Some(recorder)) }
    }

    pub(crate) fn replace(&self, recorder: Arc<Recorder>) -> Option<Arc<Recorder>> {
        self.recorder.write().unwrap_or_else(PoisonError::into_inner).replace(recorder)
    }

    fn with<T>(&self, act: impl FnOnce(&Recorder) -> T) -> Option<T> {
        let recorder = self.recorder.read().unwrap_or_else(PoisonError::into_inner);
        recorder.as_deref().filter(|recorder| recorder.is_enabled()).map(act)
    }
}

/// Records spans into a slot.
#[derive(Debug)]
pub(crate) struct RecordLayer {
    slot: Arc<Slot>,
}

/// A span that has begun.
#[derive(Debug)]
struct Open {
    trace_id: TraceId,
    span_id: u64,
    parent: Option<u64>,
    start: Timestamp,
    began: Instant,
    belongs: bool,
    panicked: bool,
    scope: Option<Arc<Scope>>,
    fields: Fields,
}

/// What a new span needs to know of the one around it.
struct Inherited {
    trace_id: TraceId,
    span_id: u64,
    belongs: bool,
    scope: Option<Arc<Scope>>,
}

/// Whether the field marks a step of an agent run.
fn is_marker(name: &str) -> bool {
    name.starts_with("gen_ai.") || name.starts_with("staso.")
}

/// Whether the event says that the step around it failed: the fields of an exception, or the lone `error` that
/// `#[instrument(err)]` makes.
pub(super) fn is_failure_event(metadata: &Metadata<'_>) -> bool {
    let fields = metadata.fields();
    let is_err_event = fields.len() == 1 && fields.field("error").is_some();
    is_err_event || fields.iter().any(|field| field.name().starts_with("exception."))
}

impl RecordLayer {
    pub(crate) const fn new(slot: Arc<Slot>) -> Self {
        Self { slot }
    }

    fn open(attributes: &Attributes<'_>, around: Option<&Inherited>) -> Open {
        let metadata = attributes.metadata();
        let mut fields = Fields::with_capacity(metadata.fields().len());
        attributes.record(&mut fields);
        let marked = metadata.fields().iter().any(|field| is_marker(field.name()));
        Open {
            trace_id: around.map_or_else(ids::trace_id, |around| around.trace_id),
            span_id: ids::span_id(),
            parent: around.map(|around| around.span_id),
            start: clock_now(),
            began: Instant::now(),
            belongs: marked || around.is_some_and(|around| around.belongs),
            panicked: false,
            scope: scope_of(&fields, around.and_then(|around| around.scope.as_ref())),
            fields,
        }
    }

    /// Marks the spans around one that belongs. Stops at the first that is marked: those around it are too.
    fn mark_around<S>(recorder: &Recorder, span: &SpanRef<'_, S>)
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        for around in span.scope().skip(1) {
            let mut extensions = around.extensions_mut();
            let Some(open) = extensions.get_mut::<Open>().filter(|open| !open.belongs) else { return };
            open.belongs = true;
            if open.parent.is_none() {
                recorder.record(provisional(open, around.metadata()));
            }
        }
    }
}

/// The scope that a span's own fields make, else the one around it.
fn scope_of(fields: &Fields, around: Option<&Arc<Scope>>) -> Option<Arc<Scope>> {
    let agent = fields.text("gen_ai.agent.name");
    let conversation = fields.text("gen_ai.conversation.id").or_else(|| fields.text("session.id"));
    if agent.is_none() && conversation.is_none() {
        return around.cloned();
    }
    let mut scope = around.map(|around| Scope::clone(around)).unwrap_or_default();
    scope.agent = agent.map(Into::into).or(scope.agent);
    scope.conversation = conversation.map(Into::into).or(scope.conversation);
    Some(Arc::new(scope))
}

fn provisional(open: &Open, metadata: &'static Metadata<'static>) -> Recorded {
    Recorded {
        trace_id: open.trace_id,
        span_id: open.span_id,
        parent: None,
        start: open.start,
        duration_ns: 0,
        phase: Phase::Provisional,
        metadata,
        scope: open.scope.clone(),
        fields: open.fields.clone(),
    }
}

impl<S> Layer<S> for RecordLayer
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        self.slot.with(|recorder| {
            let around = span.parent().and_then(|around| {
                let extensions = around.extensions();
                extensions.get::<Open>().map(|open| Inherited {
                    trace_id: open.trace_id,
                    span_id: open.span_id,
                    belongs: open.belongs,
                    scope: open.scope.clone(),
                })
            });
            if around.is_none() && !recorder.is_recording() {
                return;
            }
            let open = Self::open(attributes, around.as_ref());
            if open.belongs && around.is_none() {
                recorder.record(provisional(&open, attributes.metadata()));
            }
            let begins_here = open.belongs && around.is_some_and(|around| !around.belongs);
            span.extensions_mut().insert(open);
            if begins_here {
                Self::mark_around(recorder, &span);
            }
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(&mut open.fields);
            open.scope = scope_of(&open.fields, open.scope.as_ref());
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event).filter(|_| is_failure_event(event.metadata())) else {
            return;
        };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            let mut said = Fields::default();
            event.record(&mut said);
            for name in ["exception.type", "exception.message", "exception.stacktrace", "error.type"] {
                if let Some(text) = said.text(name) {
                    open.fields.push_text(name, text);
                }
            }
            if let Some(text) = said.text("error") {
                open.fields.push_text("exception.message", text);
            }
            open.fields.push_text("otel.status_code", "ERROR");
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if std::thread::panicking()
            && let Some(span) = context.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            open.panicked = true;
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>().filter(|open| open.belongs) else { return };
        let phase = match open.panicked || std::thread::panicking() {
            true => Phase::Unfinished { panicked: true },
            false if open.fields.text(super::UNFINISHED_FIELD).is_some() => {
                Phase::Unfinished { panicked: false }
            }
            false => Phase::Ended,
        };
        let recorded = Recorded {
            trace_id: open.trace_id,
            span_id: open.span_id,
            parent: open.parent,
            start: open.start,
            duration_ns: u64::try_from(open.began.elapsed().as_nanos()).unwrap_or(u64::MAX),
            phase,
            metadata: span.metadata(),
            scope: open.scope,
            fields: open.fields,
        };
        self.slot.with(|recorder| recorder.record(recorded));
    }
}
