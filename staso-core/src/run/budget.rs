//! What a run may use, and what it has used.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Upper bounds for one run, all agents together. Each agent has limits of its own beside them:
/// [`AgentLimits`](crate::agent::AgentLimits).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Budget {
    /// Model replies. Default 60.
    pub turns: u64,
    /// Tokens that models read. Default 1,000,000.
    pub input_tokens: u64,
    /// Tokens that models write. Default 100,000.
    pub output_tokens: u64,
    /// The whole run, in milliseconds. Default 1,800,000.
    pub wall_ms: u64,
    /// Money, in millionths of a US dollar; `None` when there is no price table. Default `None`.
    pub cost_micro_usd: Option<u64>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            turns: 60,
            input_tokens: 1_000_000,
            output_tokens: 100_000,
            wall_ms: 1_800_000,
            cost_micro_usd: None,
        }
    }
}

impl Budget {
    /// Sets the longest time for the whole run.
    #[must_use]
    pub fn with_wall(mut self, wall: Duration) -> Self {
        self.wall_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// The longest time for the whole run.
    #[must_use]
    pub const fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }
}

/// What a run has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetUse {
    /// Model replies.
    pub turns: u64,
    /// Tokens that models read.
    pub input_tokens: u64,
    /// Tokens that models wrote.
    pub output_tokens: u64,
    /// Money, in millionths of a US dollar.
    pub cost_micro_usd: u64,
    /// Whether some of the tokens were estimated because the provider did not report them.
    pub estimated: bool,
}

/// A bound was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the budget of {limit} {resource} is used up")]
pub struct BudgetExhausted {
    /// Which one, with its unit.
    pub resource: &'static str,
    /// The bound.
    pub limit: u64,
}

/// Counts what a run uses. Shared by all parts of the run.
#[derive(Debug)]
pub struct BudgetMeter {
    limits: Budget,
    turns: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
    cost_micro_usd: AtomicU64,
    estimated: AtomicU64,
}

impl BudgetMeter {
    /// Starts at zero.
    #[must_use]
    pub const fn new(limits: Budget) -> Self {
        Self {
            limits,
            turns: AtomicU64::new(0),
            input_tokens: AtomicU64::new(0),
            output_tokens: AtomicU64::new(0),
            cost_micro_usd: AtomicU64::new(0),
            estimated: AtomicU64::new(0),
        }
    }

    /// The bounds.
    #[must_use]
    pub const fn limits(&self) -> &Budget {
        &self.limits
    }

    /// What has been used.
    #[must_use]
    pub fn used(&self) -> BudgetUse {
        BudgetUse {
            turns: self.turns.load(Ordering::Relaxed),
            input_tokens: self.input_tokens.load(Ordering::Relaxed),
            output_tokens: self.output_tokens.load(Ordering::Relaxed),
            cost_micro_usd: self.cost_micro_usd.load(Ordering::Relaxed),
            estimated: self.estimated.load(Ordering::Relaxed) > 0,
        }
    }

    /// Whether one more model reply fits.
    ///
    /// # Errors
    /// The first bound that is reached.
    pub fn check(&self) -> Result<(), BudgetExhausted> {
        let used = self.used();
        let bounds = [
            ("turns", used.turns, Some(self.limits.turns)),
            ("input tokens", used.input_tokens, Some(self.limits.input_tokens)),
            ("output tokens", used.output_tokens, Some(self.limits.output_tokens)),
            ("millionths of a US dollar", used.cost_micro_usd, self.limits.cost_micro_usd),
        ];
        for (resource, total, limit) in bounds {
            if let Some(limit) = limit.filter(|limit| total >= *limit) {
                return Err(BudgetExhausted { resource, limit });
            }
        }
        Ok(())
    }

    /// Adds the use of one model reply. It counts even when it goes over a bound: it was billed.
    ///
    /// # Errors
    /// The first bound that is now passed.
    pub fn add_turn(&self, spent: BudgetUse) -> Result<(), BudgetExhausted> {
        let add = |counter: &AtomicU64, amount: u64| {
            counter.fetch_add(amount, Ordering::Relaxed).saturating_add(amount)
        };
        add(&self.estimated, u64::from(spent.estimated));
        let totals = [
            ("turns", add(&self.turns, spent.turns), Some(self.limits.turns)),
            ("input tokens", add(&self.input_tokens, spent.input_tokens), Some(self.limits.input_tokens)),
            ("output tokens", add(&self.output_tokens, spent.output_tokens), Some(self.limits.output_tokens)),
            (
                "millionths of a US dollar",
                add(&self.cost_micro_usd, spent.cost_micro_usd),
                self.limits.cost_micro_usd,
            ),
        ];
        for (resource, total, limit) in totals {
            if let Some(limit) = limit.filter(|limit| total > *limit) {
                return Err(BudgetExhausted { resource, limit });
            }
        }
        Ok(())
    }
}
