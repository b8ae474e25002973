//! Both wire formats, field by field, and what bad input gets.

use serde_json::{Value, json};
use staso::ingest::{IngestError, IngestLimits, parse_any, parse_otlp_json, parse_staso};
use staso_core::run::TracePart;
use staso_core::trace::{Captured, Span, SpanKind, SpanStatus};

const TRACE: &str = "d95ee177-15e4-53f6-acce-61e7bab1f2f3";

fn limits() -> IngestLimits {
    IngestLimits::default()
}

fn body(spans: &Value) -> Vec<u8> {
    json!({"traces": [{
        "trace_id": TRACE, "timestamp": "2026-01-01T00:00:00+00:00", "environment": "production",
        "workspace_slug": "acme", "spans": spans
    }]})
    .to_string()
    .into_bytes()
}

fn staso_span(fields: &Value) -> Value {
    let mut span = json!({
        "span_id": "00000000-0000-0000-80f7-3a8ec21f3d33", "parent_span_id": null, "name": "step",
        "kind": "custom", "timestamp": "2026-01-01T00:00:00.25+00:00", "duration_ms": 1.5, "status": "ok",
        "model": "", "provider": "", "requested_model": "", "usage_available": null, "reasoning_effort": "",
        "input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "input": "", "output": "", "attributes": "{}",
        "error_message": null, "session_id": "", "agent_name": "", "agent_id": "", "agent_version": "",
        "user_id": ""
    });
    for (key, value) in fields.as_object().unwrap() {
        span[key] = value.clone();
    }
    span
}

fn staso_part(fields: &Value) -> TracePart {
    parse_staso(&body(&json!([staso_span(fields)])), &limits()).unwrap().remove(0)
}

fn staso_one(fields: &Value) -> Span {
    staso_part(fields).spans.remove(0)
}

fn otlp(attributes: &Value, extra: &Value) -> Vec<u8> {
    let mut span = json!({
        "traceId": "d95ee17715e453f6acce61e7bab1f2f3", "spanId": "80f73a8ec21f3d33", "parentSpanId": "",
        "name": "step", "kind": 1, "startTimeUnixNano": "1767225600000000000",
        "endTimeUnixNano": "1767225600001500000", "attributes": attributes, "status": {}
    });
    for (key, value) in extra.as_object().unwrap() {
        span[key] = value.clone();
    }
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "billing"}},
            {"key": "deployment.environment.name", "value": {"stringValue": "staging"}},
            {"key": "vcs.ref.head.revision", "value": {"stringValue": "a".repeat(40)}},
            {"key": "host.name", "value": {"stringValue": "node-7"}}
        ]},
        "scopeSpans": [{"scope": {"name": "genai"}, "spans": [span]}]
    }]})
    .to_string()
    .into_bytes()
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn otlp_part(attributes: &Value, extra: &Value) -> TracePart {
    parse_otlp_json(&otlp(attributes, extra), &limits()).unwrap().parts.remove(0)
}

fn otlp_one(attributes: &Value) -> Span {
    otlp_part(attributes, &json!({})).spans.remove(0)
}

fn payload(captured: &Captured<staso_core::trace::Payload>) -> &str {
    captured.complete().expect("the payload is whole").as_str()
}

#[test]
fn empty_texts_are_absent_and_ids_are_padded() {
    let part = staso_part(&json!({}));
    let span = &part.spans[0];
    assert_eq!(span.span_id, "80f73a8ec21f3d33".parse().unwrap());
    assert_eq!((&span.input, &span.output), (&Captured::Absent, &Captured::Absent));
    assert_eq!((span.duration_ns, span.status), (Some(1_500_000), SpanStatus::Ok));
    assert_eq!((&span.model, &span.tool, &span.error, &span.code), (&None, &None, &None, &None));
    assert!(span.attributes.is_empty(), "{:?}", span.attributes);
    assert_eq!(part.environment.as_deref(), Some("production"));
    assert_eq!(part.conversation_id, None);
}

#[test]
fn a_model_call_of_the_sdk_is_complete() {
    let part = staso_part(&json!({
        "kind": "llm", "model": "gpt-4o-2024-08-06", "requested_model": "gpt-4o", "provider": "openai",
        "usage_available": true, "input_tokens": 12, "output_tokens": 3, "session_id": "conv-42",
        "agent_name": "billing", "agent_id": "a-1", "agent_version": "2", "user_id": "u-9",
        "input": r#"{"messages":[],"max_tokens":256,"tools":[{"name":"lookup"}]}"#,
        "output": r#"{"choices":[{"finish_reason":"length"}]}"#,
    }));
    let span = &part.spans[0];
    let model = span.model.as_ref().unwrap();
    assert_eq!(model.requested.as_deref(), Some("gpt-4o"));
    assert_eq!(model.answered.as_deref(), Some("gpt-4o-2024-08-06"));
    assert_eq!(model.provider.as_deref(), Some("openai"));
    assert_eq!(model.usage.map(|usage| (usage.input_tokens, usage.output_tokens)), Some((12, 3)));
    assert_eq!(model.finish_reasons, ["length"]);
    assert_eq!(model.max_output_tokens, Some(256));
    assert_eq!(payload(&model.tool_definitions), r#"[{"name":"lookup"}]"#);
    assert_eq!(span.agent.name.as_deref(), Some("billing"));
    assert_eq!(span.attribute("user.id"), Some("u-9"));
    assert_eq!(part.conversation_id.unwrap().as_str(), "conv-42");
}

#[test]
fn unknown_usage_is_not_zero() {
    let usage = |available: Value, tokens: u64| {
        staso_one(&json!({"kind": "llm", "usage_available": available, "input_tokens": tokens}))
            .model
            .unwrap()
            .usage
            .map(|usage| usage.input_tokens)
    };
    assert_eq!(usage(json!(false), 5), None);
    assert_eq!(usage(json!(null), 0), None);
    assert_eq!(usage(json!(true), 0), Some(0));
    assert_eq!(usage(json!(null), 5), Some(5));
}

#[test]
fn an_exception_becomes_the_error_and_the_code_place() {
    let span = staso_one(&json!({
        "kind": "tool", "name": "lookup_order", "status": "error", "error_message": "'order_id'",
        "attributes": json!({
            "exception.type": "KeyError", "exception.stacktrace": "Traceback …", "code.filepath": "tools.py",
            "code.lineno": 12, "code.function": "lookup", "tool_call_id": "call_1", "team": {"a": [1, null]}
        }).to_string()
    }));
    let error = span.error.as_ref().unwrap();
    assert_eq!(error.kind.as_deref(), Some("KeyError"));
    assert_eq!(error.message.complete().unwrap(), "'order_id'");
    assert_eq!(error.stack.complete().unwrap(), "Traceback …");
    let code = span.code.as_ref().unwrap();
    assert_eq!(
        (code.path.as_str(), code.line, code.function.as_deref()),
        ("tools.py", Some(12), Some("lookup"))
    );
    let tool = span.tool.as_ref().unwrap();
    assert_eq!((tool.name.as_deref(), tool.call_id.as_deref()), (Some("lookup_order"), Some("call_1")));
    assert_eq!(Value::from_iter(span.attributes), json!({"team": {"a": [1, null]}}));
}

#[test]
fn the_revision_comes_from_the_root_and_bad_values_stay_attributes() {
    let sha = "B".repeat(40);
    let part = staso_part(&json!({"attributes": json!({
        "vcs.commit.sha": sha, "vcs.branch": "refs/heads/main", "vcs.is_dirty": true,
        "vcs.repo_url": "https://x:ghp_secret@github.com/acme/support.git"
    }).to_string()}));
    assert_eq!(part.source.commit.as_ref().unwrap().as_str(), "b".repeat(40));
    assert_eq!(part.source.branch.as_ref().unwrap().as_str(), "main");
    assert_eq!(part.source.repository_url.as_ref().unwrap().as_str(), "https://github.com/acme/support");
    assert_eq!(part.source.dirty, Some(true));
    assert!(part.spans[0].attributes.is_empty());

    let bad = staso_part(&json!({"attributes": json!({
        "vcs.commit.sha": "abc", "vcs.branch": "a..b", "vcs.repo_url": "weird://u:secret@host/x"
    }).to_string()}));
    assert_eq!(bad.source, staso_core::trace::SourceRevision::default());
    assert_eq!(bad.spans[0].attribute("vcs.commit.sha"), Some("abc"));
    assert_eq!(bad.spans[0].attribute("vcs.repo_url"), Some("weird://host/x"));
}

#[test]
fn suppressed_content_is_not_kept_even_when_it_was_sent() {
    let llm = staso_one(&json!({
        "kind": "llm", "status": "error", "input": r#"{"tools":[{"name":"secret"}],"max_tokens":5}"#, "output": "x",
        "capture": {"request": "suppressed", "tool_schema": "suppressed", "output": "suppressed",
                    "tool_arguments": "captured", "system_prompt": "captured"}
    }));
    assert_eq!((&llm.input, &llm.output), (&Captured::Suppressed, &Captured::Suppressed));
    assert_eq!(llm.model.as_ref().unwrap().tool_definitions, Captured::Suppressed);
    assert_eq!(llm.error.unwrap().message, Captured::Suppressed);

    let arguments = json!({"kind": "tool", "input": "x", "capture": {"tool_arguments": "suppressed"}});
    assert_eq!(staso_one(&arguments).input, Captured::Suppressed);
    let request = json!({"kind": "tool", "input": "x", "capture": {"request": "suppressed"}});
    assert_eq!(payload(&staso_one(&request).input), "x");
}

#[test]
fn guard_spans_and_provisional_roots_are_told_apart() {
    let guard = staso_one(&json!({"kind": "tool", "name": "guard:blocked:send:refund"}));
    assert_eq!((guard.kind, guard.tool_name()), (SpanKind::Guard, Some("send:refund")));
    let root = staso_one(&json!({"duration_ms": 0.0, "attributes": r#"{"staso.provisional_root":true}"#}));
    assert!(root.is_provisional());
    assert_eq!(root.duration_ns, None);
}

#[test]
fn long_payloads_are_cut_at_a_character_and_say_so() {
    let limits = limits().with_max_payload_bytes(5);
    let spans = json!([staso_span(&json!({"input": "abcdäöü", "error_message": "123456"}))]);
    let span = parse_staso(&body(&spans), &limits).unwrap().remove(0).spans.remove(0);
    assert_eq!(span.input, Captured::Truncated(staso_core::trace::Payload::new("abcd")));
    assert_eq!(span.error.unwrap().message, Captured::Truncated("12345".to_owned()));
    let huge = json!({"big": "x".repeat(200_000), "small": 1}).to_string();
    let span = staso_one(&json!({"attributes": huge}));
    assert_eq!(span.attribute("big").map(str::len), Some(128 << 10));
    assert_eq!(span.attributes["staso.truncated_attributes"], json!(["big"]));
}

#[test]
fn attributes_that_are_no_json_are_kept_whole() {
    let span = staso_one(&json!({"attributes": r#"{"score": NaN}"#}));
    assert_eq!(span.attribute("staso.raw_attributes"), Some(r#"{"score": NaN}"#));
}

#[test]
fn mistakes_are_named_with_place_and_reason() {
    let reason = |spans: Value| parse_staso(&body(&spans), &limits()).unwrap_err();
    let good = staso_span(&json!({}));
    let error = reason(json!([good, staso_span(&json!({"timestamp": "yesterday"}))]));
    assert_eq!(error.path(), "traces[0].spans[1].timestamp");
    assert!(
        error.to_string().starts_with(
            "traces[0].spans[1].timestamp: \"yesterday\" is not an RFC 3339 time such as 2026-01-31T12:00:00Z (line 1, column"
        ),
        "{error}"
    );
    assert_eq!(reason(json!([staso_span(&json!({"span_id": "x"}))])).path(), "traces[0].spans[0].span_id");
    assert_eq!(
        reason(json!([staso_span(&json!({"input_tokens": -1}))])).path(),
        "traces[0].spans[0].input_tokens"
    );
    assert_eq!(reason(json!([])).path(), "traces[0].spans");
    let cut = parse_staso(b"{\"traces\": [\n  {\"trace_id\"", &limits()).unwrap_err();
    assert_eq!(cut.position().map(|at| at.line), Some(2));
    let secretive = reason(json!([staso_span(&json!({"input_tokens": "s".repeat(5000)}))]));
    assert!(secretive.to_string().len() < 400);
    let few = limits().with_max_spans_per_trace(1);
    let many = parse_staso(&body(&json!([good, good])), &few).unwrap_err();
    assert!(matches!(many, IngestError::TooLarge { limit: 1, .. }), "{many}");
}

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let deep = format!("{{\"traces\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parse_any(deep.as_bytes(), &limits()).is_err());
    let attributes = format!("{{\"a\": {}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let span = staso_one(&json!({"attributes": attributes}));
    assert!(span.attribute("staso.raw_attributes").is_some());
}

#[test]
fn otlp_takes_resource_facts_and_events() {
    let part = otlp_part(
        &json!([
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.tool.name", "lookup"),
            text("gen_ai.tool.call.id", "c1"),
            text("gen_ai.tool.call.arguments", "{\"id\":1}"),
            text("gen_ai.conversation.id", "conv")
        ]),
        &json!({"status": {"code": 2, "message": "boom"}, "events": [
            {"name": "exception", "attributes": [
                text("exception.type", "TimeoutError"), text("exception.message", "late"),
                text("exception.stacktrace", "trace")]},
            {"name": "note", "timeUnixNano": "1767225600000000001", "attributes": [text("k", "v")]}
        ]}),
    );
    let span = &part.spans[0];
    assert_eq!((span.kind, span.status), (SpanKind::Tool, SpanStatus::Timeout));
    assert_eq!(span.duration_ns, Some(1_500_000));
    let error = span.error.as_ref().unwrap();
    assert_eq!(
        (error.kind.as_deref(), error.message.complete().unwrap().as_str()),
        (Some("TimeoutError"), "late")
    );
    assert_eq!(error.stack.complete().unwrap(), "trace");
    assert_eq!(span.tool_name(), Some("lookup"));
    assert_eq!(payload(&span.input), "{\"id\":1}");
    assert_eq!(span.agent.name.as_deref(), Some("billing"));
    assert_eq!(span.attribute("host.name"), Some("node-7"));
    assert_eq!(span.attributes["otel.events"][0]["name"], "note");
    assert_eq!(part.environment.as_deref(), Some("staging"));
    assert_eq!(part.source.commit.as_ref().unwrap().as_str(), "a".repeat(40));
    assert_eq!(part.conversation_id.as_ref().unwrap().as_str(), "conv");
}

#[test]
fn each_convention_of_a_model_call_reads_the_same() {
    let int = |key: &str, value: &str| json!({"key": key, "value": {"intValue": value}});
    let otel = otlp_one(&json!([
        text("gen_ai.operation.name", "chat"), text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o"), text("gen_ai.response.model", "gpt-4o-1"),
        int("gen_ai.usage.input_tokens", "7"), int("gen_ai.usage.output_tokens", "2"),
        {"key": "gen_ai.response.finish_reasons",
         "value": {"arrayValue": {"values": [{"stringValue": "length"}]}}},
        int("gen_ai.request.max_tokens", "64"), text("gen_ai.input.messages", r#"[{"role":"user","content":"hi"}]"#),
        text("gen_ai.output.messages", r#"[{"role":"assistant","content":"ho"}]"#)
    ]));
    let openinference = otlp_one(&json!([
        text("openinference.span.kind", "LLM"),
        text("llm.provider", "openai"),
        text("llm.request.model_name", "gpt-4o"),
        text("llm.model_name", "gpt-4o-1"),
        int("llm.token_count.prompt", "7"),
        int("llm.token_count.completion", "2"),
        text("finish_reason", "length"),
        int("max_tokens", "64"),
        text("llm.input_messages.0.role", "user"),
        text("llm.input_messages.0.content", "hi"),
        text("llm.output_messages.0.role", "assistant"),
        text("llm.output_messages.0.content", "ho")
    ]));
    let openllmetry = otlp_one(&json!([
        text("llm.request.type", "chat"),
        text("gen_ai.system", "openai"),
        text("gen_ai.request.model", "gpt-4o"),
        text("gen_ai.response.model", "gpt-4o-1"),
        int("gen_ai.usage.prompt_tokens", "7"),
        int("gen_ai.usage.completion_tokens", "2"),
        text("llm.response.finish_reason", "length"),
        int("gen_ai.request.max_tokens", "64"),
        text("gen_ai.prompt.0.role", "user"),
        text("gen_ai.prompt.0.content", "hi"),
        text("gen_ai.completion.0.role", "assistant"),
        text("gen_ai.completion.0.content", "ho")
    ]));
    for span in [&otel, &openinference, &openllmetry] {
        assert_eq!(span.kind, SpanKind::Llm);
        assert_eq!(span.model, otel.model);
        assert_eq!(span.input.value().unwrap().json(), Some(json!([{"role": "user", "content": "hi"}])));
        assert_eq!(
            span.output.value().unwrap().json(),
            Some(json!([{"role": "assistant", "content": "ho"}]))
        );
    }
    let model = otel.model.unwrap();
    assert_eq!(model.usage.map(|usage| (usage.input_tokens, usage.output_tokens)), Some((7, 2)));
    assert_eq!((model.finish_reasons, model.max_output_tokens), (vec!["length".to_owned()], Some(64)));
}

#[test]
fn langfuse_and_openllmetry_name_things_their_own_way() {
    let generation = otlp_one(&json!([
        text("langfuse.observation.type", "generation"),
        text("langfuse.observation.model.name", "gpt-4o"),
        text("langfuse.observation.usage_details", r#"{"input": 7, "output": 2, "total": 9}"#),
        text("langfuse.observation.input", "hi"),
        text("langfuse.observation.output", "ho"),
        text("langfuse.observation.level", "ERROR"),
        text("langfuse.observation.status_message", "too long")
    ]));
    let model = generation.model.as_ref().unwrap();
    assert_eq!((generation.kind, generation.status), (SpanKind::Llm, SpanStatus::Error));
    assert_eq!(model.answered.as_deref(), Some("gpt-4o"));
    assert_eq!(model.usage.map(|usage| (usage.input_tokens, usage.output_tokens)), Some((7, 2)));
    assert_eq!((payload(&generation.input), payload(&generation.output)), ("hi", "ho"));
    assert_eq!(generation.error.unwrap().message.complete().unwrap(), "too long");

    let agent =
        otlp_one(&json!([text("traceloop.span.kind", "agent"), text("traceloop.entity.name", "triage")]));
    assert_eq!((agent.kind, agent.agent.name.as_deref()), (SpanKind::Agent, Some("triage")));
    let tool = otlp_one(&json!([
        text("traceloop.span.kind", "tool"),
        text("traceloop.entity.name", "lookup"),
        text("traceloop.entity.input", "{}"),
        text("traceloop.association.properties.session_id", "s")
    ]));
    assert_eq!((tool.kind, tool.tool_name(), payload(&tool.input)), (SpanKind::Tool, Some("lookup"), "{}"));
}

#[test]
fn otlp_refuses_single_spans_but_a_file_is_refused_whole() {
    let bytes = otlp(&json!([]), &json!({"spanId": "0000000000000000"}));
    let parsed = parse_otlp_json(&bytes, &limits()).unwrap();
    assert!(parsed.parts.is_empty());
    assert_eq!(parsed.refused[0].path, "resourceSpans[0].scopeSpans[0].spans[0].spanId");
    let error = parse_any(&bytes, &limits()).unwrap_err();
    assert_eq!(error.path(), "resourceSpans[0].scopeSpans[0].spans[0].spanId");
}

#[test]
fn every_form_of_a_file_is_recognised() {
    let one = String::from_utf8(body(&json!([staso_span(&json!({}))]))).unwrap();
    let single = serde_json::from_str::<Value>(&one).unwrap()["traces"][0].to_string();
    let other = String::from_utf8(otlp(&json!([]), &json!({}))).unwrap();
    for (file, traces) in [
        (one.clone(), 1),
        (format!("\u{feff}\n{single}\n"), 1),
        (other.clone(), 1),
        (format!("{one}\n{other}\n{single}\n"), 3),
        (format!("[{one}, {other}]"), 2),
    ] {
        assert_eq!(parse_any(file.as_bytes(), &limits()).unwrap().len(), traces, "{file}");
    }
}

#[test]
fn what_is_no_trace_file_says_where_and_what_was_expected() {
    let message = |text: &str| parse_any(text.as_bytes(), &limits()).unwrap_err().to_string();
    assert_eq!(message(""), "there are no traces in it");
    assert_eq!(message("{\"traces\": []}"), "there are no traces in it");
    assert!(
        message("\n  {\"a\": 1}").starts_with("line 2, column 3: neither a body"),
        "{}",
        message("\n  {}")
    );
    assert_eq!(message("hello"), "expected value (line 1, column 1)");
    let good = String::from_utf8(body(&json!([staso_span(&json!({}))]))).unwrap();
    let bad = good.replace("2026-01-01T00:00:00.25+00:00", "soon");
    let error = parse_any(format!("[{good},\n {bad}]").as_bytes(), &limits()).unwrap_err();
    assert_eq!(error.path(), "[1].traces[0].spans[0].timestamp");
    assert_eq!(error.position().map(|at| at.line), Some(2));
    let error = parse_any(format!("{good}\n{bad}").as_bytes(), &limits()).unwrap_err();
    assert_eq!(error.position().map(|at| at.line), Some(2));
}

#[test]
fn half_characters_lose_nothing_else() {
    let span = json!({"span_id": "80f73a8ec21f3d33", "name": "HALF", "timestamp": "2026-01-01T00:00:00Z",
        "input": r#"{"q":"\ud83d","max_tokens":5}"#, "kind": "llm", "attributes": r#"{"a":"\ud83d\ude9a \udc00"}"#});
    let text = body(&json!([span]));
    let text = String::from_utf8(text).unwrap().replace("HALF", r"run \ud83d").into_bytes();
    for parts in [parse_staso(&text, &limits()).unwrap(), parse_any(&text, &limits()).unwrap()] {
        let span = &parts[0].spans[0];
        assert_eq!(span.name, "run \u{fffd}");
        assert_eq!(span.input.complete().unwrap().json().unwrap(), json!({"q": "\u{fffd}", "max_tokens": 5}));
        assert_eq!(span.model.as_ref().unwrap().max_output_tokens, Some(5));
        assert_eq!(span.attribute("a"), Some("🚚 \u{fffd}"));
    }
    let broken = br#"{"traces": [{"trace_id": "\ud83d", "spans": []}]}"#;
    let error = parse_staso(broken, &limits()).unwrap_err();
    assert_eq!(error.path(), "traces[0].trace_id");
}

#[test]
fn a_body_has_a_limit_over_all_traces() {
    let spans = json!([staso_span(&json!({})), staso_span(&json!({"span_id": "80f73a8ec21f3d34"}))]);
    let limits = limits().with_max_spans_per_body(1);
    let error = parse_staso(&body(&spans), &limits).unwrap_err();
    assert!(matches!(error, IngestError::TooLarge { limit: 1, .. }), "{error}");
}
