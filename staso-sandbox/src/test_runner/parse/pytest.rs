//! pytest, best with `-v` and `-rfE`.
//!
//! Names are read where pytest itself writes them: while it runs, and after the last heading of the short summary. What
//! tests printed is shown in sections between the two, and is not looked at.

use std::sync::LazyLock;

use regex::Regex;
use staso_core::verify::{TestCounts, TestStatus};

use super::{ParsedTests, Summaries, number};

/// `tests/test_a.py::test_a[x y] PASSED   [ 50%]`.
static PROGRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^([^\s:]+\.py::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)(?: \(.*\))?(?:\s+\[\s*\d+%\])?\s*$",
    )
    .ok()
});
/// `[gw0] [ 50%] PASSED tests/test_a.py::test_a`, of several processes.
static PARALLEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\[gw\d{1,4}\] \[\s*\d+%\] (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) ([^\s:]+\.py::.+?)\s*$")
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
/// `===== FAILURES =====`.
static HEADING: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^={3,} (\S.*?) ={3,}$").ok());

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Progress,
    Details,
    Summary,
}

pub(super) fn parse(lines: &[&str], summaries: Summaries) -> ParsedTests {
    let mut parsed = ParsedTests::default();
    let (Some(progress), Some(parallel), Some(summary)) = (&*PROGRESS, &*PARALLEL, &*SUMMARY) else {
        return parsed;
    };
    let (Some(total), Some(heading)) = (&*TOTAL, &*HEADING) else { return parsed };
    let mut section = Section::Progress;
    // Those of the last short summary.
    let mut summed = Vec::new();
    for line in lines {
        if let Some(found) = total.captures(line) {
            parsed.count(counts(found.get(1).map_or("", |text| text.as_str())), summaries);
        } else if let Some(found) = heading.captures(line) {
            section = match found.get(1).map_or("", |title| title.as_str()) {
                // Once: a test may run pytest itself, or print this.
                "test session starts" if summaries == Summaries::All => Section::Progress,
                "test session starts" if section == Section::Progress => Section::Progress,
                "short test summary info" => Section::Summary,
                _ => Section::Details,
            };
            if section == Section::Summary && summaries == Summaries::Last {
                summed.clear();
            }
        } else if section == Section::Progress {
            if let Some(found) = progress.captures(line) {
                let group = |at| found.get(at).map_or("", |text| text.as_str());
                parsed.add(group(1), status(group(2)));
            } else if let Some(found) = parallel.captures(line) {
                let group = |at| found.get(at).map_or("", |text| text.as_str());
                parsed.add(group(2), status(group(1)));
            }
        } else if section == Section::Summary
            && let Some(found) = summary.captures(line)
        {
            let group = |at| found.get(at).map_or("", |text| text.as_str());
            summed.push((group(2).to_owned(), status(group(1))));
        }
    }
    for (name, status) in summed {
        parsed.add(name, status);
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
