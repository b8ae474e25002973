//! Tests that pass or fail by what a file holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;

use crate::code::{CodeSnapshot, RepoPath};
use crate::run::RunContext;
use crate::sandbox::{ExecExit, SandboxError, SandboxSession};
use crate::verify::{TestCommand, TestCounts, TestFramework, TestReport, TestRunner};

/// Largest file looked at, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Three tests; the first fails while a file of the session holds a text.
#[derive(Debug, Clone)]
pub struct ContentTests {
    path: RepoPath,
    broken: String,
}

impl ContentTests {
    /// Fails while the file holds `broken`.
    pub fn new(path: RepoPath, broken: impl Into<String>) -> Self {
        Self { path, broken: broken.into() }
    }
}

#[async_trait]
impl TestRunner for ContentTests {
    fn detect(&self, code: &CodeSnapshot) -> Option<TestCommand> {
        code.file(&self.path)?;
        let argv = vec!["run-tests".to_owned()];
        Some(TestCommand { argv, framework: TestFramework::Unknown, origin: self.path.to_string() })
    }

    async fn run(
        &self,
        session: &dyn SandboxSession,
        command: &TestCommand,
        _timeout: Duration,
        ctx: &RunContext,
    ) -> Result<TestReport, SandboxError> {
        let content = session.read_file(&self.path, MAX_FILE_BYTES, ctx).await?;
        let fails = String::from_utf8_lossy(&content).contains(&self.broken);
        Ok(TestReport {
            command: command.display(),
            exit: ExecExit { code: Some(i32::from(fails)), ..ExecExit::default() },
            duration_ms: 1,
            counts: Some(TestCounts { passed: 3 - u64::from(fails), failed: u64::from(fails), skipped: 0 }),
            tests: BTreeMap::new(),
            tail: String::new(),
            runs: 1,
            flaky: BTreeSet::new(),
        })
    }
}
