//! A turn of an agent.

use std::error::Error;
use std::future::Future;
use std::panic::Location;

use serde::Serialize;
use serde_json::Value;
use tracing::{Instrument, Span, field, info_span};

use super::outcome::{Caller, Extra, Watch, json, record_error};

/// Records a turn of the agent `name`: everything inside [`scope`](AgentScope::scope) belongs to it. Inside of another
/// agent's turn it is a step of that one.
#[track_caller]
pub fn agent(name: impl Into<String>) -> AgentScope {
    AgentScope {
        name: name.into(),
        conversation: None,
        user: None,
        input: None,
        extra: Extra::default(),
        caller: Caller(Location::caller()),
    }
}

/// A turn of an agent that has not begun.
#[derive(Debug)]
#[must_use = "nothing is recorded before `scope` is awaited"]
pub struct AgentScope {
    name: String,
    conversation: Option<String>,
    user: Option<String>,
    input: Option<String>,
    extra: Extra,
    caller: Caller,
}

impl AgentScope {
    /// The conversation that the turn belongs to; traces of one conversation share it. At most 128 characters.
    pub fn conversation(mut self, id: impl Into<String>) -> Self {
        self.conversation = Some(id.into());
        self
    }

    /// The user whom the agent serves.
    pub fn user(mut self, id: impl Into<String>) -> Self {
        self.user = Some(id.into());
        self
    }

    /// What the agent was asked. Content of category *request*.
    pub fn input(mut self, input: &(impl Serialize + ?Sized)) -> Self {
        self.input = Some(json(input));
        self
    }

    /// Any further attribute. With requests switched off, it is not sent.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name, value);
        self
    }

    /// Runs the turn. When the future is dropped before it is ready, the span says so.
    pub async fn scope<F: Future>(self, turn: F) -> F::Output {
        let span = self.span();
        let watch = Watch::new(span.clone());
        let output = turn.instrument(span).await;
        watch.done();
        output
    }

    /// Runs the turn, and records its answer or its error.
    ///
    /// # Errors
    /// What the future returns.
    pub async fn try_scope<T, E, F>(self, turn: F) -> Result<T, E>
    where
        T: Serialize,
        E: Error + 'static,
        F: Future<Output = Result<T, E>>,
    {
        let span = self.span();
        let watch = Watch::new(span.clone());
        let result = turn.instrument(span.clone()).await;
        match &result {
            Ok(answer) if !span.is_disabled() => drop(span.record("staso.output", json(answer).as_str())),
            Ok(_) => {}
            Err(error) => record_error(&span, error),
        }
        watch.done();
        result
    }

    /// Runs a turn that does not wait for anything asynchronously.
    pub fn in_scope<T>(self, turn: impl FnOnce() -> T) -> T {
        self.span().in_scope(turn)
    }

    fn span(&self) -> Span {
        info_span!(
            target: "staso",
            "agent",
            otel.name = self.name.as_str(),
            gen_ai.operation.name = "invoke_agent",
            gen_ai.agent.name = self.name.as_str(),
            gen_ai.conversation.id = self.conversation.as_deref(),
            user.id = self.user.as_deref(),
            staso.input = self.input.as_deref(),
            staso.attributes = self.extra.text().as_deref(),
            code.file.path = self.caller.file(),
            code.line.number = self.caller.line(),
            staso.output = field::Empty,
            staso.unfinished = field::Empty,
            "exception.type" = field::Empty,
            exception.message = field::Empty,
        )
    }
}
