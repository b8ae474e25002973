//! The body of an ingest request, as the Staso SDKs write it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use staso_core::run::{TraceBatch, TracePart};
use staso_core::trace::{Captured, CapturedState, Payload, SourceRevision, Span, SpanKind, SpanStatus};

use crate::capture::{CaptureCategory, EffectivePolicy, json_or_text, with_tools};
use crate::marks;

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
        attributes: attributes(span, &part.source),
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

/// Exact for spans of up to a hundred days.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a span fit into 53 bits")]
fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// Tool definitions stand inside of the request. Without a request they travel alone.
fn input(span: &Span) -> Cow<'_, str> {
    let tools = || span.model.as_ref().and_then(|model| model.tool_definitions.value());
    match (&span.input, tools()) {
        (Captured::Suppressed, Some(tools)) => Cow::Owned(with_tools("{}", tools.as_str())),
        _ => Cow::Borrowed(text(&span.input)),
    }
}

/// What a tool returned stands under `result`.
fn output(span: &Span) -> Cow<'_, str> {
    match span.output.value() {
        Some(payload) if span.kind == SpanKind::Tool => {
            Cow::Owned(format!("{{\"result\":{}}}", json_or_text(payload.as_str())))
        }
        _ => Cow::Borrowed(text(&span.output)),
    }
}

fn text(payload: &Captured<Payload>) -> &str {
    payload.value().map(Payload::as_str).unwrap_or_default()
}

/// What the wire has no field for, under the names of the conventions.
fn attributes(span: &Span, source: &SourceRevision) -> String {
    let mut all = span.attributes.clone();
    mark(&mut all, marks::TRUNCATED, &states(span, CapturedState::Truncated));
    if span.error.as_ref().is_some_and(|error| error.stack == Captured::Suppressed) {
        mark(&mut all, marks::SUPPRESSED, marks::ERROR_STACK);
    }
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
    if span.parent_span_id.is_none() {
        put("vcs.commit.sha", source.commit.as_ref().map(|commit| commit.as_str().into()));
        put("vcs.branch", source.branch.as_ref().map(|branch| branch.as_str().into()));
        put("vcs.repo_url", source.repository_url.as_ref().map(|url| url.as_str().into()));
        put("vcs.is_dirty", source.dirty.map(Value::from));
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

/// The fields of a span in this state, by the names that stand for them.
fn states(span: &Span, state: CapturedState) -> Vec<&'static str> {
    let is_tool = usize::from(matches!(span.kind, SpanKind::Tool | SpanKind::Guard));
    let name = |names: &[&'static str], at: usize| names.get(at).copied();
    let error = span.error.as_ref();
    let model = span.model.as_ref();
    let fields = [
        (Some(span.input.state()), name(marks::INPUT, is_tool)),
        (Some(span.output.state()), name(marks::OUTPUT, is_tool)),
        (model.map(|model| model.tool_definitions.state()), name(marks::TOOL_DEFINITIONS, 0)),
        (error.map(|error| error.message.state()), name(marks::ERROR_MESSAGE, 0)),
        (error.map(|error| error.stack.state()), name(marks::ERROR_STACK, 0)),
    ];
    fields.into_iter().filter(|(found, _)| *found == Some(state)).filter_map(|(_, name)| name).collect()
}

/// Adds names to the list that the attribute `list` holds.
fn mark(all: &mut BTreeMap<String, Value>, list: &str, names: &[&str]) {
    if names.is_empty() {
        return;
    }
    let known = all.entry(list.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(known) = known {
        known.extend(names.iter().map(|name| Value::from(*name)));
    }
}

/// What the policy let through, for every category. What was withheld from this span alone counts as suppressed too.
fn capture(span: &Span, policy: EffectivePolicy) -> BTreeMap<&'static str, &'static str> {
    let own_input = match span.kind {
        SpanKind::Tool | SpanKind::Guard => CaptureCategory::ToolArguments,
        _ => CaptureCategory::Request,
    };
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
