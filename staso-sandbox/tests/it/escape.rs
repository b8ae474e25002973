//! What hostile code tries. Where the machine allows it, the same probe first succeeds outside of a session, so that a
//! denial means something.

use std::fs;
use std::time::Duration;

use staso_core::code::RepoPath;
use staso_core::sandbox::{ExecEvent, ExecRequest, SandboxLimits, SandboxSessionExt as _};

use crate::host::{CANARY, Host, processes_with, python_outside};

/// A program that tries expressions and prints what became of each.
fn probe(expressions: &[&str]) -> String {
    let mut program = String::from("import os, socket, ctypes, signal\n");
    for expression in expressions {
        let quoted = format!("{expression:?}");
        program.push_str(&format!(
            "try:\n    print({quoted}, '->', eval({quoted}))\nexcept BaseException as e:\n    print({quoted}, '->', 'DENIED', type(e).__name__)\n"
        ));
    }
    program
}

fn denied(report: &str) -> usize {
    report.lines().filter(|line| line.contains("-> DENIED")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_the_host_are_absent_and_the_system_is_read_only() {
    let host = Host::new();
    let session = host.open().await;
    let canary = host.fixture.host_file.display().to_string();
    let read = format!("open({canary:?}).read()");
    assert!(python_outside(&probe(&[&read])).contains(CANARY), "the probe works outside");
    let tries = [
        read.as_str(),
        "open('/etc/shadow').read()",
        "os.listdir('/root')",
        "os.listdir('/home')",
        "os.listdir('/sys')",
        "os.listdir('/run')",
        "os.listdir(os.path.expanduser('~/.ssh'))",
        "open('/usr/x', 'w')",
        "open('/usr/bin/python3', 'ab')",
        "open('/etc/passwd', 'w')",
        "open('/etc/ld.so.cache', 'w')",
        "open('/x', 'w')",
        "os.mkdir('/x')",
        "os.rename('/workspace', '/x')",
        "os.unlink('/bin')",
        "open('/dev/sda')",
        "open('/dev/kmsg')",
        "os.mknod('/tmp/disk', 0o60666, os.makedev(254, 0))",
        "os.mknod('/tmp/null', 0o20666, os.makedev(1, 3))",
        "os.link('/usr/bin/python3', '/workspace/python')",
        "open('/proc/sys/kernel/hostname').read()",
        "open('/proc/1/environ').read()",
        "os.listdir('/proc/1/root')",
        "os.listdir('/proc/1/fd')",
        "open('/proc/self/mem', 'rb').read(1)",
        "open('/proc/sysrq-trigger', 'w')",
        "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
    ];
    let report = host.python(&*session, &probe(&tries)).await;
    assert_eq!(denied(&report), tries.len(), "{report}");
    let fds = host.python(&*session, "import os; print(sorted(os.listdir('/proc/self/fd'))[:4])").await;
    assert_eq!(fds, "['0', '1', '2', '3']\n", "three descriptors, and the one that lists them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_of_the_host_are_unseen_and_out_of_reach() {
    let host = Host::new();
    let session = host.open().await;
    let own = std::process::id();
    let seen = format!("os.path.exists('/proc/{own}')");
    let signal = format!("os.kill({own}, 0)");
    assert!(python_outside(&probe(&[&seen, &signal])).contains("-> None"), "the probe works outside");
    let report = host.python(&*session, &probe(&[&seen, &signal, "os.kill(1, signal.SIGKILL)"])).await;
    assert!(
        report.contains(&format!("{seen:?} -> False").replace('"', "'")) || report.contains("-> False"),
        "{report}"
    );
    assert!(report.contains("DENIED ProcessLookupError"), "{report}");
    let visible =
        host.python(&*session, "import os; print([p for p in os.listdir('/proc') if p.isdigit()])").await;
    assert_eq!(visible.matches('\'').count(), 2, "a command sees its own process alone: {visible}");
    let trace = "ctypes.CDLL(None, use_errno=True).ptrace(16, 1, 0, 0)";
    assert!(host.python(&*session, &probe(&[trace])).await.contains("-> -1"));
    assert!(session.run(&ExecRequest::new(["true"]), &host.ctx).await.unwrap().exit.success(), "still alive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_no_privileges_and_no_way_to_get_some() {
    let host = Host::new();
    let session = host.open().await;
    let status = host.python(&*session, "print(open('/proc/self/status').read())").await;
    for field in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.contains(&format!("{field}:\t0000000000000000")), "{field}: {status}");
    }
    assert!(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"), "{status}");
    assert!(status.contains("Uid:\t1000\t1000\t1000\t1000"), "{status}");
    let system = |number: u32, arguments: &str| {
        format!("ctypes.CDLL(None, use_errno=True).syscall({number}, {arguments})")
    };
    // Numbers of x86-64; each works or fails for another reason outside.
    #[cfg(target_arch = "x86_64")]
    let calls = [
        (272, "0x10000000"),
        (272, "0x20000"),
        (56, "0x10000011, 0, 0, 0, 0"),
        (435, "0, 0"),
        (308, "0, 0"),
        (161, "b'/'"),
        (165, "0, b'/tmp', b'tmpfs', 0, 0"),
        (166, "b'/usr', 2"),
        (321, "0, 0, 0"),
        (425, "1, 0"),
        (323, "0"),
        (250, "0, -3"),
        (298, "0, 0, -1, -1, 0"),
        (304, "0, 0, 0"),
        (310, "1, 0, 0, 0, 0, 0"),
        (438, "0, 0, 0"),
        (0x4000_0000 + 39, "0"),
        (41, "16, 3, 0"),
        (41, "17, 3, 0"),
        (41, "38, 5, 0"),
        (41, "40, 1, 0"),
        (41, "2, 3, 1"),
    ];
    #[cfg(target_arch = "aarch64")]
    let calls =
        [(97, "0x10000000"), (435, "0, 0"), (51, "b'/'"), (280, "0, 0, 0"), (425, "1, 0"), (198, "17, 3, 0")];
    let expressions: Vec<String> =
        calls.iter().map(|(number, arguments)| system(*number, arguments)).collect();
    let expressions: Vec<&str> = expressions.iter().map(String::as_str).collect();
    let report = host.python(&*session, &probe(&expressions)).await;
    assert_eq!(report.lines().filter(|line| line.ends_with("-> -1")).count(), calls.len(), "{report}");
    #[cfg(target_arch = "x86_64")]
    {
        let outside = python_outside(&probe(&[&system(272, "0x10000000"), &system(41, "16, 3, 0")]));
        assert!(!outside.contains("-> -1"), "unshare and netlink work outside: {outside}");
        let thirty_two_bit = "import ctypes, mmap\n\
            m = mmap.mmap(-1, 4096, prot=7)\n\
            m.write(bytes.fromhex('b814000000cd80c3'))\n\
            f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\n\
            f()\n";
        let output = host.run(&*session, &["python3", "-I", "-S", "-c", thirty_two_bit]).await;
        assert!(output.exit.signal.is_some(), "a 32-bit system call kills: {:?}", output.exit);
    }
    let output = host.run(&*session, &["su", "-c", "true"]).await;
    assert!(!output.exit.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_of_the_host_are_out_of_reach() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let host = Host::new();
    let session = host.open().await;
    let name = format!("staso-test-{}", std::process::id());
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let abstract_socket = format!("socket.socket(socket.AF_UNIX).connect('\\0{name}')");
    let tcp = format!("socket.create_connection(('127.0.0.1', {}), 2)", host.fixture.host_port);
    let outside = python_outside(&probe(&[&abstract_socket, &tcp]));
    assert_eq!(denied(&outside), 0, "both are reachable outside: {outside}");
    let udp = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('1.1.1.1', 53))";
    let report = host.python(&*session, &probe(&[&abstract_socket, &tcp, udp])).await;
    assert_eq!(denied(&report), 3, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_bomb_is_limited_and_leaves_the_session_usable() {
    let host = Host::new();
    let mut limits = SandboxLimits::default();
    limits.pids = 50;
    let session = host.open_with(&host.spec().with_limits(limits)).await;
    let bomb = "import os, time\n\
                n = 0\n\
                try:\n\
                \x20   while n < 500:\n\
                \x20       if os.fork() == 0: time.sleep(60); os._exit(0)\n\
                \x20       n += 1\n\
                except OSError: pass\n\
                print(n)\n";
    let started: u32 = host.python(&*session, bomb).await.trim().parse().unwrap();
    assert!((20..50).contains(&started), "started {started} of at most 50");
    let output = host.run(&*session, &["true"]).await;
    assert!(output.exit.success(), "the children died with their command");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_limited_for_a_process_and_for_all_together() {
    let host = Host::new();
    let mut limits = SandboxLimits::default();
    limits.memory_bytes = 64 << 20;
    limits.disk_bytes = 1 << 20;
    let session = host.open_with(&host.spec().with_limits(limits)).await;
    let one =
        "try:\n    x = bytearray(256 << 20); print('got it')\nexcept MemoryError:\n    print('denied')\n";
    assert_eq!(host.python(&*session, one).await, "denied\n");
    assert_eq!(python_outside(one), "got it\n");
    let tree = "import os, time\n\
                for _ in range(20):\n\
                \x20   if os.fork() == 0: x = bytearray(b'x') * (48 << 20); time.sleep(60)\n\
                while True:\n\
                \x20   if os.wait()[1] == 9: raise SystemExit(9)\n";
    if session.isolation().missing.iter().any(|line| line.contains("memory")) {
        return;
    }
    let request = ExecRequest::new(["python3", "-I", "-S", "-c", tree]).with_timeout(Duration::from_secs(60));
    let output = session.run(&request, &host.ctx).await.unwrap();
    assert!(output.exit.oom && !output.exit.timed_out, "{:?}", output.exit);
    assert!(host.run(&*session, &["true"]).await.exit.success(), "the helper survives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_is_limited_everywhere() {
    let host = Host::new();
    let mut limits = SandboxLimits::default();
    limits.disk_bytes = 4 << 20;
    let session = host.open_with(&host.spec().with_limits(limits)).await;
    for place in ["/workspace/big", "/tmp/big", "/dev/shm/big"] {
        let fill = format!(
            "import errno\n\
             total = 0\n\
             try:\n\
             \x20   while total < 1 << 30:\n\
             \x20       with open('{place}%d' % (total >> 20), 'wb', buffering=0) as f: total += f.write(bytes(1 << 20))\n\
             except OSError as e: print(errno.errorcode[e.errno], total >> 20)\n"
        );
        let report = host.python(&*session, &fill).await;
        let (error, megabytes) = report.trim().split_once(' ').unwrap();
        let most = if place.starts_with("/workspace") { 4 } else { 256 };
        assert!(error == "ENOSPC" && megabytes.parse::<u64>().unwrap() <= most, "{place}: {report}");
    }
    let inodes = "n = 0\n\
                  try:\n\
                  \x20   while n < 200000: open('/workspace/i%d' % n, 'w').close(); n += 1\n\
                  except OSError: pass\n\
                  print(n)\n";
    assert!(host.python(&*session, inodes).await.trim().parse::<u32>().unwrap() < 5_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_output_is_capped_and_does_not_fill_the_host() {
    let host = Host::new();
    let session = host.open().await;
    let before = resident_bytes();
    let output = host.run(&*session, &["head", "-c", "100000000", "/dev/zero"]).await;
    assert_eq!(output.stdout.len(), 1 << 20);
    assert_eq!(output.omitted_bytes, 100_000_000 - (1 << 20));
    let growth = resident_bytes().saturating_sub(before);
    assert!(growth < 32 << 20, "the host grew by {growth} bytes");
}

fn resident_bytes() -> u64 {
    let pages: u64 =
        fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_swapped_during_writes_never_leads_out() {
    let host = Host::new();
    let session = host.open().await;
    let swap =
        "mkdir -p real; while :; do ln -sfn /tmp spot; rm -f spot; mkdir spot 2>/dev/null; rm -rf spot; done";
    let mut stream = session.exec(&ExecRequest::new(["sh", "-c", swap]), &host.ctx).await.unwrap();
    let path = RepoPath::new("spot/escaped").unwrap();
    let mut written = 0;
    for _ in 0..300 {
        written += u32::from(session.write_file(&path, b"x", false, &host.ctx).await.is_ok());
    }
    let output = host.run(&*session, &["ls", "/tmp"]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "home\n", "nothing came out ({written} stayed in)");
    assert!(!matches!(stream.next().await, Some(Ok(ExecEvent::Exit(_)))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn git_of_a_checkout_is_covered() {
    let host = Host::new();
    let git = host.fixture.checkout.join(".git");
    fs::create_dir_all(git.join("hooks")).unwrap();
    fs::write(git.join("config"), CANARY).unwrap();
    let session = host.open().await;
    let tries = [
        "open('.git/config').read()",
        "open('.git/hooks/pre-commit', 'w')",
        "open('.git/x', 'w')",
        "os.rename('.git', 'x')",
        "os.rmdir('.git')",
    ];
    let report = host.python(&*session, &probe(&tries)).await;
    assert_eq!(denied(&report), tries.len(), "{report}");
    assert!(session.changes(&host.ctx).await.unwrap().is_empty());
    assert_eq!(fs::read_to_string(git.join("config")).unwrap(), CANARY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_the_host_environment_is_inside() {
    let host = Host::new();
    assert!(std::env::vars().count() > 0, "there is something to leak");
    let session = host.open().await;
    let environments = "import glob\nfor p in glob.glob('/proc/[0-9]*/environ'): print(open(p).read().replace('\\0', '\\n'))";
    let output = host.python(&*session, environments).await;
    let mut names: Vec<&str> = output.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "PATH", "TMPDIR"]);
    assert!(processes_with("staso-no-such-process").is_empty());
}
