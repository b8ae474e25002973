//! `cargo test`.

use std::sync::LazyLock;

use regex::Regex;
use staso_core::verify::{TestCounts, TestStatus};

use super::{ParsedTests, number};

/// `test tests::adds ... ok`.
static TEST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|ignored)(?:,.*)?$").ok());
/// `test result: FAILED. 2 passed; 1 failed; 1 ignored; …`.
static TOTAL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^test result: \w+\. (\d{1,9}) passed; (\d{1,9}) failed; (\d{1,9}) ignored").ok()
});

pub(super) fn parse(lines: &[&str]) -> ParsedTests {
    let mut parsed = ParsedTests::default();
    let (Some(test), Some(total)) = (&*TEST, &*TOTAL) else { return parsed };
    for line in lines {
        if let Some(found) = test.captures(line) {
            let status = match found.get(2).map(|word| word.as_str()) {
                Some("ok") => TestStatus::Passed,
                Some("ignored") => TestStatus::Skipped,
                _ => TestStatus::Failed,
            };
            parsed.add(found.get(1).map_or("", |name| name.as_str()), status);
        } else if let Some(found) = total.captures(line) {
            let count = |at| found.get(at).map_or(0, |value| number(value.as_str()));
            parsed.count(TestCounts { passed: count(1), failed: count(2), skipped: count(3) });
        }
    }
    parsed
}
