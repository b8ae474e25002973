//! A process that is killed at any moment of a proposal into a remote leaves nothing or a whole branch, never a second
//! one for the same key, and other people's branches as they were.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use staso_core::id::RunId;
use staso_core::testing::test_context;
use staso_core::vcs::{
    ChangeSet, FileEdit, NewContent, Proposal, ProposalAction, ProposeRequest, VcsProvider as _,
};

use crate::fixture::{GitFixture, branch, commit_id, git, path};

/// Names the remote repository that a child process proposes to.
const CHILD: &str = "STASO_TEST_KILL_REMOTE";
/// How often a child is killed.
const KILLS: u32 = 16;

/// Proposes a new file as a run of its own: two attempts never make the same commit.
async fn propose(fixture: &GitFixture, data: &Path, name: &str, run: u8) -> Proposal {
    let after = Some(NewContent { bytes: b"fixed\n".to_vec(), executable: false });
    let edit = FileEdit { path: path("fixed.txt"), before: None, after };
    let changes = ChangeSet::new(fixture.tip.clone(), vec![edit], "Fix it", "Why.");
    let (reference, base, prefix) =
        (fixture.reference(), branch("main"), branch(&format!("fix/staso-{name}")));
    let run = RunId::from_bytes([run; 16]);
    let request = ProposeRequest::new(&reference, &base, &prefix, &changes, name, run);
    fixture.remote_at(data).propose(&request, &test_context()).await.unwrap()
}

/// The body of the child process. Without a parent it proposes twice to a repository of its own.
#[tokio::test]
async fn child() {
    #[expect(clippy::disallowed_methods, reason = "the parent test tells the child what to do")]
    let parent = std::env::var_os(CHILD);
    let Some(repository) = parent else {
        let fixture = GitFixture::bare();
        for (run, expected) in [(1, ProposalAction::Created), (2, ProposalAction::Reused)] {
            assert_eq!(propose(&fixture, &fixture.data(), "alone", run).await.action, expected);
        }
        return;
    };
    let repository = PathBuf::from(repository);
    let tip = commit_id(&git(&repository, &["rev-parse", "main"]));
    let data = repository.parent().unwrap().join("data");
    let fixture = GitFixture::existing(repository, tip);
    for round in 0..u32::MAX {
        let name = format!("p{}r{round}", std::process::id());
        let mut parent = std::io::stdout();
        writeln!(parent, "try {name}").unwrap();
        propose(&fixture, &data, &name, 1).await;
    }
}

/// Starts a child, kills it some time after its first attempt began, and tells what it tried.
fn kill_after(fixture: &GitFixture, wait: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["killed_remote::child", "--exact", "--nocapture"])
        .env(CHILD, &fixture.repository)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let name = |line: String| line.split_once("try ").map(|(_, name)| name.to_owned());
    let mut tried: Vec<String> = lines.by_ref().find_map(name).into_iter().collect();
    std::thread::sleep(wait);
    child.kill().unwrap();
    child.wait().unwrap();
    tried.extend(lines.filter_map(name));
    assert!(!tried.is_empty(), "the child came to work");
    tried
}

#[tokio::test]
async fn at_any_moment() {
    let fixture = GitFixture::bare();
    for (name, commit) in [("fix/staso-theirs-1", &fixture.tip), ("topic", &fixture.previous)] {
        fixture.git(&["branch", name, commit.as_str()]);
    }
    let others = || {
        fixture.git(&["for-each-ref", "refs/heads/main", "refs/heads/topic", "refs/heads/fix/staso-theirs-*"])
    };
    let before = others();
    let started = Instant::now();
    propose(&fixture, &fixture.data(), "measured", 1).await;
    let once = started.elapsed();
    let (mut finished, mut proposed) = (0, 0);
    for kill in 0..KILLS {
        // Spread over a little more than one proposal of the child.
        let tried = kill_after(&fixture, once * kill * 5 / (KILLS * 4));
        // Every other time the next attempt comes from another machine.
        let data = if kill % 2 == 0 { fixture.data() } else { fixture.root().join(format!("machine{kill}")) };
        for (at, name) in tried.iter().enumerate() {
            let again = propose(&fixture, &data, name, 2).await;
            assert_eq!(again.branch, branch(&format!("fix/staso-{name}-1")));
            let was_finished = at + 1 < tried.len();
            assert!(
                !was_finished || again.action == ProposalAction::Reused,
                "{name} was there before the kill"
            );
            finished += u32::from(again.action == ProposalAction::Reused);
            let third = propose(&fixture, &data, name, 3).await;
            assert_eq!((third.action, &third.head), (ProposalAction::Reused, &again.head));
            let pattern = format!("refs/heads/fix/staso-{name}-*");
            let heads = fixture.git(&["for-each-ref", "--format=%(objectname)", &pattern]);
            assert_eq!(heads, again.head.as_str(), "{name} has one branch, at the head that was told");
            assert_eq!(fixture.git(&["rev-parse", &format!("{}~1", again.head)]), fixture.tip.as_str());
        }
        proposed += u32::try_from(tried.len()).unwrap();
        assert_eq!(others(), before, "branches of others are as they were");
    }
    fixture.assert_sound();
    let mut figures = std::io::stderr();
    writeln!(figures, "{KILLS} kills: {finished} of {proposed} proposals into a remote had their branch")
        .unwrap();
    assert!(finished < proposed, "some kills came before the branch");
}
