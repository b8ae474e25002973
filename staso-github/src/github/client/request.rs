//! What is asked.

use reqwest::Method;
use secrecy::SecretString;
use serde_json::Value;

/// Whether a request may be sent again when nobody knows whether it was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It may: it reads, or doing it twice is doing it once.
    Safe,
    /// The caller has to look first: the client gives [`SendError::Lost`](super::SendError::Lost).
    ReadBack,
}

/// One request. The path is below the API's address, begins with a slash and is percent-encoded.
#[derive(Debug, Clone)]
pub(crate) struct ApiRequest {
    /// What it is for, as errors say it.
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) accept: &'static str,
    pub(crate) repeat: Repeat,
    /// Longest body of an answer, in bytes.
    pub(crate) max_bytes: usize,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// Sent as `Authorization: Bearer`. `None` for public answers.
    pub(crate) bearer: Option<&'a SecretString>,
    /// The installation or user, for queues, rate limits and cached answers. Never a credential.
    pub(crate) account: &'a str,
}

/// GitHub's JSON.
pub(crate) const JSON: &str = "application/vnd.github+json";
/// Bodies of answers that hold one object or a page of them.
const MAX_BYTES: usize = 8 << 20;

impl ApiRequest {
    /// A request that reads.
    pub(crate) fn get(operation: &'static str, path: impl Into<String>) -> Self {
        Self::new(operation, Method::GET, path.into(), None, Repeat::Safe)
    }

    /// A request that changes something.
    pub(crate) fn send(
        operation: &'static str,
        method: Method,
        path: impl Into<String>,
        body: Value,
        repeat: Repeat,
    ) -> Self {
        Self::new(operation, method, path.into(), Some(body), repeat)
    }

    fn new(
        operation: &'static str,
        method: Method,
        path: String,
        body: Option<Value>,
        repeat: Repeat,
    ) -> Self {
        let query = Vec::new();
        Self { operation, method, path, query, body, accept: JSON, repeat, max_bytes: MAX_BYTES }
    }

    /// Adds a parameter; the value is encoded.
    pub(crate) fn with_query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Asks for another representation.
    pub(crate) const fn with_accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    /// Sets the longest body of an answer.
    pub(crate) const fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }
}
