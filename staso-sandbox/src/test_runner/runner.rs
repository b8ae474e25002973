//! [`DetectedTests`]: the default test runner.

use std::time::Duration;

use async_trait::async_trait;
use staso_core::code::CodeSnapshot;
use staso_core::run::RunContext;
use staso_core::sandbox::{ExecOutput, ExecRequest, SandboxError, SandboxSession, SandboxSessionExt as _};
use staso_core::verify::{TestCommand, TestFramework, TestReport, TestRunner};

use super::detect;
use super::parse::parse_test_output;

/// Bytes of output that a report keeps.
const TAIL_BYTES: usize = 8 << 10;
/// How long looking around in a session may take.
const LOOK_LIMIT: Duration = Duration::from_secs(20);

/// Finds a project's tests by its files and reads the output of the common tools.
///
/// Knows pytest, `unittest`, `node --test`, npm scripts, Cargo, Go and make, in this order. Where pytest is wanted but
/// not installed in the session, `unittest` runs instead, and the report's command says so. Output of an unknown tool is
/// read for the forms of all known ones. A run in which no test ran does not count as passed.
#[derive(Debug, Clone, Copy, Default)]
pub struct DetectedTests;

impl DetectedTests {
    /// The default test runner.
    #[must_use]
    pub const fn new() -> Self {
        Self
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
        let fallback = if command.framework == TestFramework::Pytest && command.origin != "host" {
            without_pytest(session, ctx).await?
        } else {
            None
        };
        let command = fallback.as_ref().unwrap_or(command);
        let started = ctx.clock().monotonic();
        // Compiled files of a test run are no change of the project.
        let request = ExecRequest::new(command.argv.iter().cloned())
            .with_timeout(timeout)
            .with_env("PYTHONDONTWRITEBYTECODE", "1");
        let output = session.run(&request, ctx).await?;
        let duration = ctx.clock().monotonic().saturating_sub(started);
        Ok(report(command, &output, duration))
    }
}

/// The `unittest` command for the session's files, when pytest cannot be imported there.
async fn without_pytest(
    session: &dyn SandboxSession,
    ctx: &RunContext,
) -> Result<Option<TestCommand>, SandboxError> {
    let import = ExecRequest::new(["python3", "-c", "import pytest"]).with_timeout(LOOK_LIMIT);
    if session.run(&import, ctx).await?.exit.success() {
        return Ok(None);
    }
    let list =
        ExecRequest::new(["find", ".", "-name", "*.py", "-not", "-path", "*/.*"]).with_timeout(LOOK_LIMIT);
    let output = session.run(&list, ctx).await?;
    let listing = String::from_utf8_lossy(&output.stdout);
    let paths: Vec<&str> = listing.lines().filter_map(|line| line.strip_prefix("./")).collect();
    Ok(Some(detect::unittest(&paths, "pytest is not installed in the session")))
}

fn report(command: &TestCommand, output: &ExecOutput, duration: Duration) -> TestReport {
    let mut text = output.stdout.clone();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(&output.stderr);
    let parsed = parse_test_output(command.framework, &text);
    TestReport {
        command: command.display(),
        exit: output.exit,
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        counts: parsed.counts,
        tests: parsed.tests,
        tail: tail(&text),
    }
}

/// The end of the output, as text.
fn tail(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let from = text.len().saturating_sub(TAIL_BYTES);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text.get(from..).unwrap_or_default().to_owned()
}
