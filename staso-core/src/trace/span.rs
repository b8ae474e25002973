//! One step of an agent run.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Captured, Timestamp};
use crate::agent::sorted;
use crate::id::SpanId;

/// One step: an agent turn, a model call, a tool call or anything in between.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// The span's id, unique within its trace.
    pub span_id: SpanId,
    /// The enclosing step; `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// What the instrumentation called the step.
    pub name: String,
    /// What kind of step it was.
    pub kind: SpanKind,
    /// When it began.
    pub start: Timestamp,
    /// How long it took, in nanoseconds; `None` when it never ended.
    pub duration_ns: Option<u64>,
    /// How it ended.
    pub status: SpanStatus,
    /// The agent that made the step.
    pub agent: AgentInfo,
    /// The model call, for [`SpanKind::Llm`] and embeddings.
    pub model: Option<ModelInfo>,
    /// The tool call, for [`SpanKind::Tool`].
    pub tool: Option<ToolInfo>,
    /// What went in: messages, arguments, a query.
    pub input: Captured<Payload>,
    /// What came out.
    pub output: Captured<Payload>,
    /// The error that ended the step.
    pub error: Option<SpanError>,
    /// The code that made the step.
    pub code: Option<CodePlace>,
    /// Everything that no other field holds, as sent.
    pub attributes: BTreeMap<String, Value>,
}

impl Span {
    /// A span with only its identity, kind and start; everything else is absent.
    pub fn new(span_id: SpanId, name: impl Into<String>, kind: SpanKind, start: Timestamp) -> Self {
        Self {
            span_id,
            parent_span_id: None,
            name: name.into(),
            kind,
            start,
            duration_ns: None,
            status: SpanStatus::Ok,
            agent: AgentInfo::default(),
            model: None,
            tool: None,
            input: Captured::Absent,
            output: Captured::Absent,
            error: None,
            code: None,
            attributes: BTreeMap::new(),
        }
    }

    /// When the step ended; its start when it never did.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.start.saturating_add(Duration::from_nanos(self.duration_ns.unwrap_or(0)))
    }

    /// Whether the step failed or timed out.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        !matches!(self.status, SpanStatus::Ok)
    }

    /// A text attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).and_then(Value::as_str)
    }

    /// The name of the tool, for tool steps: the recorded tool name, else the span's name.
    #[must_use]
    pub fn tool_name(&self) -> Option<&str> {
        match (&self.tool, self.kind) {
            (Some(ToolInfo { name: Some(name), .. }), _) => Some(name),
            (_, SpanKind::Tool) => Some(&self.name),
            _ => None,
        }
    }
}

/// What kind of step a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SpanKind {
    /// A model call.
    Llm,
    /// A tool call.
    Tool,
    /// A fixed sequence of steps.
    Chain,
    /// A search in documents or memory.
    Retriever,
    /// A turn of an agent.
    Agent,
    /// An embedding call.
    Embedding,
    /// The decision of a guard rule.
    Guard,
    /// Anything else.
    Custom,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpanStatus {
    /// It returned.
    Ok,
    /// It failed.
    Error,
    /// It ran out of time.
    Timeout,
}

/// Which agent made a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentInfo {
    /// The agent's name.
    pub name: Option<String>,
    /// The agent's id.
    pub id: Option<String>,
    /// The agent's version.
    pub version: Option<String>,
}

/// A model call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelInfo {
    /// Who serves the model, e.g. `openai`.
    pub provider: Option<String>,
    /// The model that was asked for.
    pub requested: Option<String>,
    /// The model that answered.
    pub answered: Option<String>,
    /// Tokens; `None` when unknown, which is not zero.
    pub usage: Option<Usage>,
    /// Why the model stopped, as the provider calls it, e.g. `length`.
    pub finish_reasons: Vec<String>,
    /// The largest number of output tokens that the request allowed.
    pub max_output_tokens: Option<u64>,
    /// The tools offered to the model, as JSON text: a list of definitions in the provider's form.
    pub tool_definitions: Captured<Payload>,
}

/// Tokens of one model call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
}

/// A tool call. Its arguments are the span's input, its result the span's output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolInfo {
    /// The tool's name.
    pub name: Option<String>,
    /// The id that joins the call with the model's request.
    pub call_id: Option<String>,
}

/// The error that ended a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpanError {
    /// The class or code, e.g. `KeyError`.
    pub kind: Option<String>,
    /// The message.
    pub message: Captured<String>,
    /// The stack trace, as the language prints it.
    pub stack: Captured<String>,
}

/// A place in code, as the recorder names it: the path may be absolute and of another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodePlace {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The function, qualified by its class where there is one.
    pub function: Option<String>,
}

/// Text that is usually JSON, kept as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Payload(String);

impl Payload {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text parsed as JSON, keys sorted; `None` when it is not JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.0).ok().map(|value| sorted(&value))
    }
}

impl AsRef<str> for Payload {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}
