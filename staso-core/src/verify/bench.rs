//! One sandbox session as a place to try things: reproduce, run the tests, apply a candidate.

use std::time::Duration;

use super::call::{self, CallOutcome, CallVerdict};
use super::{TestCommand, TestReport, TestRunner, TestStatus, VerifyLimits};
use crate::code::is_test_file;
use crate::diagnosis::{FailureOracle, RecordedCall};
use crate::fix::Patch;
use crate::run::{CheckRecord, CheckSubject, EventKind, RunContext};
use crate::sandbox::{SandboxError, SandboxSession};

/// Recorded calls made again at most.
const MAX_CALLS: usize = 4;

/// A session, and how to try things in it.
#[derive(Debug, Clone, Copy)]
pub struct TestBench<'a> {
    session: &'a dyn SandboxSession,
    tests: Option<(&'a dyn TestRunner, &'a TestCommand)>,
    limits: &'a VerifyLimits,
    at: CheckSubject,
}

/// How the failure was made to happen again.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reproduction {
    /// By making a recorded call again.
    Call {
        /// How the failure shows itself.
        oracle: FailureOracle,
        /// The call.
        call: RecordedCall,
        /// How long it took to fail.
        took: Duration,
    },
    /// By the project's own tests, which fail at the failing commit.
    Tests,
}

/// The project's tests as they are without a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Baseline {
    /// There is no test command.
    NoTests,
    /// They ran.
    Ran(TestReport),
}

/// What trying a candidate found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Whether the failure is gone.
    pub gone: bool,
    /// Whether it is gone and all tests pass. Never without tests.
    pub passed: bool,
    /// The checks that ran, in order; the first that fails is the last.
    pub checks: Vec<CheckRecord>,
}

/// A part of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// What is no test.
    Program,
    /// The tests.
    Tests,
}

impl<'a> TestBench<'a> {
    /// A bench over a session whose checkout is that of `at`.
    #[must_use]
    pub const fn new(
        session: &'a dyn SandboxSession,
        tests: Option<(&'a dyn TestRunner, &'a TestCommand)>,
        limits: &'a VerifyLimits,
        at: CheckSubject,
    ) -> Self {
        Self { session, tests, limits, at }
    }

    /// Makes the recorded calls of the oracle again, the outermost first, until one fails as the trace says.
    ///
    /// The outermost call is the best proof: it shows the failure as a user saw it, and what a call further in was given
    /// may itself be the work of the fault.
    ///
    /// # Errors
    /// Those of the session.
    pub async fn reproduce(
        &self,
        oracle: &FailureOracle,
        ctx: &RunContext,
    ) -> Result<(Option<Reproduction>, Vec<CheckRecord>), SandboxError> {
        call::install_driver(self.session, ctx).await?;
        let mut checks = Vec::new();
        let calls = oracle.calls().iter().rev().filter(|recorded| call::is_supported(recorded));
        for recorded in calls.take(MAX_CALLS) {
            let (verdict, record) =
                self.call_check(recorded, oracle, self.limits.call_timeout, false, ctx).await?;
            let took = Duration::from_millis(record.duration_ms);
            checks.push(record);
            if verdict == CallVerdict::Fails {
                let (oracle, call) = (oracle.clone(), recorded.clone());
                return Ok((Some(Reproduction::Call { oracle, call, took }), checks));
            }
        }
        Ok((None, checks))
    }

    /// Runs the tests without a change.
    ///
    /// # Errors
    /// Those of the session.
    pub async fn baseline(&self, ctx: &RunContext) -> Result<(Baseline, CheckRecord), SandboxError> {
        let Some((runner, command)) = self.tests else {
            return Ok((Baseline::NoTests, self.tests_not_run(false)));
        };
        let report = self.run_tests(runner, command, self.limits.test_timeout, ctx).await?;
        let record = self.tests_record(&report, false, report.passed());
        self.completed(&record, ctx);
        Ok((Baseline::Ran(report), record))
    }

    /// Puts the candidate in place and tries it. The files stay changed.
    ///
    /// The tests run as they were first, and once more with the tests that the candidate brings: those could make the
    /// others say what they like.
    ///
    /// # Errors
    /// Those of the session.
    pub async fn try_patch(
        &self,
        patch: &Patch,
        reproduction: &Reproduction,
        baseline: &Baseline,
        ctx: &RunContext,
    ) -> Result<Trial, SandboxError> {
        self.apply(patch, Part::Program, ctx).await?;
        let mut checks = Vec::new();
        if let Some((verdict, record)) = self.retry(reproduction, ctx).await? {
            checks.push(record);
            if verdict != CallVerdict::Passes {
                self.apply(patch, Part::Tests, ctx).await?;
                return Ok(Trial { gone: false, passed: false, checks });
            }
        }
        let (Some((runner, command)), Baseline::Ran(before)) = (self.tests, baseline) else {
            self.apply(patch, Part::Tests, ctx).await?;
            checks.push(self.tests_not_run(true));
            return Ok(Trial { gone: true, passed: false, checks });
        };
        let timeout = self.limits.trial_test_timeout(Duration::from_millis(before.duration_ms));
        let mut report = self.run_tests(runner, command, timeout, ctx).await?;
        // Most often tests that failed before fail for the very fault that is to be mended.
        let mut passed = report.passes_like(before);
        if self.apply(patch, Part::Tests, ctx).await? && passed {
            let kept = report;
            report = self.run_tests(runner, command, timeout, ctx).await?;
            passed = report.passes_like(&kept);
        }
        let record = self.tests_record(&report, true, passed);
        self.completed(&record, ctx);
        checks.push(record);
        let gone = passed || matches!(reproduction, Reproduction::Call { .. });
        Ok(Trial { gone, passed, checks })
    }

    /// Makes the call that shows the failure again, with the files as they are now. `None` when no call shows it.
    ///
    /// # Errors
    /// Those of the session.
    pub async fn retry(
        &self,
        reproduction: &Reproduction,
        ctx: &RunContext,
    ) -> Result<Option<(CallVerdict, CheckRecord)>, SandboxError> {
        let Reproduction::Call { oracle, call: recorded, took } = reproduction else { return Ok(None) };
        call::install_driver(self.session, ctx).await?;
        let timeout = self.limits.trial_call_timeout(*took);
        self.call_check(recorded, oracle, timeout, true, ctx).await.map(Some)
    }

    /// Writes a part of the candidate. Whether there is any.
    async fn apply(&self, patch: &Patch, part: Part, ctx: &RunContext) -> Result<bool, SandboxError> {
        let mut any = false;
        for (path, file) in patch.files().filter(|(path, _)| is_test_file(path) == (part == Part::Tests)) {
            self.session.write_file(path, file.after().as_bytes(), file.executable(), ctx).await?;
            any = true;
        }
        Ok(any)
    }

    async fn call_check(
        &self,
        recorded: &RecordedCall,
        oracle: &FailureOracle,
        timeout: Duration,
        patched: bool,
        ctx: &RunContext,
    ) -> Result<(CallVerdict, CheckRecord), SandboxError> {
        let command = call::display(recorded);
        self.started("reproduction", ctx);
        let begun = ctx.elapsed();
        let outcome = call::make(recorded, self.session, timeout, ctx).await?;
        let verdict = call::judge(&outcome, oracle, recorded);
        let record = CheckRecord {
            name: "reproduction".to_owned(),
            command,
            at: self.at,
            patched,
            ok: Some(verdict == if patched { CallVerdict::Passes } else { CallVerdict::Fails }),
            exit_code: None,
            counts: None,
            duration_ms: millis(ctx.elapsed().saturating_sub(begun)),
            detail: describe(&outcome, &verdict),
        };
        self.completed(&record, ctx);
        Ok((verdict, record))
    }

    async fn run_tests(
        &self,
        runner: &dyn TestRunner,
        command: &TestCommand,
        timeout: Duration,
        ctx: &RunContext,
    ) -> Result<TestReport, SandboxError> {
        self.started("tests", ctx);
        runner.run(self.session, command, timeout, ctx).await
    }

    fn tests_record(&self, report: &TestReport, patched: bool, ok: bool) -> CheckRecord {
        CheckRecord {
            name: "tests".to_owned(),
            command: report.command.clone(),
            at: self.at,
            patched,
            ok: Some(ok),
            exit_code: report.exit.code,
            counts: report.counts,
            duration_ms: report.duration_ms,
            detail: describe_tests(report),
        }
    }

    fn tests_not_run(&self, patched: bool) -> CheckRecord {
        CheckRecord {
            name: "tests".to_owned(),
            command: String::new(),
            at: self.at,
            patched,
            ok: None,
            exit_code: None,
            counts: None,
            duration_ms: 0,
            detail: "not run: there is no test command".to_owned(),
        }
    }

    fn started(&self, name: &str, ctx: &RunContext) {
        ctx.emit(EventKind::CheckStarted { name: name.to_owned(), at: self.place().to_owned() });
    }

    fn completed(&self, record: &CheckRecord, ctx: &RunContext) {
        ctx.emit(EventKind::CheckCompleted {
            name: record.name.clone(),
            at: format!("{}{}", self.place(), if record.patched { ", patched" } else { "" }),
            ok: record.ok == Some(true),
            result: record.detail.clone(),
        });
    }

    const fn place(&self) -> &'static str {
        match self.at {
            CheckSubject::FailingCommit => "failing commit",
            CheckSubject::BaseTip => "base tip",
        }
    }
}

fn describe(outcome: &CallOutcome, verdict: &CallVerdict) -> String {
    match (outcome, verdict) {
        (_, CallVerdict::Other(why)) => why.clone(),
        (CallOutcome::Raised { kind, message }, _) => {
            format!("raises {kind}: {}", call::brief(message))
        }
        (CallOutcome::Returned { .. }, CallVerdict::Fails) => {
            "returns a text with the unfilled variable".to_owned()
        }
        _ => "returns".to_owned(),
    }
}

fn describe_tests(report: &TestReport) -> String {
    if report.exit.timed_out {
        return format!("did not end within {} ms{}", report.duration_ms, until_then(report));
    }
    let Some(counts) = report.counts else {
        return report.exit.code.map_or_else(|| "was killed".to_owned(), |code| format!("exit code {code}"));
    };
    let mut text = format!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    if !report.flaky.is_empty() {
        text.push_str(&format!(", {} flaky in {} runs", report.flaky.len(), report.runs));
    }
    let named: Vec<_> = report.failing().chain(report.flaky.iter().map(String::as_str)).take(3).collect();
    if !named.is_empty() {
        text.push_str(": ");
        text.push_str(&named.join(", "));
    }
    text
}

/// What tests that did not end had done.
fn until_then(report: &TestReport) -> String {
    if report.tests.is_empty() {
        return String::new();
    }
    let passed = report.tests.values().filter(|status| **status == TestStatus::Passed).count();
    format!("; until then {passed} passed, {} failed", report.failing().count())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
