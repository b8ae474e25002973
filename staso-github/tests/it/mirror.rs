//! Remote repositories, mirrored with the git program. `file` addresses stand for the network.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use staso_core::run::RunContext;
use staso_core::testing::test_context;
use staso_core::trace::{RepositoryUrl, SourceRevision};
use staso_core::vcs::{ProposalAction, ProposalState, VcsError, VcsProvider as _};
use staso_github::{GitLimits, LocalGit};

use crate::fixture::{GitFixture, branch, commit_id, url_of, write};

const RECORDED: &str = "https://github.com/acme/support";

fn remote() -> GitFixture {
    GitFixture::new().recorded_as(RECORDED)
}

fn mirrored(fixture: &GitFixture) -> LocalGit {
    fixture.provider().with_mirror(RECORDED.parse().unwrap(), url_of(&fixture.repository))
}

fn mirror_of(fixture: &GitFixture) -> PathBuf {
    fs::read_dir(fixture.data().join("mirrors"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap()
}

fn commit(fixture: &GitFixture, name: &str) -> staso_core::id::CommitId {
    write(&fixture.repository, name, name.as_bytes());
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-qm", name]);
    commit_id(&fixture.git(&["rev-parse", "HEAD"]))
}

#[tokio::test]
async fn a_mirror_serves_reads_checkouts_and_proposals() {
    let fixture = remote();
    let provider = mirrored(&fixture);
    let found = provider.resolve(&fixture.source(), &test_context()).await.unwrap();
    assert_eq!((found.base_branch, found.base_tip), (branch("main"), fixture.tip.clone()));
    assert_eq!(found.repository.url.as_str(), RECORDED, "links go to the recorded address");
    let checkout = provider.checkout(&found.repository, &fixture.tip, &test_context()).await.unwrap();
    assert!(checkout.path.join("run.sh").is_file());
    let made = fixture.propose(&provider, "mirror", &[("app/tools.py", "fixed\n")]).await.unwrap();
    assert_eq!(fixture.git(&["for-each-ref", "refs/heads/fix"]), "", "the remote is only read");
    commit(&fixture, "later");
    let again = fixture.propose(&provider, "mirror", &[("app/tools.py", "fixed\n")]).await.unwrap();
    assert_eq!(
        (again.action, again.head),
        (ProposalAction::Reused, made.head),
        "fetching prunes nothing of ours"
    );
    let status = provider.proposal_status(&fixture.reference(), &made.branch, &test_context()).await.unwrap();
    assert_eq!(status.state, ProposalState::Draft);
}

#[tokio::test]
async fn a_mirror_follows_its_remote() {
    let fixture = remote();
    let provider = mirrored(&fixture);
    fixture.git(&["branch", "feature"]);
    let source = SourceRevision { branch: Some(branch("feature")), ..fixture.source() };
    let found = provider.resolve(&source, &test_context()).await.unwrap();
    assert_eq!(found.base_branch, branch("feature"));
    let newer = commit(&fixture, "newer");
    fixture.git(&["branch", "-qD", "feature"]);
    fixture.git(&["branch", "-m", "main", "trunk"]);
    let found = provider.resolve(&source, &test_context()).await.unwrap();
    assert_eq!((found.base_branch, found.base_tip), (branch("trunk"), newer.clone()));
    assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
    fixture.git(&["reset", "-q", "--hard", fixture.previous.as_str()]);
    let found = provider.resolve(&source, &test_context()).await.unwrap();
    assert_eq!(found.base_tip, fixture.previous, "a rewritten branch is followed");
}

#[tokio::test]
async fn a_commit_that_was_pushed_away_is_fetched_by_its_id() {
    let fixture = remote();
    let provider = mirrored(&fixture);
    let lost = commit(&fixture, "lost");
    fixture.git(&["reset", "-q", "--hard", fixture.tip.as_str()]);
    let source = SourceRevision { commit: Some(lost.clone()), ..fixture.source() };
    let found = provider.resolve(&source, &test_context()).await.unwrap();
    assert_eq!(found.commit, lost);
    assert!(found.notes.iter().any(|note| note.contains("rewritten")), "{:?}", found.notes);
    provider.checkout(&found.repository, &lost, &test_context()).await.unwrap();
    let absent = SourceRevision { commit: Some(commit_id(&"12".repeat(20))), ..fixture.source() };
    let absent = provider.resolve(&absent, &test_context()).await;
    assert!(matches!(absent, Err(VcsError::CommitNotFound { .. })), "{absent:?}");
}

#[tokio::test]
async fn what_a_killed_fetch_left_does_not_stop_the_next() {
    let fixture = remote();
    let provider = mirrored(&fixture);
    provider.resolve(&fixture.source(), &test_context()).await.unwrap();
    let mirror = mirror_of(&fixture);
    for leftover in
        ["refs/heads/main.lock", "packed-refs.lock", "HEAD.lock", "config.lock", "objects/pack/tmp_pack_x"]
    {
        write(&mirror, leftover, b"half");
    }
    let newer = commit(&fixture, "newer");
    let found = provider.resolve(&fixture.source(), &test_context()).await.unwrap();
    assert_eq!(found.base_tip, newer);
    assert!(!mirror.join("objects/pack/tmp_pack_x").exists());
}

#[tokio::test]
async fn many_fetches_do_not_pile_up() {
    let fixture = remote();
    let provider = mirrored(&fixture);
    for round in 0..35 {
        commit(&fixture, &format!("round{round}"));
        provider.resolve(&fixture.source(), &test_context()).await.unwrap();
    }
    let packs = fs::read_dir(mirror_of(&fixture).join("objects/pack")).unwrap().count();
    assert!(packs <= 62, "{packs} files");
    let checkout = provider.checkout(&fixture.reference(), &fixture.tip, &test_context()).await.unwrap();
    assert!(checkout.path.join("run.sh").is_file());
}

#[tokio::test]
async fn an_absent_remote_and_one_that_is_too_large_are_told_apart() {
    let fixture = remote();
    let recorded: RepositoryUrl = RECORDED.parse().unwrap();
    let gone = fixture.provider().with_mirror(recorded, url_of(&fixture.root().join("gone")));
    let error = gone.resolve(&fixture.source(), &test_context()).await.unwrap_err();
    assert!(matches!(error, VcsError::RepositoryNotFound { .. }), "{error:?}");
    let small = mirrored(&fixture).with_limits(GitLimits::default().with_mirror_bytes(10));
    let error = small.resolve(&fixture.source(), &test_context()).await.unwrap_err();
    assert!(matches!(error, VcsError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn the_remote_repository_runs_nothing_here() {
    let fixture = remote();
    let canary = fixture.root().join("canary");
    let hook = format!("sh -c 'echo ran > {}'", canary.display());
    fixture.git(&["config", "uploadpack.packObjectsHook", &hook]);
    let provider = mirrored(&fixture);
    let found = provider.resolve(&fixture.source(), &test_context()).await.unwrap();
    provider.checkout(&found.repository, &fixture.tip, &test_context()).await.unwrap();
    assert!(!canary.exists());
}

/// Whether a process has this text among its arguments.
fn is_running(text: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .any(|arguments| String::from_utf8_lossy(&arguments).contains(text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remote_that_never_answers_ends_with_the_run_and_leaves_no_process() {
    let fixture = remote();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://127.0.0.1:{}/a/b", silent.local_addr().unwrap().port());
    let provider = fixture.provider().with_mirror(RECORDED.parse().unwrap(), address.parse().unwrap());
    let ctx: RunContext = test_context();
    let call = {
        let (ctx, source) = (ctx.clone(), fixture.source());
        tokio::spawn(async move { provider.resolve(&source, &ctx).await.map(drop) })
    };
    let (connection, _) = tokio::task::spawn_blocking(move || silent.accept()).await.unwrap().unwrap();
    assert!(is_running(&address), "git is at work");
    let cancelled = Instant::now();
    ctx.cancellation().cancel();
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, VcsError::Cancelled), "{error:?}");
    assert!(cancelled.elapsed() < Duration::from_secs(2));
    drop(connection);
    let deadline = Instant::now() + Duration::from_secs(5);
    while is_running(&address) {
        assert!(Instant::now() < deadline, "git and its children are gone");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_remote_that_never_answers_meets_the_time_limit() {
    let fixture = remote();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://127.0.0.1:{}/a/b", silent.local_addr().unwrap().port());
    let limits = GitLimits::default().with_fetch(Duration::from_millis(300));
    let provider = fixture
        .provider()
        .with_mirror(RECORDED.parse().unwrap(), address.parse().unwrap())
        .with_limits(limits);
    let error = provider.resolve(&fixture.source(), &test_context()).await.unwrap_err();
    assert!(matches!(error, VcsError::Timeout { .. }), "{error:?}");
}
