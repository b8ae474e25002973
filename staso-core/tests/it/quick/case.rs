//! Builds traces and repositories in the way that recorders and commits have them.

use serde_json::Value;
use staso_core::code::{CodeSnapshot, RepoPath, SourceFile};
use staso_core::diagnosis::{DiagnoseRequest, Diagnoser as _, Diagnosis};
use staso_core::id::{BlobId, CommitId, Digest, SpanId, TraceId};
use staso_core::quick::QuickDiagnoser;
use staso_core::testing::test_context;
use staso_core::trace::{
    Captured, CodePlace, ModelInfo, Payload, SourceRevision, Span, SpanError, SpanKind, SpanStatus,
    Timestamp, ToolInfo, Trace, TraceLimits, TraceView, Usage,
};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// A step under construction. Ids count from 1; step `n` begins `n` seconds after the run.
pub(crate) struct Step(pub(crate) Span);

pub(crate) fn id(number: u64) -> SpanId {
    SpanId::from_u64(number)
}

pub(crate) fn step(number: u64, parent: u64, kind: SpanKind, name: &str) -> Step {
    let start = Timestamp::from_nanos(START + i64::try_from(number).unwrap() * SECOND);
    let mut span = Span::new(id(number), name, kind, start);
    span.parent_span_id = (parent > 0).then(|| id(parent));
    span.duration_ns = Some(500_000_000);
    span.agent.name = (kind == SpanKind::Agent).then(|| name.to_owned());
    if kind == SpanKind::Tool {
        span.tool = Some(ToolInfo { name: Some(name.to_owned()), call_id: None });
    }
    if kind == SpanKind::Llm {
        span.model = Some(ModelInfo {
            provider: Some("openai".to_owned()),
            requested: Some("gpt-4o".to_owned()),
            usage: Some(Usage { input_tokens: 900, output_tokens: 120 }),
            ..ModelInfo::default()
        });
    }
    Step(span)
}

impl Step {
    pub(crate) fn lasting(mut self, seconds: u64) -> Self {
        self.0.duration_ns = Some(seconds * 1_000_000_000);
        self
    }

    pub(crate) fn input(mut self, value: &Value) -> Self {
        self.0.input = Captured::Present(Payload::new(crate::schema::sorted(value).to_string()));
        self
    }

    pub(crate) fn output(mut self, value: &Value) -> Self {
        self.0.output = Captured::Present(Payload::new(crate::schema::sorted(value).to_string()));
        self
    }

    pub(crate) fn error(mut self, kind: &str, message: &str) -> Self {
        self.0.status = SpanStatus::Error;
        self.0.error = Some(SpanError {
            kind: (!kind.is_empty()).then(|| kind.to_owned()),
            message: Captured::Present(message.to_owned()),
            stack: Captured::Absent,
        });
        self
    }

    pub(crate) fn stack(mut self, text: &str) -> Self {
        self.0.error.get_or_insert_default().stack = Captured::Present(text.to_owned());
        self
    }

    pub(crate) fn code(mut self, path: &str, line: u32, function: &str) -> Self {
        self.0.code =
            Some(CodePlace { path: path.to_owned(), line: Some(line), function: Some(function.to_owned()) });
        self
    }

    pub(crate) fn model(mut self, change: impl FnOnce(&mut ModelInfo)) -> Self {
        change(self.0.model.get_or_insert_default());
        self
    }

    pub(crate) fn attribute(mut self, key: &str, value: Value) -> Self {
        self.0.attributes.insert(key.to_owned(), value);
        self
    }

    pub(crate) fn timed_out(mut self) -> Self {
        self.0.status = SpanStatus::Timeout;
        self
    }
}

pub(crate) fn trace(steps: Vec<Step>) -> Trace {
    let id = TraceId::from_bytes([3; 16]);
    let source = SourceRevision { commit: Some(commit()), dirty: Some(false), ..SourceRevision::default() };
    Trace::new(id, source, steps.into_iter().map(|step| step.0).collect(), TraceLimits::default()).unwrap()
}

pub(crate) fn commit() -> CommitId {
    CommitId::new("c0ffee".repeat(7).get(..40).unwrap()).unwrap()
}

pub(crate) fn code(files: &[(&str, &str)]) -> CodeSnapshot {
    let mut snapshot = CodeSnapshot::new(commit(), Vec::new(), false);
    for (path, text) in files {
        let blob = BlobId::new(Digest::of(text).hex().get(..40).unwrap()).unwrap();
        let file = SourceFile { blob, text: (*text).into(), executable: false };
        snapshot.insert(RepoPath::new(path).unwrap(), file);
    }
    snapshot
}

pub(crate) async fn diagnose(trace: &Trace, code: Option<&CodeSnapshot>) -> Diagnosis {
    let view = TraceView::new(trace);
    let request = DiagnoseRequest::new(&view).with_code(code);
    let diagnosis = QuickDiagnoser::new().diagnose(&request, &test_context()).await.unwrap();
    assert_is_well_formed(&diagnosis);
    diagnosis
}

/// What holds of every diagnosis, whatever the trace.
pub(crate) fn assert_is_well_formed(diagnosis: &Diagnosis) {
    for receipt in &diagnosis.receipts {
        assert!(receipt.is_verified(), "{receipt:?}");
        assert!(diagnosis.hypotheses.iter().any(|hypothesis| hypothesis.id == receipt.for_hypothesis));
    }
    assert!(diagnosis.chain.len() <= 5);
    assert!(diagnosis.explanation_md.chars().count() <= 8_000);
    let decided = diagnosis.suggested_fix.is_some() ^ diagnosis.no_fix_reason.is_some();
    assert_eq!(diagnosis.root_cause.is_some(), decided);
    assert!(diagnosis.confidence.value() <= 0.9);
    for pair in diagnosis.hypotheses.windows(2) {
        assert!(pair[0].score >= pair[1].score);
    }
}

/// The whole diagnosis as text.
pub(crate) fn shown(diagnosis: &Diagnosis) -> String {
    serde_json::to_string_pretty(diagnosis).unwrap()
}
