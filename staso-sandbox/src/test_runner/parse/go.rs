//! `go test -v`.

use std::sync::LazyLock;

use regex::Regex;
use staso_core::verify::{TestCounts, TestStatus};

use super::ParsedTests;

/// `--- FAIL: TestA/case (0.00s)`.
static TEST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\s*--- (PASS|FAIL|SKIP): (\S+) \([\d.]+s\)$").ok());

pub(super) fn parse(lines: &[&str]) -> ParsedTests {
    let mut parsed = ParsedTests::default();
    let Some(test) = &*TEST else { return parsed };
    for found in lines.iter().filter_map(|line| test.captures(line)) {
        let mut counts = TestCounts::default();
        let (status, count) = match found.get(1).map(|word| word.as_str()) {
            Some("PASS") => (TestStatus::Passed, &mut counts.passed),
            Some("SKIP") => (TestStatus::Skipped, &mut counts.skipped),
            _ => (TestStatus::Failed, &mut counts.failed),
        };
        *count = 1;
        parsed.count(counts);
        parsed.add(found.get(2).map_or("", |name| name.as_str()), status);
    }
    parsed
}
