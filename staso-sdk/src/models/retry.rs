//! Trying again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use staso_core::agent::{
    DeltaSink, LanguageModel, ModelError, ModelId, ModelLimits, ModelReply, ModelRequest,
};
use staso_core::run::{Interrupted, RunContext};

/// How often and how fast a model is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryOptions {
    /// Tries in all, the first included. Default 4; at least 1.
    pub tries: u32,
    /// Upper bound of the first wait; it doubles with every try. Default 1 s.
    pub first_wait: Duration,
    /// Upper bound of any wait that the provider did not ask for. Default 20 s.
    pub longest_wait: Duration,
    /// Longest wait that the provider may ask for. Default 60 s.
    pub longest_retry_after: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            tries: 4,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(20),
            longest_retry_after: Duration::from_secs(60),
        }
    }
}

impl RetryOptions {
    /// Sets the tries in all.
    #[must_use]
    pub const fn with_tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// Sets the upper bounds of the first and of any wait.
    #[must_use]
    pub const fn with_waits(mut self, first: Duration, longest: Duration) -> Self {
        self.first_wait = first;
        self.longest_wait = longest;
        self
    }
}

/// Asks a model again when the same call may succeed later: HTTP 408, 409, 429, 500, 502, 503, 504 and 529, timeouts and
/// lost connections.
///
/// A provider that says when (`retry-after`, `retry-after-ms`) is waited for, up to 60 s; otherwise the wait is a random
/// part of a bound that doubles. There is no try that the run has no time for. A new try begins with
/// [`DeltaSink::restarted`] when text was handed on before. Nothing acts on a reply before it is whole, so no tool call
/// is ever made twice.
#[derive(Debug, Clone)]
pub struct RetryingModel<M> {
    inner: M,
    options: RetryOptions,
}

impl<M: LanguageModel> RetryingModel<M> {
    /// Wraps a model, with default options.
    pub fn new(inner: M) -> Self {
        Self { inner, options: RetryOptions::default() }
    }

    /// Sets how often and how fast.
    #[must_use]
    pub const fn with_options(mut self, options: RetryOptions) -> Self {
        self.options = options;
        self
    }

    /// The wait before the next try; `made` tries were made.
    fn wait(&self, error: &ModelError, made: u32) -> Duration {
        if let Some(asked) = error.retry_after() {
            return asked.min(self.options.longest_retry_after);
        }
        let doubled = 2_u32.saturating_pow(made.saturating_sub(1));
        let bound = self.options.first_wait.saturating_mul(doubled).min(self.options.longest_wait);
        bound.mul_f64(random_part())
    }
}

/// A random number from 0 to 1.
fn random_part() -> f64 {
    let mut bytes = [0_u8; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

#[async_trait]
impl<M: LanguageModel> LanguageModel for RetryingModel<M> {
    fn id(&self) -> &ModelId {
        self.inner.id()
    }

    fn limits(&self) -> ModelLimits {
        self.inner.limits()
    }

    async fn complete(&self, request: &ModelRequest<'_>, ctx: &RunContext) -> Result<ModelReply, ModelError> {
        let watched = Watched { sink: request.deltas, has_text: AtomicBool::new(false) };
        let request = request.with_deltas(&watched);
        let mut made = 0;
        loop {
            let error = match self.inner.complete(&request, ctx).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            made += 1;
            if !error.is_retryable() || made >= self.options.tries {
                return Err(error);
            }
            let wait = self.wait(&error, made);
            if wait >= ctx.remaining() {
                return Err(error);
            }
            if let Err(Interrupted::Cancelled) = ctx.bounded(wait, std::future::pending::<()>()).await {
                return Err(ModelError::Cancelled);
            }
            if watched.has_text.swap(false, Ordering::Relaxed) {
                watched.sink.restarted();
            }
        }
    }
}

/// Knows whether there is text to be forgotten.
#[derive(Debug)]
struct Watched<'a> {
    sink: &'a dyn DeltaSink,
    has_text: AtomicBool,
}

impl DeltaSink for Watched<'_> {
    fn text(&self, piece: &str) {
        self.has_text.store(true, Ordering::Relaxed);
        self.sink.text(piece);
    }

    fn restarted(&self) {
        self.has_text.store(false, Ordering::Relaxed);
        self.sink.restarted();
    }
}
