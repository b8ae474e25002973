//! A call of a model.

use std::error::Error;
use std::fmt::Display;
use std::panic::Location;

use serde::Serialize;
use serde_json::Value;
use tracing::{Span, field, info_span};

use super::outcome::{Caller, Extra, json, record_display, record_error};

/// Records a call of a model, for clients that make no spans of their own.
///
/// ```
/// # async fn complete() -> Result<(String, u64, u64), std::io::Error> { Ok((String::new(), 1, 1)) }
/// # async fn example() -> Result<(), std::io::Error> {
/// let mut call = staso::llm("openai", "gpt-4o").start();
/// call.input(&[("user", "Where is my order?")]);
/// match complete().await {
///     Ok((text, tokens_in, tokens_out)) => {
///         call.usage(tokens_in, tokens_out);
///         call.output(&text);
///         call.finish_reason("stop");
///     }
///     Err(error) => call.error(&error),
/// }
/// # Ok(()) }
/// ```
#[track_caller]
pub fn llm(provider: impl Into<String>, model: impl Into<String>) -> LlmRequest {
    LlmRequest {
        provider: provider.into(),
        model: model.into(),
        max_tokens: None,
        extra: Extra::default(),
        caller: Caller(Location::caller()),
    }
}

/// A model call that has not begun.
#[derive(Debug)]
#[must_use = "nothing is recorded before `start`"]
pub struct LlmRequest {
    provider: String,
    model: String,
    max_tokens: Option<u64>,
    extra: Extra,
    caller: Caller,
}

impl LlmRequest {
    /// The largest number of output tokens that the request allows.
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// Any further attribute. With requests switched off, it is not sent.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name, value);
        self
    }

    /// Begins the call.
    pub fn start(self) -> LlmCall {
        let span = info_span!(
            target: "staso",
            "llm",
            otel.name = format_args!("chat {}", self.model),
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = self.provider.as_str(),
            gen_ai.request.model = self.model.as_str(),
            gen_ai.request.max_tokens = self.max_tokens,
            staso.attributes = self.extra.text().as_deref(),
            code.file.path = self.caller.file(),
            code.line.number = self.caller.line(),
            gen_ai.response.model = field::Empty,
            gen_ai.system_instructions = field::Empty,
            gen_ai.tool.definitions = field::Empty,
            gen_ai.input.messages = field::Empty,
            gen_ai.output.messages = field::Empty,
            gen_ai.usage.input_tokens = field::Empty,
            gen_ai.usage.output_tokens = field::Empty,
            gen_ai.response.finish_reasons = field::Empty,
            staso.unfinished = field::Empty,
            "exception.type" = field::Empty,
            exception.message = field::Empty,
        );
        LlmCall { span, answered: false }
    }
}

/// A model call under way. It ends when the handle is dropped; without an output or an error it counts as unfinished.
#[derive(Debug)]
#[must_use = "the call ends when the handle is dropped"]
pub struct LlmCall {
    span: Span,
    answered: bool,
}

impl LlmCall {
    /// The messages that are sent. Content of category *request*.
    pub fn input(&mut self, messages: &(impl Serialize + ?Sized)) {
        self.record("gen_ai.input.messages", messages);
    }

    /// The instructions that come before the messages. Content of category *system prompt*.
    pub fn system(&mut self, instructions: &(impl Serialize + ?Sized)) {
        self.record("gen_ai.system_instructions", instructions);
    }

    /// The tools that are offered. Content of category *tool schema*.
    pub fn tools(&mut self, definitions: &(impl Serialize + ?Sized)) {
        self.record("gen_ai.tool.definitions", definitions);
    }

    /// What the model answered. Content of category *output*.
    pub fn output(&mut self, message: &(impl Serialize + ?Sized)) {
        self.answered = true;
        self.record("gen_ai.output.messages", message);
    }

    /// The model that answered, when it differs from the one asked for.
    pub fn response_model(&mut self, model: &str) {
        self.span.record("gen_ai.response.model", model);
    }

    /// Tokens read and written, as the provider reports them.
    pub fn usage(&mut self, input_tokens: u64, output_tokens: u64) {
        self.span.record("gen_ai.usage.input_tokens", input_tokens);
        self.span.record("gen_ai.usage.output_tokens", output_tokens);
    }

    /// Why the model stopped, as the provider calls it, e.g. `length`.
    pub fn finish_reason(&mut self, reason: &str) {
        self.record("gen_ai.response.finish_reasons", &[reason]);
    }

    /// The call failed.
    pub fn error<E: Error + 'static>(&mut self, error: &E) {
        self.answered = true;
        record_error(&self.span, error);
    }

    /// The call failed with an error that does not implement [`Error`].
    pub fn error_display<E: Display>(&mut self, error: &E) {
        self.answered = true;
        record_display(&self.span, error);
    }

    /// The span, to run other work inside of it.
    #[must_use]
    pub const fn span(&self) -> &Span {
        &self.span
    }

    fn record(&self, field: &'static str, value: &(impl Serialize + ?Sized)) {
        if !self.span.is_disabled() {
            self.span.record(field, json(value).as_str());
        }
    }
}

impl Drop for LlmCall {
    fn drop(&mut self) {
        if !self.answered && !std::thread::panicking() {
            self.span.record(super::UNFINISHED_FIELD, "dropped");
        }
    }
}
