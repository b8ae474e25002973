//! What hostile code tries in a container.

use std::fs;
use std::time::Duration;

use staso_core::code::RepoPath;
use staso_core::sandbox::{
    ExecRequest, Sandbox as _, SandboxLimits, SandboxSessionExt as _, SessionChange, TreeLimits,
};

use super::{Engine, lifecycle, text};
use crate::host::{CANARY, python_outside};

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

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
async fn the_host_and_the_agent_are_out_of_reach() {
    let Some(engine) = Engine::found() else { return };
    let host = &engine.host;
    let session = engine.open().await;
    let socket = engine.options.socket.display().to_string();
    let canary = format!("open({:?}).read()", host.fixture.host_file.display().to_string());
    let connect = format!("socket.socket(socket.AF_UNIX).connect({socket:?})");
    let outside = python_outside(&probe(&[&canary, &connect]));
    assert!(outside.contains(CANARY) && denied(&outside) == 0, "the probes work outside: {outside}");
    let tries = [
        canary.as_str(),
        connect.as_str(),
        "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
        "open('/etc/shadow').read()",
        "open('/x', 'w')",
        "open('/usr/x', 'w')",
        "open('/etc/passwd', 'w')",
        "open('/etc/hosts', 'a')",
        "os.mkdir('/var/x')",
        "open('/proc/1/environ').read()",
        "os.listdir('/proc/1/root')",
        "os.listdir('/proc/1/fd')",
        "open('/proc/1/mem', 'rb').read(1)",
        "os.readlink('/proc/1/exe')",
        "open('/proc/sysrq-trigger', 'w')",
        "open('/proc/sys/kernel/core_pattern', 'w')",
        "open('/sys/fs/cgroup/pids/pids.max', 'w')",
        "open('/sys/fs/cgroup/pids.max', 'w')",
        "open('/dev/kmsg')",
        "open('/dev/mem')",
        "os.mknod('/tmp/disk', 0o60666, os.makedev(254, 0))",
        "os.kill(1, signal.SIGSTOP) or os.kill(1, signal.SIGKILL) or os.kill(2**22, 0)",
        "os.setuid(0)",
        "os.setgid(0)",
        "os.chroot('/tmp')",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
        "socket.create_connection(('1.1.1.1', 53), 1)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('1.1.1.1', 53))",
    ];
    let report = host.python(&*session, &probe(&tries)).await;
    assert_eq!(denied(&report), tries.len(), "{report}");
    let status = host.python(&*session, "print(open('/proc/self/status').read())").await;
    for field in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.contains(&format!("{field}:\t0000000000000000")), "{field}: {status}");
    }
    assert!(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"), "{status}");
    assert!(status.contains("Uid:\t65534\t65534\t65534\t65534"), "{status}");
    let resolver =
        text(&engine.shell(&*session, "cat /etc/resolv.conf /etc/hosts /etc/hostname").await.stdout);
    // Podman makes no file for the resolver where there is no network.
    let resolves = resolver.contains("nameserver 127.0.0.1") || engine.is_podman().await;
    assert!(resolves && resolver.contains("sandbox"), "{resolver}");
    let own = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = own.lines().filter(|line| line.starts_with("nameserver") && !line.contains("127.0.0."));
    assert!(servers.into_iter().all(|line| !resolver.contains(line)), "the host's resolver is not told");
    assert_eq!(
        text(&engine.shell(&*session, "ls -A /tmp /workspace | grep staso; id -G").await.stdout),
        "65534\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_image_wants_is_not_what_a_session_gets() {
    let Some(mut engine) = Engine::found() else { return };
    engine.options.image = "staso-test-greedy".to_owned();
    let session = engine.open().await;
    let env = text(&session.run(&ExecRequest::new(["env"]), &engine.host.ctx).await.unwrap().stdout);
    assert!(!env.contains("SECRET") && env.contains("PATH=/opt/tools:/usr/bin:/bin\n"), "{env}");
    let environments = "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep SECRET";
    assert!(!engine.shell(&*session, environments).await.exit.success(), "nobody's environment has it");
    let volume = engine.shell(&*session, "ls -A /data; touch /data/x; touch /data/deep/x").await;
    assert!(
        volume.stdout.is_empty() && !volume.exit.success(),
        "a volume of the image is no way out: {volume:?}"
    );
    let id = lifecycle::container_of(&engine, &*session).await;
    let found = engine.client().inspect_container(&id, None).await.unwrap();
    let volumes: Vec<_> = found.mounts.into_iter().flatten().filter(|mount| mount.name.is_some()).collect();
    assert!(volumes.is_empty(), "the engine made no volume: {volumes:?}");
    assert_eq!(text(&engine.shell(&*session, "id -u; pwd").await.stdout), "65534\n/workspace\n");
    session.close().await.unwrap();
}

/// Counts processes whose program starts sessions, but for the one that counts.
const COUNT: &str = "import os; print(sum(b'setsid' in open('/proc/%s/cmdline' % p, 'rb').read() for p in os.listdir('/proc') if p.isdigit()) - 1)";

/// Stops or kills what keeps it, and starts daemons that ignore everything.
const REBEL: &str = "import os, signal, time, sys\n\
    for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\n\
    lock = open('lock', 'w'); import fcntl; fcntl.flock(lock, fcntl.LOCK_EX)\n\
    for _ in range(20):\n\
    \x20   if os.fork() == 0:\n\
    \x20       os.setsid()\n\
    \x20       if os.fork() == 0:\n\
    \x20           os.close(1); os.close(2); time.sleep(600)\n\
    \x20       os._exit(0)\n\
    keepers = [os.getppid()] + [int(p) for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, os.getpid())]\n\
    for keeper in keepers[:1]:\n\
    \x20   try: os.kill(keeper, getattr(signal, sys.argv[1]))\n\
    \x20   except OSError: pass\n\
    time.sleep(float(sys.argv[2]))\n";

/// Landlock keeps signals of commands to themselves; without it process 1 of the container has to do more.
fn with_and_without_landlock() -> Vec<Engine> {
    let without = Engine::found().map(|mut engine| {
        engine.options = engine.options.with_landlock_at_most(0);
        engine
    });
    Engine::found().into_iter().chain(without).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_attacks_its_keeper_takes_nothing_with_it_but_time() {
    for engine in with_and_without_landlock() {
        let session = engine.open().await;
        for (signal, seconds) in [("SIGKILL", "0"), ("SIGSTOP", "0"), ("SIGKILL", "600"), ("SIGSTOP", "600")]
        {
            let request = ExecRequest::new(["python3", "-I", "-S", "-c", REBEL, signal, seconds]);
            let request = request.with_timeout(Duration::from_secs(2));
            let begun = std::time::Instant::now();
            session.run(&request, &engine.host.ctx).await.unwrap();
            assert!(begun.elapsed() < Duration::from_secs(6), "{signal} {seconds}: {:?}", begun.elapsed());
            let free = engine.shell(&*session, "exec 9>lock; flock -n 9").await;
            assert!(free.exit.success(), "{signal} {seconds}: daemons are dead: {free:?}");
            assert_eq!(engine.host.python(&*session, COUNT).await, "0\n", "{signal} {seconds}");
        }
        session.close().await.unwrap();
    }
}

/// Every process lives only until its child runs.
const CHAIN: &str = "import os\n\
    os.setsid(); os.close(1); os.close(2); os.closerange(3, 64)\n\
    while True:\n\
    \x20   if os.fork(): os._exit(0)\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_fork_faster_than_they_are_killed_are_killed() {
    for engine in with_and_without_landlock() {
        let session = engine.open().await;
        for beside in [false, true] {
            let other = ExecRequest::new(["sleep", "30"]);
            let other = if beside { session.exec(&other, &engine.host.ctx).await.ok() } else { None };
            let start = "for i in 1 2 3 4; do python3 -I -S -c \"$0\" & done; sleep 0.3; exit 0";
            let request = ExecRequest::new(["sh", "-c", start, CHAIN]).with_timeout(Duration::from_secs(10));
            session.run(&request, &engine.host.ctx).await.unwrap();
            assert_eq!(engine.host.python(&*session, COUNT).await, "0\n", "beside another command: {beside}");
            drop(other);
        }
        session.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_memory_disk_and_output_are_limited() {
    let Some(engine) = Engine::found() else { return };
    let mut limits = SandboxLimits::default();
    (limits.pids, limits.memory_bytes, limits.disk_bytes) = (50, 64 << 20, 4 << 20);
    let session = engine.open_with(limits.clone()).await;
    let host = &engine.host;
    let bomb = "import os, time\n\
                n = 0\n\
                try:\n\
                \x20   while n < 500:\n\
                \x20       if os.fork() == 0: time.sleep(60); os._exit(0)\n\
                \x20       n += 1\n\
                except OSError: pass\n\
                print(n)\n";
    let started: u32 = host.python(&*session, bomb).await.trim().parse().unwrap();
    assert!((20..=82).contains(&started), "started {started}");
    let one =
        "try:\n    x = bytearray(256 << 20); print('got it')\nexcept MemoryError:\n    print('denied')\n";
    assert_eq!(host.python(&*session, one).await, "denied\n");
    let tree = "import os, time\n\
                for _ in range(20):\n\
                \x20   if os.fork() == 0: x = bytearray(b'x') * (48 << 20); time.sleep(60)\n\
                while True:\n\
                \x20   if os.wait()[1] == 9: raise SystemExit(9)\n";
    let request = ExecRequest::new(["python3", "-I", "-S", "-c", tree]).with_timeout(Duration::from_secs(60));
    let output = session.run(&request, &host.ctx).await.unwrap();
    assert!(output.exit.oom && !output.exit.timed_out, "{:?}", output.exit);
    assert!(host.run(&*session, &["true"]).await.exit.success(), "the agent survives");
    for (place, most) in [("/workspace/big", 4), ("/tmp/big", 256), ("/dev/shm/big", 64)] {
        let fill = format!(
            "import errno\n\
             total = n = 0\n\
             try:\n\
             \x20   while total < 1 << 30:\n\
             \x20       n += 1\n\
             \x20       with open('{place}%d' % n, 'wb', buffering=0) as f: total += f.write(bytes(1 << 20))\n\
             except OSError as e: print(errno.errorcode[e.errno], total >> 20)\n"
        );
        let report = host.python(&*session, &fill).await;
        let (error, megabytes) = report.trim().split_once(' ').unwrap();
        assert!(error == "ENOSPC" && megabytes.parse::<u64>().unwrap() <= most, "{place}: {report}");
    }
    let output = host.run(&*session, &["head", "-c", "100000000", "/dev/zero"]).await;
    assert_eq!((output.stdout.len(), output.omitted_bytes), (1 << 20, 100_000_000 - (1 << 20)));
    let inodes = "n = 0\n\
                  try:\n\
                  \x20   while n < 200000: open('/workspace/i%d' % n, 'w').close(); n += 1\n\
                  except OSError: pass\n\
                  print(n)\n";
    if engine.is_podman().await {
        // They are counted now and then there, and whoever makes too many is killed. Not where memory is full already.
        let session = engine.open_with(limits).await;
        let flood = inodes.replace("200000", "20000000");
        let flooded = host.run(&*session, &["python3", "-I", "-S", "-c", &flood]).await;
        assert!(flooded.exit.signal == Some(9) && !flooded.exit.oom, "{:?}", flooded.exit);
        assert!(host.run(&*session, &["true"]).await.exit.success(), "the session goes on");
        return;
    }
    assert!(host.python(&*session, inodes).await.trim().parse::<u32>().unwrap() < 5_000);
    session.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processor_time_of_a_session_can_be_bounded() {
    let Some(mut engine) = Engine::found() else { return };
    engine.options = engine.options.with_cpu_millis(250);
    let session = engine.open().await;
    let spin = "import os, time\n\
                for _ in range(2): os.fork()\n\
                end = time.monotonic() + 1\n\
                while time.monotonic() < end: pass\n\
                try:\n\
                \x20   while True: os.wait()\n\
                except ChildProcessError: pass\n\
                t = os.times(); open('used%d' % os.getpid(), 'w').write(str(t.user + t.system))\n";
    engine.host.python(&*session, spin).await;
    let used = text(&engine.shell(&*session, "for f in used*; do cat $f; echo; done").await.stdout);
    let used: f64 = used.lines().filter_map(|line| line.parse::<f64>().ok()).sum();
    assert!(used > 0.05 && used < 0.9, "four spinning processes used {used} seconds of a second");
    session.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_found_whatever_times_and_sizes_say() {
    let Some(engine) = Engine::found() else { return };
    let (host, checkout) = (&engine.host, &engine.host.fixture.checkout);
    fs::write(checkout.join("large"), vec![b'a'; 6 << 20]).unwrap();
    fs::create_dir(checkout.join(".git")).unwrap();
    fs::write(checkout.join(".git/config"), CANARY).unwrap();
    let session = engine.open().await;
    let mapped = "import mmap, os\n\
                  before = os.stat('hello.txt')\n\
                  with open('hello.txt', 'r+b') as f:\n\
                  \x20   m = mmap.mmap(f.fileno(), 0)\n\
                  \x20   m[0]\n\
                  \x20   m[0:5] = b'HELLO'\n\
                  print(before.st_mtime_ns == os.stat('hello.txt').st_mtime_ns)\n\
                  os.utime('hello.txt', ns=(before.st_atime_ns, before.st_mtime_ns))\n";
    host.python(&*session, mapped).await;
    let written = |content: &str| SessionChange::Written { content: content.into(), executable: false };
    let changes = session.changes(&host.ctx).await.unwrap();
    assert_eq!(changes.get(&path("hello.txt")), Some(&written("HELLO\n")));
    assert_eq!(changes.len(), 1, "a large file that is as before is no change: {:?}", changes.keys());
    let script = "printf b | dd of=large conv=notrunc bs=1 seek=5000000 2>/dev/null; truncate -s 400M huge; \
                  echo x > closed; chmod 0 closed; mkdir -p cave/in; echo x > cave/in/x; chmod 0 cave; chmod 0 src; \
                  printf 'HELLO\\n' > hello.txt; chmod +x hello.txt; ls .git";
    let output = engine.shell(&*session, script).await;
    assert!(!output.exit.success(), "git's own directory is not there");
    let changes = session.changes(&host.ctx).await.unwrap();
    for name in ["large", "huge", "closed", "cave", "src"] {
        let change = changes.get(&path(name));
        assert!(
            matches!(change, Some(SessionChange::Refused { .. })),
            "{name} is refused by name: {change:?}"
        );
    }
    let executable = SessionChange::Written { content: "HELLO\n".into(), executable: true };
    assert_eq!(changes.get(&path("hello.txt")), Some(&executable));
    assert_eq!(changes.len(), 6, "what cannot be looked at is not called gone: {:?}", changes.keys());
    let tree = session.tree(&TreeLimits::default(), &host.ctx).await.unwrap();
    assert!(tree.entries.contains_key(&path("huge")) && !tree.entries.contains_key(&path("closed/x")));
    assert_eq!(fs::read_to_string(checkout.join("hello.txt")).unwrap(), "hello\n");
    let session = engine.sandbox().open(&engine.spec(), &host.ctx).await.unwrap();
    assert!(session.changes(&host.ctx).await.unwrap().is_empty(), "the checkout is as it was");
}
