//! Guard rules that fired during a run.
//!
//! Evaluating and learning rules is not here yet; diagnosis reads violations as evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::SpanId;

/// A guard rule that fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardViolation {
    /// Unique within the trace.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// The step that the rule judged.
    pub span_id: SpanId,
    /// How bad it is.
    pub severity: Severity,
    /// What the rule said.
    pub reason: String,
}

/// How bad a violation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Should be looked at.
    Medium,
    /// Harmful.
    High,
    /// Harmful and urgent.
    Critical,
}
