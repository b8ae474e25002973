//! Where batches go: the [`SpanExporter`] plug trait.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use staso_core::run::{TraceBatch, TraceStore};

use super::report::FailureKind;
use super::store::StoreExporter;

/// A batch was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the batch was not delivered: {kind}")]
#[non_exhaustive]
pub struct ExportError {
    /// Why.
    pub kind: FailureKind,
    /// Whether the same batch may be delivered later.
    pub retryable: bool,
    /// How long the receiver wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl ExportError {
    /// A failure that another attempt may overcome.
    #[must_use]
    pub const fn retryable(kind: FailureKind) -> Self {
        Self { kind, retryable: true, retry_after: None }
    }

    /// A failure that stays.
    #[must_use]
    pub const fn permanent(kind: FailureKind) -> Self {
        Self { kind, retryable: false, retry_after: None }
    }

    /// Whether the same batch may be delivered later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.retryable
    }
}

/// Delivers batches.
///
/// # Contract
/// `export` is called from one thread of the SDK, one batch at a time, in the order in which spans ended. It may block,
/// but not longer than `timeout`. All attempts for one batch carry the same idempotency key. A batch counts as delivered
/// as a whole or not at all. The spans have passed the capture policy and the redactor.
///
/// # Cancellation
/// None: shutdown stops waiting at its own deadline and leaves the thread to end.
///
/// # Errors
/// One [`ExportError`]; a retryable one is tried again as [`ExportOptions`](super::ExportOptions) says.
///
/// # Implementing
/// Do not record spans inside; the thread has no `tracing` subscriber, so that they would go nowhere.
pub trait SpanExporter: Debug + Send + 'static {
    /// Delivers one batch.
    ///
    /// # Errors
    /// When the batch was not taken as a whole.
    fn export(&mut self, batch: &TraceBatch, timeout: Duration) -> Result<(), ExportError>;
}

/// An exporter to hand to [`Builder::exporter`](crate::Builder::exporter).
#[derive(Debug)]
pub struct Exporter(Box<dyn SpanExporter>);

impl Exporter {
    /// Records straight into a trace store of this process; nothing goes over the network.
    pub fn store(store: Arc<dyn TraceStore>) -> Self {
        Self::custom(StoreExporter::new(store))
    }

    /// Uses an own implementation.
    pub fn custom(exporter: impl SpanExporter) -> Self {
        Self(Box::new(exporter))
    }

    pub(crate) fn into_inner(self) -> Box<dyn SpanExporter> {
        self.0
    }
}
