//! The same run gives the same bytes.

use serde_json::json;
use staso_core::code::CodeSnapshot;
use staso_core::diagnosis::{DiagnoseRequest, Diagnoser as _};
use staso_core::quick::{QuickDiagnoser, rules_digest};
use staso_core::testing::test_context;
use staso_core::trace::{SourceRevision, Span, SpanKind, Trace, TraceLimits, TraceView};

use super::case::{code, commit, shown, step};

fn spans() -> Vec<Span> {
    let mut steps =
        vec![step(1, 0, SpanKind::Agent, "support").lasting(60).error("KeyError", "'total_amount'")];
    for number in 2..20 {
        steps.push(match number % 4 {
            0 => step(number, 1, SpanKind::Llm, "chat").error("RateLimitError", "429 rate limit"),
            1 => step(number, 1, SpanKind::Tool, "search").input(&json!({"q": "tent"})).output(&json!([])),
            2 => step(number, 1, SpanKind::Tool, "lookup").output(&json!({"total": number, "error": "gone"})),
            _ => step(number, 1, SpanKind::Chain, "render").output(&json!("Dear {customer}, {order_id}")),
        });
    }
    steps.push(
        step(20, 1, SpanKind::Tool, "refund")
            .input(&json!({"order_id": "A"}))
            .code("/srv/app/support/tools.py", 1, "refund")
            .error("KeyError", "'total_amount'"),
    );
    steps.into_iter().map(|step| step.0).collect()
}

fn repository() -> CodeSnapshot {
    code(&[("support/tools.py", "def refund(order_id):\n    return find(order_id)[\"total_amount\"]\n")])
}

/// A permutation that depends on `seed` alone.
fn shuffled(mut spans: Vec<Span>, seed: u64) -> Vec<Span> {
    let mut state = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    for at in (1..spans.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(state >> 33).unwrap() % (at + 1);
        spans.swap(at, other);
    }
    spans
}

async fn diagnose(spans: Vec<Span>) -> String {
    let id = staso_core::id::TraceId::from_bytes([3; 16]);
    let source = SourceRevision { commit: Some(commit()), ..SourceRevision::default() };
    let trace = Trace::new(id, source, spans, TraceLimits::default()).unwrap();
    let (view, code) = (TraceView::new(&trace), repository());
    let request = DiagnoseRequest::new(&view).with_code(Some(&code));
    shown(&QuickDiagnoser::new().diagnose(&request, &test_context()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_runs_in_any_order_on_any_thread_give_the_same_bytes() {
    let expected = diagnose(spans()).await;
    assert!(expected.contains("\"root_cause\": {"), "{expected}");
    let runs: Vec<_> = (0..50).map(|seed| tokio::spawn(diagnose(shuffled(spans(), seed)))).collect();
    for run in runs {
        assert_eq!(run.await.unwrap(), expected);
    }
    assert_eq!(rules_digest(), rules_digest());
}

#[tokio::test]
async fn the_conformance_suite_holds() {
    let diagnoser = QuickDiagnoser::new();
    staso_core::conformance::diagnoser::all(&diagnoser, &test_context).await;
    staso_core::conformance::diagnoser::equal_requests_give_equal_diagnoses(&diagnoser, &test_context).await;
}

#[tokio::test]
async fn a_small_run_with_a_hundred_files_is_quick() {
    let mut files: Vec<(String, String)> = Vec::new();
    for number in 0..100 {
        let body =
            format!("def helper_{number}(value):\n    return {{\"value\": value, \"n\": {number}}}\n\n\n")
                .repeat(50);
        files.push((format!("support/part_{number}.py"), body));
    }
    files.push((
        "support/tools.py".to_owned(),
        "def refund(order_id):\n    return find(order_id)[\"total_amount\"]\n".to_owned(),
    ));
    let borrowed: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let snapshot = code(&borrowed);
    let id = staso_core::id::TraceId::from_bytes([3; 16]);
    let trace = Trace::new(id, SourceRevision::default(), spans(), TraceLimits::default()).unwrap();
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view).with_code(Some(&snapshot));
    let diagnoser = QuickDiagnoser::new();
    let mut fastest = std::time::Duration::MAX;
    for _ in 0..5 {
        let started = std::time::Instant::now();
        diagnoser.diagnose(&request, &test_context()).await.unwrap();
        fastest = fastest.min(started.elapsed());
    }
    // Without optimisation and on a busy machine; optimised it is some twenty times faster.
    assert!(fastest < std::time::Duration::from_secs(2), "took {fastest:?}");
    eprintln!("20 steps, 101 files: {fastest:?}");
}
