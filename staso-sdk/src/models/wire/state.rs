//! What a provider wants to see again.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use staso_core::agent::ProviderState;

use super::reader::Wire;

/// Thoughts and their signatures. Stored in conversations; a wire reads only what it wrote itself.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::models) struct State {
    wire: String,
    /// Anthropic: thinking blocks as they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::models) blocks: Vec<Value>,
    /// Responses: encrypted thoughts. Gemini: one for each call, when it has one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::models) signatures: Vec<Option<String>>,
    /// Gemini: of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::models) text_signature: Option<String>,
    /// Chat: the thoughts that some compatible servers want back with tool calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::models) thoughts: Option<String>,
}

impl State {
    /// For the conversation; `None` when there is nothing to keep.
    pub(super) fn written(mut self, wire: Wire) -> Option<ProviderState> {
        if self.signatures.iter().all(Option::is_none) {
            self.signatures.clear();
        }
        if self == Self::default() {
            return None;
        }
        wire.name().clone_into(&mut self.wire);
        serde_json::to_value(self).ok().map(ProviderState)
    }

    /// From the conversation; `None` when another wire wrote it.
    pub(in crate::models) fn read(wire: Wire, state: &ProviderState) -> Option<Self> {
        Self::deserialize(&state.0).ok().filter(|state| state.wire == wire.name())
    }
}
