//! The layers behind the namespaces: Landlock, and the filter of system calls, for commands and for the helper.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::PathBuf;
use std::time::Duration;

use staso_core::code::RepoPath;
use staso_core::sandbox::{ExecRequest, IsolationTier, Sandbox as _, SandboxError, SandboxSession};
use staso_sandbox::{LocalSandbox, LocalSandboxOptions, ReadOnlyMount};

use crate::bad_input::again;
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

/// In memory the kernel does not note the time of what is written through a mapping that was read before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_through_a_mapping_is_a_change_on_every_file_system() {
    let host = Host::new();
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    fs::set_permissions(memory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for place in [host.directory.path(), memory.path()] {
        let tier = LocalSandboxOptions::new().with_strongest_tier(IsolationTier::LandlockOnly);
        let session = open(&host, tier.with_directory(place)).await;
        let program = "import mmap\n\
            for name in ('hello.txt', 'src/one.py'):\n\
            \x20   with open(name, 'r+b') as f, mmap.mmap(f.fileno(), 0) as m: m[0]; m[0] = 88\n";
        host.python(&*session, program).await;
        let changes = session.changes(&host.ctx).await.unwrap();
        let names: Vec<&str> = changes.keys().map(RepoPath::as_str).collect();
        assert_eq!(names, ["hello.txt", "src/one.py"], "{}", place.display());
    }
}

/// To read a file is enough for some controls that change it, when its owner asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_of_the_hosts_files_cannot_be_set_beside_the_host() {
    const FLAGS: &str = "import fcntl, struct, sys, os\n\
        f = os.open(sys.argv[1], os.O_RDONLY)\n\
        print(os.isatty(f), os.get_blocking(f), end=' ')\n\
        v, = struct.unpack('q', fcntl.ioctl(f, 0x80086601, bytes(8)))\n\
        try: fcntl.ioctl(f, 0x40086602, struct.pack('q', v ^ 0x40)); print('set', end=' ')\n\
        except OSError as e: print(e.errno, end=' ')\n\
        try: fcntl.ioctl(os.open('/dev/urandom', os.O_RDONLY), 0x80045200, bytes(4)); print('asked')\n\
        except OSError as e: print(e.errno)\n";
    let host = Host::new();
    let tools = host.directory.path().join("tools");
    fs::create_dir(&tools).unwrap();
    let tool = tools.join("tool");
    fs::write(&tool, "x").unwrap();
    let options = LocalSandboxOptions::new().with_strongest_tier(IsolationTier::LandlockOnly);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        let (user, group) = options.session_user;
        chown(&tool, Some(user), Some(group)).unwrap();
    }
    let name = tool.display().to_string();
    let outside = std::process::Command::new("/usr/bin/python3")
        .args(["-I", "-S", "-c", FLAGS, &name])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&outside.stdout), "False True set asked\n", "outside: {outside:?}");
    let mount = ReadOnlyMount { host: tools, inside: PathBuf::from("/opt/tools") };
    let options = options.with_toolchain(mount);
    for options in [options.clone(), options.with_landlock_at_most(4)] {
        let session = open(&host, options).await;
        let output = host.run(&*session, &["python3", "-I", "-S", "-c", FLAGS, &name]).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout), "False True 25 25\n", "{output:?}");
    }
}

/// A session that cannot close what it inherited is none. In a weak one commands would get the rules of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_have_three_descriptors_or_there_is_no_session() {
    let host = Host::new();
    for tier in [IsolationTier::Full, IsolationTier::LandlockOnly, IsolationTier::None] {
        let options = LocalSandboxOptions::new().with_strongest_tier(tier);
        let spec = host.spec().with_min_tier(tier);
        let session = match LocalSandbox::with_options(options).open(&spec, &host.ctx).await {
            Ok(session) => session,
            Err(SandboxError::Unavailable { reason, .. }) => {
                assert!(reason.contains("inherited"), "{reason}");
                continue;
            }
            Err(other) => panic!("{other:?}"),
        };
        let program = "import os\n\
            for fd in range(1024):\n\
            \x20   try: os.fstat(fd); print(fd, end=' ')\n\
            \x20   except OSError: pass\n";
        assert_eq!(host.python(&*session, program).await, "0 1 2 ", "{tier:?}");
    }
}

#[test]
fn a_host_that_may_not_close_descriptors_at_once_gets_no_weaker_session() {
    let filtered = "import ctypes, os, struct, sys\n\
        code = b''.join(struct.pack('HBBI', *i) for i in\n\
        \x20   [(0x20, 0, 0, 0), (0x15, 0, 1, 436), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)])\n\
        text = ctypes.create_string_buffer(code)\n\
        class Program(ctypes.Structure): _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_void_p)]\n\
        program = Program(4, ctypes.addressof(text))\n\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        assert libc.prctl(38, 1, 0, 0, 0) == 0\n\
        assert libc.prctl(22, 2, ctypes.byref(program)) == 0\n\
        os.execv(sys.argv[1], sys.argv[1:])\n";
    let way = ["/usr/bin/python3", "-I", "-S", "-c", filtered];
    again(&way, "layers::commands_have_three_descriptors_or_there_is_no_session");
}
