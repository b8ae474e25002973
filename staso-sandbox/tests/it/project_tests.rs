//! Real test tools in real sessions, read by [`DetectedTests`].

use std::fs;
use std::path::Path;
use std::time::Duration;

use staso_core::code::{CodeSnapshot, RepoPath, SourceFile};
use staso_core::conformance::test_runner;
use staso_core::id::{BlobId, CommitId};
use staso_core::sandbox::SandboxSpec;
use staso_core::verify::{TestCommand, TestCounts, TestFramework, TestReport, TestRunner as _, TestStatus};
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
        self.run_by(DetectedTests::new(), command, MINUTE).await
    }

    async fn run_by(&self, runner: DetectedTests, command: &TestCommand, limit: Duration) -> TestReport {
        let session = self.host.open_with(&self.spec).await;
        let report = runner.run(&*session, command, limit, &self.host.ctx).await.unwrap();
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

/// What is looked at before the tests run is a project's own as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_for_pytest_is_part_of_the_time_limit() {
    let endless = "while True:\n    pass\n";
    let project =
        Project::new(&[("app.py", APP), ("conftest.py", ""), ("pytest.py", endless), ("test_app.py", CASES)]);
    let command = DetectedTests::new().detect(&project.code).unwrap();
    let started = std::time::Instant::now();
    let limit = Duration::from_millis(500);
    let report = project.run_by(DetectedTests::new(), &command, limit).await;
    assert!(!report.passed(), "{report:?}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runner_keeps_its_contract() {
    let project = Project::new(&[("app.py", APP), ("test_app.py", CASES)]);
    let session = project.host.open_with(&project.spec).await;
    let [passing, failing, endless] = [
        "python3 -m unittest -v test_app.Adds.test_right",
        "python3 -m unittest -v test_app",
        "while :; do :; done",
    ]
    .map(TestCommand::shell);
    let fixture = test_runner::Fixture {
        session: &*session,
        code: &project.code,
        passing: &passing,
        failing: &failing,
        endless: Some(&endless),
    };
    for runs in [1, 3] {
        test_runner::all(&DetectedTests::new().with_repetitions(runs), fixture).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_of_the_host_is_read_as_the_tool_that_the_host_names() {
    let project = Project::new(&[("app.py", APP), ("test_app.py", CASES)]);
    let argv = ["python3", "-m", "unittest", "-v", "test_app"];
    let report = project.run(&TestCommand::program(argv, TestFramework::Unittest)).await;
    assert_eq!((report.counts, report.tests.len()), (counts(1, 1), 2), "{}", report.tail);
    assert_eq!((report.command.as_str(), report.runs), ("python3 -m unittest -v test_app", 1));
}

/// One test that passes, one that fails, and one that fails the first time it runs in a session.
const FLAKY: &str = "\
import os
import unittest

class Tests(unittest.TestCase):
    def test_flaky(self):
        fresh = not os.path.exists('/tmp/ran')
        open('/tmp/ran', 'w').close()
        self.assertFalse(fresh)

    def test_right(self):
        pass
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_once_and_fails_once_is_flaky() {
    let project = Project::new(&[("test_flaky.py", FLAKY)]);
    let command = DetectedTests::new().detect(&project.code).unwrap();
    let once = project.run(&command).await;
    assert!(!once.passed() && once.flaky.is_empty() && once.runs == 1, "{}", once.tail);
    let often = project.run_by(DetectedTests::new().with_repetitions(3), &command, MINUTE).await;
    let name = "test_flaky.Tests.test_flaky";
    assert!(often.flaky.iter().eq([name]) && !often.tests.contains_key(name), "{:?}", often.flaky);
    assert!(often.passed() && often.runs == 3, "{} runs: {}", often.runs, often.tail);
    assert_eq!(often.counts, counts(1, 0));
    let broken = FLAKY.replace("        pass", "        self.fail()");
    let project = Project::new(&[("test_flaky.py", &broken)]);
    let often = project.run_by(DetectedTests::new().with_repetitions(3), &command, MINUTE).await;
    assert!(!often.passed() && often.flaky.iter().eq([name]), "{:?}", often.flaky);
    assert_eq!(
        (often.counts, often.failing().collect::<Vec<_>>()),
        (counts(0, 1), vec!["test_flaky.Tests.test_right"])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repetitions_share_the_time_limit() {
    let tests = "import time, unittest\n\nclass Slow(unittest.TestCase):\n    def test_slow(self):\n        time.sleep(1)\n";
    let project = Project::new(&[("test_slow.py", tests)]);
    let command = DetectedTests::new().detect(&project.code).unwrap();
    let limit = Duration::from_secs(3);
    let runner = DetectedTests::new().with_repetitions(16);
    let report = project.run_by(runner, &command, limit).await;
    assert!(report.runs <= 2, "{} runs of a second and more in three", report.runs);
    assert!(report.passed() && report.duration_ms < 3_000, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ran_before_the_time_was_over_is_kept() {
    let tests = "import unittest\n\nclass Tests(unittest.TestCase):\n    def test_a(self):\n        pass\n\n    \
                 def test_b(self):\n        self.fail()\n\n    def test_c(self):\n        while True:\n            pass\n";
    let project = Project::new(&[("test_hangs.py", tests)]);
    let command = DetectedTests::new().detect(&project.code).unwrap();
    let limit = Duration::from_secs(4);
    let report = project.run_by(DetectedTests::new().with_repetitions(2), &command, limit).await;
    assert!(report.exit.timed_out && !report.passed() && report.runs == 1);
    let seen: Vec<_> = report.tests.iter().map(|(name, status)| (name.as_str(), *status)).collect();
    let expected =
        [("test_hangs.Tests.test_a", TestStatus::Passed), ("test_hangs.Tests.test_b", TestStatus::Failed)];
    assert_eq!(seen, expected, "{}", report.tail);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tests_that_print_summaries_change_no_numbers_and_know_that_they_are_offline() {
    let tests = "import os, sys, unittest\nLIES = 'Ran 40 tests in 0.1s\\n\\nOK\\n= 90 passed in 0.1s ='\n\n\
                 class Tests(unittest.TestCase):\n    def test_a(self):\n        print(LIES)\n        \
                 self.assertEqual([os.environ[name] for name in ('CI', 'GOPROXY')], ['true', 'off'])\n\n    \
                 def test_b(self):\n        print(LIES, file=sys.stderr)\n        self.fail()\n";
    let project = Project::new(&[("test_lies.py", tests)]);
    let report = project.detect_and_run().await;
    assert_eq!(report.counts, counts(1, 1), "{}", report.tail);
    assert!(report.tail.contains("Ran 40 tests") && report.failing().eq(["test_lies.Tests.test_b"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_built_stays_out_of_the_checkout() {
    let project = Project::new(&[("app.py", APP)]);
    let build = r#"mkdir -p "$CARGO_TARGET_DIR/debug" && echo "$TMPDIR $CARGO_TARGET_DIR" && exit 3"#;
    let report = project.run(&TestCommand::shell(build)).await;
    let places = report.tail.trim().split_once(' ').unwrap();
    assert_eq!((format!("{}/target", places.0).as_str(), report.exit.code), (places.1, Some(3)));
    let absent = TestCommand::program(["no-such-tool", "test"], TestFramework::Unknown);
    assert_eq!(project.run(&absent).await.exit.code, Some(127));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn make_and_npm_run_where_they_are_installed() {
    let makefile = "test:\n\tpython3 -m unittest -v test_app\n";
    let made = Project::new(&[("app.py", APP), ("unit/app.txt", ""), ("Makefile", makefile)]);
    let command = DetectedTests::new().detect(&made.code).unwrap();
    assert_eq!(command.display(), "make test");
    let script = r#"{ "name": "x", "version": "1.0.0", "scripts": { "test": "node --test" } }"#;
    let test = "const { test } = require('node:test');\ntest('is right', () => {});\n\
                test('is wrong', () => { throw new Error('no'); });\n";
    let scripted = Project::new(&[("package.json", script), ("a.test.js", test)]);
    if Path::new("/usr/bin/make").exists() {
        let report = made.detect_and_run().await;
        assert!(!report.passed() && report.counts == counts(0, 1), "there is no test_app: {}", report.tail);
    }
    if Path::new("/usr/bin/npm").exists() {
        let report = scripted.detect_and_run().await;
        assert_eq!((report.command.as_str(), report.counts), ("npm test", counts(1, 1)), "{}", report.tail);
        assert!(report.failing().eq(["is wrong"]), "{:?}", report.tests);
    }
}
