//! A model that plays a cassette.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::Value;
use similar::TextDiff;

use super::cassette::{comparable, fingerprint};
use super::pieces::stream;
use super::{Cassette, SeenRequest, Take};
use crate::agent::{LanguageModel, ModelError, ModelId, ModelLimits, ModelReply, ModelRequest};
use crate::redaction::Redactor;
use crate::run::RunContext;

/// Longest diff that is shown, in characters.
const MAX_DIFF_CHARS: usize = 8_000;

/// Answers requests with the replies of a cassette, in its order. A request that is not the next one of the cassette, or
/// comes after its end, fails with [`ModelError::Backend`], whose source is a [`CassetteMismatch`]; nothing is skipped.
/// Clones share the place.
#[derive(Debug, Clone)]
pub struct ReplayingModel {
    cassette: Arc<Cassette>,
    next: Arc<AtomicUsize>,
    redactor: Redactor,
}

/// A request that is not the next one of the cassette.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CassetteMismatch {
    /// Which request, from 1.
    pub request: usize,
    /// The recorded request (`-`) against the one that came (`+`), as JSON; empty when the cassette is over.
    pub diff: String,
}

impl fmt::Display for CassetteMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.request;
        if self.diff.is_empty() {
            write!(f, "request {number} comes after the end of the cassette")
        } else {
            write!(f, "request {number} differs from the recorded one:\n{}", self.diff)
        }
    }
}

impl std::error::Error for CassetteMismatch {}

impl ReplayingModel {
    /// Plays a cassette. The redactor must be the one that it was recorded with.
    #[must_use]
    pub fn new(cassette: Cassette, redactor: Redactor) -> Self {
        Self { cassette: Arc::new(cassette), next: Arc::default(), redactor }
    }

    /// Replies that were not played.
    #[must_use]
    pub fn takes_left(&self) -> usize {
        self.cassette.takes.len().saturating_sub(self.next.load(Ordering::Relaxed))
    }

    fn take(&self, request: &SeenRequest) -> Result<&Take, CassetteMismatch> {
        let at = self.next.load(Ordering::Relaxed);
        let number = at + 1;
        let over = || CassetteMismatch { request: number, diff: String::new() };
        let take = self.cassette.takes.get(at).ok_or_else(over)?;
        let came = comparable(request, &self.redactor);
        if fingerprint(&came) != take.request_fingerprint {
            return Err(CassetteMismatch { request: number, diff: diff(&take.request, &came) });
        }
        self.next.store(number, Ordering::Relaxed);
        Ok(take)
    }
}

fn diff(recorded: &Value, came: &Value) -> String {
    let text = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    let (recorded, came) = (text(recorded), text(came));
    let diff = TextDiff::from_lines(&recorded, &came).unified_diff().context_radius(3).to_string();
    diff.chars().take(MAX_DIFF_CHARS).collect()
}

#[async_trait]
impl LanguageModel for ReplayingModel {
    fn id(&self) -> &ModelId {
        &self.cassette.model
    }

    fn limits(&self) -> ModelLimits {
        self.cassette.limits
    }

    async fn complete(&self, request: &ModelRequest<'_>, ctx: &RunContext) -> Result<ModelReply, ModelError> {
        if ctx.is_cancelled() {
            return Err(ModelError::Cancelled);
        }
        let take = self.take(&SeenRequest::of(request)).map_err(|mismatch| ModelError::Backend {
            provider: "replay",
            operation: "finding the request in the cassette",
            source: Box::new(mismatch),
        })?;
        stream(&take.reply.text, request);
        Ok(take.reply.clone().with_usage(take.usage))
    }
}
