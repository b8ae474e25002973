//! A reply in the making.

use std::collections::BTreeSet;

use serde_json::Value;
use staso_core::agent::{ModelError, ModelReply, StopReason, TokenUsage, ToolCall};

use super::reader::Wire;
use super::state::State;

const MAX_CALLS: usize = 256;
const MAX_NAME_CHARS: usize = 200;

/// What is known of a reply so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) text: String,
    pub(super) calls: Vec<DraftCall>,
    /// Why it stopped; `None` as long as nobody said.
    pub(super) stop: Option<StopReason>,
    pub(super) refused: bool,
    pub(super) usage: Tokens,
    pub(super) answered_by: Option<String>,
    pub(super) state: State,
    /// The provider said that nothing more comes.
    pub(super) complete: bool,
}

/// A tool call in the making.
#[derive(Debug, Default)]
pub(super) struct DraftCall {
    /// Where the provider counts it.
    pub(super) at: u64,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
    /// Whether the provider said that its arguments are complete.
    pub(super) closed: bool,
}

/// Tokens as reported.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tokens {
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cached: u64,
}

impl Draft {
    /// The call that the provider counts at `at`, when it is there.
    pub(super) fn call_at(&mut self, at: u64) -> Option<&mut DraftCall> {
        self.calls.iter_mut().rev().find(|call| call.at == at)
    }

    /// The name of the model, once.
    pub(super) fn answered_by(&mut self, body: &Value, field: &str) {
        if self.answered_by.is_none()
            && let Some(name) = body.get(field).and_then(Value::as_str).filter(|name| !name.is_empty())
        {
            self.answered_by = Some(name.chars().take(MAX_NAME_CHARS).collect());
        }
    }

    pub(super) fn finish(mut self, wire: Wire, asked: u64) -> Result<ModelReply, ModelError> {
        if self.calls.len() > MAX_CALLS {
            return Err(ModelError::Malformed { what: "it holds more than 256 tool calls" });
        }
        let stop = match self.stop.unwrap_or_default() {
            StopReason::End | StopReason::Other if self.refused => StopReason::Refusal,
            StopReason::End if !self.calls.is_empty() => StopReason::ToolCalls,
            stop => stop,
        };
        let written = self.text.len()
            + self.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>();
        let usage = match (self.usage.input, self.usage.output) {
            (Some(input), Some(output)) => {
                TokenUsage::new(input, output).with_cached_input(self.usage.cached.min(input))
            }
            (input, output) => TokenUsage::estimated(
                input.unwrap_or(asked),
                output.unwrap_or_else(|| u64::try_from(written.div_ceil(4)).unwrap_or(u64::MAX)),
            ),
        };
        let state = std::mem::take(&mut self.state).written(wire);
        name_calls(&mut self.calls);
        let mut reply = ModelReply::text(self.text);
        reply.calls = self.calls.into_iter().map(|call| call.finish(stop)).collect();
        Ok(reply.with_stop(stop).with_usage(usage).with_state(state).with_answered_by(self.answered_by))
    }
}

/// Results are joined with calls by id: every call has one of its own, whatever the server says.
fn name_calls(calls: &mut [DraftCall]) {
    let mut known = BTreeSet::new();
    for (at, call) in calls.iter_mut().enumerate() {
        if call.id.is_empty() || known.contains(&call.id) {
            call.id = format!("{}_{at}", if call.id.is_empty() { "call" } else { &call.id });
        }
        known.insert(call.id.clone());
    }
}

impl DraftCall {
    /// No arguments at all are those of a tool that takes none, unless the reply was cut off before them.
    fn finish(self, stop: StopReason) -> ToolCall {
        let is_empty = self.arguments.trim().is_empty();
        let arguments = if is_empty && (self.closed || stop != StopReason::Length) {
            "{}".to_owned()
        } else {
            self.arguments
        };
        ToolCall { id: self.id, name: self.name, arguments }
    }
}

impl Tokens {
    /// Takes what is reported; a later report of the same kind counts.
    pub(super) fn report(&mut self, input: Option<u64>, output: Option<u64>, cached: Option<u64>) {
        self.input = input.or(self.input);
        self.output = output.or(self.output);
        self.cached = cached.unwrap_or(self.cached);
    }
}

/// A number at a path, e.g. `/usage/input_tokens`.
pub(super) fn number(value: &Value, path: &str) -> Option<u64> {
    value.pointer(path)?.as_u64()
}

/// A text at a path.
pub(super) fn text<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    value.pointer(path)?.as_str()
}

/// A list at a path; nothing when there is none.
pub(super) fn list<'v>(value: &'v Value, path: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.pointer(path).and_then(Value::as_array).into_iter().flatten()
}
