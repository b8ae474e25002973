//! What is counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Requests that went out, since the client was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiStatistics {
    /// All of them: redirects, repetitions and checks of kept answers count too.
    pub api_requests: u64,
    /// Those whose answer was one that had been kept (status 304).
    pub cache_hits: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    hits: AtomicU64,
}

impl Counters {
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> ApiStatistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ApiStatistics { api_requests: read(&self.requests), cache_hits: read(&self.hits) }
    }
}
