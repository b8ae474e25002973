//! Making a recorded call again inside a session.

use std::time::Duration;

use serde::Deserialize;

use crate::code::RepoPath;
use crate::diagnosis::{FailureOracle, RecordedCall, redact};
use crate::id::Digest;
use crate::run::RunContext;
use crate::sandbox::{ExecOutput, ExecRequest, SandboxError, SandboxSession, SandboxSessionExt as _};

const DRIVER: &str = include_str!("driver.py");
const DRIVER_PATH: &str = ".staso/replay.py";

/// What a call did when it was made again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CallOutcome {
    /// It returned.
    Returned {
        /// The result: a string as it is, anything else as JSON, ≤ 64 Ki characters.
        text: String,
    },
    /// It raised.
    Raised {
        /// Class of the exception, without its module.
        #[serde(rename = "type")]
        kind: String,
        /// Its message.
        message: String,
    },
    /// The function is not there, or the recorded arguments do not fit it.
    Unavailable {
        /// Why.
        why: String,
    },
    /// It did not end in time.
    TimedOut,
    /// The process ended without a verdict.
    Crashed {
        /// The end of what it printed, ≤ 500 characters.
        why: String,
    },
}

/// What the outcome means for the failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallVerdict {
    /// The same failure.
    Fails,
    /// No failure.
    Passes,
    /// Neither: another failure, or the call could not be made.
    Other(String),
}

/// Puts the driver into the session. A repository whose own files are in the way is refused: nothing of it is ever run
/// in the driver's place.
pub(super) async fn install_driver(
    session: &dyn SandboxSession,
    ctx: &RunContext,
) -> Result<(), SandboxError> {
    let refused = |reason| SandboxError::InvalidRequest { operation: "place the replay driver", reason };
    let path = RepoPath::new(DRIVER_PATH).map_err(|error| refused(error.to_string()))?;
    match session.write_file(&path, DRIVER.as_bytes(), false, ctx).await {
        Err(error @ SandboxError::Denied { .. }) => {
            Err(refused(format!("{error}; the repository keeps something of its own there")))
        }
        written => written,
    }
}

/// Whether the driver knows the language of the call.
pub(super) fn is_supported(call: &RecordedCall) -> bool {
    call.path.extension() == Some("py")
}

/// The call as a person would type it.
pub(super) fn display(call: &RecordedCall) -> String {
    let arguments: Vec<_> = call.arguments.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = redact(&format!("{}:{}({})", call.path, call.function, arguments.join(", ")));
    if text.chars().count() <= 200 {
        text
    } else {
        format!("{}…", text.chars().take(199).collect::<String>())
    }
}

/// Makes the call. The verdict line carries a nonce that the called code cannot guess from the outside; code under
/// test that searches its own interpreter for it can still lie, which the documentation of the crate says.
pub(super) async fn make(
    call: &RecordedCall,
    session: &dyn SandboxSession,
    timeout: Duration,
    ctx: &RunContext,
) -> Result<CallOutcome, SandboxError> {
    let nonce = Digest::of(format!("{}{:?}{}", ctx.run_id(), ctx.elapsed(), display(call))).hex().to_owned();
    let request = serde_json::json!({
        "nonce": nonce, "path": call.path, "function": call.function, "arguments": call.arguments,
    });
    let exec = ExecRequest::new(["python3", "-B", DRIVER_PATH])
        .with_stdin(request.to_string())
        .with_timeout(timeout);
    let output = session.run(&exec, ctx).await?;
    Ok(read_outcome(&output, &nonce))
}

fn read_outcome(output: &ExecOutput, nonce: &str) -> CallOutcome {
    if output.exit.timed_out {
        return CallOutcome::TimedOut;
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let verdict = stdout
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(nonce))
        .and_then(|json| serde_json::from_str(json).ok());
    verdict.unwrap_or_else(|| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let tail: String = stderr.chars().rev().take(500).collect::<Vec<_>>().into_iter().rev().collect();
        CallOutcome::Crashed { why: if output.exit.oom { "out of memory".to_owned() } else { tail } }
    })
}

/// Holds the outcome against what the trace recorded. `primary` calls show the failure itself; the calls around them
/// raise what the trace recorded for them.
pub(super) fn judge(outcome: &CallOutcome, oracle: &FailureOracle, call: &RecordedCall) -> CallVerdict {
    match (outcome, oracle) {
        (CallOutcome::Returned { text }, FailureOracle::Unfilled { placeholder, .. })
            if text.contains(placeholder) =>
        {
            CallVerdict::Fails
        }
        (CallOutcome::Returned { .. }, _) => CallVerdict::Passes,
        (
            CallOutcome::Raised { kind, message },
            FailureOracle::Raises { exception, message_contains, .. },
        ) if kind == exception && message_contains.as_ref().is_none_or(|part| message.contains(part)) => {
            CallVerdict::Fails
        }
        (CallOutcome::Raised { kind, .. }, _) if call.raised.as_ref() == Some(kind) => CallVerdict::Fails,
        (CallOutcome::Raised { kind, message }, _) => {
            CallVerdict::Other(format!("raises {kind}: {}", brief(message)))
        }
        (CallOutcome::Unavailable { why }, _) => {
            CallVerdict::Other(format!("cannot be called: {}", brief(why)))
        }
        (CallOutcome::TimedOut, _) => CallVerdict::Other("does not end in time".to_owned()),
        (CallOutcome::Crashed { why }, _) => {
            CallVerdict::Other(format!("ends without a verdict: {}", brief(why)))
        }
    }
}

/// The beginning of what executed code said, on one line and without credentials.
pub(super) fn brief(text: &str) -> String {
    redact(text).chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}
