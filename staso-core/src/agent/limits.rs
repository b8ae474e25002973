//! How much one agent may use.

use std::time::Duration;

/// Hard limits of one agent. The budget of the run holds beside them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AgentLimits {
    /// Model replies. Default 20.
    pub turns: u64,
    /// Tokens read, all replies together. Default 400,000.
    pub input_tokens: u64,
    /// Tokens written, all replies together. Default 32,000.
    pub output_tokens: u64,
    /// The whole agent. Default 600 s.
    pub wall: Duration,
    /// Time inside tools, all together. Default 300 s.
    pub tool_wall: Duration,
    /// Longest time for one reply of the model. Default 120 s.
    pub reply_timeout: Duration,
    /// Money, in millionths of a US dollar; needs a price for the model. Default `None`.
    pub cost_micro_usd: Option<u64>,
    /// Tool calls of one reply that are carried out; the rest is refused. Default 8.
    pub parallel_calls: usize,
    /// Malformed replies in a row that end the agent. Default 3.
    pub malformed_in_a_row: u32,
    /// Observations that are never masked, counted from the last. Default 8.
    pub kept_observations: usize,
    /// Share of the model's window, in percent, above which older observations are masked. Default 60.
    pub mask_above_percent: u64,
    /// Chance in the replies, as [`ModelRequest::temperature`](super::ModelRequest::temperature). Default `None`.
    pub temperature: Option<f64>,
    /// Where chance begins, as [`ModelRequest::seed`](super::ModelRequest::seed). Default `None`.
    pub seed: Option<u64>,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self {
            turns: 20,
            input_tokens: 400_000,
            output_tokens: 32_000,
            wall: Duration::from_secs(600),
            tool_wall: Duration::from_secs(300),
            reply_timeout: Duration::from_secs(120),
            cost_micro_usd: None,
            parallel_calls: 8,
            malformed_in_a_row: 3,
            kept_observations: 8,
            mask_above_percent: 60,
            temperature: None,
            seed: None,
        }
    }
}

impl AgentLimits {
    /// Sets the number of model replies.
    #[must_use]
    pub const fn with_turns(mut self, turns: u64) -> Self {
        self.turns = turns;
        self
    }

    /// Sets the tokens read and written, all replies together.
    #[must_use]
    pub const fn with_tokens(mut self, input: u64, output: u64) -> Self {
        self.input_tokens = input;
        self.output_tokens = output;
        self
    }

    /// Sets the time for the whole agent.
    #[must_use]
    pub const fn with_wall(mut self, wall: Duration) -> Self {
        self.wall = wall;
        self
    }

    /// Sets the time inside tools, all together.
    #[must_use]
    pub const fn with_tool_wall(mut self, wall: Duration) -> Self {
        self.tool_wall = wall;
        self
    }

    /// Sets the most money, in millionths of a US dollar. The model must have a price then.
    #[must_use]
    pub const fn with_cost_micro_usd(mut self, cost: u64) -> Self {
        self.cost_micro_usd = Some(cost);
        self
    }

    /// Sets how much chance there is in the replies, and where it begins.
    #[must_use]
    pub const fn with_sampling(mut self, temperature: Option<f64>, seed: Option<u64>) -> Self {
        self.temperature = temperature;
        self.seed = seed;
        self
    }
}
