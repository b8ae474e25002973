//! What is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests that went out, since the client was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// All of them: redirects, repetitions and checks of kept answers count too.
    pub(crate) api_requests: u64,
    /// Those whose answer was one that had been kept (status 304).
    pub(crate) cache_hits: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Counters(Arc<[AtomicU64; 2]>);

impl Counters {
    pub(super) fn request(&self) {
        let [requests, _] = &*self.0;
        requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn hit(&self) {
        let [_, hits] = &*self.0;
        hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Statistics {
        let [requests, hits] = &*self.0;
        Statistics {
            api_requests: requests.load(Ordering::Relaxed),
            cache_hits: hits.load(Ordering::Relaxed),
        }
    }
}
