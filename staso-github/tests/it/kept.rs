//! What is kept of remote repositories: bounded together with checkouts, the ones unused for longest go first.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use staso_core::run::RunContext;
use staso_core::testing::test_context;
use staso_core::trace::SourceRevision;
use staso_core::vcs::{VcsError, VcsProvider};
use staso_github::{GitLimits, GitRemote, LocalGit};

use crate::fixture::{GitFixture, url_of, write};

/// Bytes of the one large file that each repository has.
const FILE_BYTES: usize = 200_000;

/// A repository with its provider, all with the same data directory.
struct Kept {
    fixture: GitFixture,
    provider: Box<dyn VcsProvider>,
}

/// Bytes that do not compress.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..FILE_BYTES).map(|_| next()).collect()
}

fn large() -> GitFixture {
    let mut fixture = GitFixture::bare();
    let clone = fixture.clone_of("main");
    write(&clone, "large", &noise(1));
    crate::fixture::git(&clone, &["add", "-A"]);
    crate::fixture::git(&clone, &["commit", "-qm", "large"]);
    fixture.tip = fixture.push(&clone, "main");
    fixture
}

/// Room for checkouts and commits of some repositories of this size.
fn room_for(repositories: u64) -> GitLimits {
    GitLimits::default().with_cache_bytes(repositories * 500_000)
}

fn remote(data: &Path, limits: &GitLimits) -> Kept {
    let fixture = large();
    let address = url_of(&fixture.repository).as_str().parse().unwrap();
    let provider = GitRemote::new(data, fixture.reference().url, address).with_limits(limits.clone());
    Kept { fixture, provider: Box::new(provider) }
}

fn mirror(data: &Path, limits: &GitLimits) -> Kept {
    let fixture = large();
    let url = fixture.reference().url;
    let provider = LocalGit::new(data).with_mirror(url.clone(), url).with_limits(limits.clone());
    Kept { fixture, provider: Box::new(provider) }
}

impl Kept {
    /// What a run does.
    async fn check_out(&self) -> staso_core::vcs::Checkout {
        self.check_out_in(&test_context()).await
    }

    async fn check_out_in(&self, ctx: &RunContext) -> staso_core::vcs::Checkout {
        let found = self.provider.resolve(&self.fixture.source(), ctx).await.unwrap();
        self.provider.checkout(&found.repository, &found.commit, ctx).await.unwrap()
    }
}

fn repositories(data: &Path, parent: &str) -> Vec<String> {
    let entries = fs::read_dir(data.join(parent)).unwrap().map(|entry| entry.unwrap());
    let directories = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    directories.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn the_repositories_of_many_runs_do_not_fill_the_disk() {
    for (make, parent) in [
        (remote as fn(&Path, &GitLimits) -> Kept, "commits"),
        (mirror as fn(&Path, &GitLimits) -> Kept, "mirrors"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        let (limits, one_clock) = (room_for(2), test_context());
        let first = make(&data, &limits);
        drop(first.check_out_in(&one_clock).await);
        let kept = repositories(&data, parent);
        for _ in 0..5 {
            drop(make(&data, &limits).check_out_in(&one_clock).await);
            assert!(repositories(&data, parent).len() <= 3, "{parent}: {:?}", repositories(&data, parent));
        }
        assert!(!repositories(&data, parent).contains(&kept[0]), "{parent}: the oldest is gone");
        assert!(
            first.check_out_in(&one_clock).await.path.join("large").is_file(),
            "{parent}: and comes again"
        );
    }
}

#[tokio::test]
async fn what_a_killed_process_was_removing_is_gone_with_the_next_run() {
    let root = tempfile::tempdir().unwrap();
    let kept = remote(root.path(), &GitLimits::default());
    write(&root.path().join("commits"), "12.away/git/objects/pack/x", b"half");
    write(&root.path().join("commits"), "34.tmp/objects/x", b"half");
    kept.check_out().await;
    assert!(!root.path().join("commits/12.away").exists());
    let tiny = remote(root.path(), &room_for(0));
    tiny.check_out().await;
    assert!(!root.path().join("commits/34.tmp").exists());
}

#[tokio::test]
async fn a_repository_with_a_proposal_stays() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let mirrored = mirror(&data, &room_for(0));
    let recorded = |name| mirrored.fixture.propose(&*mirrored.provider, name, &[("app/tools.py", "fixed\n")]);
    let made = recorded("stays").await.unwrap();
    for _ in 0..2 {
        mirror(&data, &room_for(0)).check_out().await;
    }
    let (reference, ctx) = (mirrored.fixture.reference(), test_context());
    let status = mirrored.provider.proposal_status(&reference, &made.branch, &ctx).await.unwrap();
    assert_eq!(status.head, made.head, "it stands in the mirror and nowhere else");
}

#[tokio::test]
async fn a_commit_that_no_branch_holds_is_there_for_its_run_when_others_took_the_room() {
    for make in [remote, mirror] {
        let root = tempfile::tempdir().unwrap();
        let kept = make(root.path(), &room_for(0));
        let clone = kept.fixture.clone_of("main");
        write(&clone, "lost", b"lost");
        crate::fixture::git(&clone, &["add", "-A"]);
        crate::fixture::git(&clone, &["commit", "-qm", "lost"]);
        let lost = kept.fixture.push(&clone, "main");
        kept.fixture.git(&["update-ref", "refs/heads/main", kept.fixture.tip.as_str()]);
        let (source, ctx) = (SourceRevision { commit: Some(lost), ..kept.fixture.source() }, test_context());
        let found = kept.provider.resolve(&source, &ctx).await.unwrap();
        make(root.path(), &room_for(0)).check_out().await;
        let checkout = kept.provider.checkout(&found.repository, &found.commit, &ctx).await.unwrap();
        assert!(checkout.path.join("lost").is_file());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_without_room_takes_nothing_from_each_other() {
    const TASKS: usize = 8;
    const ROUNDS: usize = 4;
    let root = Arc::new(tempfile::tempdir().unwrap());
    let makers = [remote, mirror, remote];
    let kept: Arc<Vec<Kept>> = Arc::new(makers.iter().map(|make| make(root.path(), &room_for(0))).collect());
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (kept, root) = (Arc::clone(&kept), Arc::clone(&root));
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let checkout = kept[(task + round) % kept.len()].check_out().await;
                    let large = fs::read(checkout.path.join("large")).unwrap();
                    assert_eq!(large.len(), FILE_BYTES, "it is whole below {}", root.path().display());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_mirror_that_has_grown_over_its_limit_is_fetched_anew() {
    let root = tempfile::tempdir().unwrap();
    let limits = GitLimits::default().with_mirror_bytes(3 * FILE_BYTES as u64 / 2);
    for make in [remote, mirror] {
        let mut kept = make(root.path(), &limits);
        for round in 0..3 {
            let clone = kept.fixture.clone_of("main");
            let noise =
                |at: usize| u8::try_from((at + round).wrapping_mul(2_246_822_519) >> 11 & 0xff).unwrap();
            write(&clone, "large", &(0..FILE_BYTES).map(noise).collect::<Vec<u8>>());
            crate::fixture::git(&clone, &["add", "-A"]);
            crate::fixture::git(&clone, &["commit", "-q", "--amend", "-m", "other"]);
            kept.fixture.tip = kept.fixture.push(&clone, "main");
            assert!(kept.check_out().await.path.join("large").is_file());
        }
    }
    let small = remote(root.path(), &GitLimits::default().with_mirror_bytes(FILE_BYTES as u64 / 2));
    let error = small.provider.resolve(&small.fixture.source(), &test_context()).await.unwrap_err();
    assert!(matches!(error, VcsError::TooLarge { .. }), "{error:?}");
}
