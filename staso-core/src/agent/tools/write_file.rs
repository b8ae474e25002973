//! [`WriteFile`].

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::WrittenFiles;
use super::problem::of_sandbox;
use super::writable_path::writable;
use crate::agent::{Tool, ToolError, ToolProblem, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
use crate::fix::edit::new_syntax_error;
use crate::run::RunContext;
use crate::sandbox::SandboxError;

/// Makes a new text file, or writes one anew that it made itself. Any other existing file is refused, and so is a file
/// with a syntax error. New files are never executable.
#[derive(Debug)]
pub struct WriteFile {
    spec: ToolSpec,
    edited: WrittenFiles,
    made: WrittenFiles,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The new file, relative to the root of the checkout. Its directories are made.
    path: String,
    /// Its whole content.
    content: String,
}

const DESCRIPTION: &str =
    "Makes a new text file of at most 64 KB, e.g. a test. To change a file that exists, use edit_file.";

impl WriteFile {
    /// Longest file, in bytes.
    pub const MAX_BYTES: usize = 64 << 10;

    /// Notes in `written` what it writes.
    #[must_use]
    pub fn new(written: WrittenFiles) -> Self {
        let spec = ToolSpec::of::<Arguments>("write_file", DESCRIPTION);
        Self { spec, edited: written, made: WrittenFiles::default() }
    }
}

#[async_trait]
impl Tool for WriteFile {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(
        &self,
        arguments: Value,
        scope: &ToolScope<'_>,
        ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        let arguments: Arguments = self.spec.arguments(arguments)?;
        if arguments.content.len() > Self::MAX_BYTES {
            let message = format!("a new file has at most {} bytes", Self::MAX_BYTES);
            return Err(ToolProblem::new(ToolProblemCode::TooLarge, message).into());
        }
        let session = scope.session()?;
        let path = writable(&arguments.path, session, ctx).await?;
        let exists = match session.read_file(&path, 1, ctx).await {
            Ok(_) | Err(SandboxError::TooLarge { .. }) => true,
            Err(SandboxError::NotFound { .. }) => false,
            Err(error) => return Err(of_sandbox(error)),
        };
        if exists && !self.made.contains(&path) {
            let problem = ToolProblem::new(ToolProblemCode::Denied, format!("{path} exists already"));
            return Err(problem.with_hint("change it with edit_file").into());
        }
        if let Some(line) = new_syntax_error(&path, None, &arguments.content, ctx) {
            let message = format!("the file was not written: it would have a syntax error at line {line}");
            return Err(ToolProblem::new(ToolProblemCode::Denied, message).into());
        }
        session.write_file(&path, arguments.content.as_bytes(), false, ctx).await.map_err(of_sandbox)?;
        self.edited.add(path.clone());
        self.made.add(path.clone());
        Ok(ToolReply::Text(format!("wrote {path}: {} lines", arguments.content.lines().count())))
    }
}
