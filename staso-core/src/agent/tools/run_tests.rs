//! [`RunTests`].

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::{of_sandbox, problem};
use crate::agent::canonical;
use crate::agent::{Tool, ToolError, ToolProblem, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
use crate::run::{Interrupted, RunContext};
use crate::verify::{TestCommand, TestFramework, TestReport, TestRunner};

/// Runs the project's tests in the session. The command is the host's or was found in the repository; of the model comes
/// at most a filter, as one argument of the program, where the test tool takes one.
#[derive(Debug)]
pub struct RunTests<'a> {
    spec: ToolSpec,
    runner: &'a dyn TestRunner,
    command: &'a TestCommand,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Runs only tests whose name holds this text, where the test tool can. Default: all.
    #[serde(default)]
    filter: Option<String>,
    /// Longest time, in seconds. Default 120.
    #[serde(default)]
    #[schemars(range(min = 1, max = 600))]
    timeout_s: Option<u64>,
}

const DESCRIPTION: &str =
    "Runs the project's tests with your change and says which fail, with the end of the output.";

impl<'a> RunTests<'a> {
    /// Longest filter, in bytes.
    pub const MAX_FILTER_BYTES: usize = 200;
    /// Longest time for one run.
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(600);
    const TIMEOUT: Duration = Duration::from_secs(120);
    /// What reading the result may take beyond the time for the tests.
    const SLACK: Duration = Duration::from_secs(60);
    /// Names of failing tests that are listed, and the longest, in characters.
    const MAX_NAMES: usize = 20;
    const MAX_NAME_CHARS: usize = 160;
    /// The end of the output that is shown, in bytes.
    const TAIL_BYTES: usize = 8 << 10;

    /// Runs `command` with `runner`.
    #[must_use]
    pub fn new(runner: &'a dyn TestRunner, command: &'a TestCommand) -> Self {
        Self { spec: ToolSpec::of::<Arguments>("run_tests", DESCRIPTION), runner, command }
    }
}

#[async_trait]
impl Tool for RunTests<'_> {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(
        &self,
        arguments: Value,
        scope: &ToolScope<'_>,
        ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        let arguments: Arguments = self.spec.arguments(arguments)?;
        let filter = arguments.filter.as_deref().map(str::trim).filter(|filter| !filter.is_empty());
        let command = match filter {
            Some(filter) => filtered(self.command, filter)?,
            None => self.command.clone(),
        };
        let wanted = arguments.timeout_s.map_or(Self::TIMEOUT, Duration::from_secs);
        let timeout = wanted.clamp(Duration::from_secs(1), Self::MAX_TIMEOUT).min(scope.time_left);
        if timeout.is_zero() {
            let hint = "submit what you have";
            return Err(problem(ToolProblemCode::Timeout, "no time is left for tools", hint));
        }
        let run = self.runner.run(scope.session()?, &command, timeout, ctx);
        let report = match ctx.bounded(timeout + Self::SLACK, run).await {
            Ok(report) => report.map_err(of_sandbox)?,
            Err(Interrupted::Cancelled) => return Err(ToolError::Cancelled),
            Err(error) => return Err(problem(ToolProblemCode::Timeout, format!("the tests {error}"), "")),
        };
        let ignored = filter.is_some() && report.command != command.display();
        Ok(ToolReply::Text(show(&report, ignored)))
    }
}

/// The command for the tests that a filter names, or why there is none.
fn filtered(command: &TestCommand, filter: &str) -> Result<TestCommand, ToolProblem> {
    let is_plain = |c: char| c.is_alphanumeric() || "_-.:/[] ".contains(c);
    if filter.len() > RunTests::MAX_FILTER_BYTES || filter.starts_with('-') || !filter.chars().all(is_plain) {
        let message = format!(
            "a filter is a part of a test's name: letters, digits and _-.:/[], at most {} bytes",
            RunTests::MAX_FILTER_BYTES
        );
        return Err(ToolProblem::new(ToolProblemCode::BadArgs, message));
    }
    let mut argv = command.argv.clone();
    let position = |word: &str| command.argv.iter().position(|part| part == word);
    match command.framework {
        TestFramework::Pytest | TestFramework::Unittest if position("-c").is_none() => {
            argv.extend(["-k".to_owned(), filter.to_owned()]);
        }
        TestFramework::CargoTest if command.argv.first().is_some_and(|program| program == "cargo") => {
            argv.insert(position("--").unwrap_or(argv.len()), filter.to_owned());
        }
        TestFramework::NodeTest if command.argv.first().is_some_and(|program| program == "node") => {
            let at = position("--test").map_or(1, |at| at + 1);
            argv.insert(at, format!("--test-name-pattern={}", regex::escape(filter)));
        }
        TestFramework::GoTest if command.argv.first().is_some_and(|program| program == "go") => {
            let at = position("test").map_or(argv.len(), |at| at + 1);
            argv.splice(at..at, ["-run".to_owned(), regex::escape(filter)]);
        }
        _ => {
            let message = format!("a filter is not supported for `{}`", command.display());
            return Err(ToolProblem::new(ToolProblemCode::Denied, message).with_hint("run all tests"));
        }
    }
    Ok(TestCommand { argv, ..command.clone() })
}

fn show(report: &TestReport, filter_ignored: bool) -> String {
    let name = |name: &str| name.chars().take(RunTests::MAX_NAME_CHARS).collect::<String>();
    let failing: Vec<String> = report.failing().take(RunTests::MAX_NAMES).map(name).collect();
    let counts = report.counts;
    let mut summary = json!({
        "ok": report.passed(),
        "passed": counts.map(|counts| counts.passed),
        "failed": counts.map(|counts| counts.failed),
        "skipped": counts.map(|counts| counts.skipped),
        "errors": error_of(report),
        "failing": failing,
        "command": report.command,
        "exit_code": report.exit.code,
        "duration_ms": report.duration_ms,
    });
    if !report.flaky.is_empty()
        && let Some(summary) = summary.as_object_mut()
    {
        let flaky: Vec<String> =
            report.flaky.iter().take(RunTests::MAX_NAMES).map(|flaky| name(flaky)).collect();
        summary.insert("flaky".to_owned(), json!(flaky));
    }
    let summary = canonical(&summary);
    let note = if filter_ignored { "\nThe filter was not used: all tests ran." } else { "" };
    let from = report.tail.len().saturating_sub(RunTests::TAIL_BYTES);
    let from = (from..=report.tail.len()).find(|at| report.tail.is_char_boundary(*at)).unwrap_or_default();
    format!("{summary}{note}\nThe end of the output:\n{}", report.tail.get(from..).unwrap_or_default())
}

/// Why the tests did not come to an end of their own.
fn error_of(report: &TestReport) -> Option<&'static str> {
    let nothing_ran = report.counts.is_some_and(|counts| counts.passed + counts.failed == 0);
    match () {
        () if report.exit.timed_out => Some("did not end in time"),
        () if report.exit.oom => Some("out of memory"),
        () if matches!(report.exit.code, Some(126 | 127)) => Some("the command cannot be run here"),
        () if report.exit.code.is_none() => Some("was killed"),
        () if nothing_ran => Some("no test ran"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(argv: &[&str], framework: TestFramework, filter: &str) -> Result<Vec<String>, ToolProblemCode> {
        let argv = argv.iter().map(|part| (*part).to_owned()).collect();
        let command = TestCommand { argv, framework, origin: "x".to_owned() };
        filtered(&command, filter).map(|command| command.argv).map_err(|problem| problem.code)
    }

    #[test]
    fn a_filter_is_one_argument_where_the_tool_takes_one() {
        for (command, framework, expected) in [
            (&["python3", "-m", "pytest"][..], TestFramework::Pytest, "python3 -m pytest -k a b"),
            (&["python3", "-m", "unittest"], TestFramework::Unittest, "python3 -m unittest -k a b"),
            (
                &["cargo", "test", "--", "--nocapture"],
                TestFramework::CargoTest,
                "cargo test a b -- --nocapture",
            ),
            (
                &["node", "--test", "x.js"],
                TestFramework::NodeTest,
                "node --test --test-name-pattern=a b x.js",
            ),
            (&["go", "test", "-v", "./..."], TestFramework::GoTest, "go test -run a b -v ./..."),
        ] {
            let found = argv(command, framework, "a b").unwrap();
            let one = matches!(framework, TestFramework::NodeTest | TestFramework::CargoTest);
            assert_eq!(found.len(), command.len() + if one { 1 } else { 2 });
            assert_eq!(found.join(" "), expected);
        }
    }

    #[test]
    fn shells_and_options_get_no_filter() {
        let shell = TestCommand::shell("make test");
        assert_eq!(filtered(&shell, "a").unwrap_err().code, ToolProblemCode::Denied);
        assert_eq!(argv(&["npm", "test"], TestFramework::NodeTest, "a"), Err(ToolProblemCode::Denied));
        let pytest = |filter| argv(&["pytest"], TestFramework::Pytest, filter);
        for filter in ["--co", "a;b", "$(x)", "a\nb", "`a`", &"a".repeat(201)] {
            assert_eq!(pytest(filter), Err(ToolProblemCode::BadArgs), "{filter}");
        }
    }
}
