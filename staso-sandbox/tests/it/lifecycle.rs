//! Births and deaths: whoever goes, nothing is left.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use staso_core::sandbox::{ExecRequest, Sandbox as _, SandboxError, SandboxSession, SandboxSpec};
use staso_sandbox::{LocalSandbox, LocalSandboxOptions, ReadOnlyMount};
use tokio::sync::Barrier;

use crate::host::{Host, ancestors, children_of, eventually, processes_with};

/// Sessions at the same time.
const AT_ONCE: usize = 64;
const SOON: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
const HOST_MARK: &str = "STASO_TEST_CHECKOUT";

/// Starts a command with a daemon that can be found from outside by its argument.
async fn start_daemons(host: &Host, session: &dyn SandboxSession, mark: &str) -> Vec<u32> {
    let script = format!("for i in 1 2 3; do setsid sleep {mark} & done; exec sleep {mark}");
    let stream = session.exec(&ExecRequest::new(["sh", "-c", &script]), &host.ctx).await.unwrap();
    assert!(eventually(SOON, || processes_with(mark).len() >= 4).await, "the daemons run");
    let found = processes_with(mark);
    // Dropping the stream would kill them: they are to die of something else.
    tokio::spawn(async move {
        let mut stream = stream;
        while stream.next().await.is_some() {}
    });
    found
}

/// The child of this process that a process of a session descends from.
fn helper_of(pid: u32) -> u32 {
    let chain = ancestors(pid);
    let own = chain.iter().position(|parent| *parent == std::process::id()).unwrap();
    chain[own - 1]
}

fn kill(pid: u32) {
    assert!(Command::new("/bin/sh").args(["-c", &format!("kill -9 {pid}")]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_helper_kills_everything() {
    let host = Host::new();
    for victim in 0..2 {
        let session = host.open().await;
        let mark = format!("77{}.{victim}1", std::process::id());
        let found = start_daemons(&host, &*session, &mark).await;
        let helper = helper_of(found[0]);
        // First the host's child, then process 1 of the session.
        let target = if victim == 0 { helper } else { children_of(helper)[0] };
        kill(target);
        assert!(
            eventually(SOON, || processes_with(&mark).is_empty()).await,
            "processes outlive their helper"
        );
        let closed = async { matches!(session.changes(&host.ctx).await, Err(SandboxError::Closed)) };
        assert!(closed.await, "the session says that it is closed");
        session.close().await.unwrap();
        assert!(!Path::new(&format!("/proc/{helper}")).exists(), "no zombie");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_session_kills_everything() {
    let host = Host::new();
    let session = host.open().await;
    let mark = format!("78{}.1", std::process::id());
    let helper = helper_of(start_daemons(&host, &*session, &mark).await[0]);
    drop(session);
    assert!(eventually(SOON, || processes_with(&mark).is_empty()).await, "processes outlive their session");
    assert!(eventually(SOON, || !Path::new(&format!("/proc/{helper}")).exists()).await, "no zombie");
}

/// The body of a host that is killed; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_waits_to_be_killed() {
    let Some(checkout) = own_variable(HOST_MARK) else { return };
    let host = Host::new();
    let session = LocalSandbox::new().open(&SandboxSpec::new(&checkout), &host.ctx).await.unwrap();
    let mark = format!("79{}.1", std::process::id());
    start_daemons(&host, &*session, &mark).await;
    writeln!(std::io::stderr(), "mark {mark}").unwrap();
    std::future::pending::<()>().await;
}

/// A variable of this process's environment.
pub(crate) fn own_variable(name: &str) -> Option<PathBuf> {
    let all = fs::read("/proc/self/environ").unwrap();
    all.split(|byte| *byte == 0).find_map(|entry| {
        std::str::from_utf8(entry).ok()?.strip_prefix(name)?.strip_prefix('=').map(PathBuf::from)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_host_kills_everything() {
    let host = Host::new();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifecycle::a_host_that_waits_to_be_killed", "--nocapture"])
        .env(HOST_MARK, &host.fixture.checkout)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stderr.take().unwrap()).lines();
    let mark =
        lines.map_while(Result::ok).find_map(|line| line.strip_prefix("mark ").map(str::to_owned)).unwrap();
    let helper = *ancestors(processes_with(&mark)[0])
        .iter()
        .find(|pid| ancestors(**pid).first() == Some(&victim.id()))
        .unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(eventually(SOON, || processes_with(&mark).is_empty()).await, "processes outlive the host");
    let alive =
        || fs::read_to_string(format!("/proc/{helper}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(eventually(SOON, || !alive()).await, "the helper outlives the host");
    // Its control groups stay until the next host makes some.
    let abandoned = format!("-{}-", victim.id());
    host.open().await.close().await.unwrap();
    assert!(eventually(SOON, || cgroups().iter().all(|name| !name.contains(&abandoned))).await);
}

/// Control groups of sessions, wherever they are mounted.
fn cgroups() -> Vec<String> {
    let output = Command::new("find")
        .args(["/sys/fs/cgroup", "-type", "d", "-name", "staso-sandbox-*", "-printf", "%f\\n"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_sessions_leave_nothing() {
    let host = Host::new();
    let mut helpers = Vec::new();
    let mut groups = 0;
    for number in 0..30 {
        let session = host.open().await;
        let mark = format!("80{}.{number}1", std::process::id());
        if number % 10 == 0 {
            helpers.push(helper_of(start_daemons(&host, &*session, &mark).await[0]));
            groups = groups.max(cgroups().len());
        }
        session.close().await.unwrap();
        assert!(processes_with(&mark).is_empty(), "closed means gone");
    }
    assert!(groups > 0 || !host.open().await.isolation().missing.is_empty(), "there were groups to leave");
    for helper in helpers {
        assert!(!Path::new(&format!("/proc/{helper}")).exists(), "no zombie");
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("overlay") || !mounts.contains("/workspace"), "no mount of a session is here");
    let left = fs::read_dir(host.directory.path()).unwrap().count();
    assert_eq!(left, 2, "checkout and canary");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_and_commands_run_at_the_same_time() {
    let host = Arc::new(Host::new());
    let mark = format!("81{}.1", std::process::id());
    let all_open = Arc::new(Barrier::new(AT_ONCE));
    let tasks = (0..AT_ONCE).map(|number| {
        let (host, all_open, mark) = (Arc::clone(&host), Arc::clone(&all_open), mark.clone());
        tokio::spawn(async move {
            let session = host.open().await;
            tokio::time::timeout(PATIENCE, all_open.wait()).await.expect("all of them open");
            let (session, host) = (&*session, &*host);
            let text = number.to_string();
            let script = format!("setsid sleep {mark} & sleep 0.1; echo b");
            let (quick, slow) = (["echo", text.as_str()], ["sh", "-c", script.as_str()]);
            let (one, two) = tokio::join!(host.run(session, &quick), host.run(session, &slow));
            session.close().await.unwrap();
            (String::from_utf8(one.stdout).unwrap() == format!("{number}\n")) && two.stdout == b"b\n"
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert!(task.await.unwrap());
    }
    assert!(processes_with(&mark).is_empty(), "closed means gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_toolchain_is_mounted_read_only_and_comes_first() {
    let host = Host::new();
    let tools = host.directory.path().join("tools");
    fs::create_dir_all(tools.join("bin")).unwrap();
    let tool = tools.join("bin/tool");
    fs::write(&tool, "#!/bin/sh\necho tool; touch \"$0\" 2>/dev/null || echo read-only\n").unwrap();
    fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mount = ReadOnlyMount { host: tools, inside: PathBuf::from("/opt/tools") };
    let sandbox = LocalSandbox::with_options(LocalSandboxOptions::new().with_toolchain(mount));
    let session = sandbox.open(&host.spec(), &host.ctx).await.unwrap();
    let output = host.run(&*session, &["tool"]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "tool\nread-only\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_make_no_sense_are_refused_before_anything_runs() {
    let host = Host::new();
    let sandbox = LocalSandbox::new();
    let mut unlimited = host.spec();
    unlimited.limits.disk_bytes = 0;
    let root = LocalSandbox::with_options(LocalSandboxOptions::new().with_session_user(0, 0));
    for (sandbox, spec) in [
        (&sandbox, SandboxSpec::new("/no/such/checkout")),
        (&sandbox, SandboxSpec::new("relative")),
        (&sandbox, SandboxSpec::new("")),
        (&sandbox, unlimited),
        (&sandbox, host.spec().with_env("A=B", "x")),
        (&root, host.spec()),
    ] {
        let refused = sandbox.open(&spec, &host.ctx).await.map(|_| ());
        assert!(matches!(refused, Err(SandboxError::InvalidRequest { .. })), "{refused:?}");
    }
    for inside in ["relative", "/", "/opt/../mnt", "/tmp/tools", "/workspace", "/proc/x", "/dev/shm/x"] {
        let mount = ReadOnlyMount { host: PathBuf::from("/usr/share"), inside: PathBuf::from(inside) };
        let sandbox = LocalSandbox::with_options(LocalSandboxOptions::new().with_toolchain(mount));
        let refused = sandbox.open(&host.spec(), &host.ctx).await.map(|_| ());
        assert!(matches!(refused, Err(SandboxError::InvalidRequest { .. })), "{inside}: {refused:?}");
    }
}

/// Without user namespaces there is no session: the host runs in a namespace that may not make another.
#[test]
fn a_machine_that_refuses_gets_an_error_and_runs_nothing() {
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "conformance::this_machine_gives_everything_or_says_what_is_missing",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && text.contains("Unavailable"), "{text}");
    assert!(text.contains("user.max_user_namespaces"), "the remedy is named: {text}");
}

/// Commands share namespaces one after the other: nothing of one may be there for the next, however it ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_start_in_an_empty_namespace_whatever_came_before() {
    let host = Host::new();
    let session = host.open().await;
    let daemon = "import os, signal, time\n\
                  for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\n\
                  for _ in range(5):\n\
                  \x20   if os.fork() == 0:\n\
                  \x20       os.setsid()\n\
                  \x20       if os.fork() == 0: os.close(1); time.sleep(600)\n\
                  \x20       os._exit(0)\n";
    let look = "import os; print(len([p for p in os.listdir('/proc') if p.isdigit()]))";
    for round in 0..5 {
        host.python(&*session, daemon).await;
        assert_eq!(host.python(&*session, look).await, "1\n", "round {round}");
        let endless = ExecRequest::new(["sleep", "600"]).with_timeout(Duration::from_millis(5));
        let mut stream = session.exec(&endless, &host.ctx).await.unwrap();
        while stream.next().await.is_some() {}
        assert_eq!(host.python(&*session, look).await, "1\n", "round {round} after a timeout");
        let refused = session.exec(&ExecRequest::new(["no-such-program"]), &host.ctx).await;
        assert!(matches!(refused, Err(SandboxError::InvalidRequest { .. })));
        assert_eq!(host.python(&*session, look).await, "1\n", "round {round} after a refusal");
    }
}

/// A checkout cache need not be open to everyone: its owner's rights are the session's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_that_only_its_owner_can_read_is_usable() {
    let host = Host::new();
    let mode = std::os::unix::fs::PermissionsExt::from_mode;
    let checkout = &host.fixture.checkout;
    fs::set_permissions(checkout.join("hello.txt"), mode(0o600)).unwrap();
    for closed in ["src", ""] {
        fs::set_permissions(checkout.join(closed), mode(0o700)).unwrap();
    }
    let session = host.open().await;
    let script = "cat hello.txt; echo new > hello.txt; rm src/one.py; ls src";
    let output = host.run(&*session, &["sh", "-c", script]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\ndeep\n", "{output:?}");
    assert_eq!(session.changes(&host.ctx).await.unwrap().len(), 2);
    assert_eq!(fs::read_to_string(checkout.join("hello.txt")).unwrap(), "hello\n");
}
