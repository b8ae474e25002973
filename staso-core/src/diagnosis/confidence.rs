//! How sure a diagnosis is.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A probability from 0 to 1 that the named cause is the cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
#[schemars(with = "f64")]
pub struct Confidence(f64);

impl Confidence {
    /// No idea.
    pub const ZERO: Self = Self(0.0);

    /// Clamps into 0..=1; NaN becomes 0. Rounded to four decimals, so that it prints the same everywhere.
    #[must_use]
    pub fn new(value: f64) -> Self {
        if value.is_nan() { Self(0.0) } else { Self((value.clamp(0.0, 1.0) * 10_000.0).round() / 10_000.0) }
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Confidence {
    type Error = String;
    fn try_from(value: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self::new(value))
        } else {
            Err(format!("confidence {value} is not between 0 and 1"))
        }
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.0)
    }
}

/// Why a confidence was lowered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfidenceCap {
    /// It may not be higher than this.
    pub limit: Confidence,
    /// Why.
    pub reason: String,
}
