//! What is said between the host, a model and its tools.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One entry of a conversation with a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "role", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Message {
    /// What the host says.
    User {
        /// The text.
        text: String,
    },
    /// What the model said.
    Assistant {
        /// Its text; may be empty beside tool calls.
        text: String,
        /// The tools it asked for, in order.
        calls: Vec<ToolCall>,
        /// What the provider needs to see again, when it needs something.
        state: Option<ProviderState>,
    },
    /// The results of tool calls, in the order of the calls.
    Tool {
        /// One for each call of the message before.
        results: Vec<ToolResult>,
    },
}

impl Message {
    /// Something that the host says.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User { text: text.into() }
    }

    /// The length of all text in it, in bytes.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::User { text } => text.len(),
            Self::Assistant { text, calls, .. } => {
                text.len() + calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>()
            }
            Self::Tool { results } => results.iter().map(|result| result.content.len()).sum(),
        }
    }
}

/// A tool that a model asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCall {
    /// The provider's id of the call; joins it with its result.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them: JSON text, or what was meant to be.
    pub arguments: String,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolResult {
    /// The id of the call.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// What the model reads.
    pub content: String,
    /// Whether the tool did what it was asked to.
    pub ok: bool,
}

/// Something that a provider wants to see again with the conversation: signatures of thoughts, ids of items. Opaque to
/// everyone but the model that made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ProviderState(pub Value);
