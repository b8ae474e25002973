//! What api.github.com really answered once: scenarios that the Octokit project recorded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::server::{Answer, Exchange, Handler, Reply, Server};

/// Headers of the recording that belong to its connection.
const HOP: [&str; 3] = ["connection", "content-length", "transfer-encoding"];

#[derive(Debug, Default)]
struct State {
    origin: String,
    /// What is left of the recording.
    turns: Vec<Value>,
    unexpected: Vec<String>,
}

#[derive(Debug, Default)]
struct Peer(Mutex<State>);

/// A running server that answers each recorded request once. Dropping it fails the test when something else was asked.
#[derive(Debug)]
pub(crate) struct Recorded {
    peer: Arc<Peer>,
    server: Server,
}

impl Recorded {
    /// The scenario of a name, e.g. `rename-repository`.
    pub(crate) fn start(scenario: &str) -> Self {
        let all: Value = serde_json::from_str(include_str!("../../official/recorded.json"))
            .expect("the vendored recordings");
        let turns = all[scenario].as_array().unwrap_or_else(|| panic!("no recording {scenario}")).clone();
        let peer = Arc::new(Peer::default());
        let server = Server::start(peer.clone());
        *peer.state() = State { origin: server.origin(), turns, unexpected: Vec::new() };
        Self { peer, server }
    }

    /// The address of the API.
    pub(crate) fn url(&self) -> String {
        self.server.origin()
    }

    /// Recorded requests that nobody sent, as method and path.
    pub(crate) fn left(&self) -> Vec<String> {
        self.peer.state().turns.iter().map(name).collect()
    }

    /// Takes the first recorded requests out, which a client does not send.
    pub(crate) fn skip(&self, count: usize) {
        self.peer.state().turns.drain(..count);
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let unexpected = std::mem::take(&mut self.peer.state().unexpected);
        if !std::thread::panicking() {
            assert!(unexpected.is_empty(), "not recorded: {unexpected:?}; left: {:?}", self.left());
        }
    }
}

fn name(turn: &Value) -> String {
    let text = |field: &str| turn[field].as_str().unwrap_or_default();
    format!("{} {}", text("method").to_uppercase(), text("path"))
}

impl Peer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Handler for Peer {
    async fn answer(&self, request: Exchange) -> Reply {
        let mut state = self.state();
        let asked = format!("{} {}", request.method, request.target());
        let Some(at) = state.turns.iter().position(|turn| name(turn) == asked) else {
            state.unexpected.push(asked);
            return Reply::Answer(Answer::new(404, r#"{"message":"Not Found"}"#));
        };
        let turn = state.turns.remove(at);
        let here = |text: &str| {
            ["https://api.github.com", "https://codeload.github.com"]
                .iter()
                .fold(text.to_owned(), |text, there| text.replace(there, &state.origin))
        };
        let body = match &turn["response"] {
            Value::String(text) => text.clone(),
            other => here(&other.to_string()),
        };
        let status = turn["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        let mut answer = Answer::new(status.expect("a status"), body);
        for (name, value) in turn["headers"].as_object().into_iter().flatten() {
            if !HOP.contains(&name.as_str()) {
                answer = answer.with_header(name, &here(value.as_str().unwrap_or_default()));
            }
        }
        Reply::Answer(answer)
    }
}
