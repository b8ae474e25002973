//! The result of a diagnosis.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Confidence, ConfidenceCap, FailureOracle, Receipt, RepairHint};
use crate::id::{SpanId, TraceId};

/// What failed, why, and how sure that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// The trace it is about.
    pub trace_id: TraceId,
    /// The cause in one line.
    pub summary: Summary,
    /// The cause at length, in Markdown, ≤ 8,000 characters.
    pub explanation_md: String,
    /// What to change; `None` when no change of ours would help.
    pub suggested_fix: Option<SuggestedFix>,
    /// Why no code fix is right; set exactly when `suggested_fix` is `None` and a cause was found.
    pub no_fix_reason: Option<String>,
    /// How sure, after calibration and caps.
    pub confidence: Confidence,
    /// The score before calibration, from 0 to 1.
    pub raw_score: f64,
    /// Which calibration turned the score into the confidence.
    pub calibrator: String,
    /// Why the confidence was lowered.
    pub caps: Vec<ConfidenceCap>,
    /// How many labelled cases stand behind the confidence.
    pub support: u32,
    /// How deep the search went.
    pub depth: Depth,
    /// Why a deeper search was needed or would have been.
    pub escalated_because: Option<String>,
    /// Where it went wrong first.
    pub root_cause: Option<RootCause>,
    /// From the origin to the symptom, ≤ 5 steps.
    pub chain: Vec<ChainStep>,
    /// What the failure did to the run.
    pub propagation: Propagation,
    /// When the run noticed.
    pub detection_timing: DetectionTiming,
    /// All explanations considered, best first; the first one is `summary`'s.
    pub hypotheses: Vec<Hypothesis>,
    /// The evidence.
    pub receipts: Vec<Receipt>,
    /// What was not there to look at.
    pub missing: Vec<MissingEvidence>,
}

impl Diagnosis {
    /// How many receipts hold, and how many there are.
    #[must_use]
    pub fn verified_receipts(&self) -> (usize, usize) {
        (self.receipts.iter().filter(|receipt| receipt.is_verified()).count(), self.receipts.len())
    }

    /// Lowers the confidence to `limit` and notes why. Does nothing when it is not above.
    pub fn cap(&mut self, limit: f64, reason: impl Into<String>) {
        let limit = Confidence::new(limit);
        if self.confidence > limit {
            self.confidence = limit;
            self.caps.push(ConfidenceCap { limit, reason: reason.into() });
        }
    }
}

/// One line of at most 200 characters. Longer text is cut at a word; line breaks and control characters become
/// blanks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String", extend("maxLength" = 200))]
pub struct Summary(String);

impl Summary {
    /// Longest summary, in characters.
    pub const MAX_CHARS: usize = 200;

    /// Makes one line of the text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.chars().count() <= Self::MAX_CHARS {
            return Self(line);
        }
        let cut: String = line.chars().take(Self::MAX_CHARS - 1).collect();
        let end = cut.rfind(' ').filter(|at| *at > cut.len() / 2).unwrap_or(cut.len());
        Self(format!("{}…", cut.get(..end).unwrap_or(&cut)))
    }

    /// The line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Summary {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Summary> for String {
    fn from(summary: Summary) -> Self {
        summary.0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What to change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SuggestedFix {
    /// What kind of file the change is in.
    pub kind: FixKind,
    /// What to do, in words that can be copied into a task.
    pub description: String,
    /// The files that the change is about, best first.
    pub target_files: Vec<String>,
    /// The same for machines, best first.
    pub hints: Vec<RepairHint>,
    /// How the failure shows itself when it is made to happen again.
    pub oracle: Option<FailureOracle>,
}

/// What kind of file a fix changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FixKind {
    /// A prompt.
    Prompt,
    /// Program text.
    Code,
    /// A setting.
    Config,
}

/// How deep a search went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Rules over the trace and preloaded code.
    Quick,
    /// A model read the code at the commit.
    Deep,
}

/// Where it went wrong first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RootCause {
    /// The step.
    pub span_id: SpanId,
    /// The agent that made it.
    pub agent: Option<String>,
    /// The failure pattern, e.g. `key_missing_in_tool_result`.
    pub category: String,
    /// How directly it led to the failure.
    pub causality: Causality,
}

/// How directly a step led to the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Causality {
    /// Without it there is no failure.
    Primary,
    /// It turned a fault into the failure.
    Secondary,
    /// It made the failure worse or harder to see.
    Tertiary,
}

/// One step from origin to symptom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainStep {
    /// The step.
    pub span_id: SpanId,
    /// What happened there, in one line.
    pub what: String,
    /// Whether this is where it began.
    pub origin: bool,
}

/// What the failure did to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Propagation {
    /// It ended the run.
    TaskTermination,
    /// The run went on with a worse result.
    QualityDegradation,
    /// The run went on in the wrong direction.
    IncorrectPath,
    /// It left wrong data behind.
    StateCorruption,
    /// It had no effect on the result.
    NoPropagation,
}

/// When the run noticed the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DetectionTiming {
    /// At the step itself.
    Immediately,
    /// Some steps later.
    SeveralStepsLater,
    /// When the task ended.
    OnlyAtTaskEnd,
    /// Never.
    SilentUndetected,
}

/// One explanation among several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hypothesis {
    /// Unique within the diagnosis: `h1`, `h2` …
    pub id: String,
    /// The step it blames.
    pub span_id: SpanId,
    /// The agent that made the step.
    pub agent: Option<String>,
    /// The failure pattern.
    pub category: String,
    /// The explanation in one line.
    pub cause: String,
    /// The calibrated score.
    pub score: Confidence,
    /// What became of it.
    pub state: HypothesisState,
    /// What would decide between it and its rivals.
    pub deciding_test: Option<String>,
}

/// What became of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HypothesisState {
    /// A test spoke for it.
    Validated,
    /// A test spoke against it.
    Invalidated,
    /// Nothing decided. Never counts as a pass.
    Inconclusive,
}

/// Something that would have helped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingEvidence {
    /// What was not there.
    pub what: String,
    /// How to get it the next time.
    pub how_to_get: String,
}
