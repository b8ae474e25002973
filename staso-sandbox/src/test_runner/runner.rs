//! [`DetectedTests`]: the default test runner.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use staso_core::code::CodeSnapshot;
use staso_core::run::RunContext;
use staso_core::sandbox::{ExecOutput, ExecRequest, SandboxError, SandboxSession, SandboxSessionExt as _};
use staso_core::verify::{TestCommand, TestFramework, TestReport, TestRunner};

use super::detect;
use super::parse::{ParsedTests, parse_test_output};
use super::repeat::merge;

/// Bytes of output that a report keeps.
const TAIL_BYTES: usize = 8 << 10;
/// How long looking around in a session may take.
const LOOK_LIMIT: Duration = Duration::from_secs(20);
/// What is left for the tests where looking around took all of the time: a report says that it is over.
const LEAST_TIME: Duration = Duration::from_millis(10);
/// Most runs for one report.
const MAX_REPETITIONS: u32 = 16;
/// What every command gets beyond the session's own environment.
const ENVIRONMENT: [(&str, &str); 12] = [
    // Compiled files of a test run are no change of the project.
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("CARGO_INCREMENTAL", "0"),
    // What was printed before the time was over is not lost.
    ("PYTHONUNBUFFERED", "1"),
    // There is no network: tools say so at once, instead of after many tries.
    ("CARGO_NET_OFFLINE", "true"),
    ("GOPROXY", "off"),
    ("GOTOOLCHAIN", "local"),
    ("PIP_NO_INDEX", "1"),
    ("npm_config_offline", "true"),
    ("npm_config_audit", "false"),
    ("npm_config_fund", "false"),
    ("npm_config_update_notifier", "false"),
    // Tools that else wait for changes of files run once.
    ("CI", "true"),
];

/// Runs its arguments where what Cargo builds is no change of the project. Only the session knows its temporary directory.
const BUILD_ASIDE: &str = r#"export CARGO_TARGET_DIR="${TMPDIR:-/tmp}/target"; exec "$@""#;

/// Finds a project's tests by its files and reads the output of the common tools.
///
/// Knows pytest, `unittest`, `node --test`, npm scripts, Cargo, Go and make, in this order. Where pytest is wanted but
/// not installed in the session, `unittest` runs instead, and the report's command says so. Output of an unknown tool is
/// read for the forms of all known ones. A run in which no test ran does not count as passed.
///
/// # Environment
/// Commands run offline: package managers are told so by their variables. Python writes no compiled files, Cargo builds
/// below the session's temporary directory, `CI` is set.
///
/// # What a report is worth
/// Of a tool that is known, only what it prints on its own stream, in its own sections and in its last summary counts, so
/// that tests which print something similar do no harm. A test that means harm cannot be kept from lying: it runs in the
/// process that reports on it, can print after the last summary and end the process with code 0.
///
/// # Examples
/// ```
/// use staso_sandbox::DetectedTests;
///
/// // Runs the tests three times, to tell flaky ones from broken ones.
/// let runner = DetectedTests::new().with_repetitions(3);
/// # drop(runner);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectedTests {
    repetitions: u32,
}

impl Default for DetectedTests {
    fn default() -> Self {
        Self::new()
    }
}

impl DetectedTests {
    /// The default test runner, which runs the tests once.
    #[must_use]
    pub const fn new() -> Self {
        Self { repetitions: 1 }
    }

    /// Runs the tests this often, 1 to 16 times, in one session one after the other, to find those that are
    /// [flaky](TestReport::flaky). Default 1.
    ///
    /// All runs share the time limit: another one begins only when twice the time of the longest one is left. Files that a
    /// run leaves are there in the next one. Only tests that the output names can be found flaky; of those that fail
    /// rarely, few runs find few.
    #[must_use]
    pub const fn with_repetitions(mut self, runs: u32) -> Self {
        self.repetitions = match runs {
            0 => 1,
            1..=MAX_REPETITIONS => runs,
            _ => MAX_REPETITIONS,
        };
        self
    }
}

#[async_trait]
impl TestRunner for DetectedTests {
    fn detect(&self, code: &CodeSnapshot) -> Option<TestCommand> {
        detect::command(code)
    }

    async fn run(
        &self,
        session: &dyn SandboxSession,
        command: &TestCommand,
        timeout: Duration,
        ctx: &RunContext,
    ) -> Result<TestReport, SandboxError> {
        let started = ctx.clock().monotonic();
        let fallback = if command.framework == TestFramework::Pytest && command.origin != "host" {
            without_pytest(session, timeout, ctx).await?
        } else {
            None
        };
        let command = fallback.as_ref().unwrap_or(command);
        let looked = ctx.clock().monotonic().saturating_sub(started);
        let timeout = timeout.saturating_sub(looked).max(LEAST_TIME);
        let first = run_once(session, command, timeout, ctx).await?;
        let mut runs = vec![first];
        let (mut spent, mut longest) = (Duration::ZERO, Duration::ZERO);
        for _ in 1..self.repetitions {
            let last = runs.last().map_or(Duration::ZERO, |run| Duration::from_millis(run.duration_ms));
            (spent, longest) = (spent + last, longest.max(last));
            let left = timeout.saturating_sub(spent);
            let ended = runs.last().is_some_and(|run| run.exit.timed_out || run.exit.oom);
            if ended || left.is_zero() || left < longest * 2 {
                break;
            }
            runs.push(run_once(session, command, left, ctx).await?);
        }
        Ok(merge(runs))
    }
}

async fn run_once(
    session: &dyn SandboxSession,
    command: &TestCommand,
    timeout: Duration,
    ctx: &RunContext,
) -> Result<TestReport, SandboxError> {
    let started = ctx.clock().monotonic();
    let may_build = matches!(command.framework, TestFramework::CargoTest | TestFramework::Unknown);
    let aside: &[&str] = if may_build { &["sh", "-c", BUILD_ASIDE, "tests"] } else { &[] };
    let argv = aside.iter().copied().chain(command.argv.iter().map(String::as_str));
    let output = session.run(&request(argv, timeout), ctx).await?;
    let duration = ctx.clock().monotonic().saturating_sub(started);
    Ok(report(command, &output, duration))
}

/// A command with what every one gets.
fn request<'a>(argv: impl IntoIterator<Item = &'a str>, timeout: Duration) -> ExecRequest {
    let request = ExecRequest::new(argv).with_timeout(timeout);
    ENVIRONMENT.iter().fold(request, |request, (name, value)| request.with_env(*name, *value))
}

/// The `unittest` command for the session's files, when pytest cannot be imported there.
async fn without_pytest(
    session: &dyn SandboxSession,
    timeout: Duration,
    ctx: &RunContext,
) -> Result<Option<TestCommand>, SandboxError> {
    // What is imported may be the project's own.
    let limit = LOOK_LIMIT.min(timeout / 2);
    let import = request(["python3", "-c", "import pytest"], limit);
    if session.run(&import, ctx).await?.exit.success() {
        return Ok(None);
    }
    let list = request(["find", ".", "-name", "*.py", "-not", "-path", "*/.*"], limit);
    let output = session.run(&list, ctx).await?;
    let listing = String::from_utf8_lossy(&output.stdout);
    let paths: Vec<&str> = listing.lines().filter_map(|line| line.strip_prefix("./")).collect();
    Ok(Some(detect::unittest(&paths, "pytest is not installed in the session")))
}

fn report(command: &TestCommand, output: &ExecOutput, duration: Duration) -> TestReport {
    let text = both(output);
    let parsed = parse_test_output(command.framework, own_stream(command.framework, output, &text));
    // A tool that was told to use the other stream.
    let parsed =
        if parsed == ParsedTests::default() { parse_test_output(command.framework, &text) } else { parsed };
    TestReport {
        command: command.display(),
        exit: output.exit,
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        counts: parsed.counts,
        tests: parsed.tests,
        tail: tail(&text),
        runs: 1,
        flaky: BTreeSet::new(),
    }
}

/// The stream that the tool reports on; what tests print on the other one is none of its words.
fn own_stream<'a>(framework: TestFramework, output: &'a ExecOutput, both: &'a [u8]) -> &'a [u8] {
    match framework {
        TestFramework::Unittest => &output.stderr,
        TestFramework::Pytest
        | TestFramework::NodeTest
        | TestFramework::CargoTest
        | TestFramework::GoTest => &output.stdout,
        _ => both,
    }
}

fn both(output: &ExecOutput) -> Cow<'_, [u8]> {
    if output.stderr.is_empty() {
        return Cow::Borrowed(&output.stdout);
    }
    let mut text = output.stdout.clone();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(&output.stderr);
    Cow::Owned(text)
}

/// The end of the output, as text.
fn tail(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let from = text.len().saturating_sub(TAIL_BYTES);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text.get(from..).unwrap_or_default().to_owned()
}
