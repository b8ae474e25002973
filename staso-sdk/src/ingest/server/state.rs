//! What the endpoint works with.

use std::sync::Arc;

use staso_core::run::TraceStore;
use tokio::sync::Semaphore;

use super::IngestAuth;
use crate::ingest::IngestLimits;

/// Where traces go, who may send them, and how much at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct IngestState {
    pub(super) store: Arc<dyn TraceStore>,
    pub(super) auth: Arc<IngestAuth>,
    pub(super) limits: IngestLimits,
    pub(super) slots: Arc<Semaphore>,
}

impl IngestState {
    /// Default limits, and at most 8 requests that are read at the same time.
    pub fn new(store: Arc<dyn TraceStore>, auth: IngestAuth) -> Self {
        let (limits, slots) = (IngestLimits::default(), Arc::new(Semaphore::new(8)));
        Self { store, auth: Arc::new(auth), limits, slots }
    }

    /// Sets how much one request may bring.
    #[must_use]
    pub const fn with_limits(mut self, limits: IngestLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how many requests are read at the same time, at least 1. Others wait up to a second and are then told to
    /// come back later.
    #[must_use]
    pub fn with_max_concurrent(mut self, requests: usize) -> Self {
        self.slots = Arc::new(Semaphore::new(requests.clamp(1, Semaphore::MAX_PERMITS)));
        self
    }
}
