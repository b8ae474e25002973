//! Opening a session, to see what it gives.

use std::path::Path;

use serde::Serialize;
use staso_core::run::RunContext;
use staso_core::sandbox::{
    ExecRequest, Isolation, IsolationTier, Sandbox, SandboxError, SandboxSessionExt as _, SandboxSpec,
};

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// The backend.
    pub backend: &'static str,
    /// The weakest tier that the session might have.
    pub wanted: IsolationTier,
    /// What came of it.
    pub result: State,
}

/// What came of opening a session and running a command in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// The command ran, confined like this.
    Works {
        /// What confined it.
        isolation: Isolation,
    },
    /// There is no such session here.
    Refused {
        /// What was refused.
        reason: String,
        /// What the backend advises.
        remedy: Option<String>,
    },
    /// Nobody said enough to try it.
    NotTried {
        /// What to say.
        how: String,
    },
}

impl Probe {
    /// A session that was not tried, and how it would be.
    #[must_use]
    pub fn not_tried(backend: &'static str, wanted: IsolationTier, how: &str) -> Self {
        Self { backend, wanted, result: State::NotTried { how: how.to_owned() } }
    }
}

/// Opens a session over `checkout` that accepts `wanted` at the weakest, runs `true` in it, and closes it.
pub async fn probe(
    backend: &'static str,
    sandbox: &dyn Sandbox,
    wanted: IsolationTier,
    checkout: &Path,
    ctx: &RunContext,
) -> Probe {
    let result = match attempt(sandbox, wanted, checkout, ctx).await {
        Ok(isolation) => State::Works { isolation },
        Err(SandboxError::Unavailable { reason, remedy, .. }) => {
            State::Refused { reason, remedy: Some(remedy) }
        }
        Err(error) => State::Refused { reason: with_causes(&error), remedy: None },
    };
    Probe { backend, wanted, result }
}

async fn attempt(
    sandbox: &dyn Sandbox,
    wanted: IsolationTier,
    checkout: &Path,
    ctx: &RunContext,
) -> Result<Isolation, SandboxError> {
    let session = sandbox.open(&SandboxSpec::new(checkout).with_min_tier(wanted), ctx).await?;
    let output = session.run(&ExecRequest::new(["true"]), ctx).await?;
    let isolation = session.isolation().clone();
    session.close().await?;
    if output.exit.success() {
        return Ok(isolation);
    }
    Err(SandboxError::InvalidRequest {
        operation: "run `true` in a session",
        reason: format!("it ended with {:?}", output.exit),
    })
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
