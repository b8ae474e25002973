//! What a quick diagnosis costs, next to parsing the JSON of the same trace once.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use staso_core::code::{CodeSnapshot, RepoPath, SourceFile};
use staso_core::diagnosis::{DiagnoseRequest, Diagnoser as _};
use staso_core::id::{BlobId, CommitId, Digest, RunId, SpanId, TraceId};
use staso_core::quick::QuickDiagnoser;
use staso_core::run::{Clock, RunContext, Sleep};
use staso_core::trace::{
    Captured, CodePlace, Payload, SourceRevision, Span, SpanError, SpanKind, SpanStatus, Timestamp, Trace,
    TraceLimits, TraceView,
};

const START: i64 = 1_767_225_600_000_000_000;
const SPANS: u64 = 20;
const FILES: u64 = 100;
const FUNCTIONS_IN_A_FILE: u64 = 20;

type Failure = Box<dyn std::error::Error>;

fn main() {
    divan::main();
}

/// Stands still, so that only the diagnosis is measured.
#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(START)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _duration: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

/// A conversation of model and tool calls that ends in a missing key.
fn trace() -> Result<Trace, Failure> {
    let mut spans = Vec::new();
    for number in 1..=SPANS {
        let kind = match number {
            1 => SpanKind::Agent,
            _ if number % 2 == 0 => SpanKind::Llm,
            _ => SpanKind::Tool,
        };
        let start = Timestamp::from_nanos(START + i64::try_from(number)? * 1_000_000_000);
        let mut span = Span::new(SpanId::from_u64(number), format!("step_{number}"), kind, start);
        span.parent_span_id = (number > 1).then(|| SpanId::from_u64(1));
        span.duration_ns = Some(500_000_000);
        span.input = Captured::Present(Payload::new(json!({"order_id": "A-1", "step": number}).to_string()));
        let words = "a sentence of an answer that the model gave. ".repeat(40);
        span.output = Captured::Present(Payload::new(json!({"text": words, "total": number}).to_string()));
        spans.push(span);
    }
    if let Some(last) = spans.last_mut() {
        last.kind = SpanKind::Tool;
        last.status = SpanStatus::Error;
        last.output = Captured::Absent;
        last.code = Some(CodePlace {
            path: "/srv/app/package/module_7.py".to_owned(),
            line: Some(2),
            function: Some("step_0".to_owned()),
        });
        last.error = Some(SpanError {
            kind: Some("KeyError".to_owned()),
            message: Captured::Present("'total_amount'".to_owned()),
            stack: Captured::Present(
                "Traceback (most recent call last):\n  File \"/srv/app/package/module_7.py\", line 2, in step_0\n    \
                 return order[\"total_amount\"]\nKeyError: 'total_amount'\n"
                    .to_owned(),
            ),
        });
    }
    let source = SourceRevision { commit: Some(commit()?), dirty: Some(false), ..SourceRevision::default() };
    Ok(Trace::new(TraceId::from_bytes([3; 16]), source, spans, TraceLimits::default())?)
}

fn commit() -> Result<CommitId, Failure> {
    Ok(CommitId::new("c".repeat(40))?)
}

fn repository() -> Result<CodeSnapshot, Failure> {
    let mut code = CodeSnapshot::new(commit()?, Vec::new(), false);
    for file in 0..FILES {
        let mut text = String::new();
        for function in 0..FUNCTIONS_IN_A_FILE {
            writeln!(text, "def step_{function}(order):\n    return order[\"total_amount\"]\n\n")?;
        }
        let blob = BlobId::new(Digest::of(&text).hex().chars().take(40).collect::<String>())?;
        let path = RepoPath::new(format!("package/module_{file}.py"))?;
        code.insert(path, SourceFile { blob, text: text.into(), executable: false });
    }
    Ok(code)
}

/// A bench that cannot be set up measures nothing.
fn assert_set_up(result: &Result<(), Failure>) {
    assert!(result.is_ok(), "cannot set up the bench: {result:?}");
}

#[divan::bench]
fn diagnose_20_spans_with_100_files(bencher: divan::Bencher<'_, '_>) {
    assert_set_up(&diagnose(bencher));
}

fn diagnose(bencher: divan::Bencher<'_, '_>) -> Result<(), Failure> {
    let (trace, code) = (trace()?, repository()?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let ctx = RunContext::new(RunId::from_bytes([7; 16]), Arc::new(StoppedClock));
    let diagnoser = QuickDiagnoser::new();
    let diagnose = || {
        let view = TraceView::new(&trace);
        let request = DiagnoseRequest::new(&view).with_code(Some(&code));
        runtime.block_on(diagnoser.diagnose(&request, &ctx))
    };
    let found = diagnose()?;
    if found.root_cause.is_none() || found.receipts.is_empty() {
        return Err("the diagnosis that is measured finds nothing".into());
    }
    bencher.bench(diagnose);
    Ok(())
}

#[divan::bench]
fn parse_the_json_of_the_trace(bencher: divan::Bencher<'_, '_>) {
    assert_set_up(&parse(bencher));
}

fn parse(bencher: divan::Bencher<'_, '_>) -> Result<(), Failure> {
    let text = serde_json::to_string(&trace()?)?;
    bencher.bench(|| serde_json::from_str::<Value>(&text));
    Ok(())
}
