//! Kept checkouts under a crowd: tasks and processes that make, use and remove the same few entries, and die at it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use staso_core::id::CommitId;
use staso_core::testing::test_context;
use staso_core::vcs::{Checkout, VcsProvider as _};
use staso_github::{GitLimits, LocalGit};

use crate::fixture::{GitFixture, commit_id, git, write};

/// Names the repository that a child process works on.
const CHILD: &str = "STASO_TEST_CROWD";
const COMMITS: usize = 4;
const FILES: usize = 24;
const TASKS: usize = 32;
const ROUNDS: usize = 24;
const PROCESSES: usize = 3;
const KILLS: u64 = 24;

/// A repository whose commits `main~3` to `main` have the same files, each with the commit's number in it.
fn numbered() -> GitFixture {
    let fixture = GitFixture::new();
    for number in 0..COMMITS {
        for file in 0..FILES {
            write(&fixture.repository, &format!("many/{}/{file}", file % 4), text(number, file).as_bytes());
        }
        fixture.git(&["add", "-A"]);
        fixture.git(&["commit", "-qm", "numbered"]);
    }
    fixture
}

fn text(number: usize, file: usize) -> String {
    format!("{number} {file}\n").repeat(200)
}

fn commits(fixture: &GitFixture) -> Vec<CommitId> {
    let commit = |number| commit_id(&fixture.git(&["rev-parse", &format!("main~{}", COMMITS - 1 - number)]));
    (0..COMMITS).map(commit).collect()
}

/// Keeps as little as possible: whatever is made removes what nobody uses.
fn tiny(data: &Path) -> LocalGit {
    LocalGit::new(data).with_limits(GitLimits::default().with_cache_bytes(1))
}

async fn check_out(fixture: &GitFixture, provider: &LocalGit, commit: &CommitId) -> Checkout {
    provider.checkout(&fixture.reference(), commit, &test_context()).await.unwrap()
}

/// Says what is wrong with a checkout of the commit with this number.
fn fault(checkout: &Path, number: usize) -> Option<String> {
    (0..FILES).find_map(|file| {
        let path = checkout.join(format!("many/{}/{file}", file % 4));
        match fs::read(&path) {
            Ok(bytes) if bytes == text(number, file).as_bytes() => None,
            Ok(bytes) => Some(format!("{} has other {} bytes", path.display(), bytes.len())),
            Err(error) => Some(format!("{}: {error}", path.display())),
        }
    })
}

fn names(fixture: &GitFixture) -> Vec<String> {
    let entries = fs::read_dir(fixture.data().join("checkouts")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn what_a_crowd_uses_stays_while_everything_else_is_removed() {
    let fixture = Arc::new(numbered());
    let commits = Arc::new(commits(&fixture));
    let places = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (fixture, commits, places) =
                (Arc::clone(&fixture), Arc::clone(&commits), Arc::clone(&places));
            tokio::spawn(async move {
                let provider = tiny(&fixture.data());
                for round in 0..ROUNDS {
                    let number = (task * 7 + round * 3) % COMMITS;
                    let checkout = check_out(&fixture, &provider, &commits[number]).await;
                    assert_eq!(fault(&checkout.path, number), None, "it is whole when it is handed out");
                    tokio::task::yield_now().await;
                    assert_eq!(fault(&checkout.path, number), None, "it stays while it is used");
                    places.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(places.load(Ordering::Relaxed), TASKS * ROUNDS);
    let last = check_out(&fixture, &tiny(&fixture.data()), &fixture.tip).await;
    assert_eq!(names(&fixture).len(), 1, "all but the one in use made room: {:?}", names(&fixture));
    assert!(last.path.is_dir());
}

/// The body of the child process. Without a parent it makes two rounds on a repository of its own.
#[tokio::test]
async fn child() {
    #[expect(clippy::disallowed_methods, reason = "the parent test tells the child what to do")]
    let parent = std::env::var_os(CHILD);
    let Some(repository) = parent else {
        let fixture = numbered();
        work(&fixture, &fixture.data(), 2).await;
        assert!(names(&fixture).len() <= 2, "{:?}", names(&fixture));
        return;
    };
    let repository = PathBuf::from(repository);
    let data = repository.parent().unwrap().join("data");
    let tip = commit_id(&git(&repository, &["rev-parse", "main"]));
    let fixture = GitFixture::existing(repository, tip);
    work(&fixture, &data, usize::MAX).await;
}

/// Takes the commits in turn and says so; what is wrong with one ends it.
async fn work(fixture: &GitFixture, data: &Path, rounds: usize) {
    let (commits, provider) = (commits(fixture), tiny(data));
    let first = usize::try_from(std::process::id()).unwrap();
    let mut parent = std::io::stdout();
    for round in 0..rounds.saturating_mul(COMMITS) {
        let number = first.wrapping_add(round) % COMMITS;
        let checkout = check_out(fixture, &provider, &commits[number]).await;
        let found = fault(&checkout.path, number);
        writeln!(parent, "took {}", found.as_deref().unwrap_or("whole")).unwrap();
        assert_eq!(found, None);
    }
}

struct Worker {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Worker {
    /// Starts a child and waits until it has had a checkout.
    fn start(fixture: &GitFixture) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["cache::child", "--exact", "--nocapture"])
            .env(CHILD, &fixture.repository)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut worker = Self { child, lines: Box::new(lines) };
        let first = worker.lines.find(|line| line.contains("took "));
        assert!(first.is_some(), "the child came to work");
        worker
    }

    /// Kills it and gives what it said of its checkouts.
    fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.filter_map(|line| Some(line.split_once("took ")?.1.to_owned())).collect()
    }
}

#[tokio::test]
async fn processes_that_are_killed_among_others_harm_nobody() {
    let fixture = numbered();
    let commits = commits(&fixture);
    let mut workers: Vec<_> = (0..PROCESSES).map(|_| Worker::start(&fixture)).collect();
    let mut taken = 0;
    for kill in 0..KILLS {
        let number = usize::try_from(kill).unwrap() % COMMITS;
        let held = check_out(&fixture, &tiny(&fixture.data()), &commits[number]).await;
        std::thread::sleep(Duration::from_micros(kill * 1_733));
        let said = workers.remove(0).kill();
        assert!(said.iter().all(|line| line == "whole"), "{said:?}");
        taken += said.len();
        assert_eq!(fault(&held.path, number), None, "it stays while it is used");
        workers.push(Worker::start(&fixture));
    }
    for worker in workers {
        let said = worker.kill();
        assert!(said.iter().all(|line| line == "whole"), "{said:?}");
    }
    let last = check_out(&fixture, &tiny(&fixture.data()), &fixture.tip).await;
    assert_eq!(names(&fixture).len(), 1, "nothing of the dead is left: {:?}", names(&fixture));
    assert!(last.path.is_dir());
    let mut figures = std::io::stderr();
    writeln!(figures, "{KILLS} kills among {PROCESSES} processes, {taken} checkouts").unwrap();
    assert!(taken > 0, "the children came to work");
}
