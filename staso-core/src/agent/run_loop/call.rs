//! Carries out one tool call.

use std::time::Duration;

use super::AgentError;
use super::arguments::short;
use super::guard::{Action, Verdict};
use super::reception::ReceivedCall;
use super::turn::{MAX_RESULT_BYTES, Work};
use crate::agent::canonical::canonical;
use crate::agent::{StopReason, Tool, ToolError, ToolProblem, ToolProblemCode, ToolReply, ToolScope};
use crate::run::{Interrupted, Note};
use crate::sandbox::SandboxError;

/// Part of a schema that is repeated to the model, in characters.
const SCHEMA_CHARS: usize = 2_000;

/// What came of a call.
#[derive(Debug)]
pub(super) struct Done {
    /// What the model reads.
    pub(super) content: String,
    pub(super) ok: bool,
    /// The work is accepted.
    pub(super) accepted: bool,
    /// The call was not one that could be carried out.
    pub(super) malformed: bool,
    /// Why the agent is stuck, when it is.
    pub(super) stuck: Option<&'static str>,
}

impl Done {
    fn text(content: String, accepted: bool) -> Self {
        Self { content, ok: true, accepted, malformed: false, stuck: None }
    }

    pub(super) fn problem(problem: &ToolProblem) -> Self {
        let malformed = matches!(problem.code, ToolProblemCode::BadArgs | ToolProblemCode::UnknownTool);
        Self { content: problem.to_json(), ok: false, accepted: false, malformed, stuck: None }
    }
}

impl Work<'_> {
    /// Carries out a call, or says why not.
    ///
    /// # Errors
    /// When the run is cancelled or the sandbox fails.
    pub(super) async fn carry_out(
        &mut self,
        call: &ReceivedCall,
        label: &str,
        stop: StopReason,
    ) -> Result<Done, AgentError> {
        let name = call.told.name.as_str();
        let Some(tool) = self.agent.tools.iter().copied().find(|tool| tool.spec().name == name) else {
            return Ok(Done::problem(&self.unknown(name)));
        };
        let arguments = match &call.arguments {
            Ok(arguments) => arguments,
            Err(wrong) => return Ok(Done::problem(&unreadable(wrong, tool, stop))),
        };
        let action = Action::new(name, &canonical(arguments));
        match self.guard.before(&action) {
            Verdict::Go => {}
            Verdict::Refuse => return Ok(Done::problem(&repeated(self.agent.submit))),
            Verdict::Stuck(how) => {
                return Ok(Done { stuck: Some(how), ..Done::problem(&repeated(self.agent.submit)) });
            }
        }
        let mut done = self.execute(tool, arguments.clone(), label).await?;
        done.content = self.intake.cut(&done.content, MAX_RESULT_BYTES);
        if !done.accepted && !done.malformed {
            done.stuck = self.guard.after(action, &done.content, done.ok);
        }
        Ok(done)
    }

    /// Runs a tool within its time.
    async fn execute(
        &mut self,
        tool: &dyn Tool,
        arguments: serde_json::Value,
        label: &str,
    ) -> Result<Done, AgentError> {
        let submits = tool.spec().name == self.agent.submit;
        let limit = self.allowance.tool_time_left(submits, self.ctx);
        if limit.is_zero() {
            return Ok(Done::problem(&no_time(self.agent.submit)));
        }
        self.ctx.note(Note::Tool(tool.spec().name.clone()));
        let scope = ToolScope::new(label, &self.shown, limit)
            .with_turn(self.allowance.used.turns)
            .with_session(self.agent.session);
        let started = self.ctx.elapsed();
        let outcome = self.ctx.bounded(limit, tool.call(arguments, &scope, self.ctx)).await;
        self.allowance.spend_tool_time(self.ctx.elapsed().saturating_sub(started));
        match outcome {
            Err(Interrupted::Cancelled) => Err(AgentError::Cancelled),
            Err(Interrupted::TimedOut { limit_ms }) => Ok(Done::problem(&timed_out(limit_ms))),
            Ok(Ok(ToolReply::Text(text))) => Ok(Done::text(text, false)),
            Ok(Ok(ToolReply::Accepted(text))) => Ok(Done::text(text, true)),
            Ok(Err(ToolError::Problem(problem))) => Ok(Done::problem(&problem)),
            Ok(Err(ToolError::Cancelled)) => Err(AgentError::Cancelled),
            Ok(Err(ToolError::Sandbox(error))) => {
                sandbox_problem(error).map(|problem| Done { malformed: false, ..Done::problem(&problem) })
            }
        }
    }

    fn unknown(&self, name: &str) -> ToolProblem {
        let names: Vec<&str> = self.agent.tools.iter().map(|tool| tool.spec().name.as_str()).collect();
        ToolProblem::new(ToolProblemCode::UnknownTool, format!("there is no tool {name}"))
            .with_hint(format!("the tools are: {}", names.join(", ")))
    }

    /// The problem of a call that is one too many in a reply.
    pub(super) fn one_too_many(&self) -> ToolProblem {
        let most = self.agent.limits.parallel_calls;
        let message = format!("at most {most} calls of one reply are carried out; this one was not");
        ToolProblem::new(ToolProblemCode::Denied, message)
            .with_hint("ask again in the next turn if it is still needed")
    }
}

fn unreadable(wrong: &str, tool: &dyn Tool, stop: StopReason) -> ToolProblem {
    let schema = short(&tool.spec().parameters.to_string(), SCHEMA_CHARS);
    let shorter = if stop == StopReason::Length {
        "the reply was cut because it was too long: be shorter; "
    } else {
        ""
    };
    ToolProblem::new(ToolProblemCode::BadArgs, wrong)
        .with_hint(format!("{shorter}the arguments of {} follow this schema: {schema}", tool.spec().name))
}

fn repeated(submit: &str) -> ToolProblem {
    let message = "the same call gave the same result three times; it was not carried out again";
    ToolProblem::new(ToolProblemCode::Repeated, message)
        .with_hint(format!("try something else, or submit with {submit}"))
}

fn no_time(submit: &str) -> ToolProblem {
    ToolProblem::new(ToolProblemCode::Timeout, "the time for tools is used up; the call was not carried out")
        .with_hint(format!("submit with {submit}"))
}

fn timed_out(limit_ms: u64) -> ToolProblem {
    let limit = Duration::from_millis(limit_ms);
    ToolProblem::new(ToolProblemCode::Timeout, format!("it took longer than {limit:?} and was stopped"))
        .with_hint("ask for less")
}

/// A problem that the model may do something about, or the end of the agent.
fn sandbox_problem(error: SandboxError) -> Result<ToolProblem, AgentError> {
    let code = match &error {
        SandboxError::NotFound { .. } => ToolProblemCode::NoMatch,
        SandboxError::Denied { .. } => ToolProblemCode::Denied,
        SandboxError::TooLarge { .. } => ToolProblemCode::TooLarge,
        SandboxError::Timeout { .. } => ToolProblemCode::Timeout,
        SandboxError::InvalidRequest { .. } => ToolProblemCode::BadArgs,
        SandboxError::Cancelled => return Err(AgentError::Cancelled),
        _ => return Err(AgentError::Sandbox(error)),
    };
    Ok(ToolProblem::new(code, error.to_string()))
}
