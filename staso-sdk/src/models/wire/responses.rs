//! OpenAI's responses.

use serde_json::Value;
use staso_core::agent::StopReason;

use super::draft::{Draft, DraftCall, list, number, text};

pub(super) fn frame(draft: &mut Draft, frame: &Value) {
    let at = number(frame, "/output_index").unwrap_or_default();
    let delta = text(frame, "/delta").unwrap_or_default();
    match text(frame, "/type").unwrap_or_default() {
        "response.output_text.delta" => draft.text.push_str(delta),
        "response.refusal.delta" => {
            draft.refused = true;
            draft.text.push_str(delta);
        }
        "response.output_item.added" => {
            if let Some(item) = frame.get("item") {
                called(draft, item, at);
            }
        }
        "response.function_call_arguments.delta" => {
            if let Some(call) = draft.call_at(at) {
                call.arguments.push_str(delta);
            }
        }
        "response.output_item.done" => {
            if let Some(item) = frame.get("item") {
                done(draft, item, at);
            }
        }
        "response.completed" | "response.incomplete" => {
            if let Some(response) = frame.get("response") {
                ended(draft, response);
            }
        }
        _ => {
            if let Some(response) = frame.get("response") {
                draft.answered_by(response, "model");
            }
        }
    }
}

pub(super) fn whole(draft: &mut Draft, body: &Value) {
    if body.get("output").is_some_and(Value::is_array) {
        ended(draft, body);
    }
}

/// A call begins, or is there at once.
fn called(draft: &mut Draft, item: &Value, at: u64) {
    if text(item, "/type") != Some("function_call") {
        return;
    }
    let field = |path| text(item, path).unwrap_or_default().to_owned();
    let id = field("/call_id");
    let id = if id.is_empty() { field("/id") } else { id };
    draft.calls.push(DraftCall {
        at,
        id,
        name: field("/name"),
        arguments: field("/arguments"),
        closed: false,
    });
}

fn done(draft: &mut Draft, item: &Value, at: u64) {
    match text(item, "/type") {
        Some("function_call") => {
            if draft.call_at(at).is_none() {
                called(draft, item, at);
            }
            let is_cut = text(item, "/status") == Some("incomplete");
            if let Some(call) = draft.call_at(at) {
                // The whole text stands here as well; pieces may have been lost on the way.
                if let Some(arguments) = text(item, "/arguments").filter(|arguments| !arguments.is_empty()) {
                    arguments.clone_into(&mut call.arguments);
                }
                call.closed = !is_cut;
            }
        }
        Some("reasoning") => draft.state.signatures.extend(
            text(item, "/encrypted_content")
                .filter(|thought| !thought.is_empty())
                .map(|thought| Some(thought.to_owned())),
        ),
        _ => {}
    }
}

/// The response as a whole: the only thing that there is without a stream, or with servers that send nothing before.
fn ended(draft: &mut Draft, response: &Value) {
    draft.answered_by(response, "model");
    if draft.text.is_empty() && draft.calls.is_empty() {
        let known = draft.state.signatures.len();
        for (at, item) in list(response, "/output").enumerate() {
            message(draft, item);
            done(draft, item, u64::try_from(at).unwrap_or(u64::MAX));
        }
        // Thoughts came one by one before, or they come now.
        if known > 0 {
            draft.state.signatures.truncate(known);
        }
    }
    draft.usage.report(
        number(response, "/usage/input_tokens"),
        number(response, "/usage/output_tokens"),
        number(response, "/usage/input_tokens_details/cached_tokens"),
    );
    draft.stop = Some(match (text(response, "/status"), text(response, "/incomplete_details/reason")) {
        (Some("completed"), _) => StopReason::End,
        (_, Some("max_output_tokens")) => StopReason::Length,
        (_, Some("content_filter")) => StopReason::ContentFilter,
        _ => StopReason::Other,
    });
    draft.complete = true;
}

fn message(draft: &mut Draft, item: &Value) {
    if text(item, "/type") != Some("message") {
        return;
    }
    for part in list(item, "/content") {
        if let Some(said) = text(part, "/text") {
            draft.text.push_str(said);
        }
        if let Some(refusal) = text(part, "/refusal") {
            draft.refused = true;
            draft.text.push_str(refusal);
        }
    }
}
