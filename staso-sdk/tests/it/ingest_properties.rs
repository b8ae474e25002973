//! Whatever arrives, parsing ends with an answer; whatever order it arrives in, the trace is the same.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use staso::ingest::{IngestLimits, parse_any, parse_otlp_json, parse_staso};
use staso::store::SqliteStore;
use staso_core::id::{SpanId, TraceId, WorkspaceId};
use staso_core::run::{TraceBatch, TracePart, TraceStore};
use staso_core::testing::test_context;
use staso_core::trace::{
    Captured, Payload, SourceRevision, Span, SpanKind, SpanStatus, Timestamp, Trace, TraceLimits,
};

static STASO: LazyLock<Value> = LazyLock::new(|| {
    json!({"traces": [{"trace_id": "d95ee177-15e4-53f6-acce-61e7bab1f2f3", "environment": "test", "spans": [
        {"span_id": "80f73a8ec21f3d33", "parent_span_id": null, "name": "run", "kind": "agent",
         "timestamp": "2026-01-01T00:00:00Z", "duration_ms": 1.5, "status": "error", "error_message": "boom",
         "attributes": "{\"vcs.branch\": \"main\", \"exception.type\": \"KeyError\"}", "session_id": "s"},
        {"span_id": "80f73a8ec21f3d34", "parent_span_id": "80f73a8ec21f3d33", "name": "chat", "kind": "llm",
         "timestamp": "2026-01-01T00:00:01Z", "duration_ms": 2, "status": "ok", "usage_available": true,
         "input_tokens": 3, "output_tokens": 4, "capture": {"request": "suppressed"},
         "input": "{\"max_tokens\": 5, \"tools\": [{}]}", "output": "{\"choices\": [{\"finish_reason\": \"stop\"}]}"}
    ]}]})
});

static OTLP: LazyLock<Value> = LazyLock::new(|| {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}]},
        "scopeSpans": [{"spans": [{
            "traceId": "d95ee17715e453f6acce61e7bab1f2f3", "spanId": "80f73a8ec21f3d33", "parentSpanId": "",
            "name": "chat", "startTimeUnixNano": "1767225600000000000", "endTimeUnixNano": 1_767_225_600_000_000_001_u64,
            "attributes": [
                {"key": "llm.input_messages.0.content", "value": {"stringValue": "hi"}},
                {"key": "gen_ai.response.finish_reasons", "value": {"arrayValue": {"values": [{"stringValue": "x"}]}}},
                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "7"}},
                {"key": "deep", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"doubleValue": 1.5}}]}}}
            ],
            "events": [{"name": "exception", "attributes": []}], "status": {"code": 2}
        }]}]
    }]})
});

fn parse_all(bytes: &[u8]) {
    let limits = IngestLimits::default();
    let staso = parse_staso(bytes, &limits);
    let otlp = parse_otlp_json(bytes, &limits);
    let any = parse_any(bytes, &limits);
    for error in [staso.err(), otlp.err(), any.err()].into_iter().flatten() {
        assert!(error.to_string().len() < 4_000, "{error}");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((".{0,8}", inner), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Replaces the `nth` value of the document, counted depth first.
fn replace(document: &mut Value, nth: &mut usize, with: &Value) {
    if *nth == 0 {
        *document = with.clone();
    }
    *nth = nth.wrapping_sub(1);
    match document {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, nth, with)),
        Value::Object(fields) => fields.values_mut().for_each(|item| replace(item, nth, with)),
        _ => {}
    }
}

fn span() -> impl Strategy<Value = Span> {
    let outcome = prop_oneof![Just(SpanStatus::Ok), Just(SpanStatus::Error), Just(SpanStatus::Timeout)];
    let payload = prop_oneof![
        Just(Captured::Absent),
        Just(Captured::Suppressed),
        ".{0,20}".prop_map(|text| Captured::Present(Payload::new(text))),
        ".{0,20}".prop_map(|text| Captured::Truncated(Payload::new(text))),
    ];
    let attributes = vec(("[a-z.]{1,8}", json_value()), 0..4);
    (any::<i64>(), any::<Option<u64>>(), ".{0,12}", outcome, payload, attributes).prop_map(
        |(start, duration, name, status, payload, attributes)| {
            let start =
                Timestamp::from_nanos(start.clamp(-1_000_000_000_000_000_000, 4_000_000_000_000_000_000));
            let mut span = Span::new(SpanId::from_u64(1), name, SpanKind::Tool, start);
            span.duration_ns = duration;
            span.status = status;
            span.input = payload;
            span.attributes = attributes.into_iter().collect();
            span
        },
    )
}

fn trace_id() -> TraceId {
    TraceId::from_bytes([1; 16])
}

/// Parts that never disagree: every span is final once, and perhaps provisional besides.
fn parts() -> impl Strategy<Value = Vec<TracePart>> {
    vec((span(), any::<bool>(), 0..4_usize, 0..4_usize), 1..12).prop_map(|spans| {
        let empty = TracePart {
            trace_id: trace_id(),
            conversation_id: None,
            environment: None,
            source: SourceRevision::default(),
            spans: Vec::new(),
        };
        let mut parts = vec![empty; 4];
        parts[2].environment = Some("production".to_owned());
        parts[3].source.dirty = Some(true);
        for (n, (mut span, announced, first, second)) in (1_u64..).zip(spans) {
            span.span_id = SpanId::from_u64(n);
            if announced {
                let mut early = span.clone();
                early.name = "early".to_owned();
                early.attributes.insert("staso.provisional_root".to_owned(), true.into());
                parts[first].spans.push(early);
            }
            parts[second].spans.push(span);
        }
        parts.retain(|part| !part.spans.is_empty());
        parts
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_answered(bytes in vec(any::<u8>(), 0..400)) {
        parse_all(&bytes);
    }

    #[test]
    fn damaged_bodies_are_answered(
        otlp in any::<bool>(), damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6)
    ) {
        let mut bytes = if otlp { OTLP.to_string() } else { STASO.to_string() }.into_bytes();
        for (index, byte, how) in damage {
            let at = index.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        parse_all(&bytes);
    }

    #[test]
    fn misshapen_bodies_are_answered(otlp in any::<bool>(), nth in 0..60_usize, with in json_value()) {
        let mut document = if otlp { OTLP.clone() } else { STASO.clone() };
        replace(&mut document, &mut nth.clone(), &with);
        parse_all(document.to_string().as_bytes());
        let mut attributes = STASO.clone();
        attributes["traces"][0]["spans"][0]["attributes"] = Value::String(with.to_string());
        parse_all(attributes.to_string().as_bytes());
    }

    #[test]
    fn the_order_of_parts_does_not_matter(
        (parts, shuffled) in parts().prop_flat_map(|parts| (Just(parts.clone()), Just(parts).prop_shuffle()))
    ) {
        let assemble = |parts| Trace::assemble(trace_id(), parts, TraceLimits::default()).unwrap();
        let (one, other) = (assemble(parts), assemble(shuffled));
        prop_assert_eq!(&one, &other);
        prop_assert!(one.spans().iter().all(|span| !span.is_provisional()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn parts_come_back_from_sqlite_as_they_were(parts in parts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let stored = runtime.block_on(async {
            let store = SqliteStore::open_in_memory().unwrap();
            let workspace = WorkspaceId::new("acme").unwrap();
            for (n, part) in parts.iter().enumerate() {
                let batch = TraceBatch {
                    workspace: workspace.clone(), idempotency_key: format!("k{n}"), parts: vec![part.clone()]
                };
                TraceStore::put(&store, &batch).await.unwrap();
            }
            TraceStore::get(&store, &workspace, trace_id(), &test_context()).await.unwrap()
        });
        prop_assert_eq!(stored, Trace::assemble(trace_id(), parts, TraceLimits::default()).unwrap());
    }
}
