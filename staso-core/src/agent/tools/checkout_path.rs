//! The path that a model names, as a path of the checkout.

use std::time::Duration;

use super::problem::{of_sandbox, problem};
use crate::agent::{ToolError, ToolProblemCode};
use crate::code::RepoPath;
use crate::run::RunContext;
use crate::sandbox::{ExecRequest, SandboxError, SandboxSession, SandboxSessionExt as _};

/// How long the session may take to say where its checkout is.
const ROOT_LIMIT: Duration = Duration::from_secs(5);

/// Reads a path: relative to the checkout, or absolute as the session sees it. `None` is the checkout itself. `..` is
/// resolved by text, which is exact because no tool follows links.
pub(super) async fn place(
    given: &str,
    session: &dyn SandboxSession,
    ctx: &RunContext,
) -> Result<Option<RepoPath>, ToolError> {
    if !given.starts_with('/') {
        return relative(given, given);
    }
    let root = root(session, ctx).await?;
    let rest = root.as_deref().and_then(|root| given.strip_prefix(root));
    match rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        Some(rest) => relative(rest, given),
        None => Err(outside(given)),
    }
}

/// As [`place`], for a file.
pub(super) async fn file(
    given: &str,
    session: &dyn SandboxSession,
    ctx: &RunContext,
) -> Result<RepoPath, ToolError> {
    let not_a_file =
        || problem(ToolProblemCode::BadArgs, format!("{given:?} is a directory"), "list it with list_files");
    place(given, session, ctx).await?.ok_or_else(not_a_file)
}

/// Where the session says that its checkout is. A lie only names another path of the checkout.
async fn root(session: &dyn SandboxSession, ctx: &RunContext) -> Result<Option<String>, ToolError> {
    let request = ExecRequest::new(["pwd"]).with_timeout(ROOT_LIMIT);
    let output = match session.run(&request, ctx).await {
        Ok(output) => output,
        // A session without such a program does not say.
        Err(SandboxError::InvalidRequest { .. }) => return Ok(None),
        Err(error) => return Err(of_sandbox(error)),
    };
    let text = String::from_utf8(output.stdout).unwrap_or_default();
    let root = text.trim_end_matches('\n').trim_end_matches('/');
    Ok((output.exit.success() && root.starts_with('/')).then(|| root.to_owned()))
}

fn relative(path: &str, given: &str) -> Result<Option<RepoPath>, ToolError> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err(outside(given));
                }
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return Ok(None);
    }
    let path = parts.join("/");
    RepoPath::new(&path).map(Some).map_err(|error| {
        let denied = RepoPath::is_of_git(&path);
        let code = if denied { ToolProblemCode::Denied } else { ToolProblemCode::BadArgs };
        problem(code, error.to_string(), "name a file of the checkout, e.g. src/app.py")
    })
}

fn outside(given: &str) -> ToolError {
    let shown: String = given.chars().take(256).collect();
    let message = format!("{shown:?} is outside of the checkout");
    problem(ToolProblemCode::Denied, message, "paths are relative to the root of the checkout")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_leads_out_of_the_checkout(text in r"(\.\.|\.|a|b|\.git|/|\\|\n| ){0,12}") {
            if let Ok(Some(path)) = relative(&text, &text) {
                prop_assert!(path.components().all(|part| part != ".." && part != "." && !part.is_empty()));
            }
        }

        #[test]
        fn a_usual_path_stays_as_it_is(parts in proptest::collection::vec("[a-z_]{1,8}", 1..6)) {
            let text = parts.join("/");
            let path = relative(&format!("./{text}/"), "").unwrap();
            prop_assert_eq!(path.as_ref().map(RepoPath::as_str), Some(text.as_str()));
        }
    }

    #[test]
    fn parents_are_resolved_by_text() {
        let path = |text| relative(text, text).map(|path| path.map(String::from));
        assert_eq!(path("a/../b//c/.").unwrap().as_deref(), Some("b/c"));
        assert_eq!(path("a/..").unwrap(), None);
        assert!(path("a/../../b").is_err());
    }
}
