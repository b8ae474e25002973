//! A request to a model, kept.

use serde::Serialize;

use crate::agent::{Message, ModelRequest, ToolChoice, ToolResult, ToolSpec};

/// A request as a model double saw it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SeenRequest {
    /// What the model was told to be.
    pub system: String,
    /// The conversation.
    pub messages: Vec<Message>,
    /// The tools that were offered.
    pub tools: Vec<ToolSpec>,
    /// Whether a tool had to be asked for.
    pub tool_choice: SeenToolChoice,
    /// Longest reply, in tokens.
    pub max_output_tokens: u64,
    /// How much chance there was to be.
    pub temperature: Option<f64>,
    /// Where chance was to begin.
    pub seed: Option<u64>,
}

/// [`ToolChoice`], kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenToolChoice {
    /// As the model liked.
    Auto,
    /// One of those offered.
    Required,
    /// This one.
    Named(String),
}

impl SeenRequest {
    /// Keeps a request.
    #[must_use]
    pub fn of(request: &ModelRequest<'_>) -> Self {
        Self {
            system: request.system.to_owned(),
            messages: request.messages.to_vec(),
            tools: request.tools.iter().map(|tool| (*tool).clone()).collect(),
            tool_choice: match request.tool_choice {
                ToolChoice::Auto => SeenToolChoice::Auto,
                ToolChoice::Required => SeenToolChoice::Required,
                ToolChoice::Named(name) => SeenToolChoice::Named(name.to_owned()),
            },
            max_output_tokens: request.max_output_tokens,
            temperature: request.temperature,
            seed: request.seed,
        }
    }

    /// The results of all tool calls so far, oldest first.
    #[must_use]
    pub fn results(&self) -> Vec<&ToolResult> {
        let results = self.messages.iter().map(|message| match message {
            Message::Tool { results } => results.as_slice(),
            Message::User { .. } | Message::Assistant { .. } => &[],
        });
        results.flatten().collect()
    }

    /// What the last tool call gave; empty when there was none.
    #[must_use]
    pub fn last_result(&self) -> &str {
        self.results().last().map_or("", |result| result.content.as_str())
    }

    /// What the host said, oldest first.
    #[must_use]
    pub fn said(&self) -> Vec<&str> {
        let said = self.messages.iter().filter_map(|message| match message {
            Message::User { text } => Some(text.as_str()),
            Message::Assistant { .. } | Message::Tool { .. } => None,
        });
        said.collect()
    }

    /// Everything that the model could read, as JSON: to look for what must not be there.
    #[must_use]
    pub fn everything(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
