//! Everything that healing needs, on one machine: a healer, its store of traces, and an ingest that fills it.

use std::path::PathBuf;
use std::sync::Arc;

use staso_core::heal::Healer;
use staso_core::id::{RunId, TraceId, WorkspaceId};
use staso_core::run::{Clock, RunContext, StoreError, TraceFilter, TraceStore};

/// The workspace of the examples. The support agent sends this name too.
pub const WORKSPACE: &str = "default";
/// Failed traces looked at when that of a run is searched.
const NEWEST_TRACES: usize = 20;

/// An assembled place to heal.
#[derive(Debug, Clone)]
pub struct Station {
    /// Turns failed runs into artifacts.
    pub healer: Healer,
    /// Where the healer finds traces.
    pub traces: Arc<dyn TraceStore>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Base URL of the ingest on the loopback interface.
    pub ingest_url: String,
    /// Where repositories, artifacts and caches are kept.
    pub directory: PathBuf,
}

impl Station {
    /// The newest failed trace of a run at this commit.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn failed_trace(&self, commit: &str) -> Result<Option<TraceId>, StoreError> {
        let ctx = RunContext::new(RunId::from_bytes(*b"no run: a search"), Arc::clone(&self.clock));
        let filter = TraceFilter::default().failed().with_limit(NEWEST_TRACES);
        for summary in self.traces.find(&self.workspace, &filter, &ctx).await? {
            let trace = self.traces.get(&self.workspace, summary.trace_id, &ctx).await?;
            if trace.source.commit.is_some_and(|found| found.as_str() == commit) {
                return Ok(Some(summary.trace_id));
            }
        }
        Ok(None)
    }
}
