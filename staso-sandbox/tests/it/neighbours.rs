//! Hosts beside other hosts, with odd surroundings, and sessions whose control groups are meddled with.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use staso_core::sandbox::{
    ExecRequest, IsolationTier, Sandbox as _, SandboxError, SandboxSession, SandboxSessionExt as _,
};
use staso_sandbox::{LocalSandbox, LocalSandboxOptions};

use crate::host::{Host, eventually, processes_with};
use crate::tiers::{RUNS, again, is_root, own_variable, passed};

const SOON: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(60);
const TIERS: [IsolationTier; 2] = [IsolationTier::Full, IsolationTier::LandlockOnly];

async fn open_in(host: &Host, tier: IsolationTier, place: &Path) -> Box<dyn SandboxSession> {
    let options = LocalSandboxOptions::new().with_strongest_tier(tier).with_directory(place);
    let spec = host.spec().with_min_tier(tier);
    LocalSandbox::with_options(options).open(&spec, &host.ctx).await.unwrap()
}

const PLACE: &str = "STASO_TEST_NEIGHBOUR";

/// The body of a host that lives beside another; does nothing unless a test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_in_a_process_namespace_of_its_own() {
    let Some(place) = own_variable(PLACE) else { return };
    let host = Host::new();
    let mut sessions = Vec::new();
    for tier in TIERS {
        let session = open_in(&host, tier, &place).await;
        let request = ExecRequest::new(["sleep", "86397.77"]);
        let stream = session.exec(&request, &host.ctx).await.unwrap();
        sessions.push((session, stream));
    }
    assert!(eventually(SOON, || processes_with("86397.77").len() == TIERS.len()).await);
    writeln!(std::io::stderr(), "both run").unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    for (session, stream) in sessions {
        assert!(host.run(&*session, &["cat", "hello.txt"]).await.exit.success(), "it still has its files");
        drop(stream);
        session.close().await.unwrap();
    }
    writeln!(std::io::stderr(), "both were well").unwrap();
}

/// Numbers of processes mean nothing in another namespace: who is not there may well live.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_in_other_process_namespaces_are_left_alone() {
    if !is_root() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut neighbour = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "neighbours::a_host_in_a_process_namespace_of_its_own", "--nocapture"])
        .env(PLACE, place.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(neighbour.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "both run"));
    let host = Host::new();
    for tier in TIERS {
        open_in(&host, tier, place.path()).await.close().await.unwrap();
    }
    neighbour.stdin.take().unwrap().write_all(b"\n").unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(neighbour.wait().unwrap().success() && rest.contains(&"both were well".to_owned()), "{rest:?}");
}

const IGNORING: &str = "STASO_TEST_IGNORING";

/// The body of a host that does not wait for its children; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_ignores_signals() {
    if own_variable(IGNORING).is_none() {
        return;
    }
    let host = Host::new();
    for tier in TIERS {
        let place = std::env::temp_dir();
        let work = async {
            let session = open_in(&host, tier, &place).await;
            let script = "true & wait $!; sh -c 'kill -TERM $$; echo survived'; echo $?";
            let output = host.run(&*session, &["sh", "-c", script]).await;
            session.close().await.unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let said = tokio::time::timeout(PATIENCE, work).await.expect("nothing hangs");
        assert_eq!(said, "143\n", "{tier:?}: commands know nothing of what the host ignores");
    }
}

#[test]
fn what_the_host_ignores_is_not_ignored_inside() {
    let program = "import os, signal, sys\n\
                   for s in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)\n\
                   os.execv(sys.argv[1], sys.argv[1:])\n";
    let way = ["/usr/bin/python3", "-I", "-S", "-c", program];
    passed(&again(&way, "neighbours::a_host_that_ignores_signals", &[(IGNORING, Path::new("1"))]), RUNS);
}

/// Directories of this process's control groups.
fn own_groups() -> Vec<PathBuf> {
    let output = Command::new("find")
        .args(["/sys/fs/cgroup", "-type", "d", "-name", &format!("staso-sandbox-*{}-*", std::process::id())])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(PathBuf::from).collect()
}

const MEDDLING: &str = "STASO_TEST_MEDDLING";

/// The body of a host whose groups are taken away; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_groups_are_taken_away() {
    if own_variable(MEDDLING).is_none() {
        return;
    }
    let host = Host::new();
    let plain = host.open().await;
    let parents: Vec<PathBuf> = own_groups().iter().map(|path| path.parent().unwrap().to_owned()).collect();
    plain.close().await.unwrap();
    if parents.is_empty() {
        writeln!(std::io::stderr(), "there are no groups").unwrap();
        return;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let meddler = std::thread::spawn({
        let (stop, mark) = (Arc::clone(&stop), format!("{}-", std::process::id()));
        move || {
            while !stop.load(Ordering::Relaxed) {
                for entry in parents.iter().flat_map(|parent| fs::read_dir(parent).unwrap()).flatten() {
                    let name = entry.file_name().into_string().unwrap();
                    if name.starts_with("staso-sandbox-") && name.contains(&mark) {
                        // One with processes stays.
                        drop(fs::remove_dir(entry.path()));
                    }
                }
            }
        }
    });
    let (mut ran, mut refused) = (0, Vec::new());
    while refused.len() < 10 && ran < 300 {
        match attempt(&host).await {
            Ok(()) => ran += 1,
            Err(error) => refused.push(error),
        }
    }
    stop.store(true, Ordering::Relaxed);
    meddler.join().unwrap();
    assert!(!refused.is_empty(), "the groups were never taken away in time; {ran} ran");
    for error in &refused {
        assert!(error.to_string().contains("control group"), "it says why: {error}");
    }
    writeln!(std::io::stderr(), "{ran} ran and {} were refused", refused.len()).unwrap();
}

/// Runs a command that is in every group, or says that it is not.
async fn attempt(host: &Host) -> Result<(), SandboxError> {
    let session = LocalSandbox::new().open(&host.spec(), &host.ctx).await?;
    let output = session.run(&ExecRequest::new(["cat", "/proc/self/cgroup"]), &host.ctx).await?;
    let groups = String::from_utf8(output.stdout).unwrap();
    let limited = groups.lines().filter(|line| line.contains("staso-sandbox-")).count();
    let missing = session.isolation().missing.iter().filter(|line| line.contains("control group")).count();
    // One group of version 2 is both.
    let both = groups.lines().any(|line| line.starts_with("0::") && line.contains("staso-sandbox-"));
    assert!(both || limited + missing >= 2, "{groups}");
    session.close().await
}

#[test]
fn a_command_is_never_outside_of_a_group_that_the_session_has() {
    let mark = [(MEDDLING, Path::new("1"))];
    passed(&again(&["/usr/bin/env"], "neighbours::a_host_whose_groups_are_taken_away", &mark), RUNS);
}

const LEAVING: &str = "STASO_TEST_LEAVING";

/// The body of a host with a group that cannot be removed at once; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_a_group_that_stays() {
    if own_variable(LEAVING).is_none() {
        return;
    }
    let host = Host::new();
    let session = host.open().await;
    let kept: Vec<PathBuf> = own_groups().iter().map(|group| group.join("kept")).collect();
    kept.iter().for_each(|kept| fs::create_dir(kept).unwrap());
    session.close().await.unwrap();
    assert_eq!(own_groups().len(), kept.len(), "what is not empty stays");
    kept.iter().for_each(|kept| fs::remove_dir(kept).unwrap());
    host.open().await.close().await.unwrap();
    assert_eq!(own_groups(), Vec::<PathBuf>::new(), "and goes with the next session of the same host");
}

#[test]
fn a_group_that_could_not_be_removed_goes_later() {
    passed(
        &again(&["/usr/bin/env"], "neighbours::a_host_with_a_group_that_stays", &[(LEAVING, Path::new("1"))]),
        RUNS,
    );
}

const ELSEWHERE: &str = "STASO_TEST_ELSEWHERE";
const VICTIM: &str = "STASO_TEST_CHECKOUT";

/// The body of a host that comes after one that was killed in another group; does nothing unless the test below started
/// it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_after_one_that_was_killed_elsewhere() {
    if own_variable(ELSEWHERE).is_none() {
        return;
    }
    let host = Host::new();
    let (places, victim) = victim_elsewhere(&host).await;
    let of_victim = || {
        let groups = places.iter().flat_map(|place| fs::read_dir(place).unwrap()).flatten();
        groups.filter(|entry| entry.file_name().to_str().unwrap().contains(&format!("-{victim}-"))).count()
    };
    assert!(of_victim() > 0 || places.is_empty(), "it left some");
    host.open().await.close().await.unwrap();
    assert!(eventually(SOON, || of_victim() == 0).await, "they went with the next host");
    assert!(eventually(SOON, || places.iter().all(|place| fs::remove_dir(place).is_ok())).await);
}

/// Kills a host in a group of its own, in another process than this one's: what is beside this process's groups is
/// looked at with every session.
async fn victim_elsewhere(host: &Host) -> (Vec<PathBuf>, u32) {
    let name = format!("staso-test-{}", std::process::id());
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = |controller: &str| {
        let line = groups.lines().find_map(|line| line.split_once(&format!(":{controller}:/")))?;
        Some(Path::new("/sys/fs/cgroup").join(controller).join(line.1)).filter(|own| own.is_dir())
    };
    let places: Vec<PathBuf> =
        ["memory", "pids"].into_iter().filter_map(own).map(|own| own.join(&name)).collect();
    places.iter().for_each(|place| fs::create_dir(place).unwrap());
    let joins: String =
        places.iter().map(|place| format!("echo $$ > {}/cgroup.procs; ", place.display())).collect();
    let mut victim = Command::new("/bin/sh")
        .args(["-ec", &format!("{joins} exec \"$@\""), "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "lifecycle::a_host_that_waits_to_be_killed", "--nocapture"])
        .env(VICTIM, &host.fixture.checkout)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mark = lines.find_map(|line| line.strip_prefix("mark ").map(str::to_owned)).unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(eventually(SOON, || processes_with(&mark).is_empty()).await);
    (places, victim.id())
}

#[test]
fn groups_of_a_host_that_was_killed_elsewhere_go_with_the_next_one() {
    // Groups of version 1 that a test may make belong to root.
    if is_root() {
        let mark = [(ELSEWHERE, Path::new("1"))];
        passed(
            &again(&["/usr/bin/env"], "neighbours::a_host_after_one_that_was_killed_elsewhere", &mark),
            RUNS,
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_that_ran_out_is_told_to_the_command_that_it_ran_out_for() {
    let host = Host::new();
    let mut spec = host.spec();
    spec.limits.memory_bytes = 64 << 20;
    let session = host.open_with(&spec).await;
    if session.isolation().missing.iter().any(|line| line.contains("memory is bounded for each process")) {
        // Then nothing is killed: the kernel refuses memory instead.
        return;
    }
    let session = &*session;
    // Each process may have its 64 MiB, all together not; who is killed is a child, and the command goes on.
    let hungry = "import os, time\n\
                  children = []\n\
                  for _ in range(40):\n\
                  \x20   child = os.fork()\n\
                  \x20   if child == 0:\n\
                  \x20       kept = bytearray(50 << 20); kept[::4096] = b'x' * len(kept[::4096]); time.sleep(60); os._exit(0)\n\
                  \x20   children.append(child)\n\
                  while not any(os.waitpid(c, os.WNOHANG)[0] for c in children): time.sleep(0.01)\n\
                  for c in children:\n\
                  \x20   try: os.kill(c, 9)\n\
                  \x20   except ProcessLookupError: pass\n\
                  open('/workspace/killed', 'w').close()\n\
                  while not os.path.exists('/workspace/go'): time.sleep(0.01)\n";
    let request = ExecRequest::new(["python3", "-I", "-S", "-c", hungry]).with_timeout(PATIENCE);
    let other = async {
        let wait = "while ! test -e killed; do sleep 0.01; done";
        assert!(host.run(session, &["sh", "-c", wait]).await.exit.success());
        host.run(session, &["touch", "go"]).await.exit
    };
    let (hungry, after) = tokio::join!(session.run(&request, &host.ctx), other);
    let hungry = hungry.unwrap();
    assert!(
        hungry.exit.success() && hungry.exit.oom,
        "{:?} {}",
        hungry.exit,
        String::from_utf8_lossy(&hungry.stderr)
    );
    assert!(!after.oom, "nothing was killed while it ran");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_given_up_while_much_is_sent_harms_nothing() {
    const WRITES: usize = 150;
    let host = Host::new();
    let session = host.open().await;
    let mark = format!("84{}.1", std::process::id());
    let request = ExecRequest::new(["sleep", &mark]);
    let mut exec = Some(session.exec(&request, &host.ctx));
    let content = vec![b'x'; 2 << 20];
    let paths: Vec<_> =
        (0..WRITES).map(|at| staso_core::code::RepoPath::new(format!("made/{}", at % 20)).unwrap()).collect();
    let writes = paths.iter().map(|path| session.write_file(path, &content, false, &host.ctx));
    let mut writes: Vec<_> = writes.collect();
    // All are asked once, so that what can wait to be sent does; then nobody waits for the command any more.
    let mut done = vec![false; WRITES];
    std::future::poll_fn(|context| {
        let started = exec.as_mut().map(|exec| exec.as_mut().poll(context).is_ready());
        assert_ne!(started, Some(true), "a command does not start that fast");
        for (write, done) in writes.iter_mut().zip(&mut done).filter(|(_, done)| !**done) {
            if let std::task::Poll::Ready(result) = write.as_mut().poll(context) {
                assert!(result.is_ok(), "{result:?}");
                *done = true;
            }
        }
        drop(exec.take());
        if done.iter().all(|done| *done) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    assert!(eventually(SOON, || processes_with(&mark).is_empty()).await, "the command was ended");
    assert!(host.run(&*session, &["true"]).await.exit.success());
}
