//! Anthropic's messages.

use serde_json::{Value, json};
use staso_core::agent::StopReason;

use super::draft::{Draft, DraftCall, list, number, text};

pub(super) fn frame(draft: &mut Draft, frame: &Value) {
    let at = number(frame, "/index").unwrap_or_default();
    match text(frame, "/type").unwrap_or_default() {
        "message_start" => {
            if let Some(message) = frame.get("message") {
                draft.answered_by(message, "model");
                usage(draft, message);
            }
        }
        "content_block_start" => {
            if let Some(block) = frame.get("content_block") {
                begin(draft, block, at);
            }
        }
        "content_block_delta" => {
            if let Some(delta) = frame.get("delta") {
                add(draft, delta, at);
            }
        }
        "content_block_stop" => {
            if let Some(call) = draft.call_at(at) {
                call.closed = true;
            }
        }
        "message_delta" => {
            usage(draft, frame);
            if let Some(reason) = text(frame, "/delta/stop_reason") {
                draft.stop = Some(stop(reason));
            }
        }
        "message_stop" => draft.complete = true,
        _ => {}
    }
}

pub(super) fn whole(draft: &mut Draft, body: &Value) {
    draft.answered_by(body, "model");
    usage(draft, body);
    for (at, block) in list(body, "/content").enumerate() {
        let at = u64::try_from(at).unwrap_or(u64::MAX);
        begin(draft, block, at);
        if let Some(call) = draft.call_at(at) {
            call.closed = true;
        }
    }
    draft.stop = text(body, "/stop_reason").map(stop);
    draft.complete = body.get("content").is_some_and(Value::is_array);
}

fn begin(draft: &mut Draft, block: &Value, at: u64) {
    match text(block, "/type").unwrap_or_default() {
        "text" => draft.text.push_str(text(block, "/text").unwrap_or_default()),
        "tool_use" => {
            let field = |path| text(block, path).unwrap_or_default().to_owned();
            // A stream begins with an empty object and continues with text.
            let arguments = match block.get("input") {
                Some(Value::Object(input)) if input.is_empty() => String::new(),
                Some(Value::Null) | None => String::new(),
                Some(input) => input.to_string(),
            };
            draft.calls.push(DraftCall {
                at,
                id: field("/id"),
                name: field("/name"),
                arguments,
                closed: false,
            });
        }
        "thinking" => draft.state.blocks.push(json!({
            "type": "thinking",
            "thinking": text(block, "/thinking").unwrap_or_default(),
            "signature": text(block, "/signature").unwrap_or_default(),
        })),
        "redacted_thinking" => draft.state.blocks.push(block.clone()),
        _ => {}
    }
}

fn add(draft: &mut Draft, delta: &Value, at: u64) {
    match text(delta, "/type").unwrap_or_default() {
        "text_delta" => draft.text.push_str(text(delta, "/text").unwrap_or_default()),
        "input_json_delta" => {
            if let Some(call) = draft.call_at(at) {
                call.arguments.push_str(text(delta, "/partial_json").unwrap_or_default());
            }
        }
        "thinking_delta" => continue_thought(draft, "thinking", text(delta, "/thinking")),
        "signature_delta" => continue_thought(draft, "signature", text(delta, "/signature")),
        _ => {}
    }
}

/// Blocks follow each other, so that a piece belongs to the last one.
fn continue_thought(draft: &mut Draft, field: &str, piece: Option<&str>) {
    let block = draft.state.blocks.last_mut().and_then(|block| block.get_mut(field));
    if let (Some(Value::String(known)), Some(piece)) = (block, piece) {
        known.push_str(piece);
    }
}

fn stop(reason: &str) -> StopReason {
    match reason {
        "end_turn" | "stop_sequence" => StopReason::End,
        "tool_use" => StopReason::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "refusal" => StopReason::Refusal,
        _ => StopReason::Other,
    }
}

/// Tokens that are written to the cache or read from it are counted beside the others.
fn usage(draft: &mut Draft, body: &Value) {
    let Some(usage) = body.get("usage") else { return };
    let cached = number(usage, "/cache_read_input_tokens");
    let written = number(usage, "/cache_creation_input_tokens").unwrap_or_default();
    let input = number(usage, "/input_tokens")
        .map(|input| input.saturating_add(written).saturating_add(cached.unwrap_or_default()));
    draft.usage.report(input, number(usage, "/output_tokens"), cached);
}
