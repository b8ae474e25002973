//! The [`LanguageModel`] plug trait.

use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ModelReply, ModelRequest};
use crate::run::RunContext;

/// Who serves a model and which one it is, e.g. `anthropic/claude-sonnet-4-5`. Recorded in artifacts and the key of
/// price tables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ModelId(String);

impl ModelId {
    /// Longest id, in characters.
    pub const MAX_CHARS: usize = 200;

    /// Takes printable text without blanks.
    ///
    /// # Errors
    /// When the text is empty, too long, or holds a blank or a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, ModelIdError> {
        let text = text.into();
        let valid = !text.is_empty()
            && text.chars().count() <= Self::MAX_CHARS
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if valid { Ok(Self(text)) } else { Err(ModelIdError) }
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ModelId {
    type Error = ModelIdError;
    fn try_from(text: String) -> Result<Self, ModelIdError> {
        Self::new(text)
    }
}

impl From<ModelId> for String {
    fn from(id: ModelId) -> Self {
        id.0
    }
}

/// The text is no id of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a model id has 1 to 200 printable characters and no blanks, e.g. anthropic/claude-sonnet-4-5")]
pub struct ModelIdError;

/// What one call of a model can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ModelLimits {
    /// Tokens of a request and its reply together. Default 128,000.
    pub context_tokens: u64,
    /// Tokens of one reply. Default 8,192.
    pub output_tokens: u64,
}

impl Default for ModelLimits {
    fn default() -> Self {
        Self { context_tokens: 128_000, output_tokens: 8_192 }
    }
}

impl ModelLimits {
    /// Both bounds, in tokens.
    #[must_use]
    pub const fn new(context_tokens: u64, output_tokens: u64) -> Self {
        Self { context_tokens, output_tokens }
    }
}

/// A model did not answer. Messages hold no part of a request or reply and no credential; `code` is the provider's own
/// short word for the problem, e.g. `model_not_found`, when it is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Too many requests or tokens in a span of time (HTTP 429).
    #[error("the provider limits the rate of requests")]
    RateLimited {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
    /// The provider has no capacity or failed itself (HTTP 408, 409, 500, 502, 503, 504, 529).
    #[error("the provider is overloaded or failed")]
    Overloaded {
        /// The HTTP status, when there was one.
        status: Option<u16>,
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
    /// The key is missing, wrong or not allowed to do this (HTTP 401, 403).
    #[error("the provider refused the credentials; check the key and what it may use")]
    Auth {
        /// The HTTP status.
        status: Option<u16>,
    },
    /// The request does not fit the model's window.
    #[error("the request is longer than the model can read")]
    ContextLength,
    /// The provider refused to answer for what was asked or said.
    #[error("the provider's content filter stopped the request or the reply")]
    ContentFilter,
    /// The provider does not take the request as it is.
    #[error("the provider refused the request{}", detail(*status, code.as_deref()))]
    BadRequest {
        /// The HTTP status, when there was one.
        status: Option<u16>,
        /// The provider's word for it.
        code: Option<String>,
    },
    /// The model did not answer in time.
    #[error("the model did not answer within {limit_ms} ms")]
    Timeout {
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The answer is not what the provider's interface promises.
    #[error("the provider's answer cannot be read: {what}")]
    Malformed {
        /// What is wrong with it, without its content.
        what: &'static str,
    },
    /// The provider cannot be reached, or the connection was lost.
    #[error("the connection to the provider failed: {what}")]
    Network {
        /// What failed, without addresses that could hold credentials.
        what: &'static str,
    },
    /// A third-party model failed.
    #[error("{operation} failed in model {provider}")]
    Backend {
        /// The model's provider.
        provider: &'static str,
        /// What was done.
        operation: &'static str,
        /// Why it failed. Must not repeat payloads or credentials.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ModelError {
    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. } | Self::Overloaded { .. } | Self::Timeout { .. } | Self::Network { .. }
        )
    }

    /// How long the provider asks to wait before the next try.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Overloaded { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn detail(status: Option<u16>, code: Option<&str>) -> String {
    match (status, code) {
        (Some(status), Some(code)) => format!(" ({status}, {code})"),
        (Some(status), None) => format!(" ({status})"),
        (None, Some(code)) => format!(" ({code})"),
        (None, None) => String::new(),
    }
}

/// A model that answers in text and tool calls.
///
/// # Contract
/// [`complete`](Self::complete) sends exactly the request, once or several times, and returns one whole reply. Text is
/// handed to [`ModelRequest::deltas`] as it comes; when an answer is begun anew after that, the sink is told by
/// [`DeltaSink::restarted`](super::DeltaSink::restarted). Tool calls are returned as the model wrote them, malformed ones
/// included; nothing is executed. Usage that the provider does not report is estimated and marked so. A key never
/// appears in an error, a log or `Debug`.
///
/// # Cancellation
/// Returns within two seconds after the context is cancelled, with [`ModelError::Cancelled`], and stops reading.
///
/// # Errors
/// One [`ModelError`]; [`is_retryable`](ModelError::is_retryable) decides about retries.
///
/// # Implementing
/// Run `staso_core::conformance::language_model` against your model.
#[async_trait]
pub trait LanguageModel: Debug + Send + Sync + 'static {
    /// Who serves it and which one it is.
    fn id(&self) -> &ModelId;

    /// What one call can hold.
    fn limits(&self) -> ModelLimits;

    /// Answers a request.
    async fn complete(&self, request: &ModelRequest<'_>, ctx: &RunContext) -> Result<ModelReply, ModelError>;
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<M: LanguageModel + ?Sized> LanguageModel for std::sync::Arc<M> {
    fn id(&self) -> &ModelId {
        (**self).id()
    }

    fn limits(&self) -> ModelLimits {
        (**self).limits()
    }

    async fn complete(&self, request: &ModelRequest<'_>, ctx: &RunContext) -> Result<ModelReply, ModelError> {
        (**self).complete(request, ctx).await
    }
}
