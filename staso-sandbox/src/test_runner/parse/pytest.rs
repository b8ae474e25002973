//! pytest, best with `-v` or `-rA`.

use std::sync::LazyLock;

use regex::Regex;
use staso_core::verify::{TestCounts, TestStatus};

use super::{ParsedTests, number};

/// `tests/test_a.py::test_a[x y] PASSED   [ 50%]`.
static PROGRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^([^\s:]+\.py::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)(?: \(.*\))?(?:\s+\[\s*\d+%\])?\s*$",
    )
    .ok()
});
/// `FAILED tests/test_a.py::test_a - assert 1 == 2`, `ERROR tests/test_a.py - ImportError`.
static SUMMARY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(PASSED|FAILED|ERROR|XFAIL|XPASS|SUBFAILED)\S* ([^\s:]+\.py(?:::.+?)?)(?: - .*)?$").ok()
});
/// `= 4 failed, 5 passed in 0.21s =`, with or without the bars.
static TOTAL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^=* ?((?:\d{1,9} [a-z ]+(?:, )?)+|no tests ran) in [\d.]+s(?: \([\d:]+\))? ?=*$").ok()
});

pub(super) fn parse(lines: &[&str]) -> ParsedTests {
    let mut parsed = ParsedTests::default();
    let (Some(progress), Some(summary), Some(total)) = (&*PROGRESS, &*SUMMARY, &*TOTAL) else {
        return parsed;
    };
    for line in lines {
        if let Some(found) = progress.captures(line) {
            let group = |at| found.get(at).map_or("", |text| text.as_str());
            parsed.add(group(1), status(group(2)));
        } else if let Some(found) = summary.captures(line) {
            let group = |at| found.get(at).map_or("", |text| text.as_str());
            parsed.add(group(2), status(group(1)));
        } else if let Some(found) = total.captures(line) {
            parsed.count(counts(found.get(1).map_or("", |text| text.as_str())));
        }
    }
    parsed
}

fn status(word: &str) -> TestStatus {
    match word {
        "PASSED" | "XFAIL" | "XPASS" => TestStatus::Passed,
        "SKIPPED" => TestStatus::Skipped,
        _ => TestStatus::Failed,
    }
}

fn counts(text: &str) -> TestCounts {
    let mut counts = TestCounts::default();
    for part in text.split(", ") {
        let Some((count, word)) = part.split_once(' ') else { continue };
        let count = number(count);
        match word {
            "passed" | "xfailed" | "xpassed" => counts.passed = counts.passed.saturating_add(count),
            "failed" | "error" | "errors" => counts.failed = counts.failed.saturating_add(count),
            "skipped" => counts.skipped = counts.skipped.saturating_add(count),
            _ => {}
        }
    }
    counts
}
