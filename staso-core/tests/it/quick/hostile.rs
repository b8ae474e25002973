//! Traces and code that mean no good.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;
use staso_core::diagnosis::{DiagnoseError, DiagnoseRequest, Diagnoser as _};
use staso_core::quick::QuickDiagnoser;
use staso_core::testing::test_context;
use staso_core::trace::{Captured, Payload, SpanKind, SpanStatus, TraceView};

use super::case::{Step, assert_is_well_formed, code, diagnose, id, shown, step, trace};

#[tokio::test]
async fn a_flood_of_spans_and_text_takes_bounded_time() {
    let text = format!("{{\"a\": \"{}\"}}", "Traceback File \\\"x\\\" at {name} $x <y> 429 ".repeat(25_000));
    let mut steps = vec![step(1, 0, SpanKind::Agent, "root").lasting(20_000).error("KeyError", "'b'")];
    for number in 2..=10_000 {
        let kind = [SpanKind::Tool, SpanKind::Llm, SpanKind::Chain, SpanKind::Agent]
            [usize::try_from(number % 4).unwrap()];
        let mut made = step(number, number - 1, kind, "x").error("E", &format!("error {number}"));
        if number % 250 == 0 {
            made.0.output = Captured::Present(Payload::new(text.clone()));
        } else {
            made = made.output(&json!({"message": format!("m{number}")}));
        }
        steps.push(made);
    }
    let trace = trace(steps);
    let started = Instant::now();
    let diagnosis = diagnose(&trace, None).await;
    assert!(started.elapsed() < Duration::from_secs(30), "took {:?}", started.elapsed());
    assert!(
        diagnosis.missing.iter().any(|missing| missing.what.contains("large payloads")),
        "{:?}",
        diagnosis.missing
    );
    assert!(shown(&diagnosis).len() < 200_000);
}

#[tokio::test]
async fn a_cancelled_run_ends_at_once() {
    let trace = trace(vec![step(1, 0, SpanKind::Agent, "root")]);
    let view = TraceView::new(&trace);
    let ctx = test_context();
    ctx.cancellation().cancel();
    let result = QuickDiagnoser::new().diagnose(&DiagnoseRequest::new(&view), &ctx).await;
    assert!(matches!(result, Err(DiagnoseError::Cancelled)));
}

#[tokio::test]
async fn a_credential_is_never_repeated() {
    let key = format!("sk-{}", "abcdef0123456789abcdef");
    let steps = vec![
        step(1, 0, SpanKind::Agent, "root")
            .lasting(9)
            .input(&json!({"key": key}))
            .error("KeyError", &key)
            .code("a.py", 1, "go"),
        step(2, 1, SpanKind::Llm, "chat")
            .error("AuthenticationError", &format!("Incorrect API key provided: {key}.")),
        step(3, 1, SpanKind::Tool, "tool")
            .input(&json!({"key": key}))
            .error("KeyError", &format!("'{key}'"))
            .code("a.py", 1, "go"),
    ];
    let snapshot = code(&[("a.py", &format!("def go(key):\n    return {{}}['{key}']\n"))]);
    let diagnosis = diagnose(&trace(steps), Some(&snapshot)).await;
    assert!(!shown(&diagnosis).contains(&key), "{}", shown(&diagnosis));
    assert_eq!(diagnosis.root_cause.unwrap().category, "authentication_failed");
}

#[tokio::test]
async fn suppressed_evidence_lowers_the_confidence_and_names_the_switch() {
    let mut tool = step(2, 1, SpanKind::Tool, "refund").error("TimeoutError", "").timed_out();
    tool.0.input = Captured::Suppressed;
    tool.0.output = Captured::Suppressed;
    if let Some(error) = &mut tool.0.error {
        error.message = Captured::Suppressed;
    }
    let diagnosis = diagnose(
        &trace(vec![step(1, 0, SpanKind::Agent, "root").lasting(9).error("TimeoutError", ""), tool]),
        None,
    )
    .await;
    assert_eq!(diagnosis.root_cause.as_ref().unwrap().category, "tool_timeout");
    assert!(diagnosis.confidence.value() <= 0.6, "{}", diagnosis.confidence);
    let how: Vec<&str> = diagnosis.missing.iter().map(|missing| missing.how_to_get.as_str()).collect();
    assert!(how.iter().any(|how| how.contains("STASO_CAPTURE_TOOL_ARGUMENTS")), "{how:?}");
    assert!(how.iter().any(|how| how.contains("STASO_CAPTURE_OUTPUT")), "{how:?}");
}

const KINDS: [SpanKind; 6] =
    [SpanKind::Llm, SpanKind::Tool, SpanKind::Chain, SpanKind::Retriever, SpanKind::Agent, SpanKind::Custom];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Traceback (most recent call last):\n  File \"a.py\", line 2, in f\nKeyError: 'x'".to_owned()),
        Just("{{name}} ${x} {y} $z <a>".to_owned()),
        Just("Error code: 404 - model `é` does not exist; use gpt-4o instead".to_owned()),
        Just("environment variable ÄPI_KEY is not set, timed out after 3s, max_turns = 6 limit".to_owned()),
        Just("```json\n{\"tool_calls\": [{\"name\": \"x\", \"arguments\": \"{\"}]}".to_owned()),
        "\\PC{0,60}",
        any::<String>(),
    ]
}

prop_compose! {
    fn arbitrary_step(number: u64)(
        kind in 0..KINDS.len(), parent in 0..12_u64, failed in 0..3_u8, class in prop::option::of("[A-Z][a-z]{2,8}Error"),
        message in text(), input in text(), output in text(), raw in any::<bool>(), line in any::<u32>(), function in text(),
    ) -> Step {
        let mut step = step(number, parent, KINDS[kind], &function).code("/srv/a.py", line, &function);
        if failed > 0 {
            step = step.error(class.as_deref().unwrap_or("KeyError"), &message).stack(&output);
            step.0.status = if failed == 1 { SpanStatus::Error } else { SpanStatus::Timeout };
        }
        if raw {
            step.0.input = Captured::Present(Payload::new(input));
            step.0.output = Captured::Truncated(Payload::new(output));
            step
        } else {
            step.input(&json!({"args": [input, 1], "content": message})).output(&json!({"message": output, "tools": [{"name": class}]}))
        }
    }
}

fn arbitrary_steps() -> impl Strategy<Value = Vec<Step>> {
    (1..10_u64).prop_flat_map(|count| (1..=count).map(arbitrary_step).collect::<Vec<_>>())
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_trace_makes_a_rule_panic(steps in arbitrary_steps(), source in text(), with_code in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let snapshot = code(&[("a.py", &format!("def f(x):\n    {source}\n")), ("config.yaml", &source)]);
        let trace = trace(steps);
        let diagnosis = runtime.block_on(diagnose(&trace, with_code.then_some(&snapshot)));
        assert_is_well_formed(&diagnosis);
        prop_assert!(diagnosis.hypotheses.iter().all(|hypothesis| hypothesis.span_id != id(999)));
    }
}
