//! What the host asks for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::id::{TraceId, WorkspaceId};
use crate::run::{Budget, EventSink, Redirections};
use crate::trace::RepositoryUrl;
use crate::verify::TestCommand;

/// How far a run may go. An upper bound: the policy may stop earlier, never later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoppingPoint {
    /// Find the cause.
    Diagnose,
    /// Also write a change, without running anything.
    Propose,
    /// Also prove it in a sandbox.
    Verify,
    /// Also publish it.
    Publish,
}

impl FromStr for StoppingPoint {
    type Err = UnknownStoppingPoint;
    fn from_str(s: &str) -> Result<Self, UnknownStoppingPoint> {
        match s {
            "diagnose" => Ok(Self::Diagnose),
            "propose" => Ok(Self::Propose),
            "verify" => Ok(Self::Verify),
            "publish" => Ok(Self::Publish),
            _ => Err(UnknownStoppingPoint { given: s.chars().take(64).collect() }),
        }
    }
}

impl fmt::Display for StoppingPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Diagnose => "diagnose",
            Self::Propose => "propose",
            Self::Verify => "verify",
            Self::Publish => "publish",
        })
    }
}

/// The text names no stopping point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is no stopping point; use diagnose, propose, verify or publish")]
pub struct UnknownStoppingPoint {
    given: String,
}

/// One failed run to heal.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HealRequest {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The failed run.
    pub trace_id: TraceId,
    /// How far to go. Default [`StoppingPoint::Publish`].
    pub until: StoppingPoint,
    /// The repository, when the trace names none or another spelling. Default: the one the trace names.
    pub repository: Option<RepositoryUrl>,
    /// The project's test command. Default: found in the repository.
    pub test_command: Option<TestCommand>,
    /// What the run may use.
    pub budget: Budget,
    /// Where events go, beside the handle.
    pub sinks: Vec<Arc<dyn EventSink>>,
    /// Ends the run from outside. Default: a token of the run's own.
    pub cancellation: CancellationToken,
    /// What the host says to agents while they work.
    pub redirections: Redirections,
}

impl HealRequest {
    /// Goes as far as publishing, with the default budget.
    #[must_use]
    pub fn new(workspace: WorkspaceId, trace_id: TraceId) -> Self {
        Self {
            workspace,
            trace_id,
            until: StoppingPoint::Publish,
            repository: None,
            test_command: None,
            budget: Budget::default(),
            sinks: Vec::new(),
            cancellation: CancellationToken::new(),
            redirections: Redirections::default(),
        }
    }

    /// Sets how far to go.
    #[must_use]
    pub const fn until(mut self, until: StoppingPoint) -> Self {
        self.until = until;
        self
    }

    /// Sets the repository.
    #[must_use]
    pub fn with_repository(mut self, url: RepositoryUrl) -> Self {
        self.repository = Some(url);
        self
    }

    /// Sets the test command.
    #[must_use]
    pub fn with_test_command(mut self, command: TestCommand) -> Self {
        self.test_command = Some(command);
        self
    }

    /// Sets what the run may use.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Adds a place for events.
    #[must_use]
    pub fn with_sink(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Makes the run end when `token` is cancelled.
    #[must_use]
    pub fn with_cancellation(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }
}
