//! The endpoint over real HTTP on the loopback interface.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use staso::ingest::{IngestAuth, IngestLimits, IngestState, router, serve};
use staso_core::id::{TraceId, WorkspaceId};
use staso_core::run::{
    PutReceipt, RunContext, StoreError, TraceBatch, TraceFilter, TraceStore, TraceSummary,
};
use staso_core::testing::{MemoryTraceStore, test_context};
use staso_core::trace::Trace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const KEY: &str = "sk-test-1";

struct Server {
    address: SocketAddr,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

struct Reply {
    status: u16,
    head: String,
    body: Value,
}

impl Server {
    async fn start(state: IngestState) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        let task = tokio::spawn(serve(listener, router(state), cancel.clone()));
        Self { address, cancel, task }
    }

    async fn over(store: impl TraceStore) -> Self {
        Self::start(IngestState::new(Arc::new(store), IngestAuth::new(KEY, workspace()))).await
    }

    async fn send(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let mut headers = headers.to_vec();
        let length = body.len().to_string();
        if !headers.iter().any(|(name, _)| *name == "Content-Length" || *name == "Transfer-Encoding") {
            headers.push(("Content-Length", &length));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may answer, and close, before it has read everything.
        drop(stream.write_all(body).await);
        let mut reply = Vec::new();
        drop(stream.read_to_end(&mut reply).await);
        let reply = String::from_utf8(reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").expect("a whole response");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply {
            status,
            head: head.to_ascii_lowercase(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    async fn ingest(&self, key: &str, body: &Value) -> Reply {
        self.send("/v1/traces/ingest", &headers(key), body.to_string().as_bytes()).await
    }
}

fn headers(idempotency_key: &str) -> [(&str, &str); 3] {
    [("X-API-Key", KEY), ("Content-Type", "application/json"), ("Idempotency-Key", idempotency_key)]
}

fn workspace() -> WorkspaceId {
    WorkspaceId::new("acme").unwrap()
}

fn trace_id(n: u8) -> TraceId {
    TraceId::from_bytes([n; 16])
}

fn body(traces: impl IntoIterator<Item = u8>) -> Value {
    let span = json!({"span_id": "80f73a8ec21f3d33", "name": "run", "kind": "agent", "status": "error",
                      "timestamp": "2026-01-01T00:00:00Z", "duration_ms": 5.0});
    let trace = |n| json!({"trace_id": trace_id(n).to_string(), "environment": "test", "spans": [span]});
    json!({"traces": traces.into_iter().map(trace).collect::<Vec<_>>()})
}

async fn stored(store: &MemoryTraceStore) -> Vec<TraceSummary> {
    store.find(&workspace(), &TraceFilter::default(), &test_context()).await.unwrap()
}

#[tokio::test]
async fn the_acknowledgement_is_exact_and_a_replay_gets_it_again() {
    let store = MemoryTraceStore::default();
    let server = Server::over(store.clone()).await;
    let expected = json!({"accepted": 2, "rejected": 0, "spans_dropped": 0, "receipt_id": "batch-1"});
    for _ in 0..2 {
        let reply = server.ingest("batch-1", &body([1, 2])).await;
        assert_eq!((reply.status, &reply.body), (200, &expected));
    }
    assert_eq!(stored(&store).await.len(), 2);
    let trace = store.get(&workspace(), trace_id(1), &test_context()).await.unwrap();
    assert_eq!(trace.environment.as_deref(), Some("test"));
}

#[tokio::test]
async fn keys_decide_about_the_workspace() {
    let store = MemoryTraceStore::default();
    let auth = IngestAuth::new(KEY, workspace()).with_key("other", WorkspaceId::new("other").unwrap());
    let server = Server::start(IngestState::new(Arc::new(store.clone()), auth)).await;
    let json = ("Content-Type", "application/json");
    let id = ("Idempotency-Key", "k");
    let text = body([1]).to_string();
    for refused in [vec![json, id], vec![json, id, ("X-API-Key", "wrong")], vec![json, id, ("X-API-Key", "")]]
    {
        let reply = server.send("/v1/traces/ingest", &refused, text.as_bytes()).await;
        assert_eq!((reply.status, &reply.body["error"]["code"]), (401, &json!("invalid_key")));
        assert!(reply.body["error"]["message"].as_str().unwrap().contains("X-API-Key"));
    }
    let bearer = [json, id, ("Authorization", "Bearer other")];
    assert_eq!(server.send("/v1/traces/ingest", &bearer, text.as_bytes()).await.status, 200);
    assert!(stored(&store).await.is_empty());
    assert!(store.get(&WorkspaceId::new("other").unwrap(), trace_id(1), &test_context()).await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_by_status_and_code() {
    let store = MemoryTraceStore::default();
    let server = Server::over(store.clone()).await;
    let good = body([1]).to_string();
    let key = ("X-API-Key", KEY);
    let json = ("Content-Type", "application/json; charset=utf-8");
    let id = ("Idempotency-Key", "k");
    let long = "k".repeat(256);
    let cases = [
        (vec![key, json], good.as_str(), 400, "invalid_idempotency_key"),
        (vec![key, json, ("Idempotency-Key", "")], &good, 400, "invalid_idempotency_key"),
        (vec![key, json, ("Idempotency-Key", &long)], &good, 400, "invalid_idempotency_key"),
        (vec![key, id], &good, 415, "unsupported_media_type"),
        (vec![key, id, ("Content-Type", "text/plain")], &good, 415, "unsupported_media_type"),
        (vec![key, json, id, ("Content-Encoding", "gzip")], &good, 415, "unsupported_encoding"),
        (vec![key, json, id], "{\"traces\": [", 400, "malformed_body"),
        (vec![key, json, id], "{\"traces\": [{\"trace_id\": \"x\"}]}", 400, "malformed_body"),
    ];
    for (headers, text, status, code) in cases {
        let reply = server.send("/v1/traces/ingest", &headers, text.as_bytes()).await;
        assert_eq!((reply.status, &reply.body["error"]["code"]), (status, &json!(code)), "{headers:?}");
    }
    let reply =
        server.send("/v1/traces/ingest", &[key, json, id], b"{\"traces\": [{\"trace_id\": \"x\"}]}").await;
    assert_eq!(reply.body["error"]["path"], "traces[0].trace_id");
    assert!(stored(&store).await.is_empty());
    assert_eq!(server.ingest("k", &body([1])).await.status, 200);
}

#[tokio::test]
async fn one_bad_trace_refuses_the_whole_batch() {
    let store = MemoryTraceStore::default();
    let server = Server::over(store.clone()).await;
    let mut two = body([1, 2]);
    two["traces"][1]["spans"][0]["timestamp"] = json!("never");
    let reply = server.ingest("k", &two).await;
    assert_eq!((reply.status, &reply.body["error"]["path"]), (400, &json!("traces[1].spans[0].timestamp")));
    assert!(stored(&store).await.is_empty());
}

#[tokio::test]
async fn large_bodies_are_refused_with_and_without_a_length() {
    let limits = IngestLimits::default().with_max_body_bytes(1000);
    let auth = IngestAuth::new(KEY, workspace());
    let state = IngestState::new(Arc::new(MemoryTraceStore::default()), auth).with_limits(limits);
    let server = Server::start(state).await;
    let large = " ".repeat(2000);
    let reply = server.send("/v1/traces/ingest", &headers("k"), large.as_bytes()).await;
    assert_eq!((reply.status, &reply.body["error"]["code"]), (413, &json!("too_large")));
    let [key, json, id] = headers("k");
    let chunked = format!("7d0\r\n{large}\r\n0\r\n\r\n");
    let streamed = [key, json, id, ("Transfer-Encoding", "chunked")];
    let reply = server.send("/v1/traces/ingest", &streamed, chunked.as_bytes()).await;
    assert_eq!((reply.status, &reply.body["error"]["code"]), (413, &json!("too_large")));
    assert_eq!(server.ingest("k", &body([1])).await.status, 200);
}

#[tokio::test]
async fn otlp_is_taken_with_partial_success() {
    let store = MemoryTraceStore::default();
    let server = Server::over(store.clone()).await;
    let span = |trace: &str| json!({"traceId": trace, "spanId": "80f73a8ec21f3d33", "name": "chat", "startTimeUnixNano": "1767225600000000000"});
    let request = |spans: Value| json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string();
    let good = "01".repeat(16);
    let headers = [("X-API-Key", KEY), ("Content-Type", "application/json")];
    let reply = server.send("/v1/traces", &headers, request(json!([span(&good)])).as_bytes()).await;
    assert_eq!((reply.status, reply.body), (200, json!({})));
    let mixed = request(json!([span(&"02".repeat(16)), span("nonsense")]));
    for _ in 0..2 {
        let reply = server.send("/v1/traces", &headers, mixed.as_bytes()).await;
        assert_eq!((reply.status, &reply.body["partialSuccess"]["rejectedSpans"]), (200, &json!("1")));
        let message = reply.body["partialSuccess"]["errorMessage"].as_str().unwrap();
        assert!(message.starts_with("resourceSpans[0].scopeSpans[0].spans[1].traceId: "), "{message}");
    }
    assert_eq!(stored(&store).await.len(), 2);
    let protobuf = [("X-API-Key", KEY), ("Content-Type", "application/x-protobuf")];
    assert_eq!(server.send("/v1/traces", &protobuf, b"\n").await.status, 415);
}

/// A store whose `put` waits until it is let go, and then fails.
#[derive(Debug, Clone, Default)]
struct StuckStore {
    release: CancellationToken,
}

#[async_trait]
impl TraceStore for StuckStore {
    async fn put(&self, _batch: &TraceBatch) -> Result<PutReceipt, StoreError> {
        self.release.cancelled().await;
        Err(StoreError::Backend { provider: "stuck", operation: "put", source: "secret detail".into() })
    }

    async fn get(&self, _: &WorkspaceId, id: TraceId, _: &RunContext) -> Result<Trace, StoreError> {
        Err(StoreError::NotFound { what: "trace", id: id.to_string() })
    }

    async fn find(
        &self,
        _: &WorkspaceId,
        _: &TraceFilter,
        _: &RunContext,
    ) -> Result<Vec<TraceSummary>, StoreError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_failing_store_makes_the_sender_try_again() {
    let store = StuckStore::default();
    store.release.cancel();
    let server = Server::over(store).await;
    let reply = server.ingest("k", &body([1])).await;
    assert_eq!((reply.status, &reply.body["error"]["code"]), (503, &json!("backend_unavailable")));
    assert!(!reply.body.to_string().contains("secret detail"));
}

#[tokio::test]
async fn too_many_requests_at_once_are_told_to_come_back() {
    let store = StuckStore::default();
    let auth = IngestAuth::new(KEY, workspace());
    let state = IngestState::new(Arc::new(store.clone()), auth).with_max_concurrent(1);
    let server = Server::start(state).await;
    let (first, second) = (body([1]), body([2]));
    let waiting = async {
        let reply = server.ingest("b", &second).await;
        store.release.cancel();
        reply
    };
    let (stuck, turned_away) = tokio::join!(server.ingest("a", &first), waiting);
    let mut replies = [stuck, turned_away];
    replies.sort_by_key(|reply| reply.status);
    assert_eq!((replies[0].status, &replies[0].body["error"]["code"]), (429, &json!("rate_limited")));
    assert!(replies[0].head.contains("retry-after: 1"), "{}", replies[0].head);
    assert_eq!(replies[1].status, 503);
}

#[tokio::test]
async fn serving_ends_when_it_is_cancelled() {
    let server = Server::over(MemoryTraceStore::default()).await;
    // An idle connection must not hold it up.
    let _idle = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(server.ingest("k", &body([1])).await.status, 200);
    server.cancel.cancel();
    tokio::time::timeout(Duration::from_secs(10), server.task).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_in_is_cut_off() {
    let server = Server::over(MemoryTraceStore::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let begun = tokio::time::Instant::now();
    stream.write_all(b"POST /v1/traces/ingest HTTP/1.1\r\n").await.unwrap();
    let mut answer = Vec::new();
    let mut trickle = tokio::time::interval(Duration::from_secs(1));
    while begun.elapsed() < Duration::from_secs(60) {
        tokio::select! {
            read = stream.read_buf(&mut answer) => if matches!(read, Ok(0) | Err(_)) { break },
            _ = trickle.tick() => drop(stream.write_all(b"x").await),
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}
