//! The [`Fixer`] plug trait.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::FixCandidate;
use crate::code::CodeSnapshot;
use crate::diagnosis::Diagnosis;
use crate::run::RunContext;
use crate::vcs::Checkout;
use crate::verify::{Reproduction, TestCommand, TestRunner};

/// What a fixer may look at: the accepted diagnosis and the code, never the raw trace.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FixRequest<'a> {
    /// The accepted diagnosis.
    pub diagnosis: &'a Diagnosis,
    /// The code at the failing commit.
    pub code: &'a CodeSnapshot,
    /// At most this many candidates. Default 2,000.
    pub max_candidates: usize,
    /// A checkout of the failing commit, for fixers that try their changes in a sandbox session over it.
    pub checkout: Option<&'a Checkout>,
    /// How the project's tests are run there.
    pub tests: Option<(&'a dyn TestRunner, &'a TestCommand)>,
    /// How the failure was made to happen again, and the tests without a change; `None` when that was not tried.
    pub reproduction: Option<&'a Reproduction>,
    /// Time until the fixer should be done, so that what it made can still be proven; `None` leaves it to its own limits.
    pub time: Option<Duration>,
}

impl<'a> FixRequest<'a> {
    /// With the default number of candidates.
    #[must_use]
    pub const fn new(diagnosis: &'a Diagnosis, code: &'a CodeSnapshot) -> Self {
        Self {
            diagnosis,
            code,
            max_candidates: 2_000,
            checkout: None,
            tests: None,
            reproduction: None,
            time: None,
        }
    }

    /// Adds a checkout of the failing commit, and how the project's tests are run there.
    #[must_use]
    pub const fn with_checkout(
        mut self,
        checkout: Option<&'a Checkout>,
        tests: Option<(&'a dyn TestRunner, &'a TestCommand)>,
    ) -> Self {
        self.checkout = checkout;
        self.tests = tests;
        self
    }

    /// Adds how the failure was made to happen again.
    #[must_use]
    pub const fn with_reproduction(mut self, reproduction: Option<&'a Reproduction>) -> Self {
        self.reproduction = reproduction;
        self
    }

    /// Sets the time until the fixer should be done.
    #[must_use]
    pub const fn with_time(mut self, time: Option<Duration>) -> Self {
        self.time = time;
        self
    }

    /// Sets the largest number of candidates.
    #[must_use]
    pub const fn with_max_candidates(mut self, max: usize) -> Self {
        self.max_candidates = max;
        self
    }
}

/// No candidates could be made. Having none to offer is not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FixError {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The place of the failure is in a language that this fixer does not know.
    #[error("{fixer} cannot change {path}: it knows {known}")]
    UnsupportedLanguage {
        /// The fixer's name.
        fixer: &'static str,
        /// The file.
        path: crate::code::RepoPath,
        /// The languages it knows.
        known: &'static str,
    },
    /// The fixer needs more than it was given, or a limit ended it before it had something to offer.
    #[error("{fixer} made no change: {reason}")]
    NothingMade {
        /// The fixer's name.
        fixer: &'static str,
        /// Why not.
        reason: String,
    },
    /// A third-party fixer failed.
    #[error("{operation} failed in fixer {provider}")]
    Backend {
        /// The fixer's name.
        provider: &'static str,
        /// What was done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl FixError {
    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Backend { .. })
    }
}

/// Proposes changes for an accepted diagnosis.
///
/// # Contract
/// Candidates come best first, each different from the others and from the code as it is. A fixer runs nothing outside
/// of a sandbox session and publishes nothing. Hints are untrusted data from a trace.
///
/// # Cancellation
/// Returns within two seconds after the context is cancelled, with [`FixError::Cancelled`].
///
/// # Errors
/// One [`FixError`].
///
/// # Implementing
/// Run `staso_core::conformance::fixer` against your fixer.
#[async_trait]
pub trait Fixer: Debug + Send + Sync + 'static {
    /// A short lasting name, recorded in the artifact.
    fn name(&self) -> &str;

    /// Makes candidates, best first.
    async fn propose(
        &self,
        request: &FixRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Vec<FixCandidate>, FixError>;
}
