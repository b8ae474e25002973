//! What a model call recorded, in the shapes of the common providers.

use std::ops::ControlFlow;

use serde_json::Value;

use super::document::{Document, Part};
use super::input::Facts;
use crate::trace::JsonPointer;

/// A tool that was offered to a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToolDefinition {
    pub(super) name: String,
    pub(super) schema: Value,
}

/// A tool call that a model asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToolRequest {
    pub(super) name: String,
    /// Parsed arguments, or the text that is no JSON.
    pub(super) arguments: Result<Value, String>,
    /// Where the name stands.
    pub(super) name_pointer: JsonPointer,
    /// Where the arguments stand.
    pub(super) arguments_pointer: JsonPointer,
}

/// The tools offered in a model call, in the forms of OpenAI, Anthropic and Gemini.
pub(super) fn tool_definitions(facts: &Facts<'_>) -> Vec<ToolDefinition> {
    let model = facts.span.model.as_ref();
    let recorded = model
        .and_then(|model| model.tool_definitions.complete())
        .filter(|payload| payload.as_str().len() <= super::input::MAX_PAYLOAD_BYTES)
        .and_then(crate::trace::Payload::json);
    let asked = || facts.input.json().and_then(|input| input.get("tools")).cloned();
    let Some(Value::Array(list)) = recorded.or_else(asked) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in &list {
        let many = entry.get("functionDeclarations").or_else(|| entry.get("function_declarations"));
        match many.and_then(Value::as_array) {
            Some(declared) => found.extend(declared.iter().filter_map(definition)),
            None => found.extend(definition(entry.get("function").unwrap_or(entry))),
        }
    }
    found
}

fn definition(entry: &Value) -> Option<ToolDefinition> {
    let name = entry.get("name")?.as_str()?.to_owned();
    let schema = ["parameters", "input_schema", "inputSchema", "parametersJsonSchema"]
        .iter()
        .find_map(|key| entry.get(*key));
    Some(ToolDefinition { name, schema: schema.cloned().unwrap_or(Value::Null) })
}

/// The tool calls in a model's reply.
pub(super) fn tool_requests(output: &Document<'_>) -> Vec<ToolRequest> {
    let mut found = Vec::new();
    output.objects(|path, object| {
        let in_calls = path.iter().any(|part| matches!(part, Part::Key("tool_calls" | "function_call")));
        let is_block = object
            .get("type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind == "tool_use" || kind == "tool_call");
        let Some(name) = object.get("name").and_then(Value::as_str) else { return };
        if !in_calls && !is_block {
            return;
        }
        let Some((key, arguments)) =
            ["arguments", "input", "args"].iter().find_map(|key| Some((*key, object.get(*key)?)))
        else {
            return;
        };
        let arguments = match arguments {
            Value::String(text) => serde_json::from_str(text).map_err(|_| text.clone()),
            value => Ok(value.clone()),
        };
        let at = |key| output.pointer_to(&path.iter().copied().chain([Part::Key(key)]).collect::<Vec<_>>());
        found.push(ToolRequest {
            name: name.to_owned(),
            arguments,
            name_pointer: at("name"),
            arguments_pointer: at(key),
        });
    });
    found
}

/// The text of a model's reply: the longest text under a key that providers use for it.
pub(super) fn reply(output: &Document<'_>) -> Option<(JsonPointer, String)> {
    const KEYS: [&str; 8] =
        ["content", "text", "message", "output", "completion", "result", "response", "answer"];
    let mut best: Option<(JsonPointer, String)> = None;
    output.texts(|path, text| {
        let fits = path.iter().rev().find_map(|part| match part {
            Part::Key(key) => Some(KEYS.contains(key)),
            Part::Index(_) => None,
        });
        if fits.unwrap_or(true) && best.as_ref().is_none_or(|(_, known)| known.len() < text.len()) {
            best = Some((output.pointer_to(path), text.to_owned()));
        }
        ControlFlow::Continue(())
    });
    best
}

/// Why the model stopped, and where that stands.
pub(super) fn finish_reasons(facts: &Facts<'_>) -> Vec<(String, JsonPointer)> {
    let model = facts.span.model.iter().flat_map(|model| &model.finish_reasons);
    let mut found: Vec<(String, JsonPointer)> =
        model.map(|reason| (reason.clone(), JsonPointer::from("/finish_reasons"))).collect();
    for key in ["finish_reason", "stop_reason", "gen_ai.response.finish_reasons", "llm.finish_reason"] {
        let value = facts.span.attributes.get(key);
        let text = value.and_then(|value| {
            value.as_str().map(str::to_owned).or_else(|| value.as_array().map(|_| value.to_string()))
        });
        found.extend(text.map(|text| (text, JsonPointer::from_parts(["attributes", key]))));
    }
    facts.output.texts(|path, text| {
        if matches!(
            path.last(),
            Some(Part::Key("finish_reason" | "stop_reason" | "finishReason" | "done_reason"))
        ) {
            found.push((text.to_owned(), facts.output.pointer_to(path)));
        }
        ControlFlow::Continue(())
    });
    found
}

/// The largest number of output tokens that the request allowed, and where that stands.
pub(super) fn output_limit(facts: &Facts<'_>) -> Option<(u64, JsonPointer)> {
    if let Some(limit) = facts.span.model.as_ref().and_then(|model| model.max_output_tokens) {
        return Some((limit, JsonPointer::from("/max_output_tokens")));
    }
    for key in ["gen_ai.request.max_tokens", "llm.request.max_tokens", "max_tokens", "max_output_tokens"] {
        if let Some(limit) = facts.span.attributes.get(key).and_then(Value::as_u64) {
            return Some((limit, JsonPointer::from_parts(["attributes", key])));
        }
    }
    let mut found = None;
    facts.input.objects(|path, object| {
        for key in
            ["max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens", "num_predict"]
        {
            if let (None, Some(limit)) = (&found, object.get(key).and_then(Value::as_u64)) {
                let whole: Vec<Part<'_>> = path.iter().copied().chain([Part::Key(key)]).collect();
                found = Some((limit, facts.input.pointer_to(&whole)));
            }
        }
    });
    found
}
