//! Carries out the calls of one reply.

use super::allowance::millis;
use super::arguments::summary;
use super::call::Done;
use super::left::Plan;
use super::reception::{Received, ReceivedCall};
use super::turn::{MAX_RESULT_BYTES, Work};
use super::{AgentEnd, AgentError};
use crate::agent::{Message, ShownOutput, StopReason, ToolResult};
use crate::run::EventKind;

/// Replies that are forced to submit: one, and two to repair a refused submission.
const FORCED_REPLIES: u32 = 3;

impl Work<'_> {
    /// Carries out the calls of a reply, in order. Returns how the agent ended, when it did.
    ///
    /// # Errors
    /// When the run is cancelled or the sandbox fails.
    pub(super) async fn carry_out_all(
        &mut self,
        received: &Received,
        plan: &Plan,
    ) -> Result<Option<AgentEnd>, AgentError> {
        let mut results = Vec::with_capacity(received.calls.len());
        let mut end = None;
        let (mut well_formed, mut refused) = (false, false);
        for (at, call) in received.calls.iter().enumerate() {
            if end.is_some() {
                results.push(left_out(call));
                continue;
            }
            let (done, result) = self.observe(call, at, received.stop).await?;
            results.push(result);
            well_formed |= !done.malformed;
            refused |= call.told.name == self.agent.submit;
            end = if done.accepted {
                Some(AgentEnd::Submitted)
            } else {
                done.stuck.map(|how| AgentEnd::Stuck { how: how.to_owned() })
            };
        }
        self.messages.push(Message::Tool { results });
        self.malformed_replies = if well_formed { 0 } else { self.malformed_replies + 1 };
        Ok(end.or_else(|| self.after_calls(refused, plan)))
    }

    /// How the agent ends after calls that did not end it.
    fn after_calls(&mut self, refused: bool, plan: &Plan) -> Option<AgentEnd> {
        if self.malformed_replies >= self.agent.limits.malformed_in_a_row {
            return Some(AgentEnd::Malformed);
        }
        let bound = plan.last?;
        self.forced_replies += 1;
        (!refused || self.forced_replies >= FORCED_REPLIES).then(|| bound.into())
    }

    /// Carries out one call and shows the model what came of it.
    async fn observe(
        &mut self,
        call: &ReceivedCall,
        at: usize,
        stop: StopReason,
    ) -> Result<(Done, ToolResult), AgentError> {
        self.calls += 1;
        let label = format!("t{}", self.calls);
        let told = &call.told;
        let summary =
            call.arguments.as_ref().map_or_else(Clone::clone, |arguments| summary(arguments, self.intake));
        self.ctx.emit(EventKind::ToolCalled { call: label.clone(), tool: told.name.clone(), summary });
        let started = self.ctx.elapsed();
        let mut done = if at < self.agent.limits.parallel_calls {
            self.carry_out(call, &label, stop).await?
        } else {
            Done::problem(&self.one_too_many())
        };
        let duration = self.ctx.elapsed().saturating_sub(started);
        let text = std::mem::take(&mut done.content);
        let prefix = format!("[{label}] ");
        let text = self.intake.cut(&text, MAX_RESULT_BYTES - prefix.len());
        let content = prefix + &text;
        let event = self.ctx.emit(EventKind::ToolOutput {
            call: label.clone(),
            tool: told.name.clone(),
            text: content.clone(),
        });
        self.ctx.emit(EventKind::ToolCompleted {
            call: label.clone(),
            tool: told.name.clone(),
            ok: done.ok,
            duration_ms: millis(duration),
        });
        self.shown.observed(ShownOutput { label, tool: told.name.clone(), event, text: content.clone() });
        let result = ToolResult { call_id: told.id.clone(), name: told.name.clone(), content, ok: done.ok };
        Ok((done, result))
    }
}

/// The result of a call behind one that ended the agent.
fn left_out(call: &ReceivedCall) -> ToolResult {
    ToolResult {
        call_id: call.told.id.clone(),
        name: call.told.name.clone(),
        content: "not carried out: the work had ended before".to_owned(),
        ok: false,
    }
}
