//! What is asked.

use std::fmt;

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

/// Which API is asked. Each has rate limits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Rest,
    GraphQl,
}

/// One request. The path is below the address of its API, begins with a slash or is empty, and is percent-encoded.
#[derive(Clone)]
pub(crate) struct ApiRequest {
    /// What it is for, as errors say it.
    pub(crate) operation: &'static str,
    pub(crate) endpoint: Endpoint,
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

    /// A GraphQL document with its variables. [`Repeat::Safe`] is for queries, which count as reading.
    pub(crate) fn graphql(operation: &'static str, document: &str, variables: Value, repeat: Repeat) -> Self {
        let body = [("query".to_owned(), document.into()), ("variables".to_owned(), variables)];
        let body = Value::Object(body.into_iter().collect());
        let endpoint = Endpoint::GraphQl;
        Self { endpoint, ..Self::new(operation, Method::POST, String::new(), Some(body), repeat) }
    }

    fn new(
        operation: &'static str,
        method: Method,
        path: String,
        body: Option<Value>,
        repeat: Repeat,
    ) -> Self {
        let (endpoint, query) = (Endpoint::Rest, Vec::new());
        Self { operation, endpoint, method, path, query, body, accept: JSON, repeat, max_bytes: MAX_BYTES }
    }

    /// Whether it changes nothing, so that it need not wait for other requests.
    pub(super) fn is_read(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
            || (self.endpoint == Endpoint::GraphQl && self.repeat == Repeat::Safe)
    }

    /// Whether doing it twice is doing it once.
    pub(super) fn is_repeatable(&self) -> bool {
        let by_method = matches!(self.method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE);
        by_method || self.repeat == Repeat::Safe
    }

    /// Whether the answer has to be JSON: `application/vnd.github.raw+json` and its like ask for something else.
    pub(super) fn wants_json(&self) -> bool {
        self.accept == JSON && self.method != Method::HEAD
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

/// Without the body, which holds texts of users.
impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiRequest")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("endpoint", &self.endpoint)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
