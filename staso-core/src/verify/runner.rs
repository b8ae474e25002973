//! The [`TestRunner`] plug trait.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TestReport;
use crate::code::CodeSnapshot;
use crate::run::RunContext;
use crate::sandbox::{SandboxError, SandboxSession};

/// How to run a project's tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestCommand {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Which tool it is, for reading its output.
    pub framework: TestFramework,
    /// Where the command comes from: `host` when the caller named it, else what it was derived from.
    pub origin: String,
}

impl TestCommand {
    /// A command named by the host application, run by `sh -c` inside the sandbox.
    pub fn shell(command: impl Into<String>) -> Self {
        Self {
            argv: vec!["sh".to_owned(), "-c".to_owned(), command.into()],
            framework: TestFramework::Unknown,
            origin: "host".to_owned(),
        }
    }

    /// A program named by the host application, with its arguments and the tool whose output it prints.
    pub fn program<S: Into<String>>(argv: impl IntoIterator<Item = S>, framework: TestFramework) -> Self {
        let argv = argv.into_iter().map(Into::into).collect();
        Self { argv, framework, origin: "host".to_owned() }
    }

    /// The command as a person would type it.
    #[must_use]
    pub fn display(&self) -> String {
        match self.argv.as_slice() {
            [shell, flag, command] if shell == "sh" && flag == "-c" => command.clone(),
            argv => argv.join(" "),
        }
    }
}

/// A test tool whose output can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TestFramework {
    /// Python's `unittest`.
    Unittest,
    /// pytest.
    Pytest,
    /// `node --test`.
    NodeTest,
    /// `cargo test`.
    CargoTest,
    /// `go test -v`.
    GoTest,
    /// Anything else. Its output is read for the form of the tools above all the same.
    Unknown,
}

/// Finds and runs a project's tests in a sandbox session.
///
/// # Contract
/// Commands come from the host application or from the files of the repository, never from a trace or a model. A test
/// command that fails is a report, not an error. So is one that does not end in time: what its output told until then is
/// in the report, and [`ExecExit::timed_out`](crate::sandbox::ExecExit::timed_out) is set. A test that both passed and
/// failed is [flaky](TestReport::flaky), and nothing else.
///
/// # Cancellation
/// [`run`](Self::run) returns within two seconds after the context is cancelled, with [`SandboxError::Cancelled`].
///
/// # Errors
/// Those of the session.
///
/// # Implementing
/// [`detect`](Self::detect) reads only the snapshot. Run `staso_core::conformance::test_runner` against your runner.
#[async_trait]
pub trait TestRunner: Debug + Send + Sync + 'static {
    /// Finds the project's test command.
    fn detect(&self, code: &CodeSnapshot) -> Option<TestCommand>;

    /// Runs the tests within `timeout`: once, or, by a runner that looks for flaky ones, several times in that time.
    async fn run(
        &self,
        session: &dyn SandboxSession,
        command: &TestCommand,
        timeout: Duration,
        ctx: &RunContext,
    ) -> Result<TestReport, SandboxError>;
}
