//! Python's `unittest`, with and without `-v`.

use std::sync::LazyLock;

use regex::Regex;
use staso_core::verify::{TestCounts, TestStatus};

use super::{ParsedTests, Summaries, number};

/// `test_a (module.Class.test_a)`, before 3.11 `test_a (module.Class)`; in summaries after `FAIL: ` or `ERROR: `.
static NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\s*(?:(FAIL|ERROR): )?([A-Za-z_]\w*) \(([A-Za-z_][\w.]*)\)").ok());
/// `Ran 3 tests in 0.001s`.
static RAN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^Ran (\d{1,9}) tests? in [\d.]+s").ok());
/// `failures=2`, `expected failures=1`.
static PART: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"([a-z ]+)=(\d{1,9})").ok());

pub(super) fn parse(lines: &[&str], summaries: Summaries) -> ParsedTests {
    let mut parsed = ParsedTests::default();
    let (Some(name), Some(ran), Some(part)) = (&*NAME, &*RAN, &*PART) else { return parsed };
    // A test whose result has not been seen: a description or its own output comes between.
    let mut open: Option<String> = None;
    let mut total: Option<u64> = None;
    for line in lines {
        if let Some(found) = ran.captures(line) {
            total = found.get(1).map(|count| number(count.as_str()));
            continue;
        }
        if let Some(outcome) = total.filter(|_| is_outcome(line)) {
            parsed.count(counts(part, line, outcome), summaries);
            total = None;
            open = None;
            continue;
        }
        if let Some(found) = name.captures(line) {
            let group = |at| found.get(at).map_or("", |text| text.as_str());
            let full = full_name(group(2), group(3));
            if !group(1).is_empty() {
                parsed.add(full, TestStatus::Failed);
                open = None;
                continue;
            }
            open = Some(full);
        }
        let result = line.rsplit_once("... ").map_or(*line, |(_, result)| result);
        if let (Some(test), Some(status)) = (&open, status(result)) {
            parsed.add(test.clone(), status);
            open = None;
        }
    }
    parsed
}

fn full_name(method: &str, place: &str) -> String {
    let named = place.strip_suffix(method).is_some_and(|rest| rest.ends_with('.'));
    if named { place.to_owned() } else { format!("{place}.{method}") }
}

fn status(result: &str) -> Option<TestStatus> {
    match result.trim_end() {
        "ok" | "expected failure" => Some(TestStatus::Passed),
        "FAIL" | "ERROR" | "unexpected success" => Some(TestStatus::Failed),
        skipped if skipped.starts_with("skipped") => Some(TestStatus::Skipped),
        _ => None,
    }
}

fn is_outcome(line: &str) -> bool {
    let word = line.split(" (").next().unwrap_or_default();
    matches!(word, "OK" | "FAILED" | "NO TESTS RAN")
}

fn counts(part: &Regex, line: &str, total: u64) -> TestCounts {
    let (mut failed, mut skipped) = (0u64, 0u64);
    for found in part.captures_iter(line) {
        let value = found.get(2).map_or(0, |value| number(value.as_str()));
        match found.get(1).map(|word| word.as_str().trim()) {
            Some("failures" | "errors" | "unexpected successes") => failed = failed.saturating_add(value),
            Some("skipped") => skipped = value,
            _ => {}
        }
    }
    TestCounts { passed: total.saturating_sub(failed).saturating_sub(skipped), failed, skipped }
}
