//! Keeps what runs leave behind twice: in a store to search, and as files to read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use staso_core::id::{RunId, TraceId};
use staso_core::run::{EventKind, EventSink, RunArtifact, RunEvent, RunStore, StoreError};

use crate::store::{RunDirectory, RunDirectoryError};

/// A [`RunStore`] that also writes `<data>/runs/<run id>/` for every run whose events it sees.
#[derive(Debug)]
pub struct RunFiles {
    data: PathBuf,
    store: Arc<dyn RunStore>,
    open: Mutex<BTreeMap<RunId, Result<RunDirectory, RunDirectoryError>>>,
}

impl RunFiles {
    /// Files below `data`, artifacts also in `store`.
    pub fn new(data: impl Into<PathBuf>, store: Arc<dyn RunStore>) -> Self {
        Self { data: data.into(), store, open: Mutex::new(BTreeMap::new()) }
    }

    /// Where the files of a run are.
    #[must_use]
    pub fn directory(&self, run_id: RunId) -> PathBuf {
        self.data.join("runs").join(run_id.to_string())
    }
}

impl EventSink for RunFiles {
    fn emit(&self, event: &RunEvent) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(event.event, EventKind::RunStarted { .. }) {
            open.insert(event.run_id, RunDirectory::create(&self.data, event.run_id));
        }
        if let Some(Ok(directory)) = open.get(&event.run_id) {
            directory.emit(event);
        }
    }
}

#[async_trait]
impl RunStore for RunFiles {
    async fn put(&self, artifact: &RunArtifact) -> Result<(), StoreError> {
        self.store.put(artifact).await?;
        let directory = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&artifact.run_id);
        let written = match directory {
            Some(Ok(directory)) => directory.finish(artifact).await,
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        written.map_err(|source| StoreError::Backend {
            provider: "run directory",
            operation: "write the files of a run",
            source: source.into(),
        })
    }

    async fn get(&self, id: RunId) -> Result<RunArtifact, StoreError> {
        self.store.get(id).await
    }

    async fn find_by_trace(&self, trace: TraceId) -> Result<Vec<RunId>, StoreError> {
        self.store.find_by_trace(trace).await
    }
}
