//! Delivery into a trace store of this process.

use std::sync::Arc;
use std::time::Duration;

use staso_core::run::{TraceBatch, TraceStore};
use tokio::runtime::Runtime;

use super::exporter::{ExportError, SpanExporter};
use super::report::FailureKind;

/// Waits for the store on a runtime of its own, because stores are asynchronous and the delivery thread is not.
#[derive(Debug)]
pub(super) struct StoreExporter {
    store: Arc<dyn TraceStore>,
    runtime: Option<Runtime>,
}

impl StoreExporter {
    pub(super) const fn new(store: Arc<dyn TraceStore>) -> Self {
        Self { store, runtime: None }
    }

    fn runtime(&mut self) -> Result<&Runtime, ExportError> {
        let unavailable = ExportError::retryable(FailureKind::BackendUnavailable);
        if self.runtime.is_none() {
            let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
            self.runtime = Some(built.map_err(|_| unavailable)?);
        }
        self.runtime.as_ref().ok_or(unavailable)
    }
}

impl SpanExporter for StoreExporter {
    fn export(&mut self, batch: &TraceBatch, timeout: Duration) -> Result<(), ExportError> {
        let store = self.store.clone();
        let put = async { tokio::time::timeout(timeout, store.put(batch)).await };
        match self.runtime()?.block_on(put) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_retryable() => {
                Err(ExportError::retryable(FailureKind::BackendUnavailable))
            }
            Ok(Err(_)) => Err(ExportError::permanent(FailureKind::BackendUnavailable)),
            Err(_) => Err(ExportError::retryable(FailureKind::Timeout)),
        }
    }
}
