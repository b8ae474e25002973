//! What is answered.

use std::fmt;

use reqwest::Method;
use reqwest::header::{DATE, HeaderMap};
use serde::de::DeserializeOwned;
use staso_core::trace::Timestamp;
use staso_core::vcs::{RateLimitKind, VcsError};

use super::date::http_date;
use super::status::clean;

/// An answer with any status, after redirects, retries and waits.
#[derive(Clone)]
pub(crate) struct ApiAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Where the request ended up, when redirects led it on: the path below the API, or the whole address on another host.
    /// Without the query, which may hold a credential.
    pub(crate) moved_to: Option<String>,
    /// The request that it answers: its method and its path, which is empty for GraphQL.
    pub(crate) asked: (Method, String),
}

impl ApiAnswer {
    /// Whether the status is 2xx.
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Whether it is one of the GraphQL API.
    pub(super) fn is_graphql(&self) -> bool {
        self.asked.1.is_empty()
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The time of the server when it answered, to the second.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        http_date(self.headers.get(DATE)?)
    }

    /// The body as JSON of one type.
    ///
    /// # Errors
    /// [`VcsError::BadAnswer`].
    pub(crate) fn json<T: DeserializeOwned>(&self, operation: &'static str) -> Result<T, VcsError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let error = clean(&error.to_string());
            let reason =
                format!("status {} with a body that is not the documented JSON: {error}", self.status);
            VcsError::BadAnswer { operation, reason }
        })
    }

    #[cfg(test)]
    pub(crate) fn of(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let asked = (Method::GET, "/repos/acme/support".to_owned());
        Self { status, headers: HeaderMap::new(), body: body.into(), moved_to: None, asked }
    }
}

/// Bodies and headers may hold tokens.
impl fmt::Debug for ApiAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiAnswer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("moved_to", &self.moved_to)
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum SendError {
    Cancelled,
    TimedOut {
        limit_ms: u64,
    },
    /// Nobody answers. Nothing was carried out, or it may be carried out again.
    Unreachable {
        reason: String,
    },
    /// It may have been carried out: look.
    Lost {
        reason: String,
    },
    /// The answer is no answer of a GitHub.
    BadAnswer {
        reason: String,
    },
    /// The body of the answer is longer than the request allows.
    TooLarge {
        max_bytes: usize,
    },
    RateLimited {
        kind: RateLimitKind,
        retry_at: Timestamp,
    },
}
