//! What became of the spans.

use std::fmt;

/// Why a span was not delivered, or not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// Recording is switched off, or there is neither a key nor an exporter.
    Disabled,
    /// The span ended after shutdown.
    Shutdown,
    /// The queue was full.
    QueueFull,
    /// The service could not be reached, or did not answer in time.
    NetworkUnavailable,
    /// A flush or a shutdown ran out of time.
    Timeout,
    /// The service answered 401.
    InvalidKey,
    /// The service answered 402.
    PlanExpired,
    /// The service answered 403.
    Forbidden,
    /// The service answered 429.
    RateLimited,
    /// The service answered 500 or above, or an exporter failed.
    BackendUnavailable,
    /// The answer is not the acknowledgement of exactly this batch, or another status of 400 or above.
    MalformedResponse,
    /// The redactor failed, so the span was not sent.
    Redaction,
}

impl FailureKind {
    /// The name that all Staso SDKs use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Shutdown => "shutdown",
            Self::QueueFull => "queue_full",
            Self::NetworkUnavailable => "network_unavailable",
            Self::Timeout => "timeout",
            Self::InvalidKey => "invalid_key",
            Self::PlanExpired => "plan_expired",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::BackendUnavailable => "backend_unavailable",
            Self::MalformedResponse => "malformed_response",
            Self::Redaction => "redaction",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Exact counts of what became of the spans so far. With several exporters, a span counts once for each.
///
/// `accepted == delivered + failed + pending` always holds. Spans that were begun but not ended are not counted; the
/// provisional copy of a root that is sent when it begins is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryReport {
    /// Taken into the queue.
    pub accepted: u64,
    /// Acknowledged.
    pub delivered: u64,
    /// Given up.
    pub failed: u64,
    /// Still waiting or under way.
    pub pending: u64,
    /// Not taken into the queue.
    pub rejected: u64,
    /// Whether the flush or shutdown that made this report ran out of time.
    pub timed_out: bool,
    /// Why spans failed or still wait, last time.
    pub last_failure: Option<FailureKind>,
    /// Whether the same spans might have been delivered later.
    pub retryable: bool,
    /// Why spans were not taken, last time.
    pub last_rejection: Option<FailureKind>,
    /// Whether they might have been taken later.
    pub rejection_retryable: bool,
}

impl DeliveryReport {
    /// Whether everything that was recorded so far was delivered.
    #[must_use]
    pub const fn ok(&self) -> bool {
        !self.timed_out && self.failed == 0 && self.pending == 0 && self.rejected == 0
    }

    pub(crate) const fn disabled() -> Self {
        Self {
            accepted: 0,
            delivered: 0,
            failed: 0,
            pending: 0,
            rejected: 0,
            timed_out: false,
            last_failure: None,
            retryable: false,
            last_rejection: Some(FailureKind::Disabled),
            rejection_retryable: false,
        }
    }

    /// The counts of two exporters together.
    pub(crate) fn merge(self, other: Self) -> Self {
        let (last_failure, retryable) = match self.last_failure {
            Some(_) => (self.last_failure, self.retryable),
            None => (other.last_failure, other.retryable),
        };
        let (last_rejection, rejection_retryable) = match self.last_rejection {
            Some(_) => (self.last_rejection, self.rejection_retryable),
            None => (other.last_rejection, other.rejection_retryable),
        };
        Self {
            accepted: self.accepted + other.accepted,
            delivered: self.delivered + other.delivered,
            failed: self.failed + other.failed,
            pending: self.pending + other.pending,
            rejected: self.rejected + other.rejected,
            timed_out: self.timed_out || other.timed_out,
            last_failure,
            retryable,
            last_rejection,
            rejection_retryable,
        }
    }
}

impl fmt::Display for DeliveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, delivered, failed, pending, rejected, .. } = self;
        write!(
            f,
            "{delivered} of {accepted} spans delivered, {failed} failed, {pending} pending, {rejected} rejected"
        )?;
        match self.last_failure.or(self.last_rejection) {
            Some(kind) => write!(f, " ({kind})"),
            None => Ok(()),
        }
    }
}
