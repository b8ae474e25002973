//! Checkouts that are kept: shared, read-only, bounded, and whole.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use staso_core::id::{CommitId, RunId};
use staso_core::run::{Clock, RunContext, Sleep};
use staso_core::testing::{TestClock, test_context};
use staso_core::trace::Timestamp;
use staso_core::vcs::{VcsError, VcsProvider as _};
use staso_github::{GitLimits, LocalGit};

use crate::fixture::{GitFixture, commit_id, write};

fn walk(directory: &Path, visit: &mut dyn FnMut(&Path)) {
    visit(directory);
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), visit);
        } else {
            visit(&entry.path());
        }
    }
}

fn entries(fixture: &GitFixture) -> Vec<PathBuf> {
    let mut entries: Vec<_> =
        fs::read_dir(fixture.data().join("checkouts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

/// What a checkout of [`commit_of_size`] takes, in blocks: a large file, four small ones, an empty one, four directories.
const DISK_BYTES: u64 = (26 + 4 * 2 + 1 + 4) * 4096;

/// A commit with one file of this many bytes, about 100,000.
fn commit_of_size(fixture: &GitFixture, bytes: usize) -> CommitId {
    write(&fixture.repository, "size", &vec![b'x'; bytes]);
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-qm", "size"]);
    commit_id(&fixture.git(&["rev-parse", "HEAD"]))
}

async fn check_out(
    fixture: &GitFixture,
    provider: &LocalGit,
    commit: &CommitId,
) -> staso_core::vcs::Checkout {
    provider.checkout(&fixture.reference(), commit, &test_context()).await.unwrap()
}

#[tokio::test]
async fn files_are_as_in_a_clone_and_nobody_else_reaches_them() {
    let fixture = GitFixture::new();
    fs::create_dir(fixture.data()).unwrap();
    // As an earlier version made them, below a way that is open to everyone.
    for open in [fixture.root().to_owned(), fixture.data(), fixture.data().join("checkouts")] {
        drop(fs::create_dir(&open));
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let checkout = check_out(&fixture, &fixture.provider(), &fixture.tip).await;
    walk(&checkout.path, &mut |path| {
        let mode = fs::symlink_metadata(path).unwrap().mode() & 0o777;
        let executable = path.is_dir() || path.ends_with("run.sh");
        assert_eq!(mode, if executable { 0o755 } else { 0o644 }, "{}", path.display());
    });
    for closed in ["checkouts", "locks"] {
        let mode = fs::metadata(fixture.data().join(closed)).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{closed} is for this user alone");
    }
    if rustix::process::geteuid().is_root() {
        let beside = fixture.root().join("beside");
        fs::write(&beside, "open").unwrap();
        let reads = |path: &Path| {
            let mut other = Command::new("cat");
            other.arg(path).uid(65_534).gid(65_534).output().unwrap().status.success()
        };
        assert!(reads(&beside), "another user comes this far");
        assert!(!reads(&checkout.path.join("app/agent.py")), "and no further");
    }
}

#[tokio::test]
async fn what_was_used_before_the_clock_was_set_back_goes_first() {
    let fixture = GitFixture::new();
    let provider = fixture.provider().with_limits(GitLimits::default().with_cache_bytes(2 * DISK_BYTES));
    let commits: Vec<_> = (0..3).map(|extra| commit_of_size(&fixture, 100_000 + extra)).collect();
    let ahead = RunContext::new(RunId::from_bytes([7; 16]), Arc::new(Ahead(TestClock::default())));
    let later = provider.checkout(&fixture.reference(), &commits[0], &ahead).await.unwrap().path;
    let before = check_out(&fixture, &provider, &commits[1]).await.path;
    check_out(&fixture, &provider, &commits[2]).await;
    assert!(!later.exists() && before.exists(), "a use that is still to come keeps nothing");
}

/// A clock that is a day ahead.
#[derive(Debug)]
struct Ahead(TestClock);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.0.now().saturating_add(Duration::from_hours(24))
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.sleep(duration)
    }
}

#[tokio::test]
async fn a_checkout_in_use_is_never_removed_and_the_oldest_unused_goes_first() {
    let fixture = GitFixture::new();
    let limits = GitLimits::default().with_cache_bytes(2 * DISK_BYTES);
    let provider = fixture.provider().with_limits(limits);
    let commits: Vec<_> = (0..4).map(|extra| commit_of_size(&fixture, 100_000 + extra)).collect();
    let held = check_out(&fixture, &provider, &commits[0]).await;
    let second = check_out(&fixture, &provider, &commits[1]).await.path;
    let third = check_out(&fixture, &provider, &commits[2]).await.path;
    assert!(!second.exists(), "the oldest one that nobody uses made room");
    assert!(third.exists() && held.path.exists());
    let fourth = check_out(&fixture, &provider, &commits[3]).await.path;
    assert!(!third.exists() && fourth.exists() && held.path.exists());
    assert_eq!(entries(&fixture).len(), 2, "nothing else is left");
    let again = check_out(&fixture, &provider, &commits[1]).await;
    assert!(again.path.join("size").is_file(), "what was removed is made anew");
}

#[tokio::test]
async fn all_in_use_is_allowed_to_be_over_the_limit() {
    let fixture = GitFixture::new();
    let provider = fixture.provider().with_limits(GitLimits::default().with_cache_bytes(1));
    let first = check_out(&fixture, &provider, &fixture.tip).await;
    let second = check_out(&fixture, &provider, &fixture.previous).await;
    assert!(first.path.exists() && second.path.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_share_one_directory() {
    let fixture = Arc::new(GitFixture::new());
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let fixture = Arc::clone(&fixture);
            tokio::spawn(async move { check_out(&fixture, &fixture.provider(), &fixture.tip).await })
        })
        .collect();
    let mut checkouts = Vec::new();
    for task in tasks {
        checkouts.push(task.await.unwrap());
    }
    assert!(checkouts.iter().all(|checkout| checkout.path == checkouts[0].path));
    assert_eq!(entries(&fixture).len(), 1);
}

#[tokio::test]
async fn what_a_dead_process_left_is_removed() {
    let fixture = GitFixture::new();
    let provider = fixture.provider();
    let kept = check_out(&fixture, &provider, &fixture.tip).await.path;
    let name = kept.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    for stripe in 0..64 {
        let leftover = fixture.data().join("checkouts").join(format!(".tmp-{stripe:02}-{name}"));
        write(&leftover, "files/half", b"half");
        fs::set_permissions(leftover.join("files"), fs::Permissions::from_mode(0o555)).unwrap();
    }
    check_out(&fixture, &provider, &fixture.previous).await;
    assert_eq!(entries(&fixture).len(), 2, "{:?}", entries(&fixture));
}

#[tokio::test]
async fn an_entry_of_an_earlier_start_of_the_machine_is_made_anew() {
    let fixture = GitFixture::new();
    let provider = fixture.provider();
    let checkout = check_out(&fixture, &provider, &fixture.tip).await.path;
    let entry = checkout.parent().unwrap().to_owned();
    let marker = fs::read_to_string(entry.join("complete")).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    fs::write(entry.join("complete"), marker.replace(boot.trim(), "before")).unwrap();
    let holed = checkout.join("app/agent.py");
    fs::write(&holed, "").unwrap();
    let again = check_out(&fixture, &provider, &fixture.tip).await;
    assert_eq!(again.path, checkout);
    assert!(!fs::read(&holed).unwrap().is_empty(), "a hole after a power failure does not stay");
}

#[tokio::test]
async fn an_altered_entry_is_made_anew() {
    let fixture = GitFixture::new();
    let provider = fixture.provider();
    let checkout = check_out(&fixture, &provider, &fixture.tip).await.path;
    let altered = checkout.join("app/tools.py");
    let before = fs::read(&altered).unwrap();
    for text in [&before[1..], b"def run():\n    return 2\n"] {
        fs::write(&altered, text).unwrap();
        let again = check_out(&fixture, &provider, &fixture.tip).await;
        assert_eq!(again.path, checkout);
        assert_eq!(fs::read(&altered).unwrap(), before);
    }
    fs::write(checkout.join("planted.py"), "").unwrap();
    check_out(&fixture, &provider, &fixture.tip).await;
    assert!(!checkout.join("planted.py").exists());
    assert_eq!(entries(&fixture).len(), 1);
}

#[tokio::test]
async fn an_entry_that_was_altered_while_it_is_used_stays_with_its_user_alone() {
    let fixture = GitFixture::new();
    let provider = fixture.provider();
    let mut held = Vec::new();
    for _ in 0..4 {
        let checkout = check_out(&fixture, &provider, &fixture.tip).await;
        assert!(held.iter().all(|other: &staso_core::vcs::Checkout| other.path != checkout.path));
        assert!(!checkout.path.join("planted.py").exists());
        fs::write(checkout.path.join("planted.py"), "").unwrap();
        held.push(checkout);
    }
    let error = provider.checkout(&fixture.reference(), &fixture.tip, &test_context()).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(held.iter().all(|checkout| checkout.path.join("planted.py").is_file()));
    drop(held);
    let again = check_out(&fixture, &provider, &fixture.tip).await;
    assert!(!again.path.join("planted.py").exists());
    let tiny = fixture.provider().with_limits(GitLimits::default().with_cache_bytes(1));
    check_out(&fixture, &tiny, &fixture.previous).await;
    assert_eq!(entries(&fixture).len(), 2, "the altered ones made room");
}

#[tokio::test]
async fn an_entry_without_its_lock_or_note_makes_room_first() {
    let fixture = GitFixture::new();
    let provider = fixture.provider();
    for name in ["lease", "complete"] {
        let kept = check_out(&fixture, &provider, &fixture.tip).await.path;
        fs::remove_file(kept.parent().unwrap().join(name)).unwrap();
        let other = commit_of_size(&fixture, name.len());
        let in_use = check_out(&fixture, &provider, &other).await;
        if name == "complete" {
            assert!(!kept.exists(), "nobody knows how large it is");
        }
        let again = check_out(&fixture, &provider, &fixture.tip).await;
        assert!(again.path.join("run.sh").is_file() && in_use.path.exists());
    }
}

#[tokio::test]
async fn small_files_count_as_what_they_take_of_the_disk() {
    let fixture = GitFixture::new();
    for number in 0..100 {
        write(&fixture.repository, &format!("small/{number}"), b"x");
    }
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-qm", "small"]);
    let commit = commit_id(&fixture.git(&["rev-parse", "HEAD"]));
    let provider = fixture.provider().with_limits(GitLimits::default().with_cache_bytes(300_000));
    let small = check_out(&fixture, &provider, &commit).await.path;
    check_out(&fixture, &provider, &fixture.tip).await;
    assert!(!small.exists(), "100 bytes in 100 files are more than 300,000 bytes of the disk");
}

#[tokio::test]
async fn two_repositories_do_not_share_what_they_do_not_both_have() {
    let (one, other) = (GitFixture::new(), GitFixture::new());
    write(&one.repository, "private", b"private");
    one.git(&["add", "-A"]);
    one.git(&["commit", "-qm", "private"]);
    let private = commit_id(&one.git(&["rev-parse", "HEAD"]));
    let provider = one.provider();
    check_out(&one, &provider, &private).await;
    let stolen = provider.checkout(&other.reference(), &private, &test_context()).await;
    assert!(matches!(stolen, Err(VcsError::CommitNotFound { .. })), "{stolen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_checkout_ends_soon_and_leaves_nothing() {
    let fixture = Arc::new(GitFixture::new());
    for number in 0..3000 {
        write(&fixture.repository, &format!("many/{}/{number}", number % 50), b"x");
    }
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-qm", "many"]);
    let commit = commit_id(&fixture.git(&["rev-parse", "HEAD"]));
    let ctx = test_context();
    let task = {
        let (fixture, commit, ctx) = (Arc::clone(&fixture), commit.clone(), ctx.clone());
        tokio::spawn(async move { fixture.provider().checkout(&fixture.reference(), &commit, &ctx).await })
    };
    while !fixture.data().join("checkouts").is_dir() || entries(&fixture).is_empty() {
        tokio::task::yield_now().await;
    }
    let cancelled = Instant::now();
    ctx.cancellation().cancel();
    let error = task.await.unwrap().unwrap_err();
    assert!(matches!(error, VcsError::Cancelled), "{error:?}");
    assert!(cancelled.elapsed() < Duration::from_secs(2));
    let again = check_out(&fixture, &fixture.provider(), &commit).await;
    assert!(again.path.join("many/0/0").is_file());
    assert_eq!(entries(&fixture).len(), 1, "the half-made one is gone");
}
