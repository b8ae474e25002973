//! The rules of the staso SDK's wire format, as assertions over recorded requests.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use staso_core::id::{SpanId, TraceId};
use staso_core::trace::Timestamp;

use crate::recording_server::Request;

/// Every field of a span, and nothing else.
const SPAN_FIELDS: [&str; 24] = [
    "agent_id",
    "agent_name",
    "agent_version",
    "attributes",
    "duration_ms",
    "error_message",
    "input",
    "input_tokens",
    "kind",
    "model",
    "name",
    "output",
    "output_tokens",
    "parent_span_id",
    "provider",
    "reasoning_effort",
    "requested_model",
    "session_id",
    "span_id",
    "status",
    "timestamp",
    "total_tokens",
    "usage_available",
    "user_id",
];

/// One span as it arrived, with what stands in its JSON strings.
#[derive(Debug, Clone)]
pub(crate) struct SentSpan {
    pub(crate) record: Value,
    pub(crate) attributes: Value,
    pub(crate) input: Value,
}

impl SentSpan {
    pub(crate) fn text(&self, field: &str) -> &str {
        self.record[field].as_str().unwrap_or_default()
    }

    pub(crate) fn attribute(&self, key: &str) -> &str {
        self.attributes[key].as_str().unwrap_or_default()
    }

    pub(crate) fn is_root(&self) -> bool {
        self.record["parent_span_id"].is_null()
    }
}

/// The spans of one trace in the order in which they were sent, after every rule was checked.
pub(crate) fn checked_spans(requests: &[Request]) -> Vec<SentSpan> {
    assert!(!requests.is_empty(), "nothing was sent");
    let mut spans = Vec::new();
    let mut ids = BTreeSet::new();
    for request in requests {
        check_request(request);
        for trace in request.body["traces"].as_array().unwrap() {
            ids.insert(check_trace(trace));
            spans.extend(trace["spans"].as_array().unwrap().iter().map(checked_span));
        }
    }
    assert_eq!(ids.len(), 1, "one run is one trace");
    check_tree(&spans);
    spans
}

fn check_request(request: &Request) {
    assert_eq!(request.line, "POST /v1/traces/ingest HTTP/1.1");
    assert_eq!(request.header("x-api-key"), "demo");
    assert_eq!(request.header("content-type"), "application/json");
    assert!(!request.header("user-agent").is_empty());
    let key = request.header("idempotency-key");
    assert_eq!(key.parse::<TraceId>().unwrap().to_string(), key, "the key is a dashed UUID");
    assert_eq!(keys(&request.body), ["traces"]);
}

fn check_trace(trace: &Value) -> TraceId {
    assert_eq!(keys(trace), ["environment", "spans", "timestamp", "trace_id", "workspace_slug"]);
    let spans = trace["spans"].as_array().unwrap();
    assert!((1..=500).contains(&spans.len()));
    let first = spans.iter().map(|span| time(&span["timestamp"])).min().unwrap();
    assert_eq!(time(&trace["timestamp"]), first, "a trace carries its earliest time");
    let id = trace["trace_id"].as_str().unwrap();
    assert_eq!(id.parse::<TraceId>().unwrap().to_string(), id, "trace ids are dashed");
    id.parse().unwrap()
}

fn checked_span(span: &Value) -> SentSpan {
    assert_eq!(keys(span), SPAN_FIELDS);
    let id = span["span_id"].as_str().unwrap();
    assert!(id.starts_with("00000000-0000-0000-"), "64-bit ids are padded on the left: {id}");
    id.parse::<SpanId>().unwrap();
    assert!(["llm", "tool", "chain", "agent"].contains(&span["kind"].as_str().unwrap()), "{}", span["kind"]);
    assert!(["ok", "error", "timeout"].contains(&span["status"].as_str().unwrap()), "{}", span["status"]);
    assert!(span["duration_ms"].is_f64(), "{}", span["duration_ms"]);
    let json = |field: &str| {
        let text = span[field].as_str().unwrap_or_else(|| panic!("{field} is a JSON string"));
        if text.is_empty() { Value::Null } else { serde_json::from_str(text).unwrap() }
    };
    json("output");
    let sent = SentSpan { record: span.clone(), attributes: json("attributes"), input: json("input") };
    assert!(sent.attributes.is_object());
    assert!(sent.input.is_object(), "arguments by parameter name");
    check_meaning(&sent);
    sent
}

fn check_meaning(span: &SentSpan) {
    assert!(span.attribute("code.filepath").starts_with('/'), "{}", span.attributes);
    assert!(span.attributes["code.lineno"].is_u64());
    assert_eq!(span.attribute("code.function"), span.text("name"));
    if span.text("status") == "ok" {
        assert_eq!(span.text("error_message"), "");
    } else {
        assert_eq!(span.attribute("exception.message"), span.text("error_message"));
        assert!(!span.attribute("exception.type").is_empty());
        assert!(span.attribute("exception.stacktrace").contains(span.attribute("exception.type")));
        assert!(
            !span.attribute("exception.stacktrace").contains("tracing.py"),
            "the recorder's frames are left out"
        );
    }
    if span.text("kind") == "llm" {
        assert!(!span.text("model").is_empty() && !span.text("provider").is_empty());
        assert!(span.attributes["gen_ai.request.max_tokens"].is_u64());
        assert!(span.input["tools"].is_array() && span.input["messages"].is_array());
    }
}

/// Exactly one root, which comes provisionally first and finally last; every parent is there.
fn check_tree(spans: &[SentSpan]) {
    let provisional = |span: &SentSpan| span.attributes["staso.provisional_root"] == true;
    assert!(provisional(&spans[0]) && spans[0].record["duration_ms"] == 0.0);
    let last = spans.last().unwrap();
    assert!(last.is_root() && !provisional(last));
    assert_eq!(last.text("span_id"), spans[0].text("span_id"));
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for span in spans {
        *seen.entry(span.text("span_id")).or_default() += 1;
        let revision = span.attributes.as_object().unwrap().keys().any(|key| key.starts_with("vcs."));
        assert_eq!(revision, span.is_root(), "only roots carry the revision");
    }
    assert!(seen.iter().all(|(id, times)| *times == 1 || *id == last.text("span_id")));
    assert!(spans.iter().all(|span| span.is_root() || seen.contains_key(span.text("parent_span_id"))));
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}
