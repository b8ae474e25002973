//! OTLP JSON: the body of `POST /v1/traces` with `Content-Type: application/json`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use staso_core::id::{SpanId, TraceId};
use staso_core::run::TracePart;
use staso_core::trace::{SourceRevision, SpanStatus, Timestamp};

use super::attributes::{Attributes, text_size};
use super::budget::BodyBudget;
use super::draft::Draft;
use super::error::{Position, read_json};
use super::otlp_value::KeyValues;
use super::source::take_source;
use super::surrogate::read_mended;
use super::wire::{Bounded, Int64, ParentId, Text};
use super::{IngestError, IngestLimits, fields};

const MAX_RESOURCES: usize = 1_000;
const MAX_SPANS: usize = 10_000;
const MAX_EVENTS: usize = 1_000;
/// Events of one span that are kept, beside the exception.
const KEPT_EVENTS: usize = 128;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'b> {
    #[serde(borrow)]
    resource_spans: Bounded<ResourceSpans<'b>, MAX_RESOURCES>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'b> {
    #[serde(borrow, default)]
    resource: Option<&'b RawValue>,
    #[serde(borrow, default)]
    scope_spans: Bounded<ScopeSpans<'b>, MAX_RESOURCES>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    attributes: KeyValues,
}

#[derive(Deserialize)]
struct ScopeSpans<'b> {
    /// Read one by one, so that a body never stands in memory as a whole.
    #[serde(borrow, default)]
    spans: Option<&'b RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSpan {
    #[serde(default)]
    trace_id: String,
    #[serde(default)]
    span_id: String,
    #[serde(default)]
    parent_span_id: String,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    start_time_unix_nano: Option<Int64>,
    #[serde(default)]
    end_time_unix_nano: Option<Int64>,
    #[serde(default)]
    attributes: KeyValues,
    #[serde(default)]
    events: Bounded<Event, MAX_EVENTS>,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default)]
    time_unix_nano: Option<Int64>,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    attributes: KeyValues,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: Text,
    #[serde(default)]
    message: Text,
}

/// What a request of OTLP brought.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpParts {
    /// One part a trace, in the order in which the traces first appear.
    pub parts: Vec<TracePart>,
    /// Spans that cannot be used. OTLP takes the others all the same.
    pub refused: Vec<RefusedSpan>,
}

/// A span that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedSpan {
    /// Where it stands, e.g. `resourceSpans[0].scopeSpans[0].spans[2].traceId`.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Reads one request of OTLP JSON: `{"resourceSpans": [...]}`.
///
/// A span without valid ids or a start is refused alone, as OTLP's `partial_success` wants it. Attributes of a resource
/// go to the spans without a parent; where a trace has none in the request, to its first span.
///
/// # Errors
/// Where the text is no such request, or more spans of one trace than the limits allow.
pub fn parse_otlp_json(bytes: &[u8], limits: &IngestLimits) -> Result<OtlpParts, IngestError> {
    read_mended(bytes, |bytes| read_request(bytes, limits))
}

fn read_request(bytes: &[u8], limits: &IngestLimits) -> Result<OtlpParts, IngestError> {
    let request: Request<'_> = read_json(bytes)?;
    let mut traces = Traces {
        limits,
        budget: BodyBudget::new(limits),
        order: Vec::new(),
        parts: BTreeMap::new(),
        refused: Vec::new(),
    };
    for (r, resource) in request.resource_spans.0.into_iter().enumerate() {
        let path = format!("resourceSpans[{r}]");
        let shared = match resource.resource {
            Some(raw) => read_part(raw, bytes, &format!("{path}.resource"))?,
            None => None,
        };
        let shared = SharedFacts::of(shared);
        traces.budget.take_values(shared.rest.values())?;
        let mut seen = BTreeMap::new();
        for (s, scope) in resource.scope_spans.0.into_iter().enumerate() {
            let Some(spans) = scope.spans else { continue };
            let path = format!("{path}.scopeSpans[{s}].spans");
            let spans: Bounded<&RawValue, MAX_SPANS> = read_part(spans, bytes, &path)?;
            traces.budget.take_spans(spans.0.len())?;
            for (n, span) in spans.0.into_iter().enumerate() {
                traces.take(span, bytes, &format!("{path}[{n}]"), &shared, &mut seen)?;
            }
        }
        traces.give_resource_to_first_spans(&shared, &seen)?;
    }
    let Traces { order, mut parts, refused, .. } = traces;
    Ok(OtlpParts { parts: order.iter().filter_map(|id| parts.remove(id)).collect(), refused })
}

/// Reads a part of the document that was left for later.
fn read_part<'b, T: Deserialize<'b>>(
    raw: &'b RawValue,
    document: &[u8],
    path: &str,
) -> Result<T, IngestError> {
    read_json(raw.get().as_bytes()).map_err(|error| {
        let offset = raw.get().as_ptr().addr().saturating_sub(document.as_ptr().addr());
        error.within(path, Position::of_offset(document, offset))
    })
}

/// What a resource says of all its spans.
struct SharedFacts {
    service: Option<String>,
    environment: Option<String>,
    source: SourceRevision,
    rest: BTreeMap<String, Value>,
    /// About how long `rest` is as text.
    bytes: usize,
}

impl SharedFacts {
    fn of(resource: Option<Resource>) -> Self {
        let rest = resource.map(|resource| resource.attributes.into_map()).unwrap_or_default();
        let mut attributes = Attributes(rest);
        let service = attributes.0.get("service.name").and_then(Value::as_str).map(str::to_owned);
        let source = take_source(&mut attributes);
        let environment = attributes.take_text(fields::ENVIRONMENT);
        let bytes = attributes.0.iter().map(|(key, value)| key.len() + text_size(value)).sum();
        Self { service, environment, source, rest: attributes.0, bytes }
    }
}

struct Traces<'l> {
    limits: &'l IngestLimits,
    budget: BodyBudget,
    order: Vec<TraceId>,
    parts: BTreeMap<TraceId, TracePart>,
    refused: Vec<RefusedSpan>,
}

/// For each trace of a resource: where its first span stands, and whether it has a span without a parent.
type Seen = BTreeMap<TraceId, (usize, bool)>;

impl Traces<'_> {
    /// Reads one span and adds it to its trace; one that cannot be used is refused alone.
    fn take(
        &mut self,
        raw: &RawValue,
        document: &[u8],
        path: &str,
        shared: &SharedFacts,
        seen: &mut Seen,
    ) -> Result<(), IngestError> {
        if raw.get().len() > self.limits.max_span_bytes {
            let reason = format!("the span is larger than {} bytes", self.limits.max_span_bytes);
            self.refused.push(RefusedSpan { path: path.to_owned(), reason });
            return Ok(());
        }
        match read_part::<WireSpan>(raw, document, path)?.into_draft() {
            Ok((trace_id, draft)) => self.add(trace_id, draft, shared, seen),
            Err((field, reason)) => {
                self.refused.push(RefusedSpan { path: format!("{path}.{field}"), reason });
                Ok(())
            }
        }
    }

    fn add(
        &mut self,
        trace_id: TraceId,
        mut draft: Draft,
        shared: &SharedFacts,
        seen: &mut Seen,
    ) -> Result<(), IngestError> {
        let is_root = draft.parent_span_id.is_none();
        let mut attributes = Attributes(std::mem::take(&mut draft.attributes));
        let own_source = take_source(&mut attributes);
        let own_environment = attributes.take_text(fields::ENVIRONMENT);
        draft.attributes = attributes.0;
        if is_root {
            self.budget.take_copy(shared.bytes)?;
            for (key, value) in &shared.rest {
                draft.attributes.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        let (mut span, conversation_id) = draft.finish(self.limits);
        self.budget.take_values(span.attributes.values())?;
        span.agent.name = span.agent.name.or_else(|| shared.service.clone());
        let part = self.parts.entry(trace_id).or_insert_with(|| {
            self.order.push(trace_id);
            let source = SourceRevision::default();
            TracePart { trace_id, conversation_id: None, environment: None, source, spans: Vec::new() }
        });
        if part.spans.len() == self.limits.max_spans_per_trace {
            let what = format!("the number of spans in trace {trace_id}");
            return Err(IngestError::TooLarge { what, limit: self.limits.max_spans_per_trace });
        }
        let entry = seen.entry(trace_id).or_insert((part.spans.len(), false));
        entry.1 |= is_root;
        if part.source == SourceRevision::default() {
            let named = own_source != SourceRevision::default();
            part.source = if named { own_source } else { shared.source.clone() };
        }
        part.conversation_id = part.conversation_id.take().or(conversation_id);
        part.environment = part.environment.take().or(own_environment).or_else(|| shared.environment.clone());
        part.spans.push(span);
        Ok(())
    }

    fn give_resource_to_first_spans(&mut self, shared: &SharedFacts, seen: &Seen) -> Result<(), IngestError> {
        for (trace_id, (first, has_root)) in seen {
            let part = self.parts.get_mut(trace_id).filter(|_| !has_root);
            if let Some(span) = part.and_then(|part| part.spans.get_mut(*first)) {
                self.budget.take_copy(shared.bytes)?;
                for (key, value) in &shared.rest {
                    span.attributes.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        Ok(())
    }
}

/// The field that cannot be used, and why.
type Refusal = (&'static str, String);

impl WireSpan {
    fn into_draft(self) -> Result<(TraceId, Draft), Refusal> {
        let trace_id: TraceId = self.trace_id.parse().map_err(|error| refuse("traceId", &error))?;
        let span_id: SpanId = self.span_id.parse().map_err(|error| refuse("spanId", &error))?;
        let parent = ParentId::parse(&self.parent_span_id).map_err(|error| refuse("parentSpanId", &error))?;
        let start = nanos(self.start_time_unix_nano).filter(|start| *start > 0);
        let Some(start) = start else {
            return Err(("startTimeUnixNano", "a span needs a start between 1970 and 2262".to_owned()));
        };
        let end = nanos(self.end_time_unix_nano).filter(|end| *end > 0);
        let mut draft = Draft::new(span_id, self.name.0.unwrap_or_default(), Timestamp::from_nanos(start));
        draft.parent_span_id = parent.0;
        draft.duration_ns = end.map(|end| u64::try_from(end.saturating_sub(start)).unwrap_or(0));
        draft.attributes = self.attributes.into_map();
        add_events(self.events.0, &mut draft.attributes);
        let status = self.status.unwrap_or_default();
        draft.status = status_of(status.code.0.as_deref(), &draft.attributes);
        if draft.status != SpanStatus::Ok && !has_text(&draft.attributes, "exception.message") {
            draft.error_message = status.message.0;
        }
        Ok((trace_id, draft))
    }
}

fn refuse(field: &'static str, error: &staso_core::id::InvalidId) -> Refusal {
    (field, error.to_string())
}

fn nanos(time: Option<Int64>) -> Option<i64> {
    i64::try_from(time?.0).ok()
}

fn has_text(attributes: &BTreeMap<String, Value>, key: &str) -> bool {
    attributes.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}

/// The last exception event becomes attributes of the span, where the span has none of its own; the other events are
/// kept as one attribute.
fn add_events(events: Vec<Event>, attributes: &mut BTreeMap<String, Value>) {
    let (exceptions, others): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| {
        matches!(event.name.0.as_deref(), Some("exception" | "gen_ai.client.operation.exception"))
    });
    if let Some(exception) = exceptions.into_iter().next_back() {
        for (key, value) in exception.attributes.into_map() {
            attributes.entry(key).or_insert(value);
        }
    }
    if others.is_empty() {
        return;
    }
    let kept = others.into_iter().take(KEPT_EVENTS).map(|event| {
        let time = nanos(event.time_unix_nano).map(|at| Timestamp::from_nanos(at).to_string());
        let fields: Map<String, Value> = event.attributes.into_map().into_iter().collect();
        json!({"name": event.name.0, "time": time, "attributes": fields})
    });
    attributes.insert("otel.events".to_owned(), Value::Array(kept.collect()));
}

/// OTLP JSON writes enums as numbers; some senders write their names.
fn status_of(code: Option<&str>, attributes: &BTreeMap<String, Value>) -> SpanStatus {
    let level = attributes.get("langfuse.observation.level").and_then(Value::as_str);
    if !matches!(code, Some("2" | "STATUS_CODE_ERROR" | "ERROR")) && level != Some("ERROR") {
        return SpanStatus::Ok;
    }
    let kinds = ["error.type", "exception.type"].map(|key| attributes.get(key).and_then(Value::as_str));
    let ran_out_of_time = kinds.into_iter().flatten().any(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.contains("timeout") || kind.contains("deadline")
    });
    if ran_out_of_time { SpanStatus::Timeout } else { SpanStatus::Error }
}
