//! `go test -v`. Go prints no totals: its results are counted one by one, each group of tests as a test of its own.

use std::sync::LazyLock;

use regex::Regex;
use staso_core::verify::{TestCounts, TestStatus};

use super::{ParsedTests, Summaries};

/// `--- FAIL: TestA/case (0.00s)`.
static TEST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\s*--- (PASS|FAIL|SKIP): (\S+) \([\d.]+s\)$").ok());
/// `FAIL`, a tab, `example.com/x [build failed]`.
static UNBUILT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^FAIL\t(\S+) \[(?:build|setup) failed\]$").ok());

pub(super) fn parse(lines: &[&str], _summaries: Summaries) -> ParsedTests {
    let mut parsed = ParsedTests::default();
    let (Some(test), Some(unbuilt)) = (&*TEST, &*UNBUILT) else { return parsed };
    for line in lines {
        let (name, status) = if let Some(found) = test.captures(line) {
            let status = match found.get(1).map(|word| word.as_str()) {
                Some("PASS") => TestStatus::Passed,
                Some("SKIP") => TestStatus::Skipped,
                _ => TestStatus::Failed,
            };
            (found.get(2), status)
        } else if let Some(found) = unbuilt.captures(line) {
            (found.get(1), TestStatus::Failed)
        } else {
            continue;
        };
        let mut counts = TestCounts::default();
        match status {
            TestStatus::Passed => counts.passed = 1,
            TestStatus::Failed => counts.failed = 1,
            TestStatus::Skipped => counts.skipped = 1,
        }
        parsed.count(counts, Summaries::All);
        parsed.add(name.map_or("", |name| name.as_str()), status);
    }
    parsed
}
