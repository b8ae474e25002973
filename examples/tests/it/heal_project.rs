//! A small project in a real git repository, traces of its failing runs, and what healing them comes to.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use staso::heal::repository_url;
use staso::ingest::{IngestLimits, parse_any};
use staso_core::heal::{HealPolicy, StoppingPoint};
use staso_core::id::Digest;
use staso_core::run::{OutcomeState, RunArtifact, verify_transcript};
use staso_core::trace::RepositoryUrl;
use staso_core::verify::VerifyLimits;
use staso_examples::environment::Environment;
use staso_examples::git::Git;
use staso_examples::options::{OwnWork, Place};
use staso_examples::own_work;
use staso_examples::station::Station;
use staso_examples::terminal::{Look, Terminal};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Longest time that any run of these tests may take.
const BOUND: Duration = Duration::from_secs(25);

/// A shop that asks for a key that no order has.
pub(crate) const SHOP: &str = "\
def total(order):
    return order[\"prise\"] * order[\"count\"]


def shipping(cents):
    return 0 if cents >= 5000 else 490
";
/// Tests that do not notice.
pub(crate) const SHOP_TESTS: &str = "\
import unittest

from shop import shipping


class Shipping(unittest.TestCase):
    def test_is_free_for_large_orders(self):
        self.assertEqual(shipping(5000), 0)

    def test_costs_otherwise(self):
        self.assertEqual(shipping(100), 490)


if __name__ == \"__main__\":
    unittest.main()
";

/// A project in a repository of its own.
pub(crate) struct Project {
    directory: TempDir,
    git: Git,
}

/// A call that failed, as the trace tells it.
#[derive(Debug, Clone)]
pub(crate) struct Failing {
    pub(crate) file: &'static str,
    pub(crate) function: &'static str,
    /// The line that raised.
    pub(crate) raised_at: &'static str,
    pub(crate) exception: &'static str,
    pub(crate) message: &'static str,
    pub(crate) arguments: Value,
}

/// How to heal.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) until: StoppingPoint,
    pub(crate) repository: Option<RepositoryUrl>,
    pub(crate) test_command: Option<String>,
    pub(crate) policy: HealPolicy,
}

impl Default for Ask {
    fn default() -> Self {
        let limits = VerifyLimits::default()
            .with_test_timeout(Duration::from_secs(3))
            .with_trials_timeout(Duration::from_secs(5));
        Self {
            until: StoppingPoint::Publish,
            repository: None,
            test_command: None,
            policy: HealPolicy::default().with_verify(limits),
        }
    }
}

impl Ask {
    pub(crate) fn testing_with(command: &str) -> Self {
        Self { test_command: Some(command.to_owned()), ..Self::default() }
    }

    pub(crate) fn at(repository: RepositoryUrl) -> Self {
        Self { repository: Some(repository), ..Self::default() }
    }
}

/// What a run came to.
pub(crate) struct Ended {
    pub(crate) artifact: RunArtifact,
    /// What stood on the screen.
    pub(crate) screen: String,
}

impl Failing {
    /// The failure of [`SHOP`].
    pub(crate) fn shop() -> Self {
        Self {
            file: "shop.py",
            function: "total",
            raised_at: "return order[\"prise\"]",
            exception: "KeyError",
            message: "'prise'",
            arguments: json!({"order": {"name": "tent", "price": 4900, "count": 2}}),
        }
    }
}

impl Project {
    /// Commits the files to `main`.
    pub(crate) async fn new(files: &[(&str, &str)]) -> Self {
        let project = Self::without_commit().await;
        for (path, text) in files {
            project.write(path, text);
        }
        project.commit("Begin").await;
        project
    }

    /// [`SHOP`] and its tests.
    pub(crate) async fn shop() -> Self {
        Self::new(&[("shop.py", SHOP), ("test_shop.py", SHOP_TESTS)]).await
    }

    pub(crate) async fn without_commit() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let git = Git::new(Environment::read());
        git.run(directory.path(), &["init", "--quiet", "--initial-branch=main", "project"]).await.unwrap();
        Self { directory, git }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.directory.path().join("project")
    }

    pub(crate) fn url(&self) -> RepositoryUrl {
        repository_url(&self.repository()).unwrap()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.repository().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) async fn git(&self, arguments: &[&str]) -> String {
        self.git.run(&self.repository(), arguments).await.unwrap()
    }

    pub(crate) async fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]).await;
        self.git(&["commit", "--quiet", "--message", message]).await;
        self.head().await
    }

    pub(crate) async fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).await
    }

    /// Branches with fixes.
    pub(crate) async fn fixes(&self) -> Vec<String> {
        let names = self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads/fix"]).await;
        names.lines().map(str::to_owned).collect()
    }

    /// The revision of `main` as a root span records it.
    pub(crate) async fn revision(&self) -> Value {
        json!({
            "vcs.repo_url": self.url().to_string(), "vcs.branch": "main", "vcs.commit.sha": self.head().await,
            "vcs.is_dirty": false,
        })
    }

    /// The trace of a failing run at the tip of `main`.
    pub(crate) async fn trace(&self, failing: &Failing) -> String {
        trace(&self.revision().await, failing, &self.text(failing.file))
    }

    pub(crate) fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.repository().join(file)).unwrap()
    }

    /// Heals, and checks what holds however a run ends: it took bounded time, its files hold together, nothing in the
    /// user's working tree was touched, and the repository is sound.
    pub(crate) async fn heal(&self, trace: &str, ask: Ask) -> Ended {
        let before = self.git(&["status", "--porcelain"]).await;
        let begun = Instant::now();
        let ended =
            heal_once(trace, ask, &self.directory.path().join("kept"), &CancellationToken::new()).await;
        assert!(begun.elapsed() < BOUND, "it took {:?}", begun.elapsed());
        assert_eq!(self.git(&["status", "--porcelain"]).await, before, "the working tree is the user's");
        assert_eq!(self.git(&["fsck", "--strict", "--no-dangling", "--no-progress"]).await, "");
        assert_eq!(self.fixes().await.is_empty(), ended.artifact.proposal.is_none());
        ended
    }
}

/// Runs a trace through a station of its own in `data`.
pub(crate) async fn heal_once(trace: &str, ask: Ask, data: &Path, cancel: &CancellationToken) -> Ended {
    std::fs::create_dir_all(data).unwrap();
    let station = Station::open(data, ask.repository.as_ref(), ask.policy).await.unwrap();
    let parts = parse_any(trace.as_bytes(), &IngestLimits::default()).unwrap();
    let key = Digest::of(trace).to_string();
    let ids = own_work::keep(&station, parts, key).await.unwrap();
    let work = OwnWork {
        trace: PathBuf::new(),
        repository: ask.repository.map(|url| Place { url, remote: None }),
        until: ask.until,
        test_command: ask.test_command,
    };
    let mut screen = Terminal::new(Screen::default(), Look::plain());
    let finished = own_work::heal(&station, ids[0], &work, cancel, &mut screen).await.unwrap();
    check_files(&station, &finished.artifact);
    station.close().await;
    let screen = screen.into_inner().0;
    Ended { artifact: finished.artifact, screen: String::from_utf8(screen).unwrap() }
}

#[derive(Default)]
struct Screen(Vec<u8>);

impl io::Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The three files of a run say what the artifact says.
pub(crate) fn check_files(station: &Station, artifact: &RunArtifact) {
    let file = station.artifact_file(artifact.run_id);
    let kept: RunArtifact = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(&kept, artifact);
    let transcript = std::fs::read_to_string(file.with_file_name("transcript.jsonl")).unwrap();
    verify_transcript(&transcript, &artifact.events_digest).unwrap();
    let patch = std::fs::read_to_string(file.with_file_name("patch.diff")).ok();
    assert_eq!(patch, artifact.fix.as_ref().map(|fix| fix.diff.clone()));
    assert!(!artifact.timings_ms.is_empty());
}

/// One run of an agent whose tool failed, as the staso SDKs send it. `text` is the file that raised.
pub(crate) fn trace(revision: &Value, failing: &Failing, text: &str) -> String {
    let line = text.lines().position(|line| line.contains(failing.raised_at)).unwrap() + 1;
    let source = text.lines().nth(line - 1).unwrap().trim();
    let path = format!("/srv/app/{}", failing.file);
    let (function, exception, message) = (failing.function, failing.exception, failing.message);
    let stack = format!(
        "Traceback (most recent call last):\n  File \"{path}\", line {line}, in {function}\n    {source}\n{exception}: {message}\n"
    );
    let error = json!({
        "exception.type": exception, "exception.message": message, "exception.stacktrace": stack,
    });
    let mut call = error.clone();
    merge(&mut call, &json!({"code.filepath": path, "code.lineno": 1, "code.function": function}));
    let mut root = error;
    merge(&mut root, revision);
    let spans = json!([
        span(2, Some(1), "tool", function, &failing.arguments, message, &call),
        span(1, None, "agent", "answer", &json!({"question": "how much?"}), message, &root),
    ]);
    let id = Digest::of(format!("{revision}{stack}")).hex().chars().take(32).collect::<String>();
    json!({"traces": [{"trace_id": id, "environment": "test", "spans": spans}]}).to_string()
}

fn span(
    id: u64,
    parent: Option<u64>,
    kind: &str,
    name: &str,
    input: &Value,
    message: &str,
    attributes: &Value,
) -> Value {
    json!({
        "span_id": format!("{id:016x}"), "parent_span_id": parent.map(|parent| format!("{parent:016x}")),
        "name": name, "kind": kind, "timestamp": "2026-04-08T09:00:00+00:00", "duration_ms": 12.5,
        "status": "error", "input": input.to_string(), "output": "", "error_message": message,
        "attributes": attributes.to_string(), "session_id": "s-1", "agent_name": "shop-agent",
    })
}

fn merge(into: &mut Value, from: &Value) {
    let (into, from) = (into.as_object_mut().unwrap(), from.as_object().unwrap());
    into.extend(from.iter().map(|(key, value)| (key.clone(), value.clone())));
}

/// Asserts how a run ended: state, code, and words of the sentence that tells why and what to do.
#[track_caller]
pub(crate) fn assert_outcome(ended: &Ended, state: OutcomeState, code: &str, words: &[&str]) {
    let outcome = &ended.artifact.outcome;
    assert_eq!((outcome.state, outcome.code.as_str()), (state, code), "{}", outcome.reason);
    for word in words {
        assert!(outcome.reason.contains(word), "{word:?} is not in {:?}", outcome.reason);
    }
}
