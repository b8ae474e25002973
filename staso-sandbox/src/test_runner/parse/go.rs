//! `go test -v`. Go prints no totals: its results are counted one by one, each group of tests as a test of its own, and
//! each once in its package.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use staso_core::verify::{TestCounts, TestStatus};

use super::{MAX_TESTS, ParsedTests, Summaries};

/// `=== RUN   TestA/case`.
static RUN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^=== RUN   (\S+)$").ok());
/// `--- FAIL: TestA/case (0.00s)`, behind what the test printed without an end of line.
static TEST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(.*?)--- (PASS|FAIL|SKIP): (\S+) \([\d.]+s\)$").ok());
/// `ok  `, a tab, `example.com/x`, or `FAIL` with the same: the end of a package.
static PACKAGE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:ok  |FAIL)\t(\S+)(?:\s+\[(build|setup) failed\])?").ok());

pub(super) fn parse(lines: &[&str], _summaries: Summaries) -> ParsedTests {
    let mut parsed = ParsedTests::default();
    let (Some(run), Some(test), Some(package)) = (&*RUN, &*TEST, &*PACKAGE) else { return parsed };
    // Those of the package that began and, where it is known, what they came to.
    let mut results: BTreeMap<&str, Option<TestStatus>> = BTreeMap::new();
    for line in lines {
        if let Some(name) = run.captures(line).and_then(|found| found.get(1)) {
            if results.len() < MAX_TESTS {
                results.entry(name.as_str()).or_default();
            }
        } else if let Some(found) = test.captures(line) {
            let group = |at| found.get(at).map_or("", |text| text.as_str());
            let began = results.contains_key(group(3));
            let in_front = group(1).trim().is_empty();
            if began || (in_front && results.len() < MAX_TESTS) {
                let kept = results.entry(group(3)).or_default();
                if *kept != Some(TestStatus::Failed) {
                    *kept = Some(status(group(2)));
                }
            }
        } else if let Some(found) = package.captures(line) {
            end(&mut parsed, &mut results);
            if let (Some(name), Some(_)) = (found.get(1), found.get(2)) {
                results.insert(name.as_str(), Some(TestStatus::Failed));
                end(&mut parsed, &mut results);
            }
        }
    }
    end(&mut parsed, &mut results);
    parsed
}

fn status(word: &str) -> TestStatus {
    match word {
        "PASS" => TestStatus::Passed,
        "SKIP" => TestStatus::Skipped,
        _ => TestStatus::Failed,
    }
}

/// Counts the results of a package.
fn end(parsed: &mut ParsedTests, results: &mut BTreeMap<&str, Option<TestStatus>>) {
    for (name, status) in std::mem::take(results) {
        let Some(status) = status else { continue };
        let mut counts = TestCounts::default();
        match status {
            TestStatus::Passed => counts.passed = 1,
            TestStatus::Failed => counts.failed = 1,
            TestStatus::Skipped => counts.skipped = 1,
        }
        parsed.count(counts, Summaries::All);
        parsed.add(name, status);
    }
}
