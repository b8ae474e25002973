//! What several runs of the same tests say together.

use std::collections::{BTreeMap, BTreeSet};

use staso_core::sandbox::ExecExit;
use staso_core::verify::{TestReport, TestStatus};

/// One report of several runs: tests that passed in one and failed in another are flaky and count as nothing else; for the
/// rest the run speaks that says most against the code. Empty without any run.
pub(super) fn merge(runs: Vec<TestReport>) -> TestReport {
    let flaky = flaky(&runs);
    let count = u32::try_from(runs.len()).unwrap_or(u32::MAX);
    let duration_ms = runs.iter().fold(0_u64, |sum, run| sum.saturating_add(run.duration_ms));
    let without = runs.into_iter().map(|run| without(run, &flaky));
    // Of equals the first one speaks.
    let worst = without.reduce(|worst, run| if badness(&run) > badness(&worst) { run } else { worst });
    let mut merged = worst.unwrap_or_else(nothing);
    (merged.runs, merged.duration_ms, merged.flaky) = (count, duration_ms, flaky);
    merged
}

fn flaky(runs: &[TestReport]) -> BTreeSet<String> {
    let mut seen: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for (name, status) in runs.iter().flat_map(|run| &run.tests) {
        let (passed, failed) = seen.entry(name).or_default();
        *passed |= *status == TestStatus::Passed;
        *failed |= *status == TestStatus::Failed;
    }
    seen.into_iter().filter(|(_, both)| *both == (true, true)).map(|(name, _)| name.to_owned()).collect()
}

/// A run without what flaky tests did in it.
fn without(mut run: TestReport, flaky: &BTreeSet<String>) -> TestReport {
    for name in flaky {
        let (status, counts) = (run.tests.remove(name), run.counts.as_mut());
        let Some((status, counts)) = status.zip(counts) else { continue };
        let count = match status {
            TestStatus::Passed => &mut counts.passed,
            TestStatus::Failed => &mut counts.failed,
            TestStatus::Skipped => &mut counts.skipped,
        };
        *count = count.saturating_sub(1);
    }
    run.flaky.clone_from(flaky);
    run
}

/// Orders runs by what they say against the code. A run that passes but for flaky tests is no worse than one that passes.
fn badness(run: &TestReport) -> (bool, bool, u64) {
    let ended = run.exit.timed_out || run.exit.oom || run.exit.code.is_none();
    let failed = run.counts.map_or(0, |counts| counts.failed);
    (!run.passed(), ended, failed)
}

fn nothing() -> TestReport {
    TestReport {
        command: String::new(),
        exit: ExecExit::default(),
        duration_ms: 0,
        counts: None,
        tests: BTreeMap::new(),
        tail: String::new(),
        runs: 0,
        flaky: BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TestStatus::{Failed, Passed, Skipped};
    use staso_core::verify::TestCounts;

    fn run(code: i32, tests: &[(&str, TestStatus)]) -> TestReport {
        let count = |status| tests.iter().filter(|(_, found)| *found == status).count() as u64;
        TestReport {
            command: "tests".to_owned(),
            exit: ExecExit { code: Some(code), ..ExecExit::default() },
            duration_ms: 5,
            counts: Some(TestCounts {
                passed: count(Passed),
                failed: count(Failed),
                skipped: count(Skipped),
            }),
            tests: tests.iter().map(|(name, status)| ((*name).to_owned(), *status)).collect(),
            tail: format!("exit {code}"),
            runs: 1,
            flaky: BTreeSet::new(),
        }
    }

    fn counts(report: &TestReport) -> (u64, u64, u64) {
        report.counts.map_or((9, 9, 9), |counts| (counts.passed, counts.failed, counts.skipped))
    }

    fn flaky(report: &TestReport) -> Vec<&str> {
        report.flaky.iter().map(String::as_str).collect()
    }

    #[test]
    fn what_passes_and_fails_is_flaky_and_nothing_else() {
        let stable = [("a", Passed), ("c", Skipped)];
        let with = |b| [stable[0], stable[1], ("b", b)];
        let merged = merge(vec![run(0, &with(Passed)), run(1, &with(Failed)), run(0, &with(Passed))]);
        assert_eq!(flaky(&merged), ["b"]);
        assert_eq!((counts(&merged), merged.runs, merged.duration_ms), ((1, 0, 1), 3, 15));
        assert!(merged.passed() && merged.exit.success() && !merged.tests.contains_key("b"));
        let never_whole = merge(vec![
            run(1, &[("a", Passed), ("b", Failed), ("d", Passed)]),
            run(1, &[("a", Passed), ("b", Passed), ("d", Failed)]),
        ]);
        assert_eq!(flaky(&never_whole), ["b", "d"]);
        assert!(never_whole.passed(), "a passed each time");
    }

    #[test]
    fn what_fails_each_time_is_broken() {
        let merged = merge(vec![
            run(1, &[("a", Passed), ("b", Failed), ("d", Failed)]),
            run(1, &[("a", Passed), ("b", Failed), ("d", Passed)]),
        ]);
        assert_eq!((flaky(&merged), counts(&merged)), (vec!["d"], (1, 1, 0)));
        assert!(!merged.passed() && merged.failing().eq(["b"]));
    }

    #[test]
    fn a_run_that_fails_without_a_name_speaks() {
        let mut unnamed = run(1, &[("a", Passed), ("b", Passed)]);
        unnamed.counts = Some(TestCounts { passed: 2, failed: 1, skipped: 0 });
        let merged = merge(vec![run(1, &[("a", Passed), ("b", Failed)]), unnamed]);
        assert_eq!((flaky(&merged), counts(&merged)), (vec!["b"], (1, 1, 0)));
        assert!(!merged.passed());
        let mut hung = run(0, &[("a", Passed)]);
        hung.exit = ExecExit { timed_out: true, ..ExecExit::default() };
        let merged = merge(vec![run(0, &[("a", Passed)]), hung]);
        assert!(merged.exit.timed_out && !merged.passed() && merged.flaky.is_empty());
    }

    #[test]
    fn skipping_is_neither_passing_nor_failing() {
        let merged = merge(vec![run(0, &[("a", Passed)]), run(0, &[("a", Skipped)])]);
        assert!(merged.flaky.is_empty());
        assert_eq!(merge(Vec::new()).runs, 0);
    }
}
