//! What spans look like when they arrive.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use staso::export::Exporter;
use staso_core::id::{BranchName, CommitId};
use staso_core::trace::SourceRevision;
use tracing::Instrument;

use crate::capture_fixture::{LONG, Service, attributes, block_on, client, recording};

#[derive(Debug)]
struct NoSuchOrder {
    cause: std::io::Error,
}

impl fmt::Display for NoSuchOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such order")
    }
}

impl std::error::Error for NoSuchOrder {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

async fn lookup(order: &str) -> Result<BTreeMap<String, String>, NoSuchOrder> {
    match order {
        "A-1" => Ok(BTreeMap::from([("status".to_owned(), "shipped".to_owned())])),
        _ => Err(NoSuchOrder { cause: std::io::Error::other("table is empty") }),
    }
}

fn call_model() {
    let mut call = staso::llm("openai", "gpt-4o").max_tokens(256).start();
    call.system("Be brief.");
    call.tools(&json!([{"name": "lookup_order"}]));
    call.input(&json!([{"role": "user", "content": "Where is A-1?"}]));
    call.response_model("gpt-4o-2024-11-20");
    call.usage(12, 34);
    call.output(&json!({"role": "assistant", "content": "Shipped."}));
    call.finish_reason("stop");
}

async fn support(question: &str) -> String {
    call_model();
    let found = staso::tool("lookup_order")
        .call_id("call_1")
        .args(&json!({"order": "A-1"}))
        .scope(lookup("A-1"))
        .await;
    let missing = staso::tool("refund").args(&json!({"order": "B-2"})).scope(lookup("B-2")).await;
    assert!(found.is_ok() && missing.is_err());
    format!("{question}: done")
}

fn revision() -> SourceRevision {
    SourceRevision {
        repository_url: Some("git@github.com:acme/support.git".parse().unwrap()),
        branch: Some(BranchName::new("main").unwrap()),
        commit: Some(CommitId::new("0123456789abcdef0123456789abcdef01234567").unwrap()),
        dirty: Some(false),
    }
}

/// Replaces what differs from run to run.
fn steady(mut body: Value) -> Value {
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut name = |id: &mut Value| {
        if let Some(text) = id.as_str().map(str::to_owned) {
            let next = format!("id-{}", ids.len() + 1);
            *id = ids.entry(text).or_insert(next).clone().into();
        }
    };
    for trace in body["traces"].as_array_mut().unwrap() {
        name(&mut trace["trace_id"]);
        trace["timestamp"] = "(time)".into();
        for span in trace["spans"].as_array_mut().unwrap() {
            name(&mut span["span_id"]);
            name(&mut span["parent_span_id"]);
            assert!(span["timestamp"].as_str().unwrap().ends_with('Z'));
            assert!(span["duration_ms"].is_f64());
            span["timestamp"] = "(time)".into();
            span["duration_ms"] = "(float)".into();
            for field in ["attributes", "input", "output"] {
                let text = span[field].as_str().unwrap().to_owned();
                let mut parsed: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
                if let Some(line) = parsed.get_mut("code.lineno") {
                    assert!(line.is_u64());
                    *line = "(line)".into();
                }
                span[field] = json!({ "json": parsed });
            }
        }
    }
    body
}

#[test]
fn a_batch_is_the_wire_format_of_the_staso_sdks() {
    let service = Service::start([]);
    let staso =
        client(&service).source(revision()).environment("production").agent_version("7").start().unwrap();
    recording(&staso, || {
        block_on(
            staso::agent("support")
                .conversation("conv-42")
                .user("u-1")
                .input("Where is A-1?")
                .scope(support("q")),
        )
    });
    assert!(staso.shutdown_blocking(LONG).ok());
    let requests = service.received();
    assert_eq!(requests.len(), 1);
    // The order of keys is that of the parser, which other crates of a build choose.
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(steady(requests[0].body.clone()));
    });
}

#[test]
fn steps_hang_below_the_step_that_made_them() {
    let service = Service::start([]);
    let staso = client(&service).start().unwrap();
    recording(&staso, || block_on(staso::agent("support").scope(support("q"))));
    assert!(staso.shutdown_blocking(LONG).ok());
    let spans = service.final_spans();
    let root = &spans["support"];
    assert_eq!(root["parent_span_id"], Value::Null);
    for inner in ["chat gpt-4o", "lookup_order", "refund"] {
        assert_eq!(spans[inner]["parent_span_id"], root["span_id"], "{inner}");
        assert_eq!(spans[inner]["agent_name"], "support");
    }
    assert_eq!(service.received()[0].body["traces"].as_array().unwrap().len(), 1);
}

#[test]
fn spans_of_other_instrumentation_are_taken_in_with_what_is_around_and_inside() {
    let service = Service::start([]);
    let staso = client(&service).start().unwrap();
    recording(&staso, || {
        tracing::info_span!("POST /chat", http.route = "/chat").in_scope(|| {
            tracing::info_span!("unrelated sibling").in_scope(|| {});
            let chat = tracing::info_span!(
                "chat",
                gen_ai.operation.name = "chat",
                gen_ai.system = "anthropic",
                gen_ai.request.model = "claude",
                gen_ai.usage.input_tokens = 3_i64,
                gen_ai.usage.output_tokens = tracing::field::Empty,
                shop.tier = "gold",
                shop.cart = 7_u64,
            );
            chat.in_scope(|| {
                tracing::info_span!("http request").in_scope(|| {});
                tracing::debug_span!("too deep").in_scope(|| {});
            });
            chat.record("gen_ai.usage.output_tokens", 4_u64);
        });
        tracing::info_span!("not an agent's").in_scope(|| {});
    });
    assert!(staso.shutdown_blocking(LONG).ok());
    let spans = service.final_spans();
    assert_eq!(spans.keys().collect::<Vec<_>>(), ["POST /chat", "chat", "http request"]);
    assert_eq!(spans["chat"]["parent_span_id"], spans["POST /chat"]["span_id"]);
    assert_eq!(spans["http request"]["parent_span_id"], spans["chat"]["span_id"]);
    let chat = &spans["chat"];
    assert_eq!(
        (&chat["kind"], &chat["provider"], &chat["model"]),
        (&json!("llm"), &json!("anthropic"), &json!("claude"))
    );
    assert_eq!((&chat["usage_available"], &chat["total_tokens"]), (&json!(true), &json!(7)));
    let own = attributes(chat);
    assert_eq!((&own["shop.tier"], &own["shop.cart"]), (&json!("gold"), &json!(7)));
    assert!(own["code.filepath"].as_str().unwrap().ends_with("capture_spans.rs"));
    assert_eq!(attributes(&spans["POST /chat"])["http.route"], "/chat");
}

#[tracing::instrument(err, fields(gen_ai.tool.name = "divide"))]
fn divide(by: u32) -> Result<u32, std::num::ParseIntError> {
    let number: u32 = "x1".parse()?;
    Ok(number / by)
}

#[test]
fn an_error_of_an_instrumented_function_fails_its_span_and_a_logged_one_does_not() {
    let service = Service::start([]);
    let staso = client(&service).start().unwrap();
    recording(&staso, || {
        tracing::info_span!("turn", gen_ai.agent.name = "calc").in_scope(|| {
            tracing::error!(error = "first attempt failed", "will try again");
            assert!(divide(2).is_err());
        });
        tracing::info_span!("late", gen_ai.agent.name = "calc", error.type = tracing::field::Empty).in_scope(
            || {
                tracing::Span::current().record("error.type", "DeadlineExceeded");
            },
        );
        tracing::info_span!("logged", gen_ai.agent.name = "calc").in_scope(|| {
            tracing::warn!(exception.r#type = "KeyError", exception.message = "'id'", "gen_ai exception");
        });
    });
    assert!(staso.shutdown_blocking(LONG).ok());
    let spans = service.final_spans();
    assert_eq!(spans["turn"]["status"], "ok");
    assert_eq!(spans["divide"]["status"], "error");
    assert_eq!(spans["divide"]["error_message"], "invalid digit found in string");
    assert_eq!(spans["late"]["status"], "timeout");
    assert_eq!(spans["logged"]["status"], "error");
    assert_eq!(attributes(&spans["logged"])["exception.type"], "KeyError");
}

#[test]
fn a_root_is_announced_when_it_begins() {
    let service = Service::start([]);
    let staso = client(&service).source(revision()).start().unwrap();
    recording(&staso, || {
        let turn = staso::agent("support").scope(async {
            assert!(staso.flush(LONG).await.ok());
        });
        block_on(turn);
    });
    assert!(staso.shutdown_blocking(LONG).ok());
    let spans = service.spans();
    assert_eq!(spans.len(), 2);
    let [announced, ended] = [attributes(&spans[0]), attributes(&spans[1])];
    assert_eq!(announced["staso.provisional_root"], true);
    assert_eq!(spans[0]["duration_ms"], 0.0);
    assert_eq!(spans[0]["span_id"], spans[1]["span_id"]);
    assert_eq!(ended.get("staso.provisional_root"), None);
    for root in [announced, ended] {
        assert_eq!(root["vcs.commit.sha"], "0123456789abcdef0123456789abcdef01234567");
        assert_eq!(root["vcs.branch"], "main");
        assert_eq!(root["vcs.repo_url"], "https://github.com/acme/support");
        assert_eq!(root["vcs.is_dirty"], false);
    }
}

#[test]
fn a_panic_leaves_its_spans_unfinished_and_failed() {
    let service = Service::start([]);
    let staso = client(&service).start().unwrap();
    recording(&staso, || {
        let outcome = std::panic::catch_unwind(|| {
            staso::agent("support").in_scope(|| {
                let never: Result<(), NoSuchOrder> = staso::tool("explode").in_scope(|| panic!("boom"));
                drop(never);
            });
        });
        assert!(outcome.is_err());
    });
    assert!(staso.shutdown_blocking(LONG).ok());
    for (name, span) in service.final_spans() {
        assert_eq!(span["status"], "error", "{name}");
        assert_eq!(attributes(&span)["staso.unfinished"], true, "{name}");
        assert_eq!(attributes(&span)["exception.type"], "panic", "{name}");
    }
}

#[test]
fn a_future_that_is_dropped_leaves_its_span_unfinished() {
    let service = Service::start([]);
    let staso = client(&service).start().unwrap();
    recording(&staso, || {
        block_on(async {
            let slow = staso::tool("slow").scope(std::future::pending::<Result<(), NoSuchOrder>>());
            assert!(tokio::time::timeout(Duration::from_millis(5), slow).await.is_err());
            drop(staso::llm("openai", "gpt-4o").start());
        });
    });
    assert!(staso.shutdown_blocking(LONG).ok());
    let spans = service.final_spans();
    for name in ["slow", "chat gpt-4o"] {
        assert_eq!(attributes(&spans[name])["staso.unfinished"], true, "{name}");
        assert_eq!(spans[name]["status"], "ok", "{name}");
    }
}

#[test]
fn tasks_of_several_threads_keep_their_trees_apart() {
    let service = Service::start([]);
    let staso = client(&service).start().unwrap();
    let subscriber =
        tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), staso.layer());
    let dispatch = tracing::Dispatch::new(subscriber);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let turn = staso::agent(format!("agent-{number}")).scope(async move {
                    for _ in 0..3 {
                        tokio::task::yield_now().await;
                        let step = staso::tool(format!("tool-{number}")).scope(lookup("A-1"));
                        assert!(step.await.is_ok());
                    }
                });
                tokio::spawn(tracing::instrument::WithSubscriber::with_subscriber(
                    turn.in_current_span(),
                    dispatch.clone(),
                ))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert!(staso.shutdown_blocking(LONG).ok());
    let spans = service.final_spans();
    for number in 0..20 {
        let (agent, tool) = (&spans[&format!("agent-{number}")], &spans[&format!("tool-{number}")]);
        assert_eq!(tool["parent_span_id"], agent["span_id"]);
        assert_eq!(tool["agent_name"], agent["name"]);
    }
    assert_eq!(service.spans().iter().filter(|span| span["kind"] == "tool").count(), 60);
}

/// Keeps what it is given.
#[derive(Debug, Default)]
struct Keeper(std::sync::Mutex<Vec<staso_core::run::TraceBatch>>);

#[async_trait::async_trait]
impl staso_core::run::TraceStore for Keeper {
    async fn put(
        &self,
        batch: &staso_core::run::TraceBatch,
    ) -> Result<staso_core::run::PutReceipt, staso_core::run::StoreError> {
        let spans = batch.parts.iter().map(|part| part.spans.len()).sum();
        self.0.lock().unwrap().push(batch.clone());
        Ok(staso_core::run::PutReceipt { traces: batch.parts.len(), spans, replayed: false })
    }

    async fn get(
        &self,
        _: &staso_core::id::WorkspaceId,
        id: staso_core::id::TraceId,
        _: &staso_core::run::RunContext,
    ) -> Result<staso_core::trace::Trace, staso_core::run::StoreError> {
        Err(staso_core::run::StoreError::NotFound { what: "trace", id: id.to_string() })
    }

    async fn find(
        &self,
        _: &staso_core::id::WorkspaceId,
        _: &staso_core::run::TraceFilter,
        _: &staso_core::run::RunContext,
    ) -> Result<Vec<staso_core::run::TraceSummary>, staso_core::run::StoreError> {
        Ok(Vec::new())
    }
}

#[test]
fn a_store_of_this_process_gets_spans_without_network_key_or_runtime() {
    let store = Arc::new(Keeper::default());
    let staso = staso::init()
        .no_global()
        .variables(BTreeMap::<String, String>::new())
        .source(revision())
        .conversation("conv-1")
        .exporter(Exporter::store(store.clone()))
        .start()
        .unwrap();
    recording(&staso, call_model);
    assert!(staso.shutdown_blocking(LONG).ok());
    let batches = store.0.lock().unwrap();
    let part = &batches[0].parts[0];
    assert_eq!(part.source, revision());
    assert_eq!(part.conversation_id.as_ref().unwrap().as_str(), "conv-1");
    let model = part.spans[0].model.as_ref().unwrap();
    assert_eq!(model.usage.unwrap().output_tokens, 34);
    assert_eq!(model.max_output_tokens, Some(256));
    assert_eq!(model.finish_reasons, ["stop"]);
    assert_eq!(model.answered.as_deref(), Some("gpt-4o-2024-11-20"));
    assert!(part.spans[0].duration_ns.is_some());
}
