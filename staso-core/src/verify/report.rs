//! What a test command said.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sandbox::ExecExit;

/// The result of running a project's tests once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestReport {
    /// The command, as a person would type it.
    pub command: String,
    /// How it ended.
    pub exit: ExecExit,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How many tests did what, when the output says so.
    pub counts: Option<TestCounts>,
    /// Every test by name, when the output names them.
    pub tests: BTreeMap<String, TestStatus>,
    /// The end of the output, ≤ 8 KiB.
    pub tail: String,
}

impl TestReport {
    /// Whether the command returned 0 and did not say that no test ran.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.exit.success() && self.counts.is_none_or(|counts| counts.passed > 0)
    }

    /// The names of the tests that failed, sorted.
    pub fn failing(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().filter(|(_, status)| **status == TestStatus::Failed).map(|(name, _)| name.as_str())
    }
}

/// How many tests did what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestCounts {
    /// Passed.
    pub passed: u64,
    /// Failed or ended in an error.
    pub failed: u64,
    /// Left out.
    pub skipped: u64,
}

/// What one test did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    /// Passed.
    Passed,
    /// Failed or ended in an error.
    Failed,
    /// Left out.
    Skipped,
}
