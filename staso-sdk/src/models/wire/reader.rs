//! The [`Reader`] of a reply.

use serde_json::Value;
use staso_core::agent::{ModelError, ModelReply};

use super::draft::Draft;
use super::{chat, generate, messages, responses};
use crate::models::failure;
use crate::models::provider::Provider;
use crate::secret::Secret;

/// Most bytes of one reply on the wire.
const MAX_BYTES: usize = 16 << 20;

/// The interfaces of providers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::models) enum Wire {
    /// OpenAI's chat completions.
    #[default]
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Gemini's `generateContent`.
    Generate,
}

impl Wire {
    pub(in crate::models) const fn of(provider: Provider) -> Self {
        match provider {
            Provider::OpenAi | Provider::Compatible => Self::Chat,
            Provider::OpenAiResponses => Self::Responses,
            Provider::Anthropic => Self::Messages,
            Provider::Gemini => Self::Generate,
        }
    }

    pub(in crate::models) const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Generate => "generate",
        }
    }
}

/// Reads one reply, whole or piece by piece.
#[derive(Debug, Default)]
pub(in crate::models) struct Reader {
    wire: Wire,
    key: Option<Secret>,
    draft: Draft,
    bytes: usize,
    handed_on: usize,
}

impl Reader {
    pub(in crate::models) fn new(wire: Wire, key: Option<Secret>) -> Self {
        Self { wire, key, ..Self::default() }
    }

    /// Takes the next piece of a stream.
    pub(in crate::models) fn frame(&mut self, data: &str) -> Result<(), ModelError> {
        self.bytes = self.bytes.saturating_add(data.len());
        if self.bytes > MAX_BYTES {
            return Err(ModelError::Malformed { what: "it is longer than 16 MiB" });
        }
        let data = data.trim();
        if data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            self.draft.complete = true;
            return Ok(());
        }
        let frame: Value = serde_json::from_str(data)
            .map_err(|_| ModelError::Malformed { what: "a piece of it is not JSON" })?;
        self.refuse_error(&frame)?;
        match self.wire {
            Wire::Chat => chat::frame(&mut self.draft, &frame),
            Wire::Responses => responses::frame(&mut self.draft, &frame),
            Wire::Messages => messages::frame(&mut self.draft, &frame),
            Wire::Generate => return generate::frame(&mut self.draft, &frame),
        }
        Ok(())
    }

    /// Takes a reply that came in one piece.
    pub(in crate::models) fn whole(&mut self, body: &Value) -> Result<(), ModelError> {
        self.refuse_error(body)?;
        match self.wire {
            Wire::Chat => chat::whole(&mut self.draft, body),
            Wire::Responses => responses::whole(&mut self.draft, body),
            Wire::Messages => messages::whole(&mut self.draft, body),
            Wire::Generate => generate::body(&mut self.draft, body)?,
        }
        if self.draft.complete || self.draft.stop.is_some() {
            Ok(())
        } else {
            Err(ModelError::Malformed { what: "it holds no reply" })
        }
    }

    /// An error in place of a reply, or in the middle of one.
    fn refuse_error(&self, body: &Value) -> Result<(), ModelError> {
        let inner = body.get("response").unwrap_or(body);
        let has_error = |value: &Value| value.get("error").is_some_and(|error| !error.is_null());
        let kind = body.get("type").and_then(Value::as_str);
        let failed = inner.get("status").and_then(Value::as_str) == Some("failed");
        if has_error(body) || has_error(inner) || kind == Some("error") || failed {
            return Err(failure::of_body(body, self.key.as_ref()));
        }
        Ok(())
    }

    /// The text that came since the last call.
    pub(in crate::models) fn take_text(&mut self) -> Option<String> {
        let text = self.draft.text.get(self.handed_on..).filter(|text| !text.is_empty())?.to_owned();
        self.handed_on = self.draft.text.len();
        Some(text)
    }

    /// Whether nothing more is to come.
    pub(in crate::models) const fn is_complete(&self) -> bool {
        self.draft.complete
    }

    /// Whether the reply is whole if nothing more comes.
    pub(in crate::models) const fn may_end(&self) -> bool {
        self.draft.complete || self.draft.stop.is_some()
    }

    /// The reply. `asked` estimates the tokens of the request.
    pub(in crate::models) fn finish(self, asked: u64) -> Result<ModelReply, ModelError> {
        self.draft.finish(self.wire, asked)
    }
}
