//! Gemini's `generateContent`: the pieces of a stream have the form of whole replies.

use serde_json::Value;
use staso_core::agent::{ModelError, StopReason};

use super::draft::{Draft, DraftCall, list, number, text};

/// A piece of a stream. genai reads no further than the first reason to stop, and replies with code that ran at the
/// provider give several: they are refused rather than cut.
pub(super) fn frame(draft: &mut Draft, frame: &Value) -> Result<(), ModelError> {
    let runs_code = |part: &Value| part.get("executableCode").is_some();
    if list(frame, "/candidates/0/content/parts").any(runs_code) {
        return Err(ModelError::Malformed { what: "it runs code at the provider, which nobody asked for" });
    }
    body(draft, frame)
}

/// A whole reply.
pub(super) fn body(draft: &mut Draft, body: &Value) -> Result<(), ModelError> {
    draft.answered_by(body, "modelVersion");
    usage(draft, body);
    let Some(candidate) = body.pointer("/candidates/0") else {
        let is_blocked = body.pointer("/promptFeedback/blockReason").is_some();
        return if is_blocked { Err(ModelError::ContentFilter) } else { Ok(()) };
    };
    for part in list(candidate, "/content/parts") {
        read(draft, part);
    }
    if let Some(reason) = text(candidate, "/finishReason") {
        draft.stop = Some(stop(draft, reason));
        if reason == "MALFORMED_FUNCTION_CALL" {
            // What the model wrote stands nowhere else.
            draft.text.push_str(text(candidate, "/finishMessage").unwrap_or_default());
        }
    }
    Ok(())
}

fn read(draft: &mut Draft, part: &Value) {
    let signature = text(part, "/thoughtSignature").map(str::to_owned);
    if let Some(call) = part.get("functionCall") {
        let name = text(call, "/name").unwrap_or_default().to_owned();
        // The form in which genai recognises that Gemini gave no id.
        let id =
            text(call, "/id").map_or_else(|| format!("call#{name}#{}", draft.calls.len()), str::to_owned);
        let arguments = call.get("args").filter(|args| !args.is_null()).map(Value::to_string);
        let at = u64::try_from(draft.calls.len()).unwrap_or(u64::MAX);
        draft.calls.push(DraftCall { at, id, name, arguments: arguments.unwrap_or_default(), closed: true });
        draft.state.signatures.push(signature);
        return;
    }
    if part.get("thought").and_then(Value::as_bool) != Some(true)
        && let Some(said) = text(part, "/text")
    {
        draft.text.push_str(said);
    }
    if signature.is_some() {
        draft.state.text_signature = signature;
    }
}

fn stop(draft: &Draft, reason: &str) -> StopReason {
    match reason {
        "STOP" => StopReason::End,
        "MAX_TOKENS" => StopReason::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "MODEL_ARMOR" => {
            StopReason::ContentFilter
        }
        "UNEXPECTED_TOOL_CALL" if !draft.calls.is_empty() => StopReason::ToolCalls,
        _ => StopReason::Other,
    }
}

/// Thoughts are counted beside the reply, results of built-in tools beside the prompt.
fn usage(draft: &mut Draft, body: &Value) {
    let Some(usage) = body.get("usageMetadata") else { return };
    let count = |path| number(usage, path).unwrap_or_default();
    let input = number(usage, "/promptTokenCount")
        .map(|prompt| prompt.saturating_add(count("/toolUsePromptTokenCount")));
    let output = count("/candidatesTokenCount").saturating_add(count("/thoughtsTokenCount"));
    draft.usage.report(input, input.map(|_| output), number(usage, "/cachedContentTokenCount"));
}
