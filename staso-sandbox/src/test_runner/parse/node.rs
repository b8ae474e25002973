//! `node --test`, in its TAP and its spec form.

use std::sync::LazyLock;

use regex::Regex;
use staso_core::verify::{TestCounts, TestStatus};

use super::{ParsedTests, Summaries, number};

/// `not ok 2 - name # SKIP why`.
static TAP: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^( *)(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)\b.*)?$").ok());
/// `✔ name (0.9ms) # why`; a group in newer versions is closed by `▶ name (0.9ms)`.
static SPEC: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^( *)(✔|✖|﹣|▶) (.*?) \([\d.]+ms\)(?: # (.*))?$").ok());
/// `# pass 2`, `ℹ pass 2`.
static COUNT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:#|ℹ) (tests|pass|fail|cancelled|skipped|todo) (\d{1,9})$").ok());

/// The groups that are open, outermost first: name, and whether a test was seen in it.
#[derive(Default)]
struct Groups(Vec<(String, bool)>);

impl Groups {
    /// Opens a group at a depth; deeper ones are over.
    fn open(&mut self, depth: usize, name: &str) {
        self.0.truncate(depth);
        if self.0.len() == depth {
            self.0.push((name.to_owned(), false));
        }
    }

    /// Whether the result at this depth is that of a group with tests.
    fn close(&mut self, depth: usize, name: &str) -> bool {
        let is_group = self.0.get(depth).is_some_and(|(open, used)| open == name && *used);
        self.0.truncate(depth);
        for (_, used) in &mut self.0 {
            *used = true;
        }
        is_group
    }

    fn full_name(&self, name: &str) -> String {
        let groups = self.0.iter().map(|(group, _)| group.as_str());
        groups.chain([name]).collect::<Vec<_>>().join(" > ")
    }
}

pub(super) fn parse(lines: &[&str], summaries: Summaries) -> ParsedTests {
    const TAP_INDENT: usize = 4;
    const SPEC_INDENT: usize = 2;
    let mut parsed = ParsedTests::default();
    let (Some(tap), Some(spec), Some(count)) = (&*TAP, &*SPEC, &*COUNT) else { return parsed };
    // A run prints one of the two forms; what looks like the other one is a test's own output.
    let both = summaries == Summaries::All;
    let is_tap = lines.contains(&"TAP version 13");
    // Of one run the last such heading is node's own: everything after it was said before.
    let is_heading = |line: &&str| line.trim_start_matches(' ') == "✖ failing tests:";
    let heading = match summaries {
        Summaries::Last => lines.iter().rposition(is_heading),
        Summaries::All => lines.iter().position(is_heading),
    };
    let mut groups = Groups::default();
    let mut counts = TestCounts::default();
    let mut counted = false;
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim_start_matches(' ');
        let indent = line.len() - bare.len();
        if let Some(found) = count.captures(line) {
            let value = found.get(2).map_or(0, |value| number(value.as_str()));
            let word = found.get(1).map_or("", |word| word.as_str());
            // The first line of a summary.
            if word == "tests" && summaries == Summaries::Last {
                counts = TestCounts::default();
            }
            counted |= add(&mut counts, word, value);
        } else if heading.is_some_and(|heading| at >= heading) {
            // Only numbers are looked for from here on.
        } else if let Some(name) = bare.strip_prefix("# Subtest: ") {
            groups.open(indent / TAP_INDENT, name);
        } else if let Some(found) = tap.captures(line).filter(|_| both || is_tap) {
            let group = |at| found.get(at).map(|text| text.as_str());
            let status = match (group(4), group(2)) {
                (Some(_), _) => TestStatus::Skipped,
                (None, Some(_)) => TestStatus::Failed,
                (None, None) => TestStatus::Passed,
            };
            result(&mut parsed, &mut groups, indent / TAP_INDENT, group(3).unwrap_or_default(), status);
        } else if let Some(found) = spec.captures(line).filter(|_| both || !is_tap) {
            let group = |at| found.get(at).map_or("", |text| text.as_str());
            let status = match group(2) {
                _ if group(4).starts_with("TODO") => TestStatus::Skipped,
                "✖" => TestStatus::Failed,
                "﹣" => TestStatus::Skipped,
                _ => TestStatus::Passed,
            };
            result(&mut parsed, &mut groups, indent / SPEC_INDENT, group(3), status);
        } else if let Some(name) = bare.strip_prefix("▶ ") {
            groups.open(indent / SPEC_INDENT, name);
        }
    }
    if counted {
        parsed.count(counts, summaries);
    }
    parsed
}

/// Notes a result; a group is no test of its own.
fn result(parsed: &mut ParsedTests, groups: &mut Groups, depth: usize, name: &str, status: TestStatus) {
    if !groups.close(depth, name) {
        parsed.add(groups.full_name(name), status);
    }
}

fn add(counts: &mut TestCounts, word: &str, value: u64) -> bool {
    match word {
        "pass" => counts.passed = counts.passed.saturating_add(value),
        "fail" | "cancelled" => counts.failed = counts.failed.saturating_add(value),
        "skipped" | "todo" => counts.skipped = counts.skipped.saturating_add(value),
        _ => return false,
    }
    true
}
