//! What an agent may still spend, and when it must answer.

use std::time::Duration;

use super::AgentEnd;
use crate::agent::{AgentLimits, ModelLimits, Price, TokenUsage};
use crate::run::{BudgetExhausted, BudgetUse, RunContext};

/// Longest reply that is asked for, in tokens.
const MAX_REPLY_TOKENS: u64 = 8_192;
/// Shortest reply that is worth asking for, in tokens.
const MIN_REPLY_TOKENS: u64 = 16;
/// Tokens written that are kept back for the answer, at most a quarter of all.
const ANSWER_TOKENS: u64 = 4_096;
/// Shortest reply beside the answer that is worth a turn, in tokens, at most an eighth of all.
const USEFUL_TOKENS: u64 = 1_024;
/// How much a request is expected to grow in a turn, in tokens, before it is known.
const GROWTH_TOKENS: u64 = 1_024;
/// Time kept back for a reply before it is known how long they take; at most a tenth of all.
const REPLY_TIME: Duration = Duration::from_secs(30);
/// Time that the submit tool gets when the time for tools is used up.
const SUBMIT_TIME: Duration = Duration::from_secs(30);
/// Most tokens that one reply is believed to have used. Keeps nonsense of a provider from overflowing sums.
const MAX_USAGE: u64 = 1 << 40;

const TURNS: &str = "turns";
const INPUT: &str = "input tokens";
const OUTPUT: &str = "output tokens";
const MONEY: &str = "millionths of a US dollar";
const WALL: &str = "ms of wall time";
const TOOL_WALL: &str = "ms of tool time";

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
struct Left {
    left: u64,
    bound: Bound,
}

impl Left {
    /// The smaller rest of two limits, the agent's and the run's.
    fn of(resource: &'static str, agent: (u64, u64), run: (u64, u64)) -> Self {
        let rest = |(used, limit): (u64, u64)| Self {
            left: limit.saturating_sub(used),
            bound: Bound { resource, limit },
        };
        let (agent, run) = (rest(agent), rest(run));
        if run.left < agent.left { run } else { agent }
    }

    fn at_least(self, need: u64) -> Result<Self, Bound> {
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

/// Counts what an agent uses.
#[derive(Debug)]
pub(super) struct Allowance<'a> {
    limits: &'a AgentLimits,
    model: ModelLimits,
    price: Option<Price>,
    pub(super) used: BudgetUse,
    started: Duration,
    tool_time: Duration,
    longest_reply: Duration,
    /// The last request: as estimated, and as the provider counted it.
    last_request: Option<(u64, u64)>,
    growth: u64,
}

impl<'a> Allowance<'a> {
    pub(super) fn new(
        limits: &'a AgentLimits,
        model: ModelLimits,
        price: Option<Price>,
        ctx: &RunContext,
    ) -> Self {
        Self {
            limits,
            model,
            price,
            used: BudgetUse::default(),
            started: ctx.elapsed(),
            tool_time: Duration::ZERO,
            longest_reply: Duration::ZERO,
            last_request: None,
            growth: GROWTH_TOKENS,
        }
    }

    /// The tokens of a request, corrected by what the provider counted for the last one.
    pub(super) fn corrected(&self, estimate: u64) -> u64 {
        match self.last_request {
            Some((estimated, counted)) if counted > estimated && estimated > 0 => {
                let scaled = u128::from(estimate) * u128::from(counted) / u128::from(estimated);
                u64::try_from(scaled).unwrap_or(u64::MAX)
            }
            _ => estimate,
        }
    }

    /// What the next reply may use, for a request of `estimate` tokens before correction.
    ///
    /// # Errors
    /// The limit that does not allow another reply.
    pub(super) fn plan(&self, estimate: u64, ctx: &RunContext) -> Result<Plan, Bound> {
        let run = ctx.budget().limits();
        let run_used = ctx.budget().used();
        let request = self.corrected(estimate);
        let next = request.saturating_add(self.growth);
        let turns =
            Left::of(TURNS, (self.used.turns, self.limits.turns), (run_used.turns, run.turns)).at_least(1)?;
        let input = Left::of(
            INPUT,
            (self.used.input_tokens, self.limits.input_tokens),
            (run_used.input_tokens, run.input_tokens),
        )
        .at_least(request)?;
        let output = Left::of(
            OUTPUT,
            (self.used.output_tokens, self.limits.output_tokens),
            (run_used.output_tokens, run.output_tokens),
        )
        .at_least(MIN_REPLY_TOKENS)?;
        let wall = self.wall(ctx).at_least(1)?;
        ctx.budget().check()?;
        let mut last = [
            (turns.left < 2, turns.bound),
            (input.left < request.saturating_add(next), input.bound),
            (wall.left < 2 * millis(self.reply_time()), wall.bound),
            (self.tool_time >= self.limits.tool_wall, self.tool_bound()),
        ]
        .into_iter()
        .find_map(|(ends, bound)| ends.then_some(bound));
        let answer = ANSWER_TOKENS.min(output.bound.limit / 4);
        let most = self.model.output_tokens.clamp(MIN_REPLY_TOKENS, MAX_REPLY_TOKENS);
        let useful = USEFUL_TOKENS.min(output.bound.limit / 8).max(MIN_REPLY_TOKENS);
        if output.left < answer.saturating_add(useful) {
            last = last.or(Some(output.bound));
        }
        let spare = if last.is_some() { output.left } else { output.left.saturating_sub(answer) };
        let mut max_output_tokens = most.min(spare);
        if let Some(money) = self.money(ctx, request, next, answer, max_output_tokens)? {
            last = last.or(money.last);
            max_output_tokens = max_output_tokens.min(money.affordable);
        }
        let time = self.limits.reply_timeout.min(Duration::from_millis(wall.left));
        let wall = (time < self.limits.reply_timeout).then_some(wall.bound);
        Ok(Plan { turns_left: turns.left, last, max_output_tokens, time, wall })
    }

    fn money(
        &self,
        ctx: &RunContext,
        request: u64,
        next: u64,
        answer: u64,
        max_output: u64,
    ) -> Result<Option<Money>, Bound> {
        let limit = (self.limits.cost_micro_usd, ctx.budget().limits().cost_micro_usd);
        let (Some(price), true) = (self.price, limit.0.is_some() || limit.1.is_some()) else {
            return Ok(None);
        };
        let agent = (self.used.cost_micro_usd, limit.0.unwrap_or(u64::MAX));
        let run = (ctx.budget().used().cost_micro_usd, limit.1.unwrap_or(u64::MAX));
        let cost = |input, output| price.cost_micro_usd(TokenUsage::new(input, output));
        let money = Left::of(MONEY, agent, run).at_least(cost(request, MIN_REPLY_TOKENS))?;
        let both = cost(request, max_output).saturating_add(cost(next, answer));
        // The longest reply that can be paid, by bisection: prices are fractions.
        let (mut affordable, mut too_much) = (MIN_REPLY_TOKENS, max_output + 1);
        while affordable + 1 < too_much {
            let middle = u64::midpoint(affordable, too_much);
            let fits = cost(request, middle) <= money.left;
            if fits { affordable = middle } else { too_much = middle }
        }
        Ok(Some(Money { last: (money.left < both).then_some(money.bound), affordable }))
    }

    fn wall(&self, ctx: &RunContext) -> Left {
        let agent = (millis(ctx.elapsed().saturating_sub(self.started)), millis(self.limits.wall));
        let limit = ctx.budget().limits().wall_ms;
        Left::of(WALL, agent, (millis(ctx.elapsed()), limit))
    }

    fn tool_bound(&self) -> Bound {
        Bound { resource: TOOL_WALL, limit: millis(self.limits.tool_wall) }
    }

    /// How long a reply is expected to take.
    fn reply_time(&self) -> Duration {
        self.longest_reply.max(REPLY_TIME.min(self.limits.wall / 10))
    }

    /// How long a tool may run: what is left of the time for tools, but not the time that the answer needs. The submit
    /// tool always gets some.
    pub(super) fn tool_time_left(&self, submits: bool, ctx: &RunContext) -> Duration {
        let wall = Duration::from_millis(self.wall(ctx).left);
        let left = self.limits.tool_wall.saturating_sub(self.tool_time);
        if submits {
            left.max(SUBMIT_TIME).min(wall)
        } else {
            left.min(wall.saturating_sub(self.reply_time()))
        }
    }

    pub(super) fn spend_tool_time(&mut self, time: Duration) {
        self.tool_time = self.tool_time.saturating_add(time);
    }

    /// Counts a reply: the agent's share, and the run's. `estimate` is of the request, before correction.
    pub(super) fn spend_reply(
        &mut self,
        usage: TokenUsage,
        estimate: u64,
        time: Duration,
        ctx: &RunContext,
    ) -> BudgetUse {
        let (input, output) = (usage.input.min(MAX_USAGE), usage.output.min(MAX_USAGE));
        let spent = BudgetUse {
            turns: 1,
            input_tokens: input,
            output_tokens: output,
            cost_micro_usd: self.price.map_or(0, |price| price.cost_micro_usd(usage)),
            estimated: usage.estimated,
        };
        if let Some((_, before)) = self.last_request.replace((estimate, input)) {
            self.growth = self.growth.max(input.saturating_sub(before));
        }
        self.longest_reply = self.longest_reply.max(time);
        self.used.turns += 1;
        self.used.input_tokens = self.used.input_tokens.saturating_add(input);
        self.used.output_tokens = self.used.output_tokens.saturating_add(output);
        self.used.cost_micro_usd = self.used.cost_micro_usd.saturating_add(spent.cost_micro_usd);
        self.used.estimated |= spent.estimated;
        // A bound that is passed now is found by the next plan: what came was billed and is not thrown away.
        let _passed = ctx.budget().add_turn(spent);
        spent
    }
}

#[derive(Debug, Clone, Copy)]
struct Money {
    last: Option<Bound>,
    affordable: u64,
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
