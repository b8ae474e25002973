//! Which attributes hold content of which category, and what remains of them under a policy.

use std::collections::BTreeMap;

use serde_json::Value;

use super::policy::{CaptureCategory, EffectivePolicy};

/// Beginnings of attribute names that hold content. Inputs are tool arguments on tool steps, requests elsewhere.
const INPUTS: [&str; 8] = [
    "gen_ai.input.messages",
    "gen_ai.prompt",
    "gen_ai.retrieval.query",
    "input.value",
    "llm.input_messages",
    "traceloop.entity.input",
    "langfuse.observation.input",
    "staso.input",
];
const OUTPUTS: [&str; 8] = [
    "gen_ai.output.messages",
    "gen_ai.completion",
    "gen_ai.tool.call.result",
    "output.value",
    "llm.output_messages",
    "traceloop.entity.output",
    "langfuse.observation.output",
    "staso.output",
];
const ARGUMENTS: [&str; 2] = ["gen_ai.tool.call.arguments", "tool.parameters"];
const SCHEMAS: [&str; 3] = ["gen_ai.tool.definitions", "llm.tools", "llm.request.functions"];

/// Attributes that stay when requests are switched off: they are not content of the application's users.
const OPERATIONAL: [&str; 12] = [
    "vcs.",
    "guard",
    "code.",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.system",
    "gen_ai.usage.",
    "gen_ai.response.finish_reasons",
    "gen_ai.request.max_tokens",
    "gen_ai.tool.call.id",
    "exception.type",
    "error.type",
];
const OPERATIONAL_STASO: [&str; 5] = [
    "staso.provisional_root",
    "staso.unfinished",
    "staso.capture",
    "staso.truncated",
    "staso.vcs.diff_digest",
];

/// What marks a tool call inside of messages, in the forms of the common providers.
const TOOL_CALL_MARKS: [&str; 5] = ["tool_call", "tool_use", "function_call", "functionCall", "toolUse"];

fn starts_with_any(name: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}

fn category(name: &str, is_tool: bool) -> Option<CaptureCategory> {
    match name {
        _ if starts_with_any(name, &ARGUMENTS) => Some(CaptureCategory::ToolArguments),
        _ if starts_with_any(name, &SCHEMAS) => Some(CaptureCategory::ToolSchema),
        _ if name.starts_with("gen_ai.system_instructions") => Some(CaptureCategory::SystemPrompt),
        _ if starts_with_any(name, &INPUTS) && is_tool => Some(CaptureCategory::ToolArguments),
        _ if starts_with_any(name, &INPUTS) => Some(CaptureCategory::Request),
        _ if starts_with_any(name, &OUTPUTS) => Some(CaptureCategory::Output),
        _ => None,
    }
}

/// Removes what the policy does not allow from the attributes that no other field takes.
pub(super) fn strip_attributes(
    attributes: &mut BTreeMap<String, Value>,
    policy: EffectivePolicy,
    is_tool: bool,
) {
    if policy.allows_all() {
        return;
    }
    let operational_only = !policy.allows(CaptureCategory::Request);
    attributes.retain(|name, _| {
        let is_prose = matches!(name.as_str(), "guard_reason" | "guard.reason" | "exception.message")
            || name.starts_with("exception.stack");
        let is_allowed = category(name, is_tool).is_none_or(|category| policy.allows(category));
        let stays = starts_with_any(name, &OPERATIONAL) || starts_with_any(name, &OPERATIONAL_STASO);
        is_allowed && !is_prose && (stays || !operational_only)
    });
}

/// What may stay of the input or output of a model call. System prompts, tool definitions and tool calls can stand
/// inside of messages. What can be taken out is; what cannot be told apart takes the whole with it.
pub(super) fn strip_messages(text: String, policy: EffectivePolicy) -> Option<String> {
    let mentions_calls = TOOL_CALL_MARKS.iter().any(|mark| text.contains(mark));
    if !policy.allows(CaptureCategory::ToolArguments) && mentions_calls {
        return None;
    }
    if policy.allows(CaptureCategory::SystemPrompt) && policy.allows(CaptureCategory::ToolSchema) {
        return Some(text);
    }
    let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return None };
    let stripped = match &mut value {
        Value::Array(messages) => strip_list(messages, policy),
        Value::Object(request) => {
            if !policy.allows(CaptureCategory::SystemPrompt) {
                request.retain(|key, _| !key.contains("system") && !key.contains("instruction"));
            }
            if !policy.allows(CaptureCategory::ToolSchema) {
                request.retain(|key, _| !key.contains("tool") && !key.contains("function"));
            }
            request.values_mut().filter_map(Value::as_array_mut).all(|messages| strip_list(messages, policy))
        }
        _ => policy.allows(CaptureCategory::SystemPrompt),
    };
    stripped.then(|| value.to_string())
}

/// Removes system messages; false when an element is no message.
fn strip_list(messages: &mut Vec<Value>, policy: EffectivePolicy) -> bool {
    if policy.allows(CaptureCategory::SystemPrompt) {
        return true;
    }
    let role = |message: &Value| message.get("role").and_then(Value::as_str).map(str::to_ascii_lowercase);
    if messages.iter().any(|message| role(message).is_none()) {
        return false;
    }
    messages.retain(|message| !matches!(role(message).as_deref(), Some("system" | "developer")));
    true
}
