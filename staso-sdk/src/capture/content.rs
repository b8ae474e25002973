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
    "staso.truncated_attributes",
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
    let mut value = serde_json::from_str::<Value>(&text).ok()?;
    let is_known = match &mut value {
        Value::Array(messages) => strip_list(messages, policy),
        Value::Object(_) => strip_value(&mut value, policy),
        _ => policy.allows(CaptureCategory::SystemPrompt),
    };
    is_known.then(|| value.to_string())
}

const SYSTEM_KEYS: [&str; 6] = [
    "system",
    "system_prompt",
    "system_instruction",
    "system_instructions",
    "systemInstruction",
    "instructions",
];
const SCHEMA_KEYS: [&str; 4] = ["tools", "functions", "tool_definitions", "toolConfig"];
const MESSAGE_KEYS: [&str; 4] = ["messages", "input", "contents", "history"];

/// Takes out what is off, however deep; false when something can be a system prompt or not. Depth is bounded by the
/// JSON parser.
fn strip_value(value: &mut Value, policy: EffectivePolicy) -> bool {
    match value {
        Value::Array(items) => {
            items.retain(|item| policy.allows(CaptureCategory::SystemPrompt) || !is_system(item));
            items.iter_mut().all(|item| strip_value(item, policy))
        }
        Value::Object(fields) => {
            let is_off = |keys: &[&str], key: &str, category| keys.contains(&key) && !policy.allows(category);
            fields.retain(|key, _| {
                !is_off(&SYSTEM_KEYS, key, CaptureCategory::SystemPrompt)
                    && !is_off(&SCHEMA_KEYS, key, CaptureCategory::ToolSchema)
            });
            fields.iter_mut().all(|(key, field)| match field {
                Value::Array(messages) if MESSAGE_KEYS.contains(&key.as_str()) => {
                    strip_list(messages, policy)
                }
                field => strip_value(field, policy),
            })
        }
        _ => true,
    }
}

/// Messages without a role cannot be told from system messages.
fn strip_list(messages: &mut Vec<Value>, policy: EffectivePolicy) -> bool {
    let has_roles = messages.iter().all(|message| message.get("role").is_some_and(Value::is_string));
    if !has_roles && !policy.allows(CaptureCategory::SystemPrompt) {
        return false;
    }
    messages.retain(|message| policy.allows(CaptureCategory::SystemPrompt) || !is_system(message));
    messages.iter_mut().all(|message| strip_value(message, policy))
}

fn is_system(message: &Value) -> bool {
    let role = message.get("role").and_then(Value::as_str);
    role.is_some_and(|role| ["system", "developer"].iter().any(|system| role.eq_ignore_ascii_case(system)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::policy::CapturePolicy;
    use super::*;

    fn without(category: CaptureCategory, text: &str) -> Option<String> {
        let policy = CapturePolicy::everything().without(category).resolve(&BTreeMap::new()).unwrap();
        strip_messages(text.to_owned(), policy)
    }

    #[test]
    fn system_prompts_are_found_wherever_they_stand() {
        let user = r#"{"content":"hi","role":"user"}"#;
        let system = r#"{"content":"SECRET","role":"System"}"#;
        let cases = [
            (format!("[{system},{user}]"), Some(format!("[{user}]"))),
            (format!(r#"{{"messages":[{system},{user}]}}"#), Some(format!(r#"{{"messages":[{user}]}}"#))),
            (
                format!(r#"{{"body":{{"messages":[{system}],"system":"SECRET"}}}}"#),
                Some(r#"{"body":{"messages":[]}}"#.to_owned()),
            ),
            (r#"[["system","SECRET"]]"#.to_owned(), None),
            (r#"{"messages":["SECRET"]}"#.to_owned(), None),
            ("SECRET".to_owned(), None),
            (r#""SECRET""#.to_owned(), None),
        ];
        for (text, left) in cases {
            assert_eq!(without(CaptureCategory::SystemPrompt, &text), left, "{text}");
        }
    }

    #[test]
    fn schemas_and_calls_are_found_wherever_they_stand() {
        let request = r#"{"request":{"messages":[],"tools":[{"name":"SECRET"}]}}"#;
        assert_eq!(without(CaptureCategory::ToolSchema, request).unwrap(), r#"{"request":{"messages":[]}}"#);
        let call = r#"[{"role":"assistant","content":[{"type":"tool_use","input":"SECRET"}]}]"#;
        assert_eq!(without(CaptureCategory::ToolArguments, call), None);
    }
}
