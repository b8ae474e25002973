//! The body of `POST /v1/traces/ingest`, as the staso SDKs send it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use staso_core::id::{SpanId, TraceId};
use staso_core::run::TracePart;
use staso_core::trace::{AgentInfo, SourceRevision, SpanKind, SpanStatus, Timestamp, Usage};

use super::attributes::Attributes;
use super::budget::BodyBudget;
use super::draft::{Draft, Suppressed};
use super::error::{Position, read_json};
use super::fields;
use super::source::take_source;
use super::surrogate::{mended_text, read_mended};
use super::wire::{Bounded, ParentId, Text};
use super::{IngestError, IngestLimits};
use crate::span_kind::kind_of;

/// Traces in one body. The SDKs send at most 100.
const MAX_TRACES: usize = 1_000;
/// Spans in one trace of a body, whatever the limits say.
const MAX_SPANS: usize = 10_000;

#[derive(Deserialize)]
struct Body<'b> {
    #[serde(borrow)]
    traces: Bounded<WireTrace<'b>, MAX_TRACES>,
}

/// One trace of a body.
#[derive(Deserialize)]
pub(super) struct WireTrace<'b> {
    trace_id: TraceId,
    #[serde(default)]
    environment: Text,
    /// Read one trace at a time, so that a body never stands in memory as a whole.
    #[serde(borrow)]
    spans: &'b RawValue,
}

#[derive(Deserialize)]
struct WireSpan {
    span_id: SpanId,
    #[serde(default)]
    parent_span_id: ParentId,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    kind: Text,
    timestamp: Timestamp,
    #[serde(default)]
    duration_ms: Option<f64>,
    #[serde(default)]
    status: Text,
    #[serde(default)]
    model: Text,
    #[serde(default)]
    provider: Text,
    #[serde(default)]
    requested_model: Text,
    #[serde(default)]
    usage_available: Option<bool>,
    #[serde(default)]
    reasoning_effort: Text,
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    input: Text,
    #[serde(default)]
    output: Text,
    #[serde(default)]
    attributes: Text,
    #[serde(default)]
    error_message: Text,
    #[serde(default)]
    session_id: Text,
    #[serde(default)]
    agent_name: Text,
    #[serde(default)]
    agent_id: Text,
    #[serde(default)]
    agent_version: Text,
    #[serde(default)]
    user_id: Text,
    #[serde(default)]
    capture: Option<BTreeMap<String, String>>,
}

/// Reads one body of `POST /v1/traces/ingest`: `{"traces": [...]}`.
///
/// # Errors
/// Where in the body the first mistake is, and which.
pub fn parse_staso(bytes: &[u8], limits: &IngestLimits) -> Result<Vec<TracePart>, IngestError> {
    read_mended(bytes, |bytes| {
        let body: Body<'_> = read_json(bytes)?;
        let mut budget = BodyBudget::new(limits);
        let traces = body.traces.0.into_iter().enumerate();
        let part = |(index, trace): (usize, WireTrace<'_>)| {
            trace.into_part(bytes, &format!("traces[{index}]"), limits, &mut budget)
        };
        traces.map(part).collect()
    })
}

impl WireTrace<'_> {
    /// The part that the trace stands for. `path` names the trace in `document`, in errors.
    pub(super) fn into_part(
        self,
        document: &[u8],
        path: &str,
        limits: &IngestLimits,
        budget: &mut BodyBudget,
    ) -> Result<TracePart, IngestError> {
        let spans = self.read_spans(document, path)?;
        if spans.is_empty() {
            return Err(IngestError::invalid(format!("{path}.spans"), "a trace needs at least one span"));
        }
        if spans.len() > limits.max_spans_per_trace {
            let what = format!("the number of spans in {path}");
            return Err(IngestError::TooLarge { what, limit: limits.max_spans_per_trace });
        }
        budget.take_spans(spans.len())?;
        let mut conversation_id = None;
        let mut environment = self.environment.0;
        let (mut of_root, mut of_others) = (SourceRevision::default(), SourceRevision::default());
        let mut finished = Vec::with_capacity(spans.len());
        for wire in spans {
            let is_root = wire.parent_span_id.0.is_none();
            let mut draft = wire.into_draft(budget);
            let mut attributes = Attributes(std::mem::take(&mut draft.attributes));
            let source = take_source(&mut attributes);
            let known = if is_root { &mut of_root } else { &mut of_others };
            if *known == SourceRevision::default() {
                *known = source;
            }
            environment = environment.or_else(|| attributes.take_text(fields::ENVIRONMENT));
            draft.attributes = attributes.0;
            let (span, conversation) = draft.finish(limits);
            conversation_id = conversation_id.or(conversation);
            finished.push(span);
        }
        let source = if of_root == SourceRevision::default() { of_others } else { of_root };
        Ok(TracePart { trace_id: self.trace_id, conversation_id, environment, source, spans: finished })
    }

    fn read_spans(&self, document: &[u8], path: &str) -> Result<Vec<WireSpan>, IngestError> {
        let raw = self.spans.get();
        let spans: Result<Bounded<WireSpan, MAX_SPANS>, _> = read_json(raw.as_bytes());
        spans.map(|spans| spans.0).map_err(|error| {
            let offset = raw.as_ptr().addr().saturating_sub(document.as_ptr().addr());
            let name = if path.is_empty() { "spans".to_owned() } else { format!("{path}.spans") };
            error.within(&name, Position::of_offset(document, offset))
        })
    }
}

impl WireSpan {
    fn into_draft(self, budget: &mut BodyBudget) -> Draft {
        let mut draft = Draft::new(self.span_id, self.name.0.unwrap_or_default(), self.timestamp);
        draft.attributes = read_attributes(self.attributes.0, budget);
        let mut keep = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                draft.attributes.entry(key.to_owned()).or_insert(Value::String(value));
            }
        };
        keep("user.id", self.user_id.0);
        keep("gen_ai.request.reasoning_effort", self.reasoning_effort.0);
        let kind = self.kind.0.unwrap_or_default();
        draft.kind = kind_of(&kind).map(|kind| refined(kind, &draft.attributes));
        if draft.kind.is_none() && !kind.is_empty() {
            draft.attributes.insert("staso.kind".to_owned(), Value::String(kind));
        }
        let status = self.status.0.unwrap_or_default();
        draft.status = match status.as_str() {
            "ok" | "" => SpanStatus::Ok,
            "timeout" => SpanStatus::Timeout,
            "error" => SpanStatus::Error,
            _ => {
                draft.attributes.insert("staso.status".to_owned(), Value::String(status));
                if self.error_message.0.is_some() { SpanStatus::Error } else { SpanStatus::Ok }
            }
        };
        draft.parent_span_id = self.parent_span_id.0;
        draft.duration_ns = self.duration_ms.and_then(nanoseconds);
        draft.agent =
            AgentInfo { name: self.agent_name.0, id: self.agent_id.0, version: self.agent_version.0 };
        draft.session_id = self.session_id.0;
        draft.provider = self.provider.0;
        draft.requested_model = self.requested_model.0;
        draft.answered_model = self.model.0;
        draft.usage_unknown = self.usage_available == Some(false);
        let usage = Usage {
            input_tokens: self.input_tokens.unwrap_or_default(),
            output_tokens: self.output_tokens.unwrap_or_default(),
        };
        let counted = self.usage_available == Some(true) || usage != Usage::default();
        draft.usage = Some(usage).filter(|_| counted);
        draft.input = self.input.0;
        draft.output = match draft.kind {
            Some(SpanKind::Tool) if !draft.name.starts_with("guard:") => self.output.0.map(unwrap_result),
            _ => self.output.0,
        };
        draft.error_message = self.error_message.0;
        draft.suppressed = self.capture.as_ref().map(suppressed).unwrap_or_default();
        draft
    }
}

/// Six kinds exist on the wire; the operation among the attributes says the rest.
fn refined(kind: SpanKind, attributes: &BTreeMap<String, Value>) -> SpanKind {
    let operation = attributes.get("gen_ai.operation.name").and_then(Value::as_str).and_then(kind_of);
    match (kind, operation) {
        (SpanKind::Custom, Some(operation)) => operation,
        (SpanKind::Tool, Some(SpanKind::Guard)) => SpanKind::Guard,
        (kind, _) => kind,
    }
}

/// What a tool returned stands under `result`; text without quotes. Anything else stays as it is.
fn unwrap_result(output: String) -> String {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Returned<'t> {
        #[serde(borrow)]
        result: &'t RawValue,
    }
    let Ok(Returned { result }) = serde_json::from_str(&output) else { return output };
    match serde_json::from_str::<String>(result.get()) {
        Ok(text) if !text.is_empty() => text,
        _ => result.get().to_owned(),
    }
}

fn suppressed(capture: &BTreeMap<String, String>) -> Suppressed {
    let off = |category: &str| capture.get(category).is_some_and(|state| state == "suppressed");
    Suppressed {
        request: off("request"),
        tool_schema: off("tool_schema"),
        tool_arguments: off("tool_arguments"),
        output: off("output"),
        any: capture.values().any(|state| state == "suppressed"),
    }
}

/// Attributes come as the JSON text of an object. Text that is something else, e.g. because it holds `NaN`, is kept
/// whole under one key: it must not lose the trace.
fn read_attributes(text: Option<String>, budget: &mut BodyBudget) -> BTreeMap<String, Value> {
    let Some(text) = text.filter(|text| text != "{}").map(mended_text) else { return BTreeMap::new() };
    let read = budget.take_text(&text).then(|| serde_json::from_str(&text).ok());
    read.flatten()
        .unwrap_or_else(|| BTreeMap::from([("staso.raw_attributes".to_owned(), Value::String(text))]))
}

/// Milliseconds to whole nanoseconds; negative times, which a clock that was set back makes, are zero.
fn nanoseconds(ms: f64) -> Option<u64> {
    let duration = std::time::Duration::try_from_secs_f64(ms.max(0.0) / 1000.0).ok()?;
    u64::try_from(duration.as_nanos()).ok()
}
