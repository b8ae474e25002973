//! What is answered.

use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use staso_core::trace::Timestamp;
use staso_core::vcs::{RateLimitKind, VcsError};

/// An answer with any status, after redirects, retries and waits.
#[derive(Debug, Clone)]
pub(crate) struct ApiAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Where the request ended up, when redirects led it on: the path of the last address.
    pub(crate) moved_to: Option<String>,
}

impl ApiAnswer {
    /// Whether the status is 2xx.
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The body as JSON of one type.
    ///
    /// # Errors
    /// [`VcsError::BadAnswer`].
    pub(crate) fn json<T: DeserializeOwned>(&self, operation: &'static str) -> Result<T, VcsError> {
        serde_json::from_slice(&self.body).map_err(|error| VcsError::BadAnswer {
            operation,
            reason: format!("status {} with a body that is not the documented JSON: {error}", self.status),
        })
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum SendError {
    Cancelled,
    TimedOut {
        limit_ms: u64,
    },
    /// Nothing was carried out.
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
    RateLimited {
        kind: RateLimitKind,
        retry_at: Timestamp,
    },
}
