//! The body of an ingest request, as the Staso SDKs write it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use staso_core::run::{TraceBatch, TracePart};
use staso_core::trace::{Captured, Payload, Span, SpanKind, SpanStatus};

use crate::capture::{CaptureCategory, EffectivePolicy};

#[derive(Serialize)]
struct Body<'b> {
    traces: Vec<WireTrace<'b>>,
}

#[derive(Serialize)]
struct WireTrace<'b> {
    trace_id: String,
    timestamp: String,
    environment: &'b str,
    workspace_slug: &'b str,
    spans: Vec<WireSpan<'b>>,
}

#[derive(Serialize)]
struct WireSpan<'b> {
    span_id: String,
    parent_span_id: Option<String>,
    name: &'b str,
    kind: &'static str,
    timestamp: String,
    duration_ms: f64,
    status: SpanStatus,
    model: &'b str,
    provider: &'b str,
    requested_model: &'b str,
    usage_available: Option<bool>,
    reasoning_effort: &'b str,
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    input: Cow<'b, str>,
    output: Cow<'b, str>,
    attributes: String,
    error_message: Option<&'b str>,
    session_id: &'b str,
    agent_name: &'b str,
    agent_id: &'b str,
    agent_version: &'b str,
    user_id: &'b str,
    capture: BTreeMap<&'static str, &'static str>,
}

pub(super) fn body(batch: &TraceBatch, policy: EffectivePolicy) -> Result<Vec<u8>, serde_json::Error> {
    let workspace = batch.workspace.as_str();
    let traces = batch.parts.iter().map(|part| trace(part, workspace, policy)).collect();
    serde_json::to_vec(&Body { traces })
}

fn trace<'b>(part: &'b TracePart, workspace: &'b str, policy: EffectivePolicy) -> WireTrace<'b> {
    let earliest = part.spans.iter().map(|span| span.start).min().unwrap_or_default();
    WireTrace {
        trace_id: part.trace_id.to_string(),
        timestamp: earliest.to_string(),
        environment: part.environment.as_deref().unwrap_or("default"),
        workspace_slug: workspace,
        spans: part.spans.iter().map(|span| wire_span(span, part, policy)).collect(),
    }
}

fn wire_span<'b>(span: &'b Span, part: &'b TracePart, policy: EffectivePolicy) -> WireSpan<'b> {
    let text = |value: &'b Option<String>| value.as_deref().unwrap_or_default();
    let model = span.model.as_ref();
    let usage = model.and_then(|model| model.usage);
    let requested = model.map(|model| text(&model.requested)).unwrap_or_default();
    let answered = model.and_then(|model| model.answered.as_deref()).unwrap_or(requested);
    let (input_tokens, output_tokens) =
        usage.map_or((0, 0), |usage| (usage.input_tokens, usage.output_tokens));
    WireSpan {
        span_id: span.span_id.to_string(),
        parent_span_id: span.parent_span_id.map(|id| id.to_string()),
        name: &span.name,
        kind: kind(span.kind),
        timestamp: span.start.to_string(),
        duration_ms: milliseconds(span.duration_ns.unwrap_or(0)),
        status: span.status,
        model: answered,
        provider: model.map(|model| text(&model.provider)).unwrap_or_default(),
        requested_model: requested,
        usage_available: model.map(|model| model.usage.is_some()),
        reasoning_effort: span.attribute("gen_ai.request.reasoning_effort").unwrap_or_default(),
        input_tokens,
        output_tokens,
        total_tokens: input_tokens.saturating_add(output_tokens),
        input: input(span),
        output: output(span),
        attributes: attributes(span),
        error_message: span.error.as_ref().and_then(|error| error.message.value()).map(String::as_str),
        session_id: part
            .conversation_id
            .as_ref()
            .map(staso_core::id::ConversationId::as_str)
            .unwrap_or_default(),
        agent_name: text(&span.agent.name),
        agent_id: text(&span.agent.id),
        agent_version: text(&span.agent.version),
        user_id: span.attribute("user.id").unwrap_or_default(),
        capture: capture(span, policy),
    }
}

/// Six kinds exist on the wire; `gen_ai.operation.name` among the attributes says the rest.
const fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Llm => "llm",
        SpanKind::Tool | SpanKind::Guard => "tool",
        SpanKind::Chain => "chain",
        SpanKind::Retriever => "retriever",
        SpanKind::Agent => "agent",
        _ => "custom",
    }
}

/// Whole microseconds are exact as a float for 285 years.
#[expect(clippy::cast_precision_loss, reason = "microseconds of a span fit into 53 bits")]
fn milliseconds(nanoseconds: u64) -> f64 {
    (nanoseconds / 1000) as f64 / 1000.0
}

/// Tool definitions travel inside of the request, under `tools`.
fn input(span: &Span) -> Cow<'_, str> {
    let whole = text(&span.input);
    let definitions =
        span.model.as_ref().and_then(|model| model.tool_definitions.value()).and_then(Payload::json);
    let Some(tools) = definitions else { return Cow::Borrowed(whole) };
    let request = match span.input.value().and_then(Payload::json) {
        Some(Value::Object(mut request)) if !request.contains_key("tools") => {
            request.insert("tools".to_owned(), tools);
            Value::Object(request)
        }
        Some(Value::Object(request)) => Value::Object(request),
        Some(messages) => json!({ "messages": messages, "tools": tools }),
        None if whole.is_empty() => json!({ "tools": tools }),
        None => json!({ "messages": whole, "tools": tools }),
    };
    Cow::Owned(request.to_string())
}

/// What a tool returned stands under `result`.
fn output(span: &Span) -> Cow<'_, str> {
    match span.output.value() {
        Some(payload) if span.kind == SpanKind::Tool => {
            let result = payload.json().unwrap_or_else(|| payload.as_str().into());
            Cow::Owned(json!({ "result": result }).to_string())
        }
        _ => Cow::Borrowed(text(&span.output)),
    }
}

fn text(payload: &Captured<Payload>) -> &str {
    payload.value().map(Payload::as_str).unwrap_or_default()
}

/// What the wire has no field for, under the names of the conventions.
fn attributes(span: &Span) -> String {
    let mut all = span.attributes.clone();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), value);
        }
    };
    if let Some(code) = span.code.as_ref().filter(|code| !code.path.is_empty()) {
        put("code.filepath", Some(code.path.as_str().into()));
        put("code.lineno", code.line.map(Value::from));
        put("code.function", code.function.as_deref().map(Value::from));
    }
    if let Some(error) = &span.error {
        put("exception.type", error.kind.as_deref().map(Value::from));
        put("exception.stacktrace", error.stack.value().map(|stack| stack.as_str().into()));
    }
    if let Some(tool) = &span.tool {
        put("gen_ai.tool.name", tool.name.as_deref().map(Value::from));
        put("gen_ai.tool.call.id", tool.call_id.as_deref().map(Value::from));
    }
    if let Some(model) = &span.model {
        let reasons = Some(&model.finish_reasons).filter(|reasons| !reasons.is_empty());
        put("gen_ai.response.finish_reasons", reasons.map(|reasons| json!(reasons)));
        put("gen_ai.request.max_tokens", model.max_output_tokens.map(Value::from));
    }
    Value::Object(all.into_iter().collect()).to_string()
}

/// What the policy let through, for every category. What was withheld from this span alone counts as suppressed too.
fn capture(span: &Span, policy: EffectivePolicy) -> BTreeMap<&'static str, &'static str> {
    let own_input =
        if span.kind == SpanKind::Tool { CaptureCategory::ToolArguments } else { CaptureCategory::Request };
    CaptureCategory::ALL
        .into_iter()
        .map(|category| {
            let withheld = (category == own_input && span.input == Captured::Suppressed)
                || (category == CaptureCategory::Output && span.output == Captured::Suppressed);
            let is_captured = policy.allows(category) && !withheld;
            (category.as_str(), if is_captured { "captured" } else { "suppressed" })
        })
        .collect()
}
