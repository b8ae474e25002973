//! An instrumented application, delivery, ingest, store and healing, joined as applications join them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use staso::Builder;
use staso::capture::{CaptureCategory, CapturePolicy};
use staso::export::{ExportOptions, Exporter};
use staso::heal::{Local, LocalOptions, VerifyError, local, repository_url};
use staso::ingest::{IngestAuth, IngestState, router, serve};
use staso::store::SqliteStore;
use staso_core::diagnosis::{CaseLabel, Locator, Receipt};
use staso_core::heal::{HealRequest, StoppingPoint};
use staso_core::id::{BranchName, CommitId, Digest, TraceId, WorkspaceId};
use staso_core::quick::QuickDiagnoser;
use staso_core::run::{AuditFinding, OutcomeState, TraceBatch, TraceFilter, TracePart, TraceStore};
use staso_core::testing::test_context;
use staso_core::trace::{Captured, RepositoryUrl, SourceRevision, Span, SpanKind, SpanStatus, Trace};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info_span};

use crate::capture_fixture::{KEY, LONG, block_on, recording, variables};

fn workspace() -> WorkspaceId {
    WorkspaceId::new("acme").unwrap()
}

/// The ingest endpoint on loopback, on a thread of its own.
struct Ingest {
    address: SocketAddr,
    cancel: CancellationToken,
}

impl Ingest {
    fn over(store: Arc<dyn TraceStore>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        let state = IngestState::new(store, IngestAuth::new(KEY, workspace()));
        let stop = cancel.clone();
        std::thread::spawn(move || {
            block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                serve(listener, router(state), stop).await.unwrap();
            });
        });
        Self { address, cancel }
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Two stores that get the same spans: one over HTTP, one straight.
struct Both {
    over_http: Arc<SqliteStore>,
    straight: Arc<SqliteStore>,
    ingest: Ingest,
    _folder: tempfile::TempDir,
}

impl Both {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = |name| Arc::new(SqliteStore::open(folder.path().join(name)).unwrap());
        let (over_http, straight) = (open("http.db"), open("straight.db"));
        let ingest = Ingest::over(over_http.clone());
        Self { over_http, straight, ingest, _folder: folder }
    }

    /// Small batches: a trace arrives in several.
    fn client(&self) -> Builder {
        staso::init!()
            .no_global()
            .variables(variables(&[]))
            .workspace("acme")
            .source(revision())
            .api_key(KEY)
            .endpoint(format!("http://{}", self.ingest.address))
            .exporter(Exporter::store(self.straight.clone()))
            .export_options(ExportOptions::default().with_batch(2, Duration::from_millis(1)))
    }

    /// The trace of `work`, after both stores agree on it.
    fn trace_of(&self, client: Builder, work: impl FnOnce()) -> Trace {
        let staso = client.start().unwrap();
        recording(&staso, || staso::agent("application").in_scope(work));
        let report = staso.shutdown_blocking(LONG);
        assert!(report.ok(), "{report}");
        let over_http = only_trace(&self.over_http);
        let straight = only_trace(&self.straight);
        for (sent, kept) in over_http.spans().iter().zip(straight.spans()) {
            assert_eq!(sent, kept, "over HTTP (left) and straight (right)");
        }
        assert_eq!(over_http, straight);
        assert_eq!(over_http.digest(), straight.digest());
        over_http
    }
}

async fn only_trace_id(store: &SqliteStore) -> TraceId {
    let found = store.find(&workspace(), &TraceFilter::default(), &test_context()).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].trace_id
}

fn only_trace(store: &SqliteStore) -> Trace {
    block_on(async {
        let id = only_trace_id(store).await;
        TraceStore::get(store, &workspace(), id, &test_context()).await.unwrap()
    })
}

fn revision() -> SourceRevision {
    SourceRevision {
        repository_url: Some("git@example.com:acme/shop.git".parse::<RepositoryUrl>().unwrap()),
        branch: Some(BranchName::new("main").unwrap()),
        commit: Some(CommitId::new("ab".repeat(20)).unwrap()),
        dirty: Some(false),
    }
}

fn span<'t>(trace: &'t Trace, name: &str) -> &'t Span {
    trace.spans().iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name}"))
}

fn text<T: AsRef<str>>(captured: &Captured<T>) -> &str {
    captured.complete().map(AsRef::as_ref).unwrap()
}

#[derive(Debug)]
struct NoSuchOrder;

impl fmt::Display for NoSuchOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("order 'B-2' is not in the table")
    }
}

impl std::error::Error for NoSuchOrder {}

fn call_model() {
    let mut call = staso::llm("openai", "gpt-4o").max_tokens(256).attribute("z", json!({"b": 1, "a": [2]}));
    call = call.attribute("gen_ai.request.reasoning_effort", "high");
    let mut call = call.start();
    call.system("Be brief.");
    call.tools(&json!([{"name": "lookup_order", "parameters": {"type": "object"}}]));
    call.input(&json!([{"role": "user", "content": "Where is A-1? 🚚 \"quoted\" \\ "}]));
    call.response_model("gpt-4o-2024-11-20");
    call.usage(12, 0);
    call.output(&json!({"role": "assistant", "content": "Shipped."}));
    call.finish_reason("stop");
}

async fn tools() {
    let fields = BTreeMap::from([("status", "shipped"), ("eta", "12")]);
    let found = staso::tool("lookup_order").call_id("call_1").args(&json!({"order": "A-1"}));
    found.scope(async { Ok::<_, NoSuchOrder>(fields) }).await.unwrap();
    let refund =
        staso::tool("refund").args(&json!({"order": "B-2"})).scope(async { Err::<(), _>(NoSuchOrder) });
    refund.await.unwrap_err();
    for (name, output) in [
        ("plain", "in transit"),
        ("digits", "12"),
        ("empty", ""),
        ("quoted", "\"x\""),
        ("json", " {\"a\": 1} "),
    ] {
        staso::tool(name).scope(async { Ok::<_, NoSuchOrder>(output) }).await.unwrap();
    }
    staso::tool("nothing").scope(async { Ok::<_, NoSuchOrder>(()) }).await.unwrap();
    drop(
        tokio::time::timeout(
            Duration::from_millis(1),
            staso::tool("slow").scope(std::future::pending::<Result<(), NoSuchOrder>>()),
        )
        .await,
    );
}

/// Spans as other instrumentation makes them.
fn foreign_spans() {
    let stack = "   0: shop::orders::find\n             at ./src/orders.rs:7:5\n";
    info_span!("execute_tool stock", gen_ai.operation.name = "execute_tool").in_scope(|| {
        tracing::error!(
            exception.r#type = "shop::StockError",
            exception.message = "no stock",
            exception.stacktrace = stack
        );
    });
    info_span!("embed", gen_ai.operation.name = "embeddings", gen_ai.request.model = "text-embedding-3")
        .in_scope(|| {});
    info_span!("guard:blocked:refund", gen_ai.operation.name = "apply_guardrail", staso.input = "{\"a\":1}")
        .in_scope(|| {});
    info_span!("check", gen_ai.operation.name = "run_guardrail").in_scope(|| {});
    info_span!("find", gen_ai.operation.name = "retrieval", staso.input = "query").in_scope(|| {});
    info_span!("task", gen_ai.operation.name = "task").in_scope(|| {});
    info_span!("plain step", otel.status_code = "ERROR").in_scope(|| {});
    let raw = "{\"messages\":[],\"tools\":[{\"name\":\"t\"}],\"max_tokens\":9}";
    info_span!(
        "raw",
        gen_ai.operation.name = "chat",
        gen_ai.input.messages = raw,
        gen_ai.request.model = "m",
        gen_ai.output.messages = "{\"choices\":[{\"finish_reason\":\"length\"}]}"
    )
    .in_scope(|| {});
    info_span!(
        "turn",
        gen_ai.operation.name = "invoke_agent",
        gen_ai.agent.name = "inner",
        gen_ai.request.model = "m",
        gen_ai.usage.input_tokens = 7_u64
    )
    .in_scope(|| {});
}

fn application() {
    block_on(
        staso::agent("support").conversation("conv-42").user("u-1").input("Where is my order?").try_scope(
            async {
                call_model();
                tools().await;
                foreign_spans();
                Ok::<_, NoSuchOrder>("Shipped.")
            },
        ),
    )
    .unwrap();
}

#[test]
fn a_trace_is_the_same_over_http_and_straight_into_a_store() {
    let both = Both::new();
    let trace = both.trace_of(both.client(), application);
    assert_eq!(trace.source, revision());
    assert_eq!(trace.conversation_id.as_ref().unwrap().as_str(), "conv-42");
    assert_eq!(trace.environment.as_deref(), Some("default"));
    assert!(trace.spans().iter().all(|span| !span.is_provisional()), "the provisional root gave way");

    let root = span(&trace, "application");
    assert_eq!((root.kind, root.parent_span_id), (SpanKind::Agent, None));
    assert!(root.duration_ns.is_some());
    assert!(!root.attributes.keys().any(|name| name.starts_with("vcs.")), "{:?}", root.attributes);
    let turn = span(&trace, "support");
    assert_eq!((text(&turn.input), text(&turn.output)), ("\"Where is my order?\"", "\"Shipped.\""));

    let call = span(&trace, "chat gpt-4o");
    let model = call.model.as_ref().unwrap();
    assert_eq!(model.provider.as_deref(), Some("openai"));
    assert_eq!(model.answered.as_deref(), Some("gpt-4o-2024-11-20"));
    let usage = model.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (12, 0));
    assert_eq!(
        (model.finish_reasons.as_slice(), model.max_output_tokens),
        (["stop".to_owned()].as_slice(), Some(256))
    );
    let tools: Value = serde_json::from_str(text(&model.tool_definitions)).unwrap();
    assert_eq!(tools[0]["name"], "lookup_order");
    let request = call.input.complete().unwrap().json().unwrap();
    assert_eq!((&request["tools"], &request["system"]), (&tools, &json!("Be brief.")));
    assert_eq!(call.attributes["gen_ai.request.reasoning_effort"], "high");
    assert_eq!(call.attributes["z"], json!({"b": 1, "a": [2]}));

    let lookup = span(&trace, "lookup_order");
    assert_eq!(lookup.tool.as_ref().unwrap().call_id.as_deref(), Some("call_1"));
    assert_eq!(text(&lookup.input), r#"{"order":"A-1"}"#);
    assert_eq!(text(&lookup.output), r#"{"eta":"12","status":"shipped"}"#);
    assert!(lookup.code.as_ref().unwrap().path.ends_with("end_to_end.rs"));
    let outputs = [("plain", "in transit"), ("digits", "12"), ("empty", "\"\""), ("quoted", "\"x\"")];
    for (name, output) in outputs.into_iter().chain([("json", " {\"a\": 1} "), ("nothing", "null")]) {
        assert_eq!(text(&span(&trace, name).output), output, "{name}");
    }
    let refund = span(&trace, "refund");
    assert_eq!(refund.status, SpanStatus::Error);
    let error = refund.error.as_ref().unwrap();
    assert!(error.kind.as_deref().unwrap().ends_with("NoSuchOrder"));
    assert_eq!(text(&error.message), "order 'B-2' is not in the table");
    let slow = span(&trace, "slow");
    assert_eq!(slow.attributes["staso.unfinished"], true);
    assert!(slow.duration_ns.unwrap() >= 1_000_000, "how long it ran until it was left");
}

#[test]
fn spans_of_other_instrumentation_are_the_same_too() {
    let both = Both::new();
    let trace = both.trace_of(both.client(), application);
    let kind = |name| span(&trace, name).kind;
    assert_eq!(kind("embed"), SpanKind::Embedding);
    assert_eq!((kind("guard:blocked:refund"), kind("check")), (SpanKind::Guard, SpanKind::Guard));
    assert_eq!(
        (kind("find"), kind("task"), kind("turn")),
        (SpanKind::Retriever, SpanKind::Chain, SpanKind::Agent)
    );
    let guarded = span(&trace, "guard:blocked:refund").tool.as_ref().unwrap();
    assert_eq!(guarded.name.as_deref(), Some("refund"));
    let stock = span(&trace, "execute_tool stock");
    assert_eq!(stock.tool.as_ref().unwrap().name.as_deref(), Some("stock"));
    let error = stock.error.as_ref().unwrap();
    assert_eq!(error.kind.as_deref(), Some("shop::StockError"));
    assert!(text(&error.stack).contains("orders.rs:7:5"));
    assert_eq!(span(&trace, "plain step").status, SpanStatus::Error);
    let raw = span(&trace, "raw").model.as_ref().unwrap();
    assert_eq!(
        (raw.max_output_tokens, raw.finish_reasons.as_slice()),
        (Some(9), ["length".to_owned()].as_slice())
    );
    assert_eq!(text(&raw.tool_definitions), r#"[{"name":"t"}]"#);
    assert_eq!(span(&trace, "turn").model.as_ref().unwrap().usage.unwrap().input_tokens, 7);
}

#[test]
fn what_is_switched_off_is_suppressed_on_both_ways() {
    for category in CaptureCategory::ALL {
        let both = Both::new();
        let policy = CapturePolicy::everything().without(category);
        let trace = both.trace_of(both.client().capture(policy), application);
        let suppressed = |name| span(&trace, name).input == Captured::Suppressed;
        // A text without roles may be a system prompt.
        let may_be_request = matches!(category, CaptureCategory::Request | CaptureCategory::SystemPrompt);
        assert_eq!(suppressed("support"), may_be_request, "{category:?}");
        assert_eq!(suppressed("lookup_order"), category == CaptureCategory::ToolArguments, "{category:?}");
        let lookup = span(&trace, "lookup_order");
        assert_eq!(lookup.output == Captured::Suppressed, category == CaptureCategory::Output);
        let model = span(&trace, "chat gpt-4o").model.as_ref().unwrap();
        assert_eq!(model.tool_definitions == Captured::Suppressed, category == CaptureCategory::ToolSchema);
        let error = span(&trace, "execute_tool stock").error.as_ref().unwrap();
        assert_eq!((&error.message, &error.stack), (&Captured::Suppressed, &Captured::Suppressed));
    }
    let both = Both::new();
    let trace = both.trace_of(both.client().capture(CapturePolicy::nothing()), application);
    assert!(trace.spans().iter().all(|span| span.input.value().is_none() && span.output.value().is_none()));
}

#[test]
fn what_is_cut_is_truncated_on_both_ways() {
    let both = Both::new();
    let long = "ä\"".repeat(100_000);
    let trace = both.trace_of(both.client(), || {
        block_on(async {
            let call = staso::tool("dump")
                .args(&long)
                .attribute("note", "kept")
                .scope(async { Ok::<_, NoSuchOrder>(&long) });
            call.await.unwrap();
        });
        let mut call = staso::llm("openai", "m").start();
        call.tools(&json!([long]));
        call.input(&long);
        call.error_display(&long);
        drop(call);
        info_span!("custom", staso.input = "x", long_note = long.as_str()).in_scope(|| {});
    });
    let is_cut = |captured: &Captured<_>| matches!(captured, Captured::Truncated(_));
    let dump = span(&trace, "dump");
    assert!(is_cut(&dump.input) && is_cut(&dump.output));
    assert_eq!(
        dump.attributes.keys().map(String::as_str).collect::<Vec<_>>(),
        ["gen_ai.operation.name", "note"]
    );
    let call = span(&trace, "chat m");
    assert!(is_cut(&call.input) && is_cut(&call.model.as_ref().unwrap().tool_definitions));
    assert!(matches!(call.error.as_ref().unwrap().message, Captured::Truncated(_)));
    assert_eq!(span(&trace, "custom").attributes["staso.truncated_attributes"], json!(["long_note"]));
}

const RUST: [(&str, &str); 2] =
    [("Cargo.toml", "[package]\nname = \"shop\"\n"), ("src/main.rs", "fn main() {}\n")];
const PYTHON: [(&str, &str); 1] =
    [("shop/orders.py", "def refund(order):\n    total = order[\"totl\"]\n    return total * 2\n")];

/// A project in a git repository, and the revision that its processes record.
fn project(folder: &Path, files: &[(&str, &str)]) -> SourceRevision {
    let repository = git2::Repository::init(folder).unwrap();
    for (path, text) in files {
        std::fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        std::fs::write(folder.join(path), text).unwrap();
    }
    let mut index = repository.index().unwrap();
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let author = git2::Signature::now("Shop", "shop@example.com").unwrap();
    let commit = repository.commit(Some("refs/heads/main"), &author, &author, "shop", &tree, &[]).unwrap();
    repository.set_head("refs/heads/main").unwrap();
    SourceRevision {
        repository_url: Some(repository_url(folder).unwrap()),
        branch: Some(BranchName::new("main").unwrap()),
        commit: Some(CommitId::new(commit.to_string()).unwrap()),
        dirty: Some(false),
    }
}

#[test]
fn a_failing_tool_of_a_rust_application_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let source = project(folder.path(), &RUST);
    let data = tempfile::tempdir().unwrap();
    block_on(async {
        let local: Local = local(LocalOptions::new(data.path()).with_recorded_paths()).unwrap();
        let ingest = Ingest::over(local.store().clone());
        let client = staso::init!()
            .no_global()
            .variables(variables(&[]))
            .source(source)
            .api_key(KEY)
            .endpoint(format!("http://{}", ingest.address));
        let staso = client.start().unwrap();
        recording(&staso, || {
            let turn = staso::agent("support");
            drop(turn.in_scope(|| staso::tool("refund").in_scope(|| Err::<(), _>(NoSuchOrder))));
        });
        assert!(staso.shutdown(LONG).await.ok());
        let trace_id = only_trace_id(local.store()).await;
        let request = HealRequest::new(workspace(), trace_id).until(StoppingPoint::Diagnose);
        let artifact = local.start(request).artifact().await.unwrap();
        assert_eq!(artifact.outcome.state, OutcomeState::Completed, "{}", artifact.outcome.reason);
        let diagnosis = artifact.diagnosis.unwrap();
        assert!(diagnosis.summary.to_string().contains("NoSuchOrder"), "{}", diagnosis.summary);
        let quoted = |receipt: &Receipt| receipt.quote.contains("order 'B-2'");
        assert!(diagnosis.receipts.iter().any(|receipt| receipt.is_verified() && quoted(receipt)));
        let mut calibrator = QuickDiagnoser::new().calibrator().clone();
        assert!(calibrator.observe(&diagnosis, CaseLabel::Wrong));
        let options = LocalOptions::new(data.path()).with_recorded_paths().with_calibrator(calibrator);
        let request = HealRequest::new(workspace(), trace_id).until(StoppingPoint::Diagnose);
        let learnt = staso::heal::local(options).unwrap().start(request).artifact().await.unwrap();
        let learnt = learnt.diagnosis.unwrap();
        assert_eq!((learnt.support, learnt.raw_score), (1, diagnosis.raw_score));
        assert!(learnt.confidence < diagnosis.confidence, "{} {}", learnt.confidence, diagnosis.confidence);
    });
}

#[test]
fn a_tool_future_keeps_its_place_in_the_trace() {
    let both = Both::new();
    let trace = both.trace_of(both.client(), || {
        let turn = async { tools().instrument(info_span!("between")).await };
        block_on(staso::agent("outer").scope(turn));
    });
    let between = span(&trace, "between");
    assert_eq!(between.parent_span_id, Some(span(&trace, "outer").span_id));
    assert_eq!(span(&trace, "refund").parent_span_id, Some(between.span_id));
}

const TRACEBACK: &str = "Traceback (most recent call last):
  File \"/srv/app/shop/orders.py\", line 2, in refund
    total = order[\"totl\"]
            ~~~~~^^^^^^^^
KeyError: 'totl'
";

#[test]
fn an_artifact_is_checked_again_against_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let source = project(folder.path(), &PYTHON);
    let data = tempfile::tempdir().unwrap();
    block_on(async {
        let local = local(LocalOptions::new(data.path()).with_recorded_paths()).unwrap();
        let client = staso::init!()
            .no_global()
            .variables(variables(&[]))
            .workspace("acme")
            .source(source)
            .exporter(Exporter::store(local.store().clone()));
        let staso = client.start().unwrap();
        recording(&staso, || {
            staso::agent("support").in_scope(|| {
                info_span!("refund", gen_ai.tool.name = "refund", staso.input = r#"{"order": {"total": 2}}"#)
                    .in_scope(|| {
                        tracing::error!(
                            exception.r#type = "KeyError",
                            exception.message = "'totl'",
                            exception.stacktrace = TRACEBACK
                        );
                    });
            });
        });
        assert!(staso.shutdown(LONG).await.ok());
        let trace_id = only_trace_id(local.store()).await;
        let request = HealRequest::new(workspace(), trace_id).until(StoppingPoint::Diagnose);
        let artifact = local.start(request).artifact().await.unwrap();
        let receipts = &artifact.diagnosis.as_ref().unwrap().receipts;
        let cites_file = |receipt: &Receipt| matches!(receipt.locator, Locator::File { .. });
        let cited = receipts.iter().position(cites_file).expect("a receipt that cites code");
        assert_eq!(local.verify(&artifact).await.unwrap(), []);

        let mut changed = artifact.clone();
        let receipt = &mut changed.diagnosis.as_mut().unwrap().receipts[cited];
        receipt.quote = receipt.quote.replace("totl", "total");
        let found = local.verify(&changed).await.unwrap();
        assert!(matches!(found.as_slice(), [AuditFinding::Receipt { .. }]), "{found:?}");

        let mut changed = artifact.clone();
        changed.trace_digest = Some(Digest::of("another trace"));
        assert_eq!(local.verify(&changed).await.unwrap(), [AuditFinding::OtherTrace]);

        let transcript = local.run_directory(artifact.run_id).join("transcript.jsonl");
        let text = std::fs::read_to_string(&transcript).unwrap();
        std::fs::write(&transcript, text.replacen("load", "lead", 1)).unwrap();
        let found = local.verify(&artifact).await.unwrap();
        assert!(matches!(found.as_slice(), [AuditFinding::Transcript(_)]), "{found:?}");
        std::fs::remove_file(&transcript).unwrap();
        assert!(matches!(local.verify(&artifact).await, Err(VerifyError::Transcript { .. })));
    });
}

#[test]
fn a_trace_that_was_changed_afterwards_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let source = project(folder.path(), &RUST);
    let data = tempfile::tempdir().unwrap();
    block_on(async {
        let local = local(LocalOptions::new(data.path()).with_recorded_paths()).unwrap();
        let client = staso::init!().no_global().variables(variables(&[])).workspace("acme").source(source);
        let staso = client.exporter(Exporter::store(local.store().clone())).start().unwrap();
        recording(&staso, || {
            drop(staso::tool("refund").in_scope(|| Err::<(), _>(NoSuchOrder)));
        });
        assert!(staso.shutdown(LONG).await.ok());
        let trace_id = only_trace_id(local.store()).await;
        let request = HealRequest::new(workspace(), trace_id).until(StoppingPoint::Diagnose);
        let artifact = local.start(request).artifact().await.unwrap();
        assert_eq!(local.verify(&artifact).await.unwrap(), []);
        let trace = TraceStore::get(&**local.store(), &workspace(), trace_id, &test_context()).await.unwrap();
        let mut span = trace.spans()[0].clone();
        span.error = None;
        let part = TracePart {
            trace_id,
            conversation_id: None,
            environment: None,
            source: SourceRevision::default(),
            spans: vec![span],
        };
        let batch =
            TraceBatch { workspace: workspace(), idempotency_key: "later".to_owned(), parts: vec![part] };
        TraceStore::put(&**local.store(), &batch).await.unwrap();
        let found = local.verify(&artifact).await.unwrap();
        assert!(found.contains(&AuditFinding::OtherTrace), "{found:?}");
        assert!(found.iter().any(|finding| matches!(finding, AuditFinding::Receipt { .. })), "{found:?}");
    });
}
