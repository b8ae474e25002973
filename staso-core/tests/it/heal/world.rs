//! A world in memory: one repository, one failed trace, a sandbox whose commands follow from the files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use staso_core::code::{CodeSnapshot, RepoPath};
use staso_core::conformance::fixer::diagnosis_with;
use staso_core::diagnosis::{
    Causality, DiagnoseError, DiagnoseRequest, Diagnoser, Diagnosis, FailureOracle, FixKind, Locator,
    Receipt, ReceiptKind, ReceiptVerdict, RecordedCall, RootCause,
};
use staso_core::fix::{FixCandidate, FixError, FixRequest, Fixer, Patch, Replacement};
use staso_core::heal::{HealPolicy, HealRequest, Healer, HealerBuilder, RunIds};
use staso_core::id::{BranchName, Digest, RunId, SpanId, TraceId, WorkspaceId};
use staso_core::run::{RunContext, TraceBatch, TracePart, TraceStore as _};
use staso_core::sandbox::{ExecExit, ExecRequest, SandboxError, SandboxSession};
use staso_core::testing::{
    MemoryRepository, MemoryRunStore, MemorySandbox, MemoryTraceStore, MemoryVcs, ScriptedExec, SessionFiles,
    TestClock, memory_commit,
};
use staso_core::trace::{
    Captured, RepositoryUrl, SourceRevision, Span, SpanError, SpanKind, SpanStatus, Timestamp,
};
use staso_core::verify::{TestCommand, TestCounts, TestFramework, TestReport, TestRunner};

pub(crate) const SPAN: SpanId = SpanId::from_bytes([3; 16]);
pub(crate) const TRACE: TraceId = TraceId::from_bytes([1; 16]);
const CODE: &str = "def total(order):\n    return order['old']\n";

/// Everything a healer needs, each part open to change before [`healer`](Self::healer).
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) traces: MemoryTraceStore,
    pub(crate) runs: MemoryRunStore,
    pub(crate) vcs: MemoryVcs,
    pub(crate) diagnosis: Diagnosis,
    /// What stands in place of `'old'` in each candidate, best first.
    pub(crate) candidates: Vec<&'static str>,
    pub(crate) policy: HealPolicy,
    pub(crate) dirty: bool,
}

pub(crate) fn url() -> RepositoryUrl {
    "https://example.com/acme/agent".parse().unwrap()
}

pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        let mut repository = MemoryRepository::new(url(), BranchName::new("main").unwrap());
        let files = [(path("tools.py"), CODE), (path(".github/workflows/ci.yml"), "on: push\n")];
        repository.commit(memory_commit(1), BranchName::new("main").unwrap(), files);
        repository.set_checkout(memory_commit(1), "/");
        Self {
            traces: MemoryTraceStore::default(),
            runs: MemoryRunStore::default(),
            vcs: MemoryVcs::new().with_repository(repository),
            diagnosis: diagnosis(),
            candidates: vec!["'new'"],
            policy: HealPolicy::default(),
            dirty: false,
        }
    }

    /// Fills the store; everything but a sandbox is in the builder.
    pub(crate) async fn builder(&self) -> HealerBuilder {
        let mut span = Span::new(SPAN, "total", SpanKind::Tool, Timestamp::from_nanos(1));
        span.status = SpanStatus::Error;
        span.error = Some(SpanError {
            kind: Some("KeyError".to_owned()),
            message: Captured::Present("'old'".to_owned()),
            stack: Captured::Absent,
        });
        let source = SourceRevision {
            repository_url: Some(url()),
            branch: Some(BranchName::new("main").unwrap()),
            commit: Some(memory_commit(1)),
            dirty: Some(self.dirty),
        };
        let part = TracePart {
            trace_id: TRACE,
            conversation_id: None,
            environment: None,
            source,
            spans: vec![span],
        };
        let batch = TraceBatch { workspace: workspace(), idempotency_key: "k".to_owned(), parts: vec![part] };
        self.traces.put(&batch).await.unwrap();
        Healer::builder(
            Arc::new(self.traces.clone()),
            Arc::new(self.runs.clone()),
            Arc::new(Says(self.diagnosis.clone())),
            Arc::new(TestClock::default()),
            Arc::new(Counting::default()),
        )
        .with_fixer(Arc::new(Replaces(self.candidates.clone())))
        .with_vcs(Arc::new(self.vcs.clone()))
        .with_policy(self.policy.clone())
    }

    pub(crate) async fn healer(&self) -> Healer {
        self.builder().await.with_sandbox(Arc::new(sandbox()), Arc::new(Tests)).build()
    }
}

pub(crate) fn workspace() -> WorkspaceId {
    WorkspaceId::new("acme").unwrap()
}

pub(crate) fn request() -> HealRequest {
    HealRequest::new(workspace(), TRACE)
}

/// A sandbox where the recorded call fails as long as `'old'` is read, and hangs on `'hang'`.
pub(crate) fn sandbox() -> MemorySandbox {
    let files = BTreeMap::from([(path("tools.py"), CODE.as_bytes().to_vec())]);
    MemorySandbox::new(files).with_responder(replay)
}

fn replay(request: &ExecRequest, files: &mut SessionFiles) -> Option<ScriptedExec> {
    let asked: serde_json::Value = serde_json::from_slice(&request.stdin).ok()?;
    let nonce = asked.get("nonce")?.as_str()?;
    let text = String::from_utf8_lossy(files.get(&path("tools.py"))?).into_owned();
    if text.contains("'hang'") {
        return Some(ScriptedExec { exit: None, ..ScriptedExec::default() });
    }
    let verdict = if text.contains("'old'") {
        r#"{"outcome":"raised","type":"KeyError","message":"'old'"}"#
    } else {
        r#"{"outcome":"returned","text":"1"}"#
    };
    let exit = Some(ExecExit { code: Some(0), ..ExecExit::default() });
    Some(ScriptedExec {
        stdout: format!("noise\n{nonce} {verdict}\n").into_bytes(),
        stderr: Vec::new(),
        exit,
    })
}

/// Tests that fail when the code reads `'broken'`.
#[derive(Debug)]
pub(crate) struct Tests;

#[async_trait]
impl TestRunner for Tests {
    fn detect(&self, _code: &CodeSnapshot) -> Option<TestCommand> {
        let argv = vec!["run-tests".to_owned()];
        Some(TestCommand { argv, framework: TestFramework::Unknown, origin: "test".to_owned() })
    }

    async fn run(
        &self,
        session: &dyn SandboxSession,
        command: &TestCommand,
        _timeout: Duration,
        ctx: &RunContext,
    ) -> Result<TestReport, SandboxError> {
        let text = session.read_file(&path("tools.py"), 1 << 20, ctx).await?;
        let failed = u64::from(String::from_utf8_lossy(&text).contains("'broken'"));
        Ok(TestReport {
            command: command.display(),
            exit: ExecExit { code: Some(i32::from(failed > 0)), ..ExecExit::default() },
            duration_ms: 1,
            counts: Some(TestCounts { passed: 3 - failed, failed, skipped: 0 }),
            tests: BTreeMap::new(),
            tail: String::new(),
        })
    }
}

/// A diagnosis with one citation that holds and a call that can be made again.
pub(crate) fn diagnosis() -> Diagnosis {
    let mut diagnosis = diagnosis_with(Vec::new());
    let call = RecordedCall {
        path: path("tools.py"),
        function: "total".to_owned(),
        arguments: BTreeMap::new(),
        raised: Some("KeyError".to_owned()),
    };
    if let Some(fix) = &mut diagnosis.suggested_fix {
        fix.oracle = Some(FailureOracle::Raises {
            exception: "KeyError".to_owned(),
            message_contains: None,
            calls: vec![call],
        });
    }
    diagnosis.root_cause = Some(RootCause {
        span_id: SPAN,
        agent: None,
        category: "key_missing".to_owned(),
        causality: Causality::Primary,
    });
    diagnosis.receipts = vec![receipt("'old'")];
    diagnosis
}

/// A citation of the error message, called verified by whoever wrote it.
pub(crate) fn receipt(quote: &str) -> Receipt {
    Receipt {
        id: "r1".to_owned(),
        kind: ReceiptKind::Span,
        locator: Locator::Span { span_id: SPAN, pointer: "/error_message".into() },
        quote: quote.to_owned(),
        digest: Digest::of(quote),
        claim: "The step failed with this error".to_owned(),
        for_hypothesis: "h1".to_owned(),
        verdict: ReceiptVerdict::Verified,
    }
}

#[derive(Debug)]
pub(crate) struct Says(pub(crate) Diagnosis);

#[async_trait]
impl Diagnoser for Says {
    fn name(&self) -> &str {
        "says"
    }

    async fn diagnose(&self, _: &DiagnoseRequest<'_>, _: &RunContext) -> Result<Diagnosis, DiagnoseError> {
        Ok(self.0.clone())
    }
}

#[derive(Debug)]
struct Replaces(Vec<&'static str>);

#[async_trait]
impl Fixer for Replaces {
    fn name(&self) -> &str {
        "replaces"
    }

    async fn propose(&self, request: &FixRequest<'_>, _: &RunContext) -> Result<Vec<FixCandidate>, FixError> {
        let candidate = |text: &&str| {
            let file = path(if *text == "ci" { ".github/workflows/ci.yml" } else { "tools.py" });
            let source = &request.code.file(&file).unwrap().text;
            let at = source.find("'old'").unwrap_or(0);
            let range = at..at + if source.contains("'old'") { 5 } else { 2 };
            let patch =
                Patch::replace(request.code, &file, vec![Replacement { range, text: (*text).to_owned() }])
                    .unwrap();
            FixCandidate {
                patch,
                kind: FixKind::Code,
                author: format!("test:{text}"),
                title: format!("Read {text}"),
                why: format!("The data has {text}"),
                score: 0.5,
            }
        };
        Ok(self.0.iter().map(candidate).collect())
    }
}

#[derive(Debug, Default)]
struct Counting(AtomicU8);

impl RunIds for Counting {
    fn next(&self) -> RunId {
        RunId::from_bytes([self.0.fetch_add(1, Ordering::Relaxed) + 1; 16])
    }
}
