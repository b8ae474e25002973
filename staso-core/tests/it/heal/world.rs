//! A world in memory: one repository, one failed trace, a sandbox whose commands follow from the files.

use std::collections::BTreeMap;
use std::sync::Arc;

use staso_core::code::{CodeSnapshot, RepoPath, SourceFile};
use staso_core::conformance::fixer::diagnosis_with;
use staso_core::diagnosis::{
    Causality, Diagnosis, FailureOracle, Locator, Receipt, ReceiptKind, ReceiptVerdict, RecordedCall,
    RootCause,
};
use staso_core::heal::{HealPolicy, HealRequest, Healer, HealerBuilder};
use staso_core::id::{BranchName, Digest, SpanId, TraceId, WorkspaceId};
use staso_core::run::{TraceBatch, TracePart, TraceStore as _};
use staso_core::sandbox::{ExecExit, ExecRequest};
use staso_core::testing::{
    ContentTests, CountingRunIds, FixedDiagnoser, MemoryRepository, MemoryRunStore, MemorySandbox,
    MemoryTraceStore, MemoryVcs, ReplacingFixer, ScriptedExec, SessionFiles, TestClock, memory_commit,
};
use staso_core::trace::{
    Captured, RepositoryUrl, SourceRevision, Span, SpanError, SpanKind, SpanStatus, Timestamp,
};

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
    /// The file that candidates change.
    pub(crate) file: &'static str,
    /// What they replace there.
    pub(crate) replaced: &'static str,
    /// What stands in its place in each candidate, best first.
    pub(crate) candidates: Vec<&'static str>,
    pub(crate) policy: HealPolicy,
    pub(crate) dirty: bool,
    /// The message of the failed step.
    pub(crate) error: String,
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
            file: "tools.py",
            replaced: "'old'",
            candidates: vec!["'new'"],
            policy: HealPolicy::default(),
            dirty: false,
            error: "'old'".to_owned(),
        }
    }

    /// Fills the store; everything but a sandbox is in the builder.
    pub(crate) async fn builder(&self) -> HealerBuilder {
        let fixer = ReplacingFixer::new(path(self.file), self.replaced, self.candidates.clone());
        self.without_fixer().await.with_fixer(Arc::new(fixer))
    }

    /// The same without a fixer.
    pub(crate) async fn without_fixer(&self) -> HealerBuilder {
        let mut span = Span::new(SPAN, "total", SpanKind::Tool, Timestamp::from_nanos(1));
        span.status = SpanStatus::Error;
        span.error = Some(SpanError {
            kind: Some("KeyError".to_owned()),
            message: Captured::Present(self.error.clone()),
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
            Arc::new(FixedDiagnoser::new(self.diagnosis.clone())),
            Arc::new(TestClock::default()),
            Arc::new(CountingRunIds::default()),
        )
        .with_vcs(Arc::new(self.vcs.clone()))
        .with_policy(self.policy.clone())
    }

    pub(crate) async fn healer(&self) -> Healer {
        self.builder().await.with_sandbox(Arc::new(sandbox()), tests()).build()
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
pub(crate) fn tests() -> Arc<ContentTests> {
    Arc::new(ContentTests::new(path("tools.py"), "'broken'"))
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
        matched: staso_core::diagnosis::ReceiptMatch::default(),
    }
}

/// The code at the failing commit.
pub(crate) fn code() -> CodeSnapshot {
    let mut code = CodeSnapshot::new(memory_commit(1), Vec::new(), false);
    let blob = staso_core::testing::memory_blob(CODE.as_bytes());
    code.insert(path("tools.py"), SourceFile { blob, text: CODE.into(), executable: false });
    code
}
