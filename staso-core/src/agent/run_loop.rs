//! The [`AgentLoop`].

use std::time::Duration;

use serde_json::Value;

use super::{
    AgentLimits, LanguageModel, Message, ModelError, ModelRequest, PriceTable, Shown, ShownOutput, Tool,
    ToolCall, ToolChoice, ToolError, ToolProblem, ToolProblemCode, ToolReply, ToolResult, ToolScope,
    ToolSpec,
};
use crate::redaction::Redactor;
use crate::run::{EventKind, RunContext};
use crate::sandbox::{SandboxError, SandboxSession};

/// Lets a model work with tools until it submits or a limit is reached.
#[derive(Debug)]
pub struct AgentLoop<'a> {
    name: &'a str,
    model: &'a dyn LanguageModel,
    system: &'a str,
    tools: Vec<&'a dyn Tool>,
    submit: &'a str,
    session: Option<&'a dyn SandboxSession>,
    limits: &'a AgentLimits,
    prices: Option<&'a PriceTable>,
    redactor: &'a Redactor,
}

/// What became of an agent.
#[derive(Debug)]
#[non_exhaustive]
pub struct AgentRun {
    /// Why it ended.
    pub end: AgentEnd,
    /// Model replies.
    pub turns: u64,
    /// Everything that the model was shown.
    pub shown: Shown,
    /// The whole conversation.
    pub messages: Vec<Message>,
}

/// Why an agent ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum AgentEnd {
    /// It submitted, and the submission was accepted.
    Submitted,
    /// A limit was reached first.
    Exhausted {
        /// Which one, with its unit.
        resource: &'static str,
        /// The limit.
        limit: u64,
    },
    /// It repeated itself.
    Stuck {
        /// How, in a few words.
        how: String,
    },
    /// Too many malformed replies in a row.
    Malformed,
    /// The model did not answer.
    Model(ModelError),
}

/// An agent could not be brought to an end of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(SandboxError),
    /// A limit on money was set, but the model has no price.
    #[error(
        "a limit on cost is set, but there is no price for model {model}; give a price or drop the limit"
    )]
    NoPrice {
        /// The model.
        model: String,
    },
}

impl<'a> AgentLoop<'a> {
    /// A loop with a model that is told `system`. `name` names the agent in events, e.g. `deep`; `submit` is the tool
    /// that ends it.
    #[must_use]
    pub const fn new(
        name: &'a str,
        model: &'a dyn LanguageModel,
        system: &'a str,
        submit: &'a str,
        limits: &'a AgentLimits,
        redactor: &'a Redactor,
    ) -> Self {
        Self { name, model, system, tools: Vec::new(), submit, session: None, limits, prices: None, redactor }
    }

    /// Offers tools, in this order.
    #[must_use]
    pub fn with_tools(mut self, tools: Vec<&'a dyn Tool>) -> Self {
        self.tools = tools;
        self
    }

    /// Lets tools work in a session.
    #[must_use]
    pub const fn with_session(mut self, session: &'a dyn SandboxSession) -> Self {
        self.session = Some(session);
        self
    }

    /// Counts money.
    #[must_use]
    pub const fn with_prices(mut self, prices: &'a PriceTable) -> Self {
        self.prices = Some(prices);
        self
    }

    /// Works until the model submits or a limit is reached. `opening` is what the host says first.
    ///
    /// # Errors
    /// When the run is cancelled, the sandbox fails, or a limit on money cannot be kept.
    pub async fn run(&self, opening: Vec<Message>, ctx: &RunContext) -> Result<AgentRun, AgentError> {
        let mut shown = Shown::default();
        let mut messages = opening;
        for message in &messages {
            if let Message::User { text } = message {
                shown.said(text.clone());
            }
        }
        let specs: Vec<&ToolSpec> = self.tools.iter().map(|tool| tool.spec()).collect();
        let mut turns = 0;
        let mut calls = 0_u64;
        let end = loop {
            if ctx.is_cancelled() {
                return Err(AgentError::Cancelled);
            }
            if turns == self.limits.turns {
                break AgentEnd::Exhausted { resource: "turns", limit: turns };
            }
            turns += 1;
            let choice =
                if turns == self.limits.turns { ToolChoice::Named(self.submit) } else { ToolChoice::Auto };
            let request = ModelRequest::new(self.system, &messages).with_tools(&specs, choice);
            let reply = match self.model.complete(&request, ctx).await {
                Ok(reply) => reply,
                Err(ModelError::Cancelled) => return Err(AgentError::Cancelled),
                Err(error) => break AgentEnd::Model(error),
            };
            ctx.emit(EventKind::ModelCompleted {
                agent: self.name.to_owned(),
                turn: turns,
                text: self.redactor.clean(&reply.text),
                calls: reply.calls.clone(),
                stop: reply.stop,
                usage: reply.usage,
                duration_ms: 0,
            });
            let mut results = Vec::new();
            let mut accepted = false;
            for call in &reply.calls {
                calls += 1;
                let label = format!("t{calls}");
                let (content, ok, ends) = self.one_call(call, &label, &shown, ctx).await?;
                let content = self.redactor.clean(&format!("[{label}] {content}"));
                let event = ctx.emit(EventKind::ToolOutput {
                    call: label.clone(),
                    tool: call.name.clone(),
                    text: content.clone(),
                });
                shown.observed(ShownOutput { label, tool: call.name.clone(), event, text: content.clone() });
                results.push(ToolResult { call_id: call.id.clone(), name: call.name.clone(), content, ok });
                accepted |= ends;
            }
            let nudge = reply.calls.is_empty();
            messages.push(Message::Assistant { text: reply.text, calls: reply.calls, state: reply.state });
            messages.push(if nudge {
                Message::user(format!("Use a tool, or submit with {}.", self.submit))
            } else {
                Message::Tool { results }
            });
            if accepted {
                break AgentEnd::Submitted;
            }
        };
        Ok(AgentRun { end, turns, shown, messages })
    }

    async fn one_call(
        &self,
        call: &ToolCall,
        label: &str,
        shown: &Shown,
        ctx: &RunContext,
    ) -> Result<(String, bool, bool), AgentError> {
        let problem = |problem: ToolProblem| Ok((problem.to_json(), false, false));
        let Some(tool) = self.tools.iter().find(|tool| tool.spec().name == call.name) else {
            return problem(ToolProblem::new(ToolProblemCode::UnknownTool, format!("no tool {}", call.name)));
        };
        let Ok(arguments) = serde_json::from_str::<Value>(&call.arguments) else {
            return problem(ToolProblem::new(ToolProblemCode::BadArgs, "the arguments are not JSON"));
        };
        let scope = ToolScope::new(label, shown, Duration::from_secs(60)).with_session(self.session);
        match tool.call(arguments, &scope, ctx).await {
            Ok(ToolReply::Text(text)) => Ok((text, true, false)),
            Ok(ToolReply::Accepted(text)) => Ok((text, true, true)),
            Err(ToolError::Problem(found)) => problem(found),
            Err(ToolError::Cancelled | ToolError::Sandbox(SandboxError::Cancelled)) => {
                Err(AgentError::Cancelled)
            }
            Err(ToolError::Sandbox(error)) => Err(AgentError::Sandbox(error)),
        }
    }
}
