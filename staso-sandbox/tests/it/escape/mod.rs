//! The escape suite on this crate's own sandbox, as every user that this machine has, and the test of the suite itself.
//!
//! The suite looks for what sessions leave behind, so each run has a process of its own: this program, started again.

mod plain;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use staso_core::sandbox::{IsolationTier, Sandbox};
use staso_core::testing::test_context;
use staso_sandbox::escape::{self, Ground};
use staso_sandbox::{LocalSandbox, LocalSandboxOptions};

use self::plain::PlainSandbox;
use crate::host::{Host, python_outside};

/// What a process of this program is to do: the backend, and the plan of a second host.
const BACKEND: &str = "STASO_TEST_ESCAPE_BACKEND";
const PLAN: &str = "STASO_TEST_ESCAPE_PLAN";
/// Set for the one run that prints as much as the suite does when nobody says otherwise.
const FLOOD: &str = "STASO_TEST_ESCAPE_FLOOD";
const LESS_FLOOD: u64 = 500_000_000;
/// How long a sandbox that isolates nothing is waited for.
const BRIEFLY: Duration = Duration::from_millis(300);
const BODY: [&str; 3] = ["--exact", "escape::a_process_of_the_suite", "--nocapture"];

#[test]
fn nothing_escapes_from_the_local_sandbox() {
    assert_clean(&run_as("local", None));
}

/// As root this runs the suite again as another user; a host that is an ordinary user has done so above.
#[test]
fn nothing_escapes_when_the_host_is_an_ordinary_user() {
    if is_root() {
        assert_clean(&run_as("local", Some(12_345)));
    }
}

/// The suite can only tell on a host that has a program for crashes; the limit that keeps it from starting shows on all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_starts_no_program_of_the_host() {
    let limit = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))";
    let host = Host::new();
    // A host that is not root cannot raise what it was given.
    let own = python_outside("import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[1])");
    let expected = if own == "0\n" && !is_root() { "(0, 0)\n" } else { "(1, 1)\n" };
    assert_eq!(host.python(&*host.open().await, limit).await, expected);
}

/// What Landlock and the filter promise where there are no namespaces.
#[test]
fn nothing_that_landlock_alone_promises_fails() {
    assert_clean(&run_as("landlock", None));
}

/// As root this runs the suite again as another user; a host that is an ordinary user has done so above.
#[test]
fn nothing_that_landlock_alone_promises_fails_an_ordinary_user() {
    if is_root() {
        assert_clean(&run_as("landlock", Some(12_345)));
    }
}

/// A sandbox that isolates nothing and is judged as one that isolates everything: a row that is clean there proves
/// nothing anywhere.
#[test]
fn every_row_catches_a_sandbox_that_isolates_nothing() {
    assert_clean(&run_as("plain", None));
}

/// Failures are told alone: whole reports of other runs would hide them.
#[expect(clippy::print_stdout, reason = "the report, for who asks with --nocapture")]
pub(crate) fn assert_clean(output: &Output) {
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{}: {errors}", output.status);
    print!("{said}");
}

/// Runs the suite in a process of its own, as another user if one is given. One at a time: each loads the machine.
pub(crate) fn run_as(backend: &str, user: Option<u32>) -> Output {
    static ONE: Mutex<()> = Mutex::new(());
    let _turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("it");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    for path in [directory.path(), copy.as_path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        // A program of its own, as anyone's is.
        chown(path, user, user).unwrap();
    }
    let mut way = Vec::new();
    if is_root() {
        // What other programs of this machine mount meanwhile is not taken for a session's.
        way.extend(["/usr/bin/unshare", "--mount", "--propagation", "private"].map(str::to_owned));
    }
    if let Some(user) = user {
        way.extend(["/usr/bin/setpriv", "--clear-groups"].map(str::to_owned));
        way.extend([format!("--reuid={user}"), format!("--regid={user}")]);
        // Nor does an ordinary user show files to others.
        way.extend(["/bin/sh", "-c", r#"umask 077; exec "$0" "$@""#].map(str::to_owned));
    }
    way.push(copy.display().to_string());
    let mut command = Command::new(&way[0]);
    command.args(&way[1..]);
    if backend == "local" && user.is_none() {
        command.env(FLOOD, "whole");
    }
    command.args(BODY).current_dir("/").env("TMPDIR", "/tmp").env(BACKEND, backend).output().unwrap()
}

/// The body of the processes above; does nothing unless one of them started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_of_the_suite() {
    let Some(backend) = variable(BACKEND) else { return };
    let (sandbox, tier): (Box<dyn Sandbox>, _) = match backend.as_str() {
        "plain" => (Box::new(PlainSandbox), IsolationTier::None),
        "landlock" => (Box::new(below_full()), IsolationTier::LandlockOnly),
        #[cfg(feature = "container")]
        "container" => (crate::container::sandbox_of_a_process(), IsolationTier::Container),
        _ => (Box::new(LocalSandbox::new()), IsolationTier::Full),
    };
    if let Some(plan) = variable(PLAN) {
        escape::second_host(&*sandbox, Path::new(&plan), &test_context()).await.unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut ground = Ground::new(directory.path()).unwrap().with_second_host(second_host);
    ground = ground.with_min_tier(tier);
    if tier == IsolationTier::None {
        // Everything that is to end is waited for in vain.
        ground = ground.judged_as(IsolationTier::Full).with_rounds(20).with_patience(BRIEFLY);
    }
    if variable(FLOOD).is_none() {
        ground = ground.with_flood_bytes(LESS_FLOOD);
    }
    let report = escape::run(&*sandbox, &ground, &test_context()).await;
    write!(std::io::stdout(), "{report}").unwrap();
    drop(fs::remove_dir(plain::left_behind()));
    assert_eq!(report.tier, tier, "this machine gives the tier");
    assert!(report.rows.len() >= 70, "the rows of the threat model");
    if tier == IsolationTier::None {
        plain::assert_caught(&report);
    } else {
        report.assert_clean();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn below_full() -> LocalSandbox {
    LocalSandbox::with_options(LocalSandboxOptions::new().with_strongest_tier(IsolationTier::LandlockOnly))
}

fn second_host(plan: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(BODY).env(PLAN, plan);
    command
}

fn variable(name: &str) -> Option<String> {
    let all = fs::read("/proc/self/environ").unwrap();
    all.split(|byte| *byte == 0).find_map(|entry| {
        std::str::from_utf8(entry).ok()?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)
    })
}

/// The directory of a session's files, for the sandbox that isolates nothing.
fn joined(root: &Path, path: &staso_core::code::RepoPath) -> PathBuf {
    root.join(path.as_str())
}
