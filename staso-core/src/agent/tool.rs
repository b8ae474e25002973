//! The [`Tool`] plug trait.

use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Shown, canonical, sorted};
use crate::run::RunContext;
use crate::sandbox::{SandboxError, SandboxSession};

/// What a model is told of a tool.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolSpec {
    /// Its name: letters, digits and `_`.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// The JSON schema of its arguments, an object.
    pub parameters: Value,
}

impl ToolSpec {
    /// A tool whose arguments are those of a type. The type should refuse unknown fields, so that the schema says so.
    pub fn of<A: JsonSchema>(name: impl Into<String>, description: impl Into<String>) -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        });
        let mut parameters = settings.into_generator().into_root_schema_for::<A>().to_value();
        if let Some(object) = parameters.as_object_mut() {
            object.remove("title");
            object.entry("properties").or_insert_with(|| serde_json::json!({}));
        }
        Self { name: name.into(), description: description.into(), parameters: sorted(&parameters) }
    }

    /// The length of its JSON, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.name.len() + self.description.len() + self.parameters.to_string().len()
    }

    /// Reads the arguments of a call.
    ///
    /// # Errors
    /// A problem that names the field at fault and repeats the schema, for the model.
    pub fn arguments<A: DeserializeOwned>(&self, arguments: Value) -> Result<A, ToolProblem> {
        let problem = |what: String| {
            ToolProblem::new(ToolProblemCode::BadArgs, what)
                .with_hint(format!("the arguments of {} follow this schema: {}", self.name, self.parameters))
        };
        if !arguments.is_object() {
            return Err(problem("invalid type: the arguments are no JSON object".to_owned()));
        }
        serde_path_to_error::deserialize(arguments).map_err(|error| {
            let path = error.path().to_string();
            let at = if path == "." { String::new() } else { format!("at {path}: ") };
            problem(format!("{at}{}", error.into_inner()))
        })
    }
}

/// A tool that an agent may use.
///
/// # Contract
/// Arguments come from a model: they are untrusted. A tool does what it does inside the session of its scope; one that
/// acts elsewhere answers for it. Answers are bounded: the loop cuts what is longer than 16 KiB. A tool has no way to
/// publish anything and sees no credential.
///
/// # Cancellation
/// Returns within two seconds after the context is cancelled.
///
/// # Errors
/// [`ToolError::Problem`] is read by the model, which may try again; everything else ends the agent.
#[async_trait]
pub trait Tool: Debug + Send + Sync {
    /// What the model is told of it.
    fn spec(&self) -> &ToolSpec;

    /// Carries out one call.
    async fn call(
        &self,
        arguments: Value,
        scope: &ToolScope<'_>,
        ctx: &RunContext,
    ) -> Result<ToolReply, ToolError>;
}

/// What a tool call may use.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ToolScope<'a> {
    /// The sandbox; `None` for agents that have none.
    pub session: Option<&'a dyn SandboxSession>,
    /// How the model names this call: `t1`, `t2` …
    pub label: &'a str,
    /// The reply that asks for it, from 1: calls of one reply were all written before any of them was answered. Default 0.
    pub turn: u64,
    /// Everything that the model was shown before this call.
    pub shown: &'a Shown,
    /// Time left for tools of this agent.
    pub time_left: Duration,
}

impl<'a> ToolScope<'a> {
    /// A call without a sandbox.
    #[must_use]
    pub const fn new(label: &'a str, shown: &'a Shown, time_left: Duration) -> Self {
        Self { session: None, label, turn: 0, shown, time_left }
    }

    /// Sets the reply that asks for the call.
    #[must_use]
    pub const fn with_turn(mut self, turn: u64) -> Self {
        self.turn = turn;
        self
    }

    /// Adds the sandbox.
    #[must_use]
    pub const fn with_session(mut self, session: Option<&'a dyn SandboxSession>) -> Self {
        self.session = session;
        self
    }

    /// The sandbox.
    ///
    /// # Errors
    /// A problem for the model when this agent has none.
    pub fn session(&self) -> Result<&'a dyn SandboxSession, ToolError> {
        self.session.ok_or_else(|| {
            ToolProblem::new(ToolProblemCode::Denied, "there is no sandbox in this run")
                .with_hint("work with what you were shown, then submit")
                .into()
        })
    }
}

/// What a tool answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolReply {
    /// Text for the model.
    Text(String),
    /// The agent's work is accepted: the loop ends.
    Accepted(String),
}

/// A problem that the model reads and may do something about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolProblem {
    /// What kind of problem.
    pub code: ToolProblemCode,
    /// What is wrong.
    pub message: String,
    /// What to do instead.
    pub hint: String,
}

impl ToolProblem {
    /// Without a hint.
    pub fn new(code: ToolProblemCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: String::new() }
    }

    /// Sets what to do instead.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// As the model reads it: `{"error": {"code", "message", "hint"}}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        canonical(&serde_json::json!({ "error": self }))
    }
}

impl fmt::Display for ToolProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ToolProblem {}

/// Kinds of problems that a model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolProblemCode {
    /// What was looked for is not there.
    NoMatch,
    /// What was looked for is there more than once.
    Ambiguous,
    /// It took too long.
    Timeout,
    /// It is not allowed.
    Denied,
    /// The arguments do not fit.
    BadArgs,
    /// It is more than a limit allows.
    TooLarge,
    /// The same call was made before with the same result.
    Repeated,
    /// There is no such tool.
    UnknownTool,
}

/// A tool did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// The model reads it and may try again.
    #[error("{0}")]
    Problem(#[from] ToolProblem),
    /// The sandbox failed. Problems with a single file or command are turned into [`Problem`](Self::Problem) by the loop.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}
