//! A process that is killed at any moment leaves whole checkouts, a sound repository, and nothing that a retry trips over.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use git2::{ObjectType, Oid};
use staso_core::id::CommitId;
use staso_core::testing::test_context;
use staso_core::vcs::{ProposalAction, VcsProvider as _};
use staso_github::{GitLimits, LocalGit};

use crate::fixture::{GitFixture, branch, commit_id, git, write};

/// Names the repository that a child process works on.
const CHILD: &str = "STASO_TEST_KILL";
/// Set for a child that only proposes.
const PROPOSE_ONLY: &str = "STASO_TEST_KILL_PROPOSE";
/// How often a child is killed.
const KILLS: u64 = 24;

fn big_fixture() -> GitFixture {
    let fixture = GitFixture::new();
    for number in 0..300 {
        let text = format!("# {number}\n").repeat(50);
        write(&fixture.repository, &format!("many/{}/{number}.py", number % 10), text.as_bytes());
    }
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-qm", "many"]);
    fixture
}

fn tiny_cache(data: &Path) -> LocalGit {
    LocalGit::new(data).with_limits(GitLimits::default().with_cache_bytes(1))
}

/// Checks out these commits in turn, each removing the one before, and proposes one fix after another.
async fn work(
    fixture: &GitFixture,
    data: &Path,
    commits: &[CommitId],
    rounds: u32,
    run: &str,
) -> Vec<String> {
    let mut made = Vec::new();
    for round in 0..rounds {
        let provider = tiny_cache(data);
        for commit in commits {
            provider.checkout(&fixture.reference(), commit, &test_context()).await.unwrap();
        }
        let name = format!("{run}r{round}");
        let mut parent = std::io::stdout();
        writeln!(parent, "try {name}").unwrap();
        fixture.propose(&provider, &name, &[("app/tools.py", "fixed\n")]).await.unwrap();
        made.push(name);
    }
    made
}

fn commits(fixture: &GitFixture) -> Vec<CommitId> {
    vec![commit_id(&fixture.git(&["rev-parse", "main"])), fixture.tip.clone()]
}

/// The body of the child process. Without a parent it works for two rounds on a repository of its own.
#[tokio::test]
async fn child() {
    #[expect(clippy::disallowed_methods, reason = "the parent test tells the child what to do")]
    let (parent, propose_only) = (std::env::var_os(CHILD), std::env::var_os(PROPOSE_ONLY).is_some());
    if let Some(repository) = parent {
        let repository = PathBuf::from(repository);
        let root = repository.parent().unwrap().to_owned();
        let tip = commit_id(&git(&repository, &["rev-parse", "main~1"]));
        let fixture = GitFixture::existing(repository, tip);
        let commits = if propose_only { Vec::new() } else { commits(&fixture) };
        let run = format!("p{}", std::process::id());
        work(&fixture, &root.join("data"), &commits, u32::MAX, &run).await;
    } else {
        let fixture = big_fixture();
        let made = work(&fixture, &fixture.data(), &commits(&fixture), 2, "alone").await;
        assert_eq!(made.len(), 2);
        assert_whole(&fixture);
    }
}

/// Every published checkout has exactly the files of its commit.
fn assert_whole(fixture: &GitFixture) {
    for entry in fs::read_dir(fixture.data().join("checkouts")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(".tmp-") {
            continue;
        }
        let (_, commit) = name.split_once('-').unwrap();
        let listing = fixture.git(&[
            "-c",
            "core.quotePath=false",
            "ls-tree",
            "-r",
            "--format=%(objectname) %(path)",
            commit,
        ]);
        for line in listing.lines() {
            let (blob, path) = line.split_once(' ').unwrap();
            let bytes = fs::read(entry.path().join("files").join(path)).unwrap();
            assert_eq!(
                Oid::hash_object(ObjectType::Blob, &bytes).unwrap().to_string(),
                blob,
                "{name}: {path}"
            );
        }
    }
}

/// Lets a child work for a while, kills it, and gives the fixes that it began to propose.
fn kill_after(fixture: &GitFixture, wait: Duration, propose_only: bool) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["killed::child", "--exact", "--nocapture"]).env(CHILD, &fixture.repository);
    if propose_only {
        command.env(PROPOSE_ONLY, "1");
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut tried = Vec::new();
    for line in lines.by_ref() {
        let line = line.unwrap();
        if let Some((_, name)) = line.split_once("try ") {
            tried.push(name.to_owned());
            break;
        }
    }
    std::thread::sleep(wait);
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines {
        tried.extend(line.unwrap().split_once("try ").map(|(_, name)| name.to_owned()));
    }
    assert!(!tried.is_empty(), "the child came to work");
    tried
}

#[tokio::test]
async fn at_any_moment() {
    let fixture = big_fixture();
    work(&fixture, &fixture.data(), &commits(&fixture), 1, "before").await;
    let (mut proposed, mut interrupted, mut unfinished) = (0, 0, 0);
    for kill in 0..KILLS {
        // Spread over more than one round of the child.
        let tried = kill_after(&fixture, Duration::from_micros(kill * 3_777), kill % 2 == 0);
        fixture.assert_sound();
        assert_whole(&fixture);
        interrupted += usize::from(leftovers(&fixture) > 0);
        for reference in
            fixture.git(&["for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/fix"]).lines()
        {
            let record = fixture.git(&["cat-file", "blob", &format!("refs/staso/proposals/{reference}")]);
            assert!(record.ends_with('}'), "{reference} has its whole record");
        }
        let provider = tiny_cache(&fixture.data());
        for commit in [&fixture.tip, &fixture.previous] {
            provider.checkout(&fixture.reference(), commit, &test_context()).await.unwrap();
        }
        assert_eq!(leftovers(&fixture), 0, "what the dead left is removed");
        for (at, name) in tried.iter().enumerate() {
            let again = fixture.propose(&provider, name, &[("app/tools.py", "fixed\n")]).await.unwrap();
            let finished = at + 1 < tried.len();
            assert!(!finished || again.action == ProposalAction::Reused, "{name} was there before the kill");
            unfinished += usize::from(again.action == ProposalAction::Created);
            let pattern = format!("refs/heads/fix/staso-{name}-*");
            assert_eq!(fixture.git(&["for-each-ref", &pattern]).lines().count(), 1, "{name} has one branch");
            let status = provider
                .proposal_status(&fixture.reference(), &branch(again.branch.as_str()), &test_context())
                .await;
            assert_eq!(status.unwrap().head, again.head);
        }
        proposed += tried.len();
    }
    assert!(proposed >= usize::try_from(KILLS).unwrap());
    let mut figures = std::io::stderr();
    writeln!(
        figures,
        "{KILLS} kills: {interrupted} in a checkout, {unfinished} of {proposed} proposals unfinished"
    )
    .unwrap();
    assert!(interrupted > 0, "some kills came in the middle of a checkout");
    assert!(unfinished > 0, "some kills came in the middle of a proposal");
}

/// Half-made and half-removed checkouts.
fn leftovers(fixture: &GitFixture) -> usize {
    let entries = fs::read_dir(fixture.data().join("checkouts")).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".tmp-")).count()
}
