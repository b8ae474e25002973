//! What models cost. The host gives the table: prices change, and contracts differ.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ModelId, TokenUsage};

/// Prices of one model, in US dollars per million tokens, which is millionths of a dollar per token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// A token read.
    pub input: f64,
    /// A token written.
    pub output: f64,
    /// A token read from the provider's cache; `None` when it costs as much as any.
    #[serde(default)]
    pub cached_input: Option<f64>,
}

impl Price {
    /// The cost of a call, in millionths of a US dollar, rounded up.
    #[must_use]
    pub fn cost_micro_usd(&self, usage: TokenUsage) -> u64 {
        let cached = usage.cached_input.min(usage.input);
        let tokens = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let cost = tokens(usage.input - cached) * self.input
            + tokens(cached) * self.cached_input.unwrap_or(self.input)
            + tokens(usage.output) * self.output;
        whole(cost)
    }
}

/// The next whole number; 0 for what is no positive number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to fit")]
fn whole(value: f64) -> u64 {
    if value > 0.0 && value < 1e15 { value.ceil() as u64 } else { 0 }
}

/// Prices by model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PriceTable(BTreeMap<ModelId, Price>);

impl PriceTable {
    /// Adds or replaces the prices of a model.
    #[must_use]
    pub fn with(mut self, model: ModelId, price: Price) -> Self {
        self.0.insert(model, price);
        self
    }

    /// The prices of a model.
    #[must_use]
    pub fn price(&self, model: &ModelId) -> Option<&Price> {
        self.0.get(model)
    }
}
