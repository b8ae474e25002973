//! Where traces and artifacts are kept: the [`TraceStore`] and [`RunStore`] plug traits.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{RunArtifact, RunContext};
use crate::id::{ConversationId, RunId, TraceId, WorkspaceId};
use crate::trace::{SourceRevision, Span, Timestamp, Trace};

/// A part of a trace as it arrives. A trace may arrive in several parts and requests.
#[derive(Debug, Clone, PartialEq)]
pub struct TracePart {
    /// The trace.
    pub trace_id: TraceId,
    /// The conversation, when the part names one.
    pub conversation_id: Option<ConversationId>,
    /// The deployment environment, when the part names one.
    pub environment: Option<String>,
    /// The revision, as far as the part names it.
    pub source: SourceRevision,
    /// The spans. A span with attribute `staso.provisional_root: true` gives way to a final one of the same id.
    pub spans: Vec<Span>,
}

/// What one request brought.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceBatch {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The same for every attempt to deliver one batch.
    pub idempotency_key: String,
    /// The parts.
    pub parts: Vec<TracePart>,
}

impl TraceBatch {
    /// Whether a store may take the batch.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an empty key, no parts, or a part without spans.
    pub fn check(&self) -> Result<(), StoreError> {
        let invalid = |reason: String| Err(StoreError::Invalid { what: "batch", reason });
        if self.idempotency_key.is_empty() {
            return invalid("its idempotency key is empty".to_owned());
        }
        if self.parts.is_empty() {
            return invalid("it holds no trace".to_owned());
        }
        match self.parts.iter().find(|part| part.spans.is_empty()) {
            Some(part) => invalid(format!("its part of trace {} has no spans", part.trace_id)),
            None => Ok(()),
        }
    }

    /// What a store answers that takes the batch for the first time. Two parts of one trace are two traces here, as
    /// they are for the sender.
    #[must_use]
    pub fn receipt(&self) -> PutReceipt {
        let spans = self.parts.iter().map(|part| part.spans.len()).sum();
        PutReceipt { traces: self.parts.len(), spans, replayed: false }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutReceipt {
    /// Traces taken.
    pub traces: usize,
    /// Spans taken.
    pub spans: usize,
    /// Whether the same key had been taken before; nothing was written then.
    pub replayed: bool,
}

/// Which traces to find. Newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceFilter {
    /// Only those with a failed span.
    pub failed_only: bool,
    /// At most this many, ≤ 1,000. Default 100.
    pub limit: usize,
    /// Only those of this conversation.
    pub conversation_id: Option<ConversationId>,
}

impl Default for TraceFilter {
    fn default() -> Self {
        Self { failed_only: false, limit: 100, conversation_id: None }
    }
}

impl TraceFilter {
    /// The most that one call finds, whatever `limit` says.
    pub const MAX_LIMIT: usize = 1_000;

    /// Only traces with a failed span.
    #[must_use]
    pub const fn failed(mut self) -> Self {
        self.failed_only = true;
        self
    }

    /// Only traces of this conversation.
    #[must_use]
    pub fn of_conversation(mut self, id: ConversationId) -> Self {
        self.conversation_id = Some(id);
        self
    }

    /// Sets how many to return at most.
    #[must_use]
    pub const fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// What a listing says of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSummary {
    /// The trace.
    pub trace_id: TraceId,
    /// Start of its first span.
    pub start: Timestamp,
    /// How many spans arrived so far.
    pub spans: usize,
    /// Whether one of them failed.
    pub failed: bool,
}

/// What went wrong in a store. Messages never repeat the content of traces.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing is kept under this id.
    #[error("there is no {what} {id} in this store")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// What was given or found does not hold together.
    #[error("{what} is not usable: {reason}")]
    Invalid {
        /// The kind of thing.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The operating system, a database or a third-party store failed.
    #[error("{operation} failed in store {provider}")]
    Backend {
        /// The store's name.
        provider: &'static str,
        /// What was done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Backend { .. })
    }
}

/// Keeps traces.
///
/// # Contract
/// [`put`](Self::put) takes all of a batch or nothing, and is durable when it returns. It is idempotent by (workspace,
/// idempotency key): a replay answers as the first time and writes nothing. A batch with an empty key, without parts or
/// with a part without spans is [`StoreError::Invalid`]. Within a trace the last span of an id wins, but a provisional root never replaces a final span.
/// Workspaces never see each other's traces.
///
/// # Cancellation
/// `get` and `find` return within two seconds after the context is cancelled, with [`StoreError::Cancelled`].
/// `put` takes no context: it is called where no run exists.
///
/// # Errors
/// One [`StoreError`]. A trace that exceeds [`TraceLimits`](crate::trace::TraceLimits) is taken, but `get` finds it
/// [`StoreError::Invalid`].
///
/// # Implementing
/// Run `staso_core::conformance::trace_store` against your store.
#[async_trait]
pub trait TraceStore: Debug + Send + Sync + 'static {
    /// Takes a batch.
    async fn put(&self, batch: &TraceBatch) -> Result<PutReceipt, StoreError>;

    /// The trace as it stands now.
    async fn get(&self, workspace: &WorkspaceId, id: TraceId, ctx: &RunContext) -> Result<Trace, StoreError>;

    /// The newest traces that match.
    async fn find(
        &self,
        workspace: &WorkspaceId,
        filter: &TraceFilter,
        ctx: &RunContext,
    ) -> Result<Vec<TraceSummary>, StoreError>;
}

/// Keeps what runs left behind.
///
/// # Contract
/// [`put`](Self::put) replaces the artifact of the same run and is durable when it returns. It takes no context: the
/// artifact of a cancelled run must be kept too.
///
/// # Cancellation
/// Reading takes well under two seconds and is not interrupted.
///
/// # Errors
/// One [`StoreError`].
///
/// # Implementing
/// Run `staso_core::conformance::run_store` against your store.
#[async_trait]
pub trait RunStore: Debug + Send + Sync + 'static {
    /// Keeps an artifact.
    async fn put(&self, artifact: &RunArtifact) -> Result<(), StoreError>;

    /// The artifact of a run.
    async fn get(&self, id: RunId) -> Result<RunArtifact, StoreError>;

    /// The runs about a trace, newest first, at most 100.
    async fn find_by_trace(&self, trace: TraceId) -> Result<Vec<RunId>, StoreError>;
}
