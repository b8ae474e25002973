//! The normalisation table: which attribute of which convention fills which field.
//!
//! Each list is tried from left to right and the first non-empty value wins. The conventions are those of
//! OpenTelemetry GenAI, OpenInference, OpenLLMetry, the staso SDK, Langfuse and LangSmith.

use serde_json::Value;

pub(super) const OPERATION: &[&str] = &[
    "gen_ai.operation.name",
    "openinference.span.kind",
    "traceloop.span.kind",
    "llm.request.type",
    "langfuse.observation.type",
    "langsmith.span.kind",
];
pub(super) const NAME: &[&str] = &["traceloop.entity.name", "langfuse.trace.name", "langsmith.trace.name"];
pub(super) const ERROR_KIND: &[&str] = &["exception.type", "error.type"];
pub(super) const ERROR_MESSAGE: &[&str] =
    &["exception.message", "error.message", "langfuse.observation.status_message"];
pub(super) const ERROR_STACK: &[&str] = &["exception.stacktrace"];
pub(super) const AGENT_NAME: &[&str] = &["gen_ai.agent.name", "agent.name", "traceloop.workflow.name"];
pub(super) const OWN_AGENT_NAME: &[&str] =
    &["gen_ai.agent.name", "agent.name", "traceloop.entity.name", "traceloop.workflow.name"];
pub(super) const AGENT_ID: &[&str] = &["gen_ai.agent.id"];
pub(super) const AGENT_VERSION: &[&str] = &["gen_ai.agent.version"];
pub(super) const SESSION: &[&str] = &[
    "gen_ai.conversation.id",
    "session.id",
    "traceloop.association.properties.session_id",
    "langfuse.session.id",
    "langsmith.trace.session_id",
];
pub(super) const PROVIDER: &[&str] = &["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"];
pub(super) const MODEL_REQUESTED: &[&str] = &["gen_ai.request.model", "llm.request.model_name"];
pub(super) const MODEL_ANSWERED: &[&str] = &[
    "gen_ai.response.model",
    "llm.response.model_name",
    "llm.model_name",
    "langfuse.observation.model.name",
    "ls_model_name",
];
pub(super) const INPUT_TOKENS: &[&str] =
    &["gen_ai.usage.input_tokens", "llm.token_count.prompt", "gen_ai.usage.prompt_tokens"];
pub(super) const OUTPUT_TOKENS: &[&str] =
    &["gen_ai.usage.output_tokens", "llm.token_count.completion", "gen_ai.usage.completion_tokens"];
pub(super) const USAGE_DETAILS: &[&str] = &["langfuse.observation.usage_details"];
pub(super) const FINISH_REASONS: &[&str] = &[
    "gen_ai.response.finish_reasons",
    "llm.response.finish_reason",
    "finish_reasons",
    "finish_reason",
    "stop_reason",
];
pub(super) const MAX_OUTPUT_TOKENS: &[&str] = &["gen_ai.request.max_tokens", "max_tokens"];
pub(super) const TOOL_NAME: &[&str] = &["gen_ai.tool.name", "tool.name", "tool_name"];
pub(super) const TOOL_CALL_ID: &[&str] = &["gen_ai.tool.call.id", "tool.id", "tool_call_id"];
pub(super) const TOOL_DEFINITIONS: &[&str] =
    &["gen_ai.tool.definitions", "llm.tools.#", "llm.request.functions.#"];
pub(super) const CODE_PATH: &[&str] = &["code.file.path", "code.filepath"];
pub(super) const CODE_LINE: &[&str] = &["code.line.number", "code.lineno"];
pub(super) const CODE_FUNCTION: &[&str] = &["code.function.name", "code.function"];
pub(super) const COMMIT: &[&str] = &[
    "vcs.ref.head.revision",
    "vcs.repository.ref.revision",
    "vcs.commit.sha",
    "service.version",
    "langfuse.release",
];
pub(super) const BRANCH: &[&str] = &["vcs.ref.head.name", "vcs.repository.ref.name", "vcs.branch"];
pub(super) const REPOSITORY: &[&str] = &["vcs.repository.url.full", "vcs.repo_url"];
pub(super) const DIRTY: &[&str] = &["staso.vcs.dirty", "vcs.is_dirty"];
pub(super) const ENVIRONMENT: &[&str] =
    &["deployment.environment.name", "deployment.environment", "langfuse.environment"];

/// A key that ends in `.#` stands for the flattened list `….0.…`, `….1.…`.
pub(super) const MODEL_INPUT: &[&str] = &[
    "gen_ai.input.messages",
    "llm.input_messages.#",
    "input.value",
    "gen_ai.prompt.#",
    "traceloop.entity.input",
    "langfuse.observation.input",
    "gen_ai.prompt",
];
pub(super) const MODEL_OUTPUT: &[&str] = &[
    "gen_ai.output.messages",
    "llm.output_messages.#",
    "output.value",
    "gen_ai.completion.#",
    "traceloop.entity.output",
    "langfuse.observation.output",
    "gen_ai.completion",
];
pub(super) const TOOL_INPUT: &[&str] = &[
    "gen_ai.tool.call.arguments",
    "input.value",
    "tool.parameters",
    "traceloop.entity.input",
    "langfuse.observation.input",
];
pub(super) const TOOL_OUTPUT: &[&str] =
    &["gen_ai.tool.call.result", "output.value", "traceloop.entity.output", "langfuse.observation.output"];

/// Whether a value says anything: not `null`, not the empty text, not an empty list or object.
pub(super) fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}
