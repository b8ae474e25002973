//! What a test command said.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sandbox::ExecExit;

/// The result of running a project's tests, once or several times.
///
/// All of it is a claim of the code that ran: a hostile test can print what it likes and leave with any exit code. It
/// gains weight by comparison with a run of the code without the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestReport {
    /// The command, as a person would type it.
    pub command: String,
    /// How it ended; of several runs the one that says most against the code.
    pub exit: ExecExit,
    /// How long it took, in milliseconds, all runs together.
    pub duration_ms: u64,
    /// How many tests did what, when the output says so. Without the flaky ones.
    pub counts: Option<TestCounts>,
    /// Every test by name, when the output names them; those until then when it did not end in time. Without the flaky
    /// ones.
    pub tests: BTreeMap<String, TestStatus>,
    /// The end of the output, ≤ 8 KiB.
    pub tail: String,
    /// How often the tests ran. Default 1.
    #[serde(default = "once")]
    pub runs: u32,
    /// Tests that passed in one run and failed in another one of the same code. They say nothing for or against it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub flaky: BTreeSet<String>,
}

const fn once() -> u32 {
    1
}

impl TestReport {
    /// Whether the command returned 0, or failed for nothing but flaky tests, and did not say that no other test ran.
    #[must_use]
    pub fn passed(&self) -> bool {
        let clean = self.exit.success() || self.failed_for_flaky_tests();
        clean && self.counts.is_none_or(|counts| counts.passed > 0)
    }

    /// Whether every failure that made the command fail was that of a flaky test.
    fn failed_for_flaky_tests(&self) -> bool {
        let ended = self.exit.code.is_some() && !self.exit.timed_out && !self.exit.oom;
        let others = self.counts.is_none_or(|counts| counts.failed > 0) || self.failing().next().is_some();
        ended && !self.flaky.is_empty() && !others
    }

    /// Whether all tests pass that `before`, a run without the change, has, and no fewer of them. What failed before must
    /// pass too, and reliably; a test that is flaky in one of the two counts in neither.
    pub(super) fn passes_like(&self, before: &Self) -> bool {
        let mended = before.failing().all(|name| !self.flaky.contains(name));
        self.passed() && mended && self.passed_without(&before.flaky) >= before.passed_without(&self.flaky)
    }

    fn passed_without(&self, flaky: &BTreeSet<String>) -> Option<u64> {
        let among = flaky.iter().filter(|name| self.tests.get(*name) == Some(&TestStatus::Passed)).count();
        let among = u64::try_from(among).unwrap_or(u64::MAX);
        self.counts.map(|counts| counts.passed.saturating_sub(among))
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

#[cfg(test)]
mod tests {
    use super::*;
    use TestStatus::{Failed, Passed};

    fn report(code: i32, tests: &[(&str, TestStatus)], flaky: &[&str]) -> TestReport {
        let count = |status| tests.iter().filter(|(_, found)| *found == status).count() as u64;
        TestReport {
            command: "tests".to_owned(),
            exit: ExecExit { code: Some(code), ..ExecExit::default() },
            duration_ms: 1,
            counts: Some(TestCounts { passed: count(Passed), failed: count(Failed), skipped: 0 }),
            tests: tests.iter().map(|(name, status)| ((*name).to_owned(), *status)).collect(),
            tail: String::new(),
            runs: 1,
            flaky: flaky.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn a_flaky_test_neither_breaks_nor_makes_a_pass() {
        assert!(report(0, &[("a", Passed)], &[]).passed());
        assert!(report(1, &[("a", Passed)], &["b"]).passed());
        assert!(!report(1, &[("a", Passed)], &[]).passed(), "it failed for a reason unknown");
        assert!(!report(1, &[("a", Passed), ("c", Failed)], &["b"]).passed());
        assert!(!report(0, &[], &["b"]).passed(), "nothing else ran");
        let mut unnamed = report(1, &[("a", Passed)], &["b"]);
        unnamed.counts = Some(TestCounts { passed: 1, failed: 1, skipped: 0 });
        assert!(!unnamed.passed());
        let mut hung = report(1, &[("a", Passed)], &["b"]);
        hung.exit = ExecExit { timed_out: true, ..ExecExit::default() };
        assert!(!hung.passed());
    }

    #[test]
    fn a_change_is_compared_by_what_is_flaky_in_neither_run() {
        let before = report(1, &[("a", Passed), ("b", Failed)], &[]);
        assert!(report(0, &[("a", Passed), ("b", Passed)], &[]).passes_like(&before));
        assert!(!report(1, &[("a", Passed)], &["b"]).passes_like(&before), "it is not fixed reliably");
        let before = report(0, &[("a", Passed), ("b", Passed)], &[]);
        assert!(report(1, &[("a", Passed)], &["b"]).passes_like(&before), "it is not broken either");
        assert!(!report(0, &[("a", Passed)], &[]).passes_like(&before), "a test less");
        let before = report(1, &[("a", Passed)], &["b"]);
        assert!(report(0, &[("a", Passed), ("b", Passed)], &[]).passes_like(&before));
        assert!(!report(0, &[("b", Passed)], &[]).passes_like(&before), "a flaky one makes up for nothing");
    }

    #[test]
    fn reports_of_one_run_are_read_as_before() {
        let written = serde_json::to_value(report(0, &[("a", Passed)], &[])).unwrap();
        assert_eq!(written.get("flaky"), None);
        let mut old = written.clone();
        old.as_object_mut().unwrap().remove("runs");
        let read: TestReport = serde_json::from_value(old).unwrap();
        assert_eq!(read, serde_json::from_value(written).unwrap());
    }
}
