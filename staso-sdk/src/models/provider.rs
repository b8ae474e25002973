//! Who serves a model.

use genai::adapter::AdapterKind;

/// Who serves a model, and with that the wire it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI, chat completions.
    OpenAi,
    /// OpenAI, responses. Nothing is stored at the provider.
    OpenAiResponses,
    /// Anthropic, messages.
    Anthropic,
    /// Google Gemini, `generateContent`.
    Gemini,
    /// Anyone who speaks OpenAI's chat completions, at an address of the host's choice.
    Compatible,
}

/// How replies are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// In pieces, as they are written.
    #[default]
    Streamed,
    /// In one piece, for servers that cannot stream. Text is handed on when all of it is there.
    Whole,
}

impl Provider {
    const ALL: [Self; 5] =
        [Self::OpenAi, Self::OpenAiResponses, Self::Anthropic, Self::Gemini, Self::Compatible];

    /// The name, as the first part of `STASO_MODEL` gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Compatible => "compatible",
        }
    }

    /// The environment variable that holds a key for the provider's own address; `None` when there is no such address.
    #[must_use]
    pub const fn key_variable(self) -> Option<&'static str> {
        match self {
            Self::OpenAi | Self::OpenAiResponses => Some("OPENAI_API_KEY"),
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
            Self::Gemini => Some("GEMINI_API_KEY"),
            Self::Compatible => None,
        }
    }

    /// The provider's own address; `None` when the host must say.
    #[must_use]
    pub const fn base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi | Self::OpenAiResponses => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com/v1beta"),
            Self::Compatible => None,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name() == name)
    }

    /// All names, for messages.
    pub(super) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    pub(super) const fn wire(self) -> AdapterKind {
        match self {
            Self::OpenAi | Self::Compatible => AdapterKind::OpenAI,
            Self::OpenAiResponses => AdapterKind::OpenAIResp,
            Self::Anthropic => AdapterKind::Anthropic,
            Self::Gemini => AdapterKind::Gemini,
        }
    }

    /// The path of a call below the base address.
    pub(super) fn path(self, model: &str, delivery: Delivery) -> String {
        match (self, delivery) {
            (Self::OpenAi | Self::Compatible, _) => "chat/completions".to_owned(),
            (Self::OpenAiResponses, _) => "responses".to_owned(),
            (Self::Anthropic, _) => "messages".to_owned(),
            (Self::Gemini, Delivery::Streamed) => format!("models/{model}:streamGenerateContent?alt=sse"),
            (Self::Gemini, Delivery::Whole) => format!("models/{model}:generateContent"),
        }
    }
}
