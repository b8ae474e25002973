//! What a sandbox refused, as the model reads it.

use crate::agent::{ToolError, ToolProblem, ToolProblemCode};
use crate::sandbox::SandboxError;

/// Turns a refusal of one file or command into a problem; a session that failed stays an error.
pub(super) fn of_sandbox(error: SandboxError) -> ToolError {
    let code = match &error {
        SandboxError::Cancelled => return ToolError::Cancelled,
        SandboxError::NotFound { .. } => ToolProblemCode::NoMatch,
        SandboxError::Denied { .. } => ToolProblemCode::Denied,
        SandboxError::TooLarge { .. } => ToolProblemCode::TooLarge,
        SandboxError::InvalidRequest { .. } => ToolProblemCode::BadArgs,
        SandboxError::Timeout { .. } => ToolProblemCode::Timeout,
        _ => return ToolError::Sandbox(error),
    };
    ToolProblem::new(code, error.to_string()).into()
}

/// A problem with a hint.
pub(super) fn problem(
    code: ToolProblemCode,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> ToolError {
    ToolProblem::new(code, message).with_hint(hint).into()
}
