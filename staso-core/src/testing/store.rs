//! Stores that forget everything when they are dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::id::{RunId, TraceId, WorkspaceId};
use crate::run::{
    PutReceipt, RunArtifact, RunContext, RunStore, StoreError, Subject, TraceBatch, TraceFilter, TracePart,
    TraceStore, TraceSummary,
};
use crate::trace::{Trace, TraceError, TraceLimits};

/// A [`TraceStore`] in memory. Clones share their content.
#[derive(Debug, Clone, Default)]
pub struct MemoryTraceStore {
    state: Arc<Mutex<Traces>>,
}

#[derive(Debug, Default)]
struct Traces {
    parts: BTreeMap<(WorkspaceId, TraceId), Vec<TracePart>>,
    receipts: BTreeMap<(WorkspaceId, String), PutReceipt>,
}

/// A [`RunStore`] in memory. Clones share their content.
#[derive(Debug, Clone, Default)]
pub struct MemoryRunStore {
    artifacts: Arc<Mutex<BTreeMap<RunId, RunArtifact>>>,
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn invalid(error: &TraceError) -> StoreError {
    StoreError::Invalid { what: "trace", reason: error.to_string() }
}

#[async_trait]
impl TraceStore for MemoryTraceStore {
    async fn put(&self, batch: &TraceBatch) -> Result<PutReceipt, StoreError> {
        batch.check()?;
        let mut state = lock(&self.state);
        let key = (batch.workspace.clone(), batch.idempotency_key.clone());
        if let Some(receipt) = state.receipts.get(&key) {
            return Ok(PutReceipt { replayed: true, ..*receipt });
        }
        for part in &batch.parts {
            let trace = (batch.workspace.clone(), part.trace_id);
            state.parts.entry(trace).or_default().push(part.clone());
        }
        let receipt = batch.receipt();
        state.receipts.insert(key, receipt);
        Ok(receipt)
    }

    async fn get(&self, workspace: &WorkspaceId, id: TraceId, ctx: &RunContext) -> Result<Trace, StoreError> {
        if ctx.is_cancelled() {
            return Err(StoreError::Cancelled);
        }
        let parts = lock(&self.state).parts.get(&(workspace.clone(), id)).cloned();
        let parts = parts.ok_or_else(|| StoreError::NotFound { what: "trace", id: id.to_string() })?;
        Trace::assemble(id, parts, TraceLimits::default()).map_err(|error| invalid(&error))
    }

    async fn find(
        &self,
        workspace: &WorkspaceId,
        filter: &TraceFilter,
        ctx: &RunContext,
    ) -> Result<Vec<TraceSummary>, StoreError> {
        if ctx.is_cancelled() {
            return Err(StoreError::Cancelled);
        }
        let mut limits = TraceLimits::default();
        limits.max_spans = usize::MAX;
        let state = lock(&self.state);
        let mut found = Vec::new();
        for ((_, id), parts) in state.parts.iter().filter(|((owner, _), _)| owner == workspace) {
            let trace = Trace::assemble(*id, parts.iter().cloned(), limits);
            let trace = trace.map_err(|error| invalid(&error))?;
            let failed = trace.spans().iter().any(crate::trace::Span::is_failed);
            let wanted = filter.conversation_id.as_ref();
            if (filter.failed_only && !failed)
                || wanted.is_some_and(|id| trace.conversation_id.as_ref() != Some(id))
            {
                continue;
            }
            let start = trace.spans().first().map(|span| span.start).unwrap_or_default();
            found.push(TraceSummary { trace_id: *id, start, spans: trace.spans().len(), failed });
        }
        found.sort_by_key(|summary| std::cmp::Reverse((summary.start, summary.trace_id)));
        found.truncate(filter.limit.min(TraceFilter::MAX_LIMIT));
        Ok(found)
    }
}

#[async_trait]
impl RunStore for MemoryRunStore {
    async fn put(&self, artifact: &RunArtifact) -> Result<(), StoreError> {
        lock(&self.artifacts).insert(artifact.run_id, artifact.clone());
        Ok(())
    }

    async fn get(&self, id: RunId) -> Result<RunArtifact, StoreError> {
        let artifact = lock(&self.artifacts).get(&id).cloned();
        artifact.ok_or_else(|| StoreError::NotFound { what: "run", id: id.to_string() })
    }

    async fn find_by_trace(&self, trace: TraceId) -> Result<Vec<RunId>, StoreError> {
        let artifacts = lock(&self.artifacts);
        let mut found: Vec<_> = artifacts
            .values()
            .filter(|artifact| artifact.subject == Subject::TraceId(trace))
            .map(|artifact| (artifact.started_at, artifact.run_id))
            .collect();
        found.sort_by_key(|run| std::cmp::Reverse(*run));
        Ok(found.into_iter().take(100).map(|(_, id)| id).collect())
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::*;
    use crate::conformance;

    #[tokio::test]
    async fn memory_traces_conform() {
        conformance::trace_store::all(&MemoryTraceStore::default(), "memory").await;
    }

    #[tokio::test]
    async fn memory_runs_conform() {
        conformance::run_store::all(&MemoryRunStore::default()).await;
    }
}
