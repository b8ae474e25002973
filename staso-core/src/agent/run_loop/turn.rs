//! One turn of an agent, and what it carries from turn to turn.

use std::time::Duration;

use super::allowance::{Allowance, INPUT, millis};
use super::deltas::DeltaBatch;
use super::guard::LoopGuard;
use super::intake::Intake;
use super::left::{Bound, Plan};
use super::mask::mask;
use super::reception::Received;
use super::{AgentEnd, AgentError, AgentLoop, AgentRun};
use crate::agent::{
    Message, ModelError, ModelReply, ModelRequest, Price, Shown, StopReason, ToolChoice, ToolSpec,
};
use crate::id::Digest;
use crate::run::{EventKind, Interrupted, Note, RunContext};

/// Longest result of a tool, in bytes.
pub(super) const MAX_RESULT_BYTES: usize = 16 << 10;
/// Observations that stay when a request did not fit the model's window.
const KEPT_IN_NEED: usize = 2;
/// Replies without a call in a row that end the agent.
const MONOLOGUE: u32 = 3;

/// An agent at work.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) agent: &'a AgentLoop<'a>,
    pub(super) ctx: &'a RunContext,
    pub(super) allowance: Allowance<'a>,
    pub(super) guard: LoopGuard,
    pub(super) shown: Shown,
    pub(super) intake: Intake<'a>,
    system: String,
    system_digest: Digest,
    specs: Vec<&'a ToolSpec>,
    /// Bytes of system text and tools: the part of a request that stays.
    fixed_bytes: usize,
    pub(super) messages: Vec<Message>,
    /// What the host said since the last request.
    unsaid: Vec<String>,
    masked: u64,
    /// Tokens that the model's window holds, as far as is known.
    window: u64,
    pub(super) calls: u64,
    silent_replies: u32,
    pub(super) malformed_replies: u32,
    pub(super) forced_replies: u32,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        agent: &'a AgentLoop<'a>,
        price: Option<Price>,
        opening: Vec<Message>,
        ctx: &'a RunContext,
    ) -> Self {
        let intake = Intake(agent.redactor);
        let limits = agent.model.limits();
        let specs: Vec<&ToolSpec> = agent.tools.iter().map(|tool| tool.spec()).collect();
        let system = intake.whole(agent.system);
        let mut work = Self {
            agent,
            ctx,
            allowance: Allowance::new(agent.limits, limits, price, ctx),
            guard: LoopGuard::default(),
            shown: Shown::default(),
            intake,
            fixed_bytes: system.len() + specs.iter().map(|spec| spec.size_bytes()).sum::<usize>(),
            system,
            system_digest: Digest::of(agent.system),
            specs,
            messages: Vec::new(),
            unsaid: Vec::new(),
            masked: 0,
            window: limits.context_tokens,
            calls: 0,
            silent_replies: 0,
            malformed_replies: 0,
            forced_replies: 0,
        };
        work.open(opening);
        work
    }

    fn open(&mut self, opening: Vec<Message>) {
        for message in opening {
            match message {
                Message::User { text } => {
                    let text = self.intake.whole(&text);
                    self.shown.said(text.clone());
                    self.say(text);
                }
                Message::Tool { mut results } => {
                    for result in &mut results {
                        result.content = self.intake.cut(&result.content, MAX_RESULT_BYTES);
                        self.shown.said(result.content.clone());
                    }
                    self.messages.push(Message::Tool { results });
                }
                Message::Assistant { text, mut calls, state } => {
                    for call in &mut calls {
                        call.arguments = self.intake.0.clean(&call.arguments);
                    }
                    let text = self.intake.whole(&text);
                    self.messages.push(Message::Assistant { text, calls, state });
                }
            }
        }
    }

    pub(super) fn into_run(self, end: AgentEnd) -> AgentRun {
        let used = self.allowance.used;
        AgentRun { end, turns: used.turns, used, shown: self.shown, messages: self.messages }
    }

    /// One turn. Returns how the agent ended, when it did.
    ///
    /// # Errors
    /// When the run is cancelled or the sandbox fails.
    pub(super) async fn turn(&mut self) -> Result<Option<AgentEnd>, AgentError> {
        self.save_room();
        if let Err(bound) = self.affordable() {
            return Ok(Some(bound.into()));
        }
        // Only now, that somebody will read it.
        self.hear();
        let plan = match self.affordable() {
            Ok(plan) => plan,
            Err(bound) => return Ok(Some(bound.into())),
        };
        self.remind(&plan);
        let (reply, time) = match self.ask(&plan).await? {
            Ok(answered) => answered,
            Err(end) => return Ok(Some(end)),
        };
        let received = self.receive(reply, time);
        if received.calls.is_empty() {
            return Ok(self.nudge(received.stop, &plan));
        }
        self.silent_replies = 0;
        self.carry_out_all(&received, &plan).await
    }

    /// An estimate of the next request, in tokens.
    fn estimate(&self) -> u64 {
        let bytes = self.fixed_bytes + self.messages.iter().map(Message::text_bytes).sum::<usize>();
        u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
    }

    fn plan(&self) -> Result<Plan, Bound> {
        self.allowance.plan(self.estimate(), self.ctx)
    }

    /// The plan for the next reply; when the tokens do not last for its request, for one with fewer observations.
    fn affordable(&mut self) -> Result<Plan, Bound> {
        let mut plan = self.plan();
        for kept in [KEPT_IN_NEED, 0] {
            if plan.is_ok() || plan.is_err_and(|bound| bound.resource != INPUT) {
                break;
            }
            self.masked += mask(&mut self.messages, kept);
            plan = self.plan();
        }
        plan
    }

    fn save_room(&mut self) {
        let limits = self.agent.limits;
        self.mask_above(limits.mask_above_percent, limits.kept_observations);
        self.mask_above(100, KEPT_IN_NEED);
    }

    fn mask_above(&mut self, percent: u64, kept: usize) {
        let needed = self.allowance.corrected(self.estimate());
        if needed.saturating_mul(100) > self.window.saturating_mul(percent) {
            self.masked += mask(&mut self.messages, kept);
        }
    }

    /// Takes what the host says in mid-run.
    fn hear(&mut self) {
        for text in self.ctx.redirections().take() {
            let text = self.intake.whole(&text);
            self.ctx.emit(EventKind::Redirected { text: text.clone() });
            self.shown.said(text.clone());
            self.say(text);
        }
    }

    fn say(&mut self, text: String) {
        self.unsaid.push(text.clone());
        self.messages.push(Message::User { text });
    }

    fn remind(&mut self, plan: &Plan) {
        let submit = self.agent.submit;
        match plan.last {
            Some(_) if plan.turns_left == 1 => {
                self.say(format!("This is the last turn: submit with {submit} now."));
            }
            Some(bound) => {
                self.say(format!(
                    "The limit on {} is nearly reached: submit with {submit} now.",
                    bound.resource
                ));
            }
            None if plan.turns_left == 2 => self.say(format!("2 turns left; submit with {submit}.")),
            None => {}
        }
    }

    /// Asks the model, once more with less when the request does not fit its window.
    async fn ask(&mut self, plan: &Plan) -> Result<Result<(ModelReply, Duration), AgentEnd>, AgentError> {
        let started = self.ctx.elapsed();
        let mut answer = self.complete(plan).await;
        if let Ok(Err(ModelError::ContextLength)) = answer {
            self.window = self.window.min(self.allowance.corrected(self.estimate()));
            let masked = mask(&mut self.messages, KEPT_IN_NEED);
            self.masked += masked;
            if masked > 0 {
                let plan = match self.plan() {
                    Ok(plan) => plan,
                    Err(bound) => return Ok(Err(bound.into())),
                };
                answer = self.complete(&plan).await;
            }
        }
        match answer {
            Ok(Ok(reply)) => Ok(Ok((reply, self.ctx.elapsed().saturating_sub(started)))),
            Ok(Err(ModelError::Cancelled)) if self.ctx.is_cancelled() => Err(AgentError::Cancelled),
            Ok(Err(error)) => Ok(Err(AgentEnd::Model(error))),
            Err(Interrupted::Cancelled) => Err(AgentError::Cancelled),
            Err(Interrupted::TimedOut { limit_ms }) => {
                Ok(Err(plan.wall.map_or(AgentEnd::Model(ModelError::Timeout { limit_ms }), AgentEnd::from)))
            }
        }
    }

    async fn complete(&mut self, plan: &Plan) -> Result<Result<ModelReply, ModelError>, Interrupted> {
        let turn = self.allowance.used.turns + 1;
        let agent = self.agent;
        self.ctx.note(Note::Model(agent.model.id().clone()));
        self.ctx.emit(EventKind::ModelRequested {
            agent: agent.name.to_owned(),
            turn,
            model: agent.model.id().clone(),
            system: self.system_digest.clone(),
            said: std::mem::take(&mut self.unsaid),
            estimated_tokens: self.estimate(),
            masked: self.masked,
        });
        let deltas = DeltaBatch::new(agent.name, turn, self.intake, self.ctx);
        let request = ModelRequest::new(&self.system, &self.messages)
            .with_tools(&self.specs, self.choice(plan))
            .with_max_output_tokens(plan.max_output_tokens)
            .with_sampling(agent.limits.temperature, agent.limits.seed)
            .with_deltas(&deltas);
        let answer = self.ctx.bounded(plan.time, agent.model.complete(&request, self.ctx)).await?;
        if answer.is_ok() {
            deltas.finish();
        }
        Ok(answer)
    }

    fn choice(&self, plan: &Plan) -> ToolChoice<'a> {
        let offered = self.specs.iter().any(|spec| spec.name == self.agent.submit);
        if plan.last.is_some() && offered { ToolChoice::Named(self.agent.submit) } else { ToolChoice::Auto }
    }

    /// Takes a reply in and tells of it.
    fn receive(&mut self, reply: ModelReply, time: Duration) -> Received {
        let estimate = self.estimate();
        let received = Received::new(reply, estimate, self.intake);
        self.allowance.spend_reply(received.usage, estimate, time, self.ctx);
        self.ctx.emit(EventKind::ModelCompleted {
            agent: self.agent.name.to_owned(),
            turn: self.allowance.used.turns,
            text: received.text.clone(),
            calls: received.told(),
            stop: received.stop,
            usage: received.usage,
            duration_ms: millis(time),
        });
        self.ctx.emit(EventKind::BudgetUpdated { used: self.ctx.budget().used() });
        self.messages.push(Message::Assistant {
            text: received.text.clone(),
            calls: received.told(),
            state: received.state.clone(),
        });
        received
    }

    /// Asks for a call after a reply that had none.
    fn nudge(&mut self, stop: StopReason, plan: &Plan) -> Option<AgentEnd> {
        self.silent_replies += 1;
        if let Some(bound) = plan.last {
            return Some(bound.into());
        }
        if self.silent_replies >= MONOLOGUE {
            let how = format!("{MONOLOGUE} replies in a row without a tool call");
            return Some(AgentEnd::Stuck { how });
        }
        let shorter = if stop == StopReason::Length {
            "Your reply was cut because it was too long: be shorter. "
        } else {
            ""
        };
        self.say(format!("{shorter}Use a tool, or submit with {}.", self.agent.submit));
        None
    }
}
