//! Paths as models write them, and what goes wrong with the files there.

use crate::agent::{ToolError, ToolProblem, ToolProblemCode};
use crate::code::RepoPath;
use crate::sandbox::SandboxError;

/// Reads a path that a model wrote.
pub(super) fn repo_path(text: &str) -> Result<RepoPath, ToolProblem> {
    let mut text = text.trim();
    while let Some(rest) = text.strip_prefix("./") {
        text = rest;
    }
    let path = RepoPath::new(text).map_err(|error| {
        ToolProblem::new(ToolProblemCode::BadArgs, error.to_string())
            .with_hint("give a path relative to the root of the checkout, like src/app.py")
    })?;
    if path.components().next() == Some(".staso") {
        let message = format!("{path} is the host's scratch directory, no part of the repository");
        return Err(ToolProblem::new(ToolProblemCode::Denied, message));
    }
    Ok(path)
}

/// What a model reads when a file cannot be used.
pub(super) fn file_problem(error: SandboxError) -> ToolError {
    let code = match &error {
        SandboxError::NotFound { .. } => ToolProblemCode::NoMatch,
        SandboxError::Denied { .. } | SandboxError::InvalidRequest { .. } => ToolProblemCode::Denied,
        SandboxError::TooLarge { .. } => ToolProblemCode::TooLarge,
        SandboxError::Cancelled => return ToolError::Cancelled,
        _ => return error.into(),
    };
    let hint = if code == ToolProblemCode::NoMatch {
        "look for it with list_files or search_code; write_file makes new files"
    } else {
        ""
    };
    ToolProblem::new(code, error.to_string()).with_hint(hint).into()
}
