//! OpenAI's chat completions, and those of servers that follow them.

use serde_json::Value;
use staso_core::agent::StopReason;

use super::draft::{Draft, DraftCall, list, number, text};

pub(super) fn frame(draft: &mut Draft, frame: &Value) {
    draft.answered_by(frame, "model");
    usage(draft, frame);
    if let Some(choice) = frame.pointer("/choices/0") {
        if let Some(delta) = choice.get("delta") {
            said(draft, delta);
        }
        stop(draft, choice);
    }
}

pub(super) fn whole(draft: &mut Draft, body: &Value) {
    draft.answered_by(body, "model");
    usage(draft, body);
    if let Some(choice) = body.pointer("/choices/0") {
        if let Some(message) = choice.get("message") {
            said(draft, message);
            draft.complete = true;
        }
        stop(draft, choice);
    }
}

/// A message, or a piece of one: both have the same fields.
fn said(draft: &mut Draft, message: &Value) {
    match message.get("content") {
        Some(Value::String(content)) => draft.text.push_str(content),
        // Some servers send typed parts; thoughts among them are not text.
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| text(part, "/text")).for_each(|part| draft.text.push_str(part));
        }
        _ => {}
    }
    if let Some(refusal) = text(message, "/refusal").filter(|refusal| !refusal.is_empty()) {
        draft.refused = true;
        draft.text.push_str(refusal);
    }
    if let Some(thought) = text(message, "/reasoning_content").filter(|thought| !thought.is_empty()) {
        draft.state.thoughts.get_or_insert_default().push_str(thought);
    }
    for (position, call) in list(message, "/tool_calls").enumerate() {
        called(draft, call, u64::try_from(position).unwrap_or(u64::MAX));
    }
}

fn called(draft: &mut Draft, call: &Value, position: u64) {
    let at = number(call, "/index").unwrap_or(position);
    let id = text(call, "/id").unwrap_or_default();
    let name = text(call, "/function/name").unwrap_or_default();
    let piece = match call.pointer("/function/arguments") {
        Some(Value::String(piece)) => piece.clone(),
        Some(Value::Null) | None => String::new(),
        // Some servers send the arguments themselves.
        Some(other) => other.to_string(),
    };
    // Servers that count all calls as the first tell them apart by name and id.
    let is_next =
        |known: &DraftCall| !id.is_empty() && !name.is_empty() && !known.id.is_empty() && known.id != id;
    match draft.call_at(at) {
        Some(known) if !is_next(known) => {
            if known.id.is_empty() {
                id.clone_into(&mut known.id);
            }
            if known.name.is_empty() {
                name.clone_into(&mut known.name);
            }
            known.arguments.push_str(&piece);
        }
        _ => {
            let id = if id.is_empty() { format!("call_{}", draft.calls.len()) } else { id.to_owned() };
            let call = DraftCall { at, id, name: name.to_owned(), arguments: piece, closed: false };
            draft.calls.push(call);
        }
    }
}

fn stop(draft: &mut Draft, choice: &Value) {
    let Some(reason) = text(choice, "/finish_reason") else { return };
    draft.stop = Some(match reason {
        "stop" | "eos" => StopReason::End,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        "length" => StopReason::Length,
        "content_filter" => StopReason::ContentFilter,
        _ => StopReason::Other,
    });
}

fn usage(draft: &mut Draft, body: &Value) {
    for usage in [body.get("usage"), body.pointer("/x_groq/usage")].into_iter().flatten() {
        draft.usage.report(
            number(usage, "/prompt_tokens"),
            number(usage, "/completion_tokens"),
            number(usage, "/prompt_tokens_details/cached_tokens"),
        );
    }
}
