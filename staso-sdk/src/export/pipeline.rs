//! One exporter with its queue and its thread.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use staso_core::id::{ConversationId, TraceId, WorkspaceId};
use staso_core::run::{TraceBatch, TracePart};
use staso_core::trace::{SourceRevision, Span};

use super::exporter::{ExportError, SpanExporter};
use super::options::ExportOptions;
use super::queue::Queue;
use super::report::{DeliveryReport, FailureKind};
use crate::capture::{Phase, Recorded, Redactor, SpanContext, convert, redact, uuid_text};

/// How recorded spans become a batch.
#[derive(Debug)]
pub(crate) struct Packing {
    pub(crate) context: SpanContext,
    pub(crate) redactor: Option<Arc<dyn Redactor>>,
    pub(crate) workspace: WorkspaceId,
    pub(crate) environment: String,
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) source: SourceRevision,
}

impl Packing {
    /// The batch, and how many spans the redactor failed on.
    fn pack(&self, recorded: Vec<Recorded>) -> (TraceBatch, u64) {
        let mut parts: Vec<TracePart> = Vec::new();
        let mut positions: HashMap<TraceId, usize> = HashMap::new();
        let mut dropped = 0;
        for recorded in superseded_removed(recorded) {
            let trace_id = recorded.trace_id;
            let is_root = recorded.parent.is_none();
            let conversation = recorded.scope.as_ref().and_then(|scope| scope.conversation.as_deref());
            let conversation = conversation.and_then(|id| ConversationId::new(id).ok());
            let Some(span) = self.span(recorded) else {
                dropped += 1;
                continue;
            };
            let position = *positions.entry(trace_id).or_insert_with(|| {
                parts.push(self.part(trace_id));
                parts.len() - 1
            });
            let Some(part) = parts.get_mut(position) else { continue };
            part.conversation_id = conversation.or_else(|| part.conversation_id.take());
            if is_root {
                part.source = self.source.clone();
            }
            part.spans.push(span);
        }
        (TraceBatch { workspace: self.workspace.clone(), idempotency_key: uuid_text(), parts }, dropped)
    }

    fn part(&self, trace_id: TraceId) -> TracePart {
        TracePart {
            trace_id,
            conversation_id: self.conversation.clone(),
            environment: Some(self.environment.clone()),
            source: SourceRevision::default(),
            spans: Vec::new(),
        }
    }

    /// A redactor that panics must not let text through.
    fn span(&self, recorded: Recorded) -> Option<Span> {
        let span = convert(recorded, &self.context);
        match &self.redactor {
            None => Some(span),
            Some(redactor) => catch_unwind(AssertUnwindSafe(|| redact(span, redactor.as_ref()))).ok(),
        }
    }
}

/// Without the provisional roots whose final form is in the same batch.
fn superseded_removed(recorded: Vec<Recorded>) -> impl Iterator<Item = Recorded> {
    let is_final_root = |span: &&Recorded| span.parent.is_none() && span.phase != Phase::Provisional;
    let finals: Vec<_> =
        recorded.iter().filter(is_final_root).map(|span| (span.trace_id, span.span_id)).collect();
    recorded.into_iter().filter(move |span| {
        span.phase != Phase::Provisional || !finals.contains(&(span.trace_id, span.span_id))
    })
}

/// An exporter at work.
#[derive(Debug)]
pub(crate) struct Pipeline {
    queue: Arc<Queue>,
}

impl Pipeline {
    pub(crate) fn start(
        exporter: Box<dyn SpanExporter>,
        packing: Arc<Packing>,
        options: ExportOptions,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::new(options));
        let worker = Worker { queue: queue.clone(), packing, exporter };
        std::thread::Builder::new().name("staso-export".to_owned()).spawn(move || {
            // What an exporter does must not be recorded and exported again.
            tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || worker.run());
        })?;
        Ok(Self { queue })
    }

    pub(super) fn push(&self, recorded: Recorded) {
        self.queue.push(recorded);
    }

    pub(super) fn report(&self) -> DeliveryReport {
        self.queue.report()
    }

    pub(super) fn begin_flush(&self) -> u64 {
        self.queue.begin_flush()
    }

    pub(super) fn finish_flush(&self, target: u64, deadline: Instant) -> DeliveryReport {
        self.queue.finish_flush(target, deadline)
    }

    pub(super) fn close(&self) {
        self.queue.close();
    }

    pub(super) fn stop(&self) {
        self.queue.stop();
    }
}

struct Worker {
    queue: Arc<Queue>,
    packing: Arc<Packing>,
    exporter: Box<dyn SpanExporter>,
}

/// How a batch ended.
enum Delivery {
    Acknowledged,
    Failed(ExportError),
    /// Delivery was stopped between two attempts; the batch stays pending.
    Stopped,
}

impl Worker {
    fn run(mut self) {
        while let Some(recorded) = self.queue.next_batch() {
            let taken = u64::try_from(recorded.len()).unwrap_or(u64::MAX);
            let (batch, dropped) = self.packing.pack(recorded);
            let redaction = (dropped > 0).then_some((FailureKind::Redaction, false));
            match self.deliver(&batch) {
                Delivery::Acknowledged => {
                    self.queue.settle(taken.saturating_sub(dropped), dropped, redaction);
                }
                Delivery::Failed(error) => self.queue.settle(0, taken, Some((error.kind, error.retryable))),
                Delivery::Stopped => return,
            }
        }
    }

    fn deliver(&mut self, batch: &TraceBatch) -> Delivery {
        if batch.parts.is_empty() {
            return Delivery::Acknowledged;
        }
        let mut attempt = 1;
        loop {
            let Err(error) = self.attempt(batch) else { return Delivery::Acknowledged };
            let Some(wait) = self.wait_after(error, attempt) else { return Delivery::Failed(error) };
            if !self.queue.pause(wait) {
                return Delivery::Stopped;
            }
            attempt += 1;
        }
    }

    fn attempt(&mut self, batch: &TraceBatch) -> Result<(), ExportError> {
        let timeout = self.queue.options().request_timeout;
        catch_unwind(AssertUnwindSafe(|| self.exporter.export(batch, timeout)))
            .unwrap_or(Err(ExportError::permanent(FailureKind::BackendUnavailable)))
    }

    /// How long to wait before the next attempt; `None` when there is none.
    fn wait_after(&self, error: ExportError, attempt: u32) -> Option<Duration> {
        let options = self.queue.options();
        if !error.retryable || attempt >= options.attempts {
            return None;
        }
        match error.retry_after {
            Some(wait) => (wait <= options.retry_after_max).then_some(wait),
            None => Some(options.retry_delay.saturating_mul(1 << (attempt - 1).min(16))),
        }
    }
}
