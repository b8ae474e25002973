//! The contract of [`TestRunner`].

use std::time::Duration;

use crate::code::CodeSnapshot;
use crate::run::RunContext;
use crate::sandbox::{SandboxError, SandboxSession};
use crate::testing::test_context;
use crate::verify::{TestCommand, TestRunner};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);
/// Longest time that ending a run of the tests takes beyond its limit.
const ENDED_WITHIN: Duration = Duration::from_secs(20);
/// Longest time until a cancelled run of the tests returns.
const CANCELLED_WITHIN: Duration = Duration::from_secs(2);

/// What the suite runs against.
#[derive(Debug, Clone, Copy)]
pub struct Fixture<'a> {
    /// A session in which the commands below behave as they say.
    pub session: &'a dyn SandboxSession,
    /// The code that the session was opened on; it has tests.
    pub code: &'a CodeSnapshot,
    /// A command that passes.
    pub passing: &'a TestCommand,
    /// A command that fails.
    pub failing: &'a TestCommand,
    /// A command that never ends; without one it is not checked that time is limited.
    pub endless: Option<&'a TestCommand>,
}

/// All checks.
///
/// # Panics
/// With a sentence that names the broken promise.
pub async fn all(runner: &dyn TestRunner, fixture: Fixture<'_>) {
    detects_the_same_twice(runner, fixture.code);
    reports_both_ways(runner, fixture, &test_context()).await;
    ends_in_time(runner, fixture, &test_context()).await;
    stops_when_cancelled(runner, fixture).await;
}

/// Detection reads the snapshot and nothing else.
///
/// # Panics
/// When two looks at one snapshot differ, or the tests are not found.
pub fn detects_the_same_twice(runner: &dyn TestRunner, code: &CodeSnapshot) {
    let found = runner.detect(code);
    assert!(
        found.as_ref().is_some_and(|command| !command.argv.is_empty()),
        "the tests of the snapshot are found"
    );
    assert_eq!(found, runner.detect(code), "detection depends on the snapshot alone");
}

/// A failing command is a report, not an error.
///
/// # Panics
/// When a report says something else than the command did.
pub async fn reports_both_ways(runner: &dyn TestRunner, fixture: Fixture<'_>, ctx: &RunContext) {
    for (command, passes) in [(fixture.passing, true), (fixture.failing, false)] {
        let report = runner.run(fixture.session, command, LONG, ctx).await;
        let report = report.unwrap_or_else(|error| panic!("a test command that ends is a report: {error}"));
        assert_eq!(report.passed(), passes, "the report of `{}` says what it did", command.display());
        assert!(report.tail.len() <= 8 << 10, "the end of the output has at most 8 KiB");
        assert!(report.runs >= 1, "a report is that of a run");
        let flaky = |name: &str| report.flaky.contains(name);
        assert!(!report.tests.keys().any(|name| flaky(name)), "a flaky test is nothing else");
    }
}

/// A command that does not end is a report.
///
/// # Panics
/// When the time limit is not kept, or the report does not tell.
pub async fn ends_in_time(runner: &dyn TestRunner, fixture: Fixture<'_>, ctx: &RunContext) {
    let Some(endless) = fixture.endless else { return };
    let started = ctx.elapsed();
    let report = runner.run(fixture.session, endless, SHORT, ctx).await;
    let report = report.unwrap_or_else(|error| panic!("a test command that is ended is a report: {error}"));
    assert!(report.exit.timed_out && !report.passed(), "the report of `{}` says so", endless.display());
    assert!(ctx.elapsed().saturating_sub(started) < SHORT + ENDED_WITHIN, "the time limit is kept");
}

/// Cancelling ends a run of the tests.
///
/// # Panics
/// When it does not, or ends as something else.
pub async fn stops_when_cancelled(runner: &dyn TestRunner, fixture: Fixture<'_>) {
    let ctx = test_context();
    ctx.cancellation().cancel();
    let started = ctx.elapsed();
    let ended = runner.run(fixture.session, fixture.passing, LONG, &ctx).await;
    assert!(matches!(ended, Err(SandboxError::Cancelled)), "a cancelled run says so");
    assert!(ctx.elapsed().saturating_sub(started) < CANCELLED_WITHIN, "and says so at once");
}
