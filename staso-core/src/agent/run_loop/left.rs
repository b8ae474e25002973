//! What is left of the limits, and the plan for one reply that follows.

use std::time::Duration;

use super::AgentEnd;
use crate::run::BudgetExhausted;

/// A limit that is reached, or that leaves room for one reply only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) resource: &'static str,
    pub(super) limit: u64,
}

impl From<BudgetExhausted> for Bound {
    fn from(exhausted: BudgetExhausted) -> Self {
        Self { resource: exhausted.resource, limit: exhausted.limit }
    }
}

impl From<Bound> for AgentEnd {
    fn from(bound: Bound) -> Self {
        Self::Exhausted { resource: bound.resource, limit: bound.limit }
    }
}

/// What is left of something, of which limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) left: u64,
    pub(super) bound: Bound,
}

impl Left {
    /// The smaller rest of two limits, the agent's and the run's.
    pub(super) fn of(resource: &'static str, agent: (u64, u64), run: (u64, u64)) -> Self {
        let rest = |(used, limit): (u64, u64)| Self {
            left: limit.saturating_sub(used),
            bound: Bound { resource, limit },
        };
        let (agent, run) = (rest(agent), rest(run));
        if run.left < agent.left { run } else { agent }
    }

    /// # Errors
    /// The limit, when less than `need` is left, or nothing.
    pub(super) fn at_least(self, need: u64) -> Result<Self, Bound> {
        if self.left < need.max(1) { Err(self.bound) } else { Ok(self) }
    }
}

/// What the next reply may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Replies that are left, this one included.
    pub(super) turns_left: u64,
    /// Why this is the last reply, when it is.
    pub(super) last: Option<Bound>,
    pub(super) max_output_tokens: u64,
    /// Longest time for the reply.
    pub(super) time: Duration,
    /// The limit on wall time, when it is what bounds `time`.
    pub(super) wall: Option<Bound>,
}

/// What is left of everything, of the agent's limits and the run's.
#[derive(Debug)]
pub(super) struct AllLeft {
    pub(super) turns: Left,
    pub(super) input: Left,
    pub(super) output: Left,
    pub(super) wall: Left,
    /// `None` when nobody limits it.
    pub(super) money: Option<Left>,
}
