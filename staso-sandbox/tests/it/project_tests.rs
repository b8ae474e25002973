//! Real test tools in real sessions, read by [`DetectedTests`].

use std::fs;
use std::path::Path;
use std::time::Duration;

use staso_core::code::{CodeSnapshot, RepoPath, SourceFile};
use staso_core::id::{BlobId, CommitId};
use staso_core::sandbox::SandboxSpec;
use staso_core::verify::{TestCommand, TestCounts, TestReport, TestRunner as _, TestStatus};
use staso_sandbox::DetectedTests;

use crate::host::Host;

const MINUTE: Duration = Duration::from_secs(60);
const CASES: &str = "\
import unittest
from app import add

class Adds(unittest.TestCase):
    def test_right(self):
        self.assertEqual(add(1, 1), 2)

    def test_wrong(self):
        self.assertEqual(add(1, 1), 3)
";
const APP: &str = "def add(a, b):\n    return a + b\n";

struct Project {
    host: Host,
    code: CodeSnapshot,
    spec: SandboxSpec,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let host = Host::new();
        let root = host.directory.path().join("project");
        let mut code = CodeSnapshot::new(CommitId::new("a".repeat(40)).unwrap(), Vec::new(), false);
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
            fs::write(&path, text).unwrap();
            let blob = BlobId::new("b".repeat(40)).unwrap();
            code.insert(
                RepoPath::new(name).unwrap(),
                SourceFile { blob, text: (*text).into(), executable: false },
            );
        }
        let spec = SandboxSpec::new(root);
        Self { host, code, spec }
    }

    async fn run(&self, command: &TestCommand) -> TestReport {
        let session = self.host.open_with(&self.spec).await;
        let report = DetectedTests::new().run(&*session, command, MINUTE, &self.host.ctx).await.unwrap();
        let changes = session.changes(&self.host.ctx).await.unwrap();
        assert!(changes.is_empty(), "a test run leaves no files: {:?}", changes.keys());
        report
    }

    async fn detect_and_run(&self) -> TestReport {
        self.run(&DetectedTests::new().detect(&self.code).unwrap()).await
    }
}

fn counts(passed: u64, failed: u64) -> Option<TestCounts> {
    let mut counts = TestCounts::default();
    (counts.passed, counts.failed) = (passed, failed);
    Some(counts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unittest_runs_and_names_what_failed() {
    for files in [
        vec![("app.py", APP), ("test_app.py", CASES)],
        vec![("app.py", APP), ("tests/test_app.py", CASES)],
        vec![("app.py", APP), ("tests/__init__.py", ""), ("tests/test_app.py", CASES)],
        vec![("src/app/__init__.py", APP), ("tests/app_test.py", CASES)],
        vec![
            ("app.py", APP),
            ("pkg/__init__.py", ""),
            ("pkg/tests/__init__.py", ""),
            ("pkg/tests/test_app.py", CASES),
        ],
    ] {
        let report = Project::new(&files).detect_and_run().await;
        assert_eq!(report.counts, counts(1, 1), "{files:?}: {}", report.tail);
        assert!(!report.passed() && report.exit.code == Some(1));
        let failing: Vec<&str> = report.failing().collect();
        assert!(matches!(failing[..], [name] if name.ends_with("Adds.test_wrong")), "{failing:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_pytest_unittest_runs_instead_and_the_report_says_so() {
    let project = Project::new(&[("app.py", APP), ("conftest.py", ""), ("tests/test_app.py", CASES)]);
    let session = project.host.open_with(&project.spec).await;
    let installed = project.host.run(&*session, &["python3", "-c", "import pytest"]).await.exit.success();
    let report = project.detect_and_run().await;
    let tool = if installed { "pytest" } else { "unittest" };
    assert!(report.command.contains(tool), "{}", report.command);
    assert_eq!(report.counts, counts(1, 1), "{}", report.tail);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_runs_where_it_is_installed() {
    let test = "const { test } = require('node:test');\nconst assert = require('node:assert');\n\
                test('adds', () => assert.equal(1 + 1, 2));\ntest('is wrong', () => assert.equal(1 + 1, 3));\n";
    let project = Project::new(&[("lib/add.test.js", test)]);
    if !Path::new("/usr/bin/node").exists() {
        assert!(project.detect_and_run().await.tests.is_empty(), "nothing runs without node");
        return;
    }
    let report = project.detect_and_run().await;
    assert_eq!(report.counts, counts(1, 1), "{}", report.tail);
    assert_eq!(report.tests.get("is wrong"), Some(&TestStatus::Failed), "{:?}", report.tests);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_test_is_no_pass_and_an_endless_one_is_ended() {
    let none = Project::new(&[("app.py", APP), ("test_app.py", "import unittest\n")]).detect_and_run().await;
    assert_eq!(none.counts, counts(0, 0), "{}", none.tail);
    assert!(!none.passed());
    let project = Project::new(&[("app.py", APP)]);
    let session = project.host.open_with(&project.spec).await;
    let endless = TestCommand::shell("echo began; while :; do :; done");
    let limit = Duration::from_millis(300);
    let report = DetectedTests::new().run(&*session, &endless, limit, &project.host.ctx).await.unwrap();
    assert!(report.exit.timed_out && !report.passed());
    assert_eq!(
        (report.command.as_str(), report.tail.as_str()),
        ("echo began; while :; do :; done", "began\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_the_host_is_read_by_every_known_form() {
    let project = Project::new(&[("app.py", APP), ("test_app.py", CASES)]);
    let report = project.run(&TestCommand::shell("python3 -m unittest -v test_app")).await;
    assert_eq!((report.counts, report.tests.len()), (counts(1, 1), 2), "{}", report.tail);
}
