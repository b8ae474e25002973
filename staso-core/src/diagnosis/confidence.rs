//! How sure a diagnosis is, as a calibrated number.

use std::collections::BTreeMap;
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

/// Turns the score of a rule into a probability: a Beta prior per rule, updated with labelled cases.
///
/// `confidence = (hits + a) / (cases + a + b)`. With no labels this is the prior of the catalogue; the number of labels
/// is always reported beside it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibrator {
    /// Name and version, as the artifact records it.
    pub id: String,
    rules: BTreeMap<String, RuleCalibration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct RuleCalibration {
    a: f64,
    b: f64,
    #[serde(default)]
    hits: u32,
    #[serde(default)]
    cases: u32,
}

/// A calibrated score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// The probability.
    pub confidence: Confidence,
    /// How many labelled cases stand behind it.
    pub support: u32,
}

impl Calibrator {
    /// Reads a table: `{"id": …, "rules": {rule: {"a": …, "b": …, "hits": …, "cases": …}}}`.
    ///
    /// # Errors
    /// When the text is not of that form.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The probability that a finding of `rule` is right. `strength` from 0 to 1 says how clear the finding is and
    /// scales the result; an unknown rule gets 0.3.
    #[must_use]
    pub fn calibrate(&self, rule: &str, strength: f64) -> Calibration {
        let Some(entry) = self.rules.get(rule) else {
            return Calibration { confidence: Confidence::new(0.3 * strength), support: 0 };
        };
        let mean = (f64::from(entry.hits) + entry.a) / (f64::from(entry.cases) + entry.a + entry.b);
        Calibration { confidence: Confidence::new(mean * strength), support: entry.cases }
    }
}
