//! Limits of delivery.

use std::time::Duration;

/// Limits of the queue, of batches and of attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportOptions {
    /// Spans that wait for delivery; newer ones are rejected. Default 10,000.
    pub queue_spans: usize,
    /// Memory of the spans that wait, in bytes, about. Default 64 MiB.
    pub queue_bytes: usize,
    /// Spans in one batch, 1 to 500. Default 100.
    pub batch_spans: usize,
    /// Longest time that a span waits for its batch to fill. Default 0.5 s.
    pub batch_interval: Duration,
    /// Attempts to deliver one batch. Default 3.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles with each further one. Default 0.5 s.
    pub retry_delay: Duration,
    /// Longest wait that a `Retry-After` header may ask for; above, the batch fails at once. Default 60 s.
    pub retry_after_max: Duration,
    /// Longest time for one attempt. Default 10 s.
    pub request_timeout: Duration,
    /// Longest time that dropping the guard waits for delivery. Default 2 s.
    pub drop_timeout: Duration,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            queue_spans: 10_000,
            queue_bytes: 64 << 20,
            batch_spans: 100,
            batch_interval: Duration::from_millis(500),
            attempts: 3,
            retry_delay: Duration::from_millis(500),
            retry_after_max: Duration::from_secs(60),
            request_timeout: Duration::from_secs(10),
            drop_timeout: Duration::from_secs(2),
        }
    }
}

impl ExportOptions {
    /// Sets how many spans may wait, and how much memory they may take, in bytes.
    #[must_use]
    pub const fn with_queue(mut self, spans: usize, bytes: usize) -> Self {
        self.queue_spans = spans;
        self.queue_bytes = bytes;
        self
    }

    /// Sets how many spans make a batch (kept within 1 to 500) and how long a span waits for one.
    #[must_use]
    pub fn with_batch(mut self, spans: usize, interval: Duration) -> Self {
        self.batch_spans = spans.clamp(1, 500);
        self.batch_interval = interval;
        self
    }

    /// Sets how often a batch is tried (at least once) and how long to wait before the second attempt.
    #[must_use]
    pub fn with_retries(mut self, attempts: u32, delay: Duration) -> Self {
        self.attempts = attempts.max(1);
        self.retry_delay = delay;
        self
    }

    /// Sets the longest time for one attempt.
    #[must_use]
    pub const fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets the longest time that dropping the guard waits.
    #[must_use]
    pub const fn with_drop_timeout(mut self, timeout: Duration) -> Self {
        self.drop_timeout = timeout;
        self
    }
}
