//! Prism, a server that someone else wrote, over the vendored description: a second opinion on every request.
//!
//! It checks parameters and bodies and answers with official examples. It cannot serve paths with slashes in parameters nor
//! GitHub's media type, so requests pass through here: parameters get escaped and JSON is asked for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::body::Body;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::ask::ask;
use super::description::Description;
use super::environment::started;
use super::server::{Answer, Exchange, Handler, Reply, Server};

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const KEPT: [&str; 2] = ["authorization", "content-type"];

#[derive(Debug, Default)]
struct State {
    /// The documented status that the next request gets.
    status: Option<u16>,
    asked: Vec<(String, u16)>,
    violations: Vec<String>,
}

#[derive(Debug)]
struct Peer {
    host: String,
    state: Mutex<State>,
}

/// The way to a running Prism. Dropping it fails the test when Prism found fault with a request.
#[derive(Debug)]
pub(crate) struct Prism {
    peer: Arc<Peer>,
    server: Server,
}

impl Prism {
    /// Nothing when no server was started.
    pub(crate) fn reach() -> Option<Self> {
        let url = started("STASO_PRISM_URL")?;
        let host = url.strip_prefix("http://").expect("an address with http").to_owned();
        let peer = Arc::new(Peer { host, state: Mutex::default() });
        Some(Self { server: Server::start(peer.clone()), peer })
    }

    /// The address of the API.
    pub(crate) fn url(&self) -> String {
        self.server.origin()
    }

    /// The next request gets this documented status.
    pub(crate) fn answer_next(&self, status: u16) {
        self.peer.state().status = Some(status);
    }

    /// Operations asked so far, and the statuses of their answers.
    pub(crate) fn asked(&self) -> Vec<(String, u16)> {
        self.peer.state().asked.clone()
    }

    /// What Prism found fault with. It is forgotten, so that dropping this is no failure.
    pub(crate) fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.peer.state().violations)
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let violations = self.take_violations();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "requests that Prism finds fault with: {violations:#?}");
        }
    }
}

impl Peer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path with its parameters escaped, and the operation's name.
fn escaped(request: &Exchange) -> Option<(String, String)> {
    let found = Description::get().find(request.method.as_str(), &request.path)?;
    let (_, template) = found.operation.name.split_once(' ')?;
    let path = found.parameters.iter().fold(template.to_owned(), |path, (name, value)| {
        path.replace(&format!("{{{name}}}"), &utf8_percent_encode(value, SEGMENT).to_string())
    });
    Some((
        request.query.as_ref().map_or(path.clone(), |query| format!("{path}?{query}")),
        found.operation.name.clone(),
    ))
}

/// Faults of the request. Prism also names where official examples contradict the description.
fn violations(header: &[u8]) -> Vec<String> {
    let found: Vec<Value> = serde_json::from_slice(header).expect("the list of Prism");
    let of_request = found.iter().filter(|one| one["location"][0] != "response");
    of_request.map(ToString::to_string).collect()
}

#[async_trait]
impl Handler for Peer {
    async fn answer(&self, request: Exchange) -> Reply {
        let asked = format!("{} {}", request.method, request.target());
        let Some((target, operation)) = escaped(&request) else {
            self.state().violations.push(format!("{asked}: no such operation"));
            return Reply::Answer(Answer::new(404, r#"{"message":"Not Found"}"#));
        };
        let mut headers: HeaderMap = KEPT
            .iter()
            .filter_map(|name| Some((HeaderName::from_static(name), request.headers.get(*name)?.clone())))
            .collect();
        headers.insert("accept", HeaderValue::from_static("application/json"));
        let status = self.state().status.take();
        if let Some(status) = status {
            let prefer = HeaderValue::from_str(&format!("code={status}")).expect("a header");
            headers.insert("prefer", prefer);
        }
        let answer =
            ask(&self.host, &request.method, &target, headers, Body::from(request.body.clone())).await;
        let Some(mut answer) = answer else { return Reply::Dropped };
        let mut state = self.state();
        // Where no 422 is documented, Prism says what is wrong in a body of its own.
        if answer.headers.get("content-type").is_some_and(|kind| kind == "application/problem+json") {
            state.violations.push(format!("{asked}: {}", String::from_utf8_lossy(&answer.body)));
        }
        let found = answer.headers.get("sl-violations").map(|value| violations(value.as_bytes()));
        state.violations.extend(found.into_iter().flatten().map(|text| format!("{asked}: {text}")));
        state.asked.push((operation, answer.status));
        for name in ["transfer-encoding", "content-length", "connection", "keep-alive"] {
            answer.headers.remove(name);
        }
        Reply::Answer(answer)
    }
}
