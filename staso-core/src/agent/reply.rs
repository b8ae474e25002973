//! What a model answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ProviderState, ToolCall};

/// One whole answer of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ModelReply {
    /// Its text; may be empty beside tool calls.
    pub text: String,
    /// The tools it asks for, in order.
    pub calls: Vec<ToolCall>,
    /// Why it stopped. Do not drive a loop by it: some providers report a plain end beside tool calls.
    pub stop: StopReason,
    /// Tokens of the request and of the reply.
    pub usage: TokenUsage,
    /// What the provider needs to see again, when it needs something.
    pub state: Option<ProviderState>,
    /// The model that answered, as the provider names it, when it says so.
    pub answered_by: Option<String>,
}

impl ModelReply {
    /// An answer in words.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// An answer that asks for tools.
    #[must_use]
    pub fn calls(calls: Vec<ToolCall>) -> Self {
        Self { calls, stop: StopReason::ToolCalls, ..Self::default() }
    }

    /// Sets why it stopped.
    #[must_use]
    pub const fn with_stop(mut self, stop: StopReason) -> Self {
        self.stop = stop;
        self
    }

    /// Sets the tokens.
    #[must_use]
    pub const fn with_usage(mut self, usage: TokenUsage) -> Self {
        self.usage = usage;
        self
    }

    /// Sets what the provider needs to see again.
    #[must_use]
    pub fn with_state(mut self, state: Option<ProviderState>) -> Self {
        self.state = state;
        self
    }

    /// Sets the model that answered.
    #[must_use]
    pub fn with_answered_by(mut self, model: Option<String>) -> Self {
        self.answered_by = model;
        self
    }
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// It had said everything.
    #[default]
    End,
    /// It waits for tools.
    ToolCalls,
    /// The reply reached its longest length.
    Length,
    /// The provider stopped it for what it said.
    ContentFilter,
    /// It refused to answer.
    Refusal,
    /// Anything else.
    Other,
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TokenUsage {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Tokens written, thoughts included.
    pub output: u64,
    /// Of those read, how many came from the provider's cache.
    pub cached_input: u64,
    /// Whether these are estimates because the provider did not report them.
    pub estimated: bool,
}

impl TokenUsage {
    /// As the provider reports it.
    #[must_use]
    pub const fn new(input: u64, output: u64) -> Self {
        Self { input, output, cached_input: 0, estimated: false }
    }

    /// An estimate: a quarter of the bytes.
    #[must_use]
    pub const fn estimated(input: u64, output: u64) -> Self {
        Self { input, output, cached_input: 0, estimated: true }
    }

    /// Sets how many of the tokens read came from the provider's cache.
    #[must_use]
    pub const fn with_cached_input(mut self, cached: u64) -> Self {
        self.cached_input = cached;
        self
    }
}
