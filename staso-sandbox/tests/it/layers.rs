//! The layers behind the namespaces: Landlock, and the filter of system calls, for commands and for the helper.

use std::fs;
use std::time::Duration;

use staso_core::sandbox::{ExecRequest, IsolationTier, Sandbox as _, SandboxSession};
use staso_sandbox::{LocalSandbox, LocalSandboxOptions};

use crate::host::{Host, ancestors, eventually, processes_with, python_outside};

async fn open(host: &Host, options: LocalSandboxOptions) -> Box<dyn SandboxSession> {
    let spec = host.spec().with_min_tier(options.strongest_tier);
    LocalSandbox::with_options(options).open(&spec, &host.ctx).await.unwrap()
}

/// What the mounts allow and only Landlock denies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn landlock_holds_behind_the_mounts() {
    let host = Host::new();
    let program = "import os\n\
        for place in ('/proc/self/comm', '/workspace/new', '/tmp/new', '/dev/shm/new', '/dev/null'):\n\
        \x20   try: open(place, 'w').write('x'); print('written', end=' ')\n\
        \x20   except OSError as e: print(e.errno, end=' ')\n\
        os.mkdir('/tmp/a'); os.mkdir('/tmp/b'); open('/tmp/a/f', 'w').close()\n\
        os.rename('/tmp/a/f', '/tmp/b/f'); os.link('/tmp/b/f', '/tmp/a/g'); os.truncate('/tmp/a/g', 9)\n\
        os.rename('/tmp/b', '/tmp/a/b'); print(os.path.getsize('/tmp/a/b/f'))\n";
    let session = open(&host, LocalSandboxOptions::new()).await;
    let abi = session.isolation().landlock_abi;
    let denied = host.python(&*session, program).await;
    let plain = open(&host, LocalSandboxOptions::new().with_landlock_at_most(0)).await;
    assert_eq!(plain.isolation().landlock_abi, None);
    let allowed = host.python(&*plain, program).await;
    assert_eq!(allowed, "written written written written written 9\n", "without Landlock");
    if abi.is_some() {
        assert_eq!(denied, "13 written written written written 9\n", "with Landlock {abi:?}");
    } else {
        assert!(session.isolation().missing.iter().any(|line| line.contains("Landlock")));
    }
}

/// Calls with arguments that make no sense: allowed they fail for another reason than that they are denied.
#[cfg(target_arch = "x86_64")]
const CALLS: [&str; 20] = [
    "300, -1, -1",
    "303, -1, 0, 0, 0, -1",
    "305, -1, 0",
    "279, 0, 1, 0, 0, 0, -1",
    "136, 0, 0",
    "135, 0x40000",
    "440, -1, 0, 0, 0, 0",
    "443, -1, 0, 0, 0",
    "447, -1",
    "448, -1, 0",
    "457, 0, 0, 0, 0",
    "458, 0, 0, 0, 0",
    "459, 0, 0, 0, -1",
    "460, 0, 0, 0, -1",
    "461, 0, 0, -1",
    "467, -1, 0, 0, 0, 0",
    "470, 0, 0, 0, -1",
    "101, -1, 0",
    "425, 0, 0",
    "272, 1",
];
#[cfg(target_arch = "aarch64")]
const CALLS: [&str; 17] = [
    "262, -1, -1",
    "264, -1, 0, 0, 0, -1",
    "266, -1, 0",
    "239, 0, 1, 0, 0, 0, -1",
    "92, 0x40000",
    "440, -1, 0, 0, 0, 0",
    "443, -1, 0, 0, 0",
    "447, -1",
    "448, -1, 0",
    "457, 0, 0, 0, 0",
    "458, 0, 0, 0, 0",
    "459, 0, 0, 0, -1",
    "460, 0, 0, 0, -1",
    "461, 0, 0, -1",
    "467, -1, 0, 0, 0, 0",
    "117, -1, 0",
    "425, 0, 0",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dangerous_calls_are_denied_in_every_tier_that_says_so() {
    const EPERM: &str = "1";
    let host = Host::new();
    let calls = CALLS.map(|call| format!("[{call}]")).join(", ");
    let program = format!(
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n\
         for call in [{calls}]:\n    ctypes.set_errno(0); libc.syscall(*call); print(call[0], ctypes.get_errno())\n"
    );
    let numbers = |report: &str, errno: &str| {
        report.lines().filter(|line| line.split(' ').nth(1) == Some(errno)).count()
    };
    let outside = python_outside(&program);
    // An ordinary user is denied a few of them anyway.
    assert!(numbers(&outside, EPERM) <= 4, "{outside}");
    for tier in [IsolationTier::Full, IsolationTier::LandlockOnly] {
        let session = open(&host, LocalSandboxOptions::new().with_strongest_tier(tier)).await;
        let inside = host.python(&*session, &program).await;
        assert_eq!(numbers(&inside, EPERM), CALLS.len(), "{tier:?}: {inside}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_nobody_needs_cannot_be_made() {
    let host = Host::new();
    let session = open(&host, LocalSandboxOptions::new()).await;
    let program = "import socket\n\
        for family, kind in ((1, 1), (1, 2), (2, 1), (10, 2), (16, 3), (17, 3), (29, 3), (30, 1), (38, 5), (40, 1)):\n\
        \x20   try: socket.socket(family, kind); print(family, end=' ')\n\
        \x20   except OSError: pass\n\
        for family in (1, 30):\n\
        \x20   try: socket.socketpair(family); print('pair', family, end=' ')\n\
        \x20   except OSError: pass\n";
    assert_eq!(host.python(&*session, program).await, "1 1 2 10 pair 1 ");
}

/// Not only commands: whatever a command breaks into has a filter as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_helper_itself_is_filtered_and_without_privileges() {
    let host = Host::new();
    for (number, tier) in [IsolationTier::Full, IsolationTier::LandlockOnly].into_iter().enumerate() {
        let session = open(&host, LocalSandboxOptions::new().with_strongest_tier(tier)).await;
        let mark = format!("84{}.{number}1", std::process::id());
        let stream = session.exec(&ExecRequest::new(["sleep", &mark]), &host.ctx).await.unwrap();
        assert!(eventually(Duration::from_secs(3), || processes_with(&mark).len() == 1).await);
        let chain = ancestors(processes_with(&mark)[0]);
        let own = chain.iter().position(|pid| *pid == std::process::id()).unwrap();
        // The keeper and the helper; above them is what only waits for them.
        let inside = &chain[..own - 1];
        assert_eq!(inside.len(), 2, "{tier:?}");
        for pid in inside {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            assert!(
                status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"),
                "{tier:?}: {status}"
            );
            let user = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
            assert!(!user.contains("\t0\t"), "{tier:?}: not as the host's root: {user}");
        }
        drop(stream);
        session.close().await.unwrap();
    }
}
