//! The few facts of a model call that senders only put into its input and output, read without building the whole
//! document.

use serde::Deserialize;
use serde_json::value::RawValue;

/// What the request says of itself.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) max_output_tokens: Option<u64>,
    pub(crate) tools: Option<String>,
}

#[derive(Deserialize)]
struct Request<'t> {
    #[serde(borrow, default)]
    max_tokens: Option<&'t RawValue>,
    #[serde(borrow, default)]
    max_completion_tokens: Option<&'t RawValue>,
    #[serde(borrow, default)]
    max_output_tokens: Option<&'t RawValue>,
    #[serde(borrow, default)]
    tools: Option<&'t RawValue>,
}

#[derive(Deserialize)]
struct Answer<'t> {
    #[serde(borrow, default)]
    stop_reason: Option<&'t RawValue>,
    #[serde(borrow, default)]
    finish_reason: Option<&'t RawValue>,
    #[serde(borrow, default)]
    choices: Option<&'t RawValue>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    finish_reason: Option<String>,
}

/// Reads the limit and the tools out of a request.
pub(crate) fn peek_input(text: &str) -> Asked {
    if !text.contains("\"max_") && !text.contains("\"tools\"") {
        return Asked::default();
    }
    let Ok(request) = serde_json::from_str::<Request<'_>>(text) else { return Asked::default() };
    let limit = [request.max_tokens, request.max_completion_tokens, request.max_output_tokens];
    Asked {
        max_output_tokens: limit.into_iter().flatten().find_map(|raw| raw.get().parse().ok()),
        tools: request
            .tools
            .map(RawValue::get)
            .filter(|raw| !matches!(*raw, "null" | "[]" | "{}" | "\"\""))
            .map(|raw| serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned())),
    }
}

/// Reads the reasons to stop out of an answer.
pub(crate) fn peek_output(text: &str) -> Vec<String> {
    if !text.contains("_reason\"") {
        return Vec::new();
    }
    let Ok(answer) = serde_json::from_str::<Answer<'_>>(text) else { return Vec::new() };
    let one = [answer.stop_reason, answer.finish_reason];
    let one =
        one.into_iter().flatten().find_map(|raw| serde_json::from_str::<Option<String>>(raw.get()).ok()?);
    if let Some(reason) = one {
        return vec![reason];
    }
    let choices = answer.choices.and_then(|raw| serde_json::from_str::<Vec<Choice>>(raw.get()).ok());
    choices.unwrap_or_default().into_iter().filter_map(|choice| choice.finish_reason).take(64).collect()
}
