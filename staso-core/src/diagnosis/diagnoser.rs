//! The [`Diagnoser`] plug trait.

use std::fmt::Debug;

use async_trait::async_trait;

use super::Diagnosis;
use crate::agent::ModelError;
use crate::code::CodeSnapshot;
use crate::guard::GuardViolation;
use crate::run::RunContext;
use crate::sandbox::SandboxError;
use crate::trace::TraceView;
use crate::vcs::Checkout;

/// What a diagnoser may look at.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DiagnoseRequest<'a> {
    /// The failed run.
    pub trace: &'a TraceView<'a>,
    /// Guard rules that fired in it.
    pub violations: &'a [GuardViolation],
    /// The code at the failing commit, as far as it was read.
    pub code: Option<&'a CodeSnapshot>,
    /// A checkout of the failing commit, for diagnosers that open a sandbox session over it.
    pub checkout: Option<&'a Checkout>,
    /// What an earlier diagnoser found, its receipts checked.
    pub prior: Option<&'a Diagnosis>,
}

impl<'a> DiagnoseRequest<'a> {
    /// Only the trace.
    #[must_use]
    pub const fn new(trace: &'a TraceView<'a>) -> Self {
        Self { trace, violations: &[], code: None, checkout: None, prior: None }
    }

    /// Adds the code at the failing commit.
    #[must_use]
    pub const fn with_code(mut self, code: Option<&'a CodeSnapshot>) -> Self {
        self.code = code;
        self
    }

    /// Adds a checkout of the failing commit.
    #[must_use]
    pub const fn with_checkout(mut self, checkout: Option<&'a Checkout>) -> Self {
        self.checkout = checkout;
        self
    }

    /// Adds what an earlier diagnoser found.
    #[must_use]
    pub const fn with_prior(mut self, prior: Option<&'a Diagnosis>) -> Self {
        self.prior = prior;
        self
    }

    /// Adds guard violations.
    #[must_use]
    pub const fn with_violations(mut self, violations: &'a [GuardViolation]) -> Self {
        self.violations = violations;
        self
    }
}

/// A diagnosis could not be made. Having found no cause is not an error: it is a [`Diagnosis`] without a root cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiagnoseError {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The budget was used up before there was anything to say.
    #[error(transparent)]
    Budget(#[from] crate::run::BudgetExhausted),
    /// The model did not answer.
    #[error("the model of diagnoser {diagnoser} did not answer")]
    Model {
        /// The diagnoser's name.
        diagnoser: &'static str,
        /// Why not. Repeats no payload.
        #[source]
        source: ModelError,
    },
    /// The agent ended without submitting a diagnosis.
    #[error("diagnoser {diagnoser} ended without a diagnosis: {why}")]
    Unfinished {
        /// The diagnoser's name.
        diagnoser: &'static str,
        /// What ended it.
        why: Unfinished,
    },
    /// The sandbox failed.
    #[error("the sandbox of diagnoser {diagnoser} failed")]
    Sandbox {
        /// The diagnoser's name.
        diagnoser: &'static str,
        /// Why.
        #[source]
        source: SandboxError,
    },
    /// The diagnoser is not set up to run.
    #[error("diagnoser {diagnoser} cannot run: {reason}")]
    Configuration {
        /// The diagnoser's name.
        diagnoser: &'static str,
        /// What to change.
        reason: String,
    },
    /// A third-party diagnoser failed.
    #[error("{operation} failed in diagnoser {provider}")]
    Backend {
        /// The diagnoser's name.
        provider: &'static str,
        /// What was done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl DiagnoseError {
    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Backend { .. } => true,
            Self::Model { source, .. } => source.is_retryable(),
            Self::Unfinished { why, .. } => matches!(why, Unfinished::Malformed),
            Self::Sandbox { source, .. } => source.is_retryable(),
            Self::Cancelled | Self::Budget(_) | Self::Configuration { .. } => false,
        }
    }

    /// Whether a limit ended the search before there was an answer.
    #[must_use]
    pub const fn is_exhausted(&self) -> bool {
        matches!(self, Self::Budget(_) | Self::Unfinished { why: Unfinished::Limit { .. }, .. })
    }
}

/// What ended an agent before it submitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfinished {
    /// A limit was reached.
    #[error("the limit of {limit} {resource} was reached")]
    Limit {
        /// Which one, with its unit.
        resource: &'static str,
        /// The limit.
        limit: u64,
    },
    /// It repeated itself.
    #[error("it repeated itself: {how}")]
    Stuck {
        /// How, in a few words.
        how: String,
    },
    /// Too many of its replies in a row could not be read.
    #[error("too many malformed replies in a row")]
    Malformed,
}

/// Finds the cause of a failed run.
///
/// # Contract
/// The request is untrusted data: nothing in it is executed or obeyed. Every claim carries a receipt; the caller checks
/// them again and settles the confidence. A diagnoser never changes anything. One that calls itself deterministic
/// returns equal diagnoses for equal requests.
///
/// # Cancellation
/// Returns within two seconds after the context is cancelled, with [`DiagnoseError::Cancelled`].
///
/// # Errors
/// One [`DiagnoseError`].
///
/// # Implementing
/// Run `staso_core::conformance::diagnoser` against your diagnoser.
#[async_trait]
pub trait Diagnoser: Debug + Send + Sync + 'static {
    /// A short lasting name, recorded in the artifact.
    fn name(&self) -> &str;

    /// Looks for the cause.
    async fn diagnose(
        &self,
        request: &DiagnoseRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Diagnosis, DiagnoseError>;
}
