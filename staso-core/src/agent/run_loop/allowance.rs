//! What an agent may still spend, and when it must answer.

use std::time::Duration;

use super::left::{AllLeft, Bound, Left, Plan};
use crate::agent::{AgentLimits, ModelLimits, Price, TokenUsage};
use crate::run::{BudgetUse, RunContext};

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
pub(super) const INPUT: &str = "input tokens";
const OUTPUT: &str = "output tokens";
const MONEY: &str = "millionths of a US dollar";
const WALL: &str = "ms of wall time";
const TOOL_WALL: &str = "ms of tool time";

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
        let request = self.corrected(estimate);
        let left = self.all_left(ctx);
        left.turns.at_least(1)?;
        left.input.at_least(request)?;
        left.output.at_least(MIN_REPLY_TOKENS)?;
        left.wall.at_least(1)?;
        ctx.budget().check()?;
        let answer = ANSWER_TOKENS.min(left.output.bound.limit / 4);
        let next = request.saturating_add(self.growth);
        let mut last = self.last(&left, request.saturating_add(next), answer);
        let spare = if last.is_some() { left.output.left } else { left.output.left.saturating_sub(answer) };
        let longest = self.model.output_tokens.clamp(MIN_REPLY_TOKENS, MAX_REPLY_TOKENS);
        let mut max_output_tokens = longest.min(spare);
        if let (Some(price), Some(money)) = (self.price, left.money) {
            let cost = |input, output| price.cost_micro_usd(TokenUsage::new(input, output));
            money.at_least(cost(request, MIN_REPLY_TOKENS))?;
            let both = cost(request, max_output_tokens).saturating_add(cost(next, answer));
            last = last.or((money.left < both).then_some(money.bound));
            max_output_tokens = longest_paid(max_output_tokens, |tokens| cost(request, tokens) <= money.left);
        }
        let time = self.limits.reply_timeout.min(Duration::from_millis(left.wall.left));
        let wall = (time < self.limits.reply_timeout).then_some(left.wall.bound);
        Ok(Plan { turns_left: left.turns.left, last, max_output_tokens, time, wall })
    }

    /// Why the next reply must be the answer, when it must.
    fn last(&self, left: &AllLeft, two_requests: u64, answer: u64) -> Option<Bound> {
        let useful = USEFUL_TOKENS.min(left.output.bound.limit / 8).max(MIN_REPLY_TOKENS);
        let reasons = [
            (left.turns.left < 2, left.turns.bound),
            (left.input.left < two_requests, left.input.bound),
            (left.output.left < answer.saturating_add(useful), left.output.bound),
            (left.wall.left < millis(self.reply_time()).saturating_mul(2), left.wall.bound),
            (self.tool_time >= self.limits.tool_wall, self.tool_bound()),
        ];
        reasons.into_iter().find_map(|(ends, bound)| ends.then_some(bound))
    }

    fn all_left(&self, ctx: &RunContext) -> AllLeft {
        let (mine, all) = (self.used, ctx.budget().used());
        let (limits, run) = (self.limits, ctx.budget().limits());
        let counted = limits.cost_micro_usd.is_some() || run.cost_micro_usd.is_some();
        let most = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
        AllLeft {
            turns: Left::of(TURNS, (mine.turns, limits.turns), (all.turns, run.turns)),
            input: Left::of(
                INPUT,
                (mine.input_tokens, limits.input_tokens),
                (all.input_tokens, run.input_tokens),
            ),
            output: Left::of(
                OUTPUT,
                (mine.output_tokens, limits.output_tokens),
                (all.output_tokens, run.output_tokens),
            ),
            wall: self.wall(ctx),
            money: counted.then(|| {
                Left::of(
                    MONEY,
                    (mine.cost_micro_usd, most(limits.cost_micro_usd)),
                    (all.cost_micro_usd, most(run.cost_micro_usd)),
                )
            }),
        }
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

/// The most tokens, up to `most`, that can be paid; found by bisection, because prices are fractions.
fn longest_paid(most: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut paid, mut too_much) = (MIN_REPLY_TOKENS, most.saturating_add(1));
    while paid.saturating_add(1) < too_much {
        let middle = u64::midpoint(paid, too_much);
        if fits(middle) { paid = middle } else { too_much = middle }
    }
    paid.min(most)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
