//! The path of a file that a model may write.

use super::checkout_path;
use super::problem::problem;
use crate::agent::{ToolError, ToolProblemCode};
use crate::code::RepoPath;
use crate::run::RunContext;
use crate::sandbox::SandboxSession;

/// A file of the checkout outside of the host's scratch directory.
pub(super) async fn writable(
    given: &str,
    session: &dyn SandboxSession,
    ctx: &RunContext,
) -> Result<RepoPath, ToolError> {
    let path = checkout_path::file(given, session, ctx).await?;
    if path.components().next() == Some(".staso") {
        let message = format!("{path} is the host's scratch directory, no part of the repository");
        return Err(problem(ToolProblemCode::Denied, message, "name a file of the repository"));
    }
    Ok(path)
}
