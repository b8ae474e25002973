//! What every [`Diagnoser`] must do.

use std::time::Duration;

use crate::code::{CodeSnapshot, RepoPath, SourceFile};
use crate::diagnosis::{
    DiagnoseError, DiagnoseRequest, Diagnoser, Diagnosis, Evidence, check_receipt, contains_secret,
};
use crate::id::{BlobId, CommitId, SpanId, TraceId};
use crate::run::RunContext;
use crate::trace::{
    Captured, CodePlace, Payload, SourceRevision, Span, SpanError, SpanKind, SpanStatus, Timestamp, Trace,
    TraceLimits, TraceView,
};

/// The longest a cancelled diagnosis may take.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);

/// Runs every check. `fresh` makes a context of its own for each diagnosis.
///
/// # Panics
/// When the diagnoser breaks the contract.
pub async fn all(diagnoser: &dyn Diagnoser, fresh: &(dyn Fn() -> RunContext + Sync)) {
    a_diagnosis_keeps_its_own_rules(diagnoser, &fresh()).await;
    a_run_without_failure_is_not_an_error(diagnoser, &fresh()).await;
    credentials_are_not_repeated(diagnoser, &fresh()).await;
    a_cancelled_run_ends(diagnoser, &fresh()).await;
}

/// Equal requests give equal diagnoses. Only for diagnosers that call themselves deterministic.
///
/// # Panics
/// When two diagnoses differ.
pub async fn equal_requests_give_equal_diagnoses(
    diagnoser: &dyn Diagnoser,
    fresh: &(dyn Fn() -> RunContext + Sync),
) {
    let first = diagnose(diagnoser, &failing("'total'"), &fresh()).await;
    let second = diagnose(diagnoser, &failing("'total'"), &fresh()).await;
    assert_eq!(first, second, "the same request gave two diagnoses");
}

/// Bounds hold, verified receipts can be checked again, and a cause comes with a fix or a reason against one.
///
/// # Panics
/// When one of that does not hold.
pub async fn a_diagnosis_keeps_its_own_rules(diagnoser: &dyn Diagnoser, ctx: &RunContext) {
    let trace = failing("'total'");
    let diagnosis = diagnose(diagnoser, &trace, ctx).await;
    let (view, code) = (TraceView::new(&trace), code());
    assert_eq!(diagnosis.trace_id, trace.trace_id, "the diagnosis is about another trace");
    assert!(diagnosis.chain.len() <= 5, "the chain has more than 5 steps");
    assert!(
        diagnosis.explanation_md.chars().count() <= 8_000,
        "the explanation is longer than 8,000 characters"
    );
    let events = ctx.recorded_events();
    let evidence = Evidence::new(&view).with_code(Some(&code)).with_events(&events);
    for receipt in diagnosis.receipts.iter().filter(|receipt| receipt.is_verified()) {
        let again = check_receipt(receipt, &evidence);
        assert_eq!(again, receipt.verdict, "receipt {} does not hold", receipt.id);
    }
    let best = diagnosis.hypotheses.windows(2).all(|pair| match pair {
        [first, second] => first.score >= second.score,
        _ => true,
    });
    assert!(best, "explanations do not come best first");
    if let Some(cause) = &diagnosis.root_cause {
        assert!(view.span(cause.span_id).is_some(), "the blamed step is not in the trace");
        assert!(
            diagnosis.suggested_fix.is_some() != diagnosis.no_fix_reason.is_some(),
            "a cause needs a fix or a reason against one, and not both"
        );
        let cited = diagnosis.receipts.iter().any(crate::diagnosis::Receipt::is_verified);
        assert!(cited, "a cause without a verified receipt");
    } else {
        assert_eq!(diagnosis.confidence.value(), 0.0, "confidence in no cause");
    }
}

/// A run in which nothing failed gives a diagnosis, with or without a cause.
///
/// # Panics
/// When it gives an error.
pub async fn a_run_without_failure_is_not_an_error(diagnoser: &dyn Diagnoser, ctx: &RunContext) {
    let trace = trace(vec![span(1, None, SpanKind::Agent)]);
    let diagnosis = diagnose(diagnoser, &trace, ctx).await;
    assert!(!diagnosis.summary.as_str().is_empty(), "a diagnosis without a summary");
}

/// Credentials of the trace stay in the trace.
///
/// # Panics
/// When the diagnosis holds one.
pub async fn credentials_are_not_repeated(diagnoser: &dyn Diagnoser, ctx: &RunContext) {
    let key = ["sk-", "conformance0123456789"].concat();
    let diagnosis = diagnose(diagnoser, &failing(&format!("'{key}'")), ctx).await;
    let text = format!("{diagnosis:?}");
    assert!(!text.contains(&key) && !contains_secret(&text), "the diagnosis repeats a credential");
}

/// A cancelled run ends within two seconds and says so.
///
/// # Panics
/// When it takes longer or gives something else.
pub async fn a_cancelled_run_ends(diagnoser: &dyn Diagnoser, ctx: &RunContext) {
    ctx.cancellation().cancel();
    let trace = failing("'total'");
    let (view, code) = (TraceView::new(&trace), code());
    let request = DiagnoseRequest::new(&view).with_code(Some(&code));
    let began = ctx.clock().monotonic();
    let result = diagnoser.diagnose(&request, ctx).await;
    let took = ctx.clock().monotonic().saturating_sub(began);
    assert!(matches!(result, Err(DiagnoseError::Cancelled)), "a cancelled run gave {result:?}");
    assert!(took <= CANCEL_LIMIT, "a cancelled run took {took:?}");
}

async fn diagnose(diagnoser: &dyn Diagnoser, trace: &Trace, ctx: &RunContext) -> Diagnosis {
    let (view, code) = (TraceView::new(trace), code());
    let request = DiagnoseRequest::new(&view).with_code(Some(&code));
    match diagnoser.diagnose(&request, ctx).await {
        Ok(diagnosis) => diagnosis,
        Err(error) => panic!("the diagnosis failed: {error}"),
    }
}

/// A tool that asks its data for a key which that does not have.
fn failing(message: &str) -> Trace {
    let failed = |mut span: Span| {
        span.status = SpanStatus::Error;
        span.error = Some(SpanError {
            kind: Some("KeyError".to_owned()),
            message: Captured::Present(message.to_owned()),
            stack: Captured::Absent,
        });
        span
    };
    let mut before = span(2, Some(1), SpanKind::Tool);
    before.output = Captured::Present(Payload::new(r#"{"amount": 12}"#));
    let mut tool = failed(span(3, Some(1), SpanKind::Tool));
    tool.input = Captured::Present(Payload::new(r#"{"order": "A-1"}"#));
    tool.code = Some(CodePlace {
        path: "/srv/app/tools.py".to_owned(),
        line: Some(1),
        function: Some("total".to_owned()),
    });
    trace(vec![failed(span(1, None, SpanKind::Agent)), before, tool])
}

fn span(number: u64, parent: Option<u64>, kind: SpanKind) -> Span {
    let start = Timestamp::from_nanos(i64::try_from(number).unwrap_or(i64::MAX));
    let mut span = Span::new(SpanId::from_u64(number), format!("step {number}"), kind, start);
    span.parent_span_id = parent.map(SpanId::from_u64);
    span.duration_ns = Some(if parent.is_none() { 10 } else { 1 });
    span
}

fn trace(spans: Vec<Span>) -> Trace {
    match Trace::new(TraceId::from_bytes([5; 16]), SourceRevision::default(), spans, TraceLimits::default()) {
        Ok(trace) => trace,
        Err(error) => panic!("the suite's own trace: {error}"),
    }
}

fn code() -> CodeSnapshot {
    let (commit, blob) = (CommitId::new("a".repeat(40)), BlobId::new("b".repeat(40)));
    let (Ok(commit), Ok(blob), Ok(path)) = (commit, blob, RepoPath::new("tools.py")) else {
        panic!("the suite's own ids");
    };
    let mut code = CodeSnapshot::new(commit, Vec::new(), false);
    let text = "def total(order):\n    return find(order)[\"total\"]\n".into();
    code.insert(path, SourceFile { blob, text, executable: false });
    code
}
