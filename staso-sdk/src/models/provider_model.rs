//! A model at a provider.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use genai::chat::{ChatOptions, ChatRequest};
use genai::resolver::{AuthData, Endpoint};
use genai::{ModelIden, ServiceTarget};
use serde_json::Value;
use staso_core::agent::{LanguageModel, ModelError, ModelId, ModelLimits, ModelReply, ModelRequest};
use staso_core::run::{Interrupted, RunContext};
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;

use super::config::ModelConfig;
use super::error::ModelConfigError;
use super::failure;
use super::frames::Frames;
use super::provider::Delivery;
use super::question;
use super::wire::{Reader, Wire};

/// A model at a provider, asked once per call; wrap it into a [`RetryingModel`](super::RetryingModel). Made by
/// [`ModelConfig::build`](super::ModelConfig::build).
///
/// A reply may have 16 MiB on the wire. Usage that the provider does not report is estimated: a quarter of the bytes.
#[derive(Clone)]
pub struct ProviderModel {
    config: ModelConfig,
    url: String,
    client: genai::Client,
}

impl ProviderModel {
    pub(super) fn new(
        config: ModelConfig,
        url: String,
        http: reqwest::Client,
    ) -> Result<Self, ModelConfigError> {
        let client = genai::Client::builder().with_reqwest(http).build();
        let client = client.map_err(|_| ModelConfigError::Tls { reason: "the client cannot be built" })?;
        Ok(Self { config, url, client })
    }

    /// Address and headers are ours: genai never sees the key.
    fn target(&self) -> ServiceTarget {
        let auth = AuthData::RequestOverride { url: self.url.clone(), headers: genai::Headers::default() };
        ServiceTarget {
            endpoint: Endpoint::from_owned(self.url.as_str()),
            auth,
            model: ModelIden::new(self.config.provider.wire(), self.config.model.as_str()),
        }
    }

    async fn exchange(&self, request: &ModelRequest<'_>) -> Result<ModelReply, ModelError> {
        let max_tokens = request.max_output_tokens.min(self.config.limits.output_tokens);
        let options = question::options(self.config.provider, &self.config.model, max_tokens, request);
        let conversation = question::conversation(self.config.provider, request);
        let reader = Reader::new(Wire::of(self.config.provider), self.config.key.clone());
        let reader = match self.config.delivery {
            Delivery::Streamed => self.streamed(conversation, options, reader, request).await?,
            Delivery::Whole => self.whole(conversation, options, reader, request).await?,
        };
        reader.finish(request.estimated_tokens())
    }

    async fn streamed(
        &self,
        conversation: ChatRequest,
        options: ChatOptions,
        reader: Reader,
        request: &ModelRequest<'_>,
    ) -> Result<Reader, ModelError> {
        let frames = Frames::new(reader);
        let options = options
            .with_stream_header_timeout(self.config.timeouts.first_byte)
            .with_stream_read_timeout(self.config.timeouts.idle)
            .with_raw_frame_sink_arc(Arc::new(frames.clone()));
        let asked = self.client.exec_chat_stream(self.target(), conversation, Some(&options));
        let mut stream = silently(asked).await.map_err(|error| self.failure(&error))?.stream;
        let mut otherwise = None;
        loop {
            let next = silently(stream.next()).await;
            if let Some(text) = frames.take_text() {
                request.deltas.text(&text);
            }
            match next {
                None => break,
                Some(_) if frames.is_over() => break,
                Some(Ok(_)) => {}
                // What genai cannot read, the reader may: only a lost connection ends the reply.
                Some(Err(error)) => {
                    let is_final = matches!(
                        error,
                        genai::Error::WebStream { .. }
                            | genai::Error::HttpError { .. }
                            | genai::Error::WebModelCall { .. }
                    );
                    otherwise = Some(self.failure(&error));
                    if is_final {
                        break;
                    }
                }
            }
        }
        frames.finish(otherwise)
    }

    async fn whole(
        &self,
        conversation: ChatRequest,
        options: ChatOptions,
        mut reader: Reader,
        request: &ModelRequest<'_>,
    ) -> Result<Reader, ModelError> {
        let options = options.with_capture_raw_body(true);
        let body: Value =
            match silently(self.client.exec_chat(self.target(), conversation, Some(&options))).await {
                Ok(reply) => reply.captured_raw_body.unwrap_or_default(),
                // genai could not read it; the reader may.
                Err(genai::Error::ChatResponseGeneration { response_body, .. }) => *response_body,
                Err(error) => return Err(self.failure(&error)),
            };
        reader.whole(&body)?;
        if let Some(text) = reader.take_text() {
            request.deltas.text(&text);
        }
        Ok(reader)
    }

    fn failure(&self, error: &genai::Error) -> ModelError {
        failure::of_client(error, self.config.timeouts, self.config.key.as_ref())
    }
}

/// Lets nothing be logged: genai logs replies, which are the host's affair.
async fn silently<F: Future>(future: F) -> F::Output {
    future.with_subscriber(Dispatch::none()).await
}

impl fmt::Debug for ProviderModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderModel")
            .field("id", &self.config.id)
            .field("limits", &self.config.limits)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl LanguageModel for ProviderModel {
    fn id(&self) -> &ModelId {
        &self.config.id
    }

    fn limits(&self) -> ModelLimits {
        self.config.limits
    }

    async fn complete(&self, request: &ModelRequest<'_>, ctx: &RunContext) -> Result<ModelReply, ModelError> {
        let limit = self.config.timeouts.whole.min(ctx.remaining());
        if limit == Duration::ZERO && !ctx.is_cancelled() {
            return Err(failure::timed_out(limit));
        }
        match ctx.bounded(limit, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(Interrupted::Cancelled) => Err(ModelError::Cancelled),
            Err(Interrupted::TimedOut { limit_ms }) => Err(ModelError::Timeout { limit_ms }),
        }
    }
}
