//! An ingest service on loopback that answers as it is told, and clients that send to it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use staso::export::ExportOptions;
use staso::{Builder, Staso};
use staso_core::trace::SourceRevision;
use tracing_subscriber::layer::SubscriberExt;

pub(crate) const KEY: &str = "staso-key-canary";
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// How the service answers one request; when the script is over it acknowledges.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Acknowledge,
    Status(u16),
    RetryAfter(u16, &'static str),
    Body(Value),
    /// Closes the connection only after the test is over.
    Never,
}

#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

#[derive(Debug, Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    received: Mutex<Vec<Received>>,
}

#[derive(Debug)]
pub(crate) struct Service {
    address: SocketAddr,
    script: Arc<Script>,
}

impl Service {
    pub(crate) fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Arc::new(Script {
            replies: Mutex::new(replies.into_iter().collect()),
            received: Mutex::default(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(script.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { address, script }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.script.received.lock().unwrap().clone()
    }

    /// All spans of all requests, in order.
    pub(crate) fn spans(&self) -> Vec<Value> {
        let list = |value: &Value| value.as_array().cloned().unwrap();
        let traces =
            self.received().iter().flat_map(|request| list(&request.body["traces"])).collect::<Vec<_>>();
        traces.iter().flat_map(|trace| list(&trace["spans"])).collect()
    }

    /// The final spans by name.
    pub(crate) fn final_spans(&self) -> BTreeMap<String, Value> {
        let is_final =
            |span: &Value| !span["attributes"].as_str().unwrap().contains("staso.provisional_root");
        self.spans()
            .into_iter()
            .filter(is_final)
            .map(|span| (span["name"].as_str().unwrap().to_owned(), span))
            .collect()
    }
}

async fn answer(State(script): State<Arc<Script>>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    let headers: BTreeMap<_, _> = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
        .collect();
    let body: Value = serde_json::from_str(&body).unwrap();
    let acknowledgement = json!({
        "accepted": body["traces"].as_array().unwrap().len(),
        "rejected": 0,
        "spans_dropped": 0,
        "receipt_id": headers["idempotency-key"],
    });
    script.received.lock().unwrap().push(Received { path: uri.path().to_owned(), headers, body });
    let reply = script.replies.lock().unwrap().pop_front().unwrap_or(Reply::Acknowledge);
    match reply {
        Reply::Acknowledge => Json(acknowledgement).into_response(),
        Reply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Reply::RetryAfter(status, after) => {
            (StatusCode::from_u16(status).unwrap(), [("retry-after", after)]).into_response()
        }
        Reply::Body(body) => Json(body).into_response(),
        Reply::Never => std::future::pending().await,
    }
}

pub(crate) fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Sends to the service, reads no environment, finds no revision, and tries again at once.
pub(crate) fn client(service: &Service) -> Builder {
    staso::init()
        .no_global()
        .variables(variables(&[]))
        .source(SourceRevision::default())
        .api_key(KEY)
        .endpoint(service.url())
        .export_options(ExportOptions::default().with_retries(3, Duration::from_millis(1)))
}

/// Runs `work` with the guard's layer as the subscriber of this thread.
pub(crate) fn recording<T>(staso: &Staso, work: impl FnOnce() -> T) -> T {
    let subscriber = tracing_subscriber::registry().with(staso.layer());
    tracing::subscriber::with_default(subscriber, work)
}

/// The attributes of a span on the wire.
pub(crate) fn attributes(span: &Value) -> Value {
    serde_json::from_str(span["attributes"].as_str().unwrap()).unwrap()
}

/// Runs async code on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
