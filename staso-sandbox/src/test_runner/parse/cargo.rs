//! `cargo test`: one part for each binary with tests, each with a summary of its own.
//!
//! What failing tests printed stands between a part's results and its summary. So names end at the heading `failures:`,
//! and a part is over, and another one may begin, with a summary of as many tests as the part announced. Where none fits,
//! because a test announced a part itself, the last summary stands for the part.

use std::sync::LazyLock;

use regex::Regex;
use staso_core::verify::{TestCounts, TestStatus};

use super::{ParsedTests, Summaries, number};

/// `test tests::adds ... ok`.
static TEST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|ignored)(?:,.*)?$").ok());
/// `test result: FAILED. 2 passed; 1 failed; 1 ignored; …`.
static TOTAL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^test result: \w+\. (\d{1,9}) passed; (\d{1,9}) failed; (\d{1,9}) ignored(?:; (\d{1,9}) measured)?",
    )
    .ok()
});
/// `running 4 tests`.
static RUNNING: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^running (\d{1,9}) tests?$").ok());

pub(super) fn parse(lines: &[&str], _summaries: Summaries) -> ParsedTests {
    let mut parsed = ParsedTests::default();
    let (Some(test), Some(total), Some(running)) = (&*TEST, &*TOTAL, &*RUNNING) else { return parsed };
    let mut part = Part::new(None);
    for line in lines {
        if let Some(found) = running.captures(line) {
            if part.announced.is_none() || part.summary.is_some() {
                part.end(&mut parsed);
                let announced = found.get(1).map(|count| number(count.as_str()));
                part = Part::new(announced);
            }
        } else if *line == "failures:" {
            part.in_results = false;
        } else if let Some(found) = total.captures(line) {
            let count = |at| found.get(at).map_or(0, |value| number(value.as_str()));
            let counts = TestCounts { passed: count(1), failed: count(2), skipped: count(3) };
            let all = count(1).saturating_add(count(2)).saturating_add(count(3)).saturating_add(count(4));
            let fits = part.announced.is_none_or(|announced| announced == all);
            *(if fits { &mut part.summary } else { &mut part.other }) = Some(counts);
        } else if part.in_results
            && let Some(found) = test.captures(line)
        {
            let status = match found.get(2).map(|word| word.as_str()) {
                Some("ok") => TestStatus::Passed,
                Some("ignored") => TestStatus::Skipped,
                _ => TestStatus::Failed,
            };
            parsed.add(found.get(1).map_or("", |name| name.as_str()), status);
        }
    }
    part.end(&mut parsed);
    parsed
}

/// What one binary prints.
struct Part {
    /// How many tests it said it would run.
    announced: Option<u64>,
    summary: Option<TestCounts>,
    /// A summary of another number of tests.
    other: Option<TestCounts>,
    in_results: bool,
}

impl Part {
    const fn new(announced: Option<u64>) -> Self {
        Self { announced, summary: None, other: None, in_results: true }
    }

    fn end(&mut self, parsed: &mut ParsedTests) {
        if let Some(counts) = self.summary.take().or(self.other.take()) {
            parsed.count(counts, Summaries::All);
        }
    }
}
