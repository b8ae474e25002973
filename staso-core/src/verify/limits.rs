//! How long proof may take.

use std::time::Duration;

/// Upper bounds for proving a fix.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyLimits {
    /// One recorded call made again. Default 20 s.
    pub call_timeout: Duration,
    /// One run of the project's tests. Default 120 s.
    pub test_timeout: Duration,
    /// All candidates together. Default 240 s.
    pub trials_timeout: Duration,
    /// Candidates tried at most. Default 2,000.
    pub max_trials: usize,
    /// Candidates tried at a time, each in a session of its own. Default 2.
    pub parallel_trials: usize,
}

impl Default for VerifyLimits {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(20),
            test_timeout: Duration::from_secs(120),
            trials_timeout: Duration::from_secs(240),
            max_trials: 2_000,
            parallel_trials: 2,
        }
    }
}

impl VerifyLimits {
    /// Sets the time for one recorded call.
    #[must_use]
    pub const fn with_call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Sets the time for one run of the tests.
    #[must_use]
    pub const fn with_test_timeout(mut self, timeout: Duration) -> Self {
        self.test_timeout = timeout;
        self
    }

    /// Sets the time for all candidates together.
    #[must_use]
    pub const fn with_trials_timeout(mut self, timeout: Duration) -> Self {
        self.trials_timeout = timeout;
        self
    }

    /// Sets how many candidates are tried at a time.
    #[must_use]
    pub const fn with_parallel_trials(mut self, trials: usize) -> Self {
        self.parallel_trials = trials;
        self
    }

    /// The time for a call of a candidate, when the same call took `seen` without the change: room for a slow machine,
    /// but an endless loop does not cost the whole limit.
    pub(crate) fn trial_call_timeout(&self, seen: Duration) -> Duration {
        (seen * 10).max(Duration::from_secs(3)).min(self.call_timeout)
    }

    /// The same for the tests.
    pub(crate) fn trial_test_timeout(&self, seen: Duration) -> Duration {
        (seen * 4).max(Duration::from_secs(10)).min(self.test_timeout)
    }
}
