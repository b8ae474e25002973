//! Limits where the kernel does not count for a session alone.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_too_much_beside_the_host_is_stopped() {
    let host = Host::new();
    let mut limits = SandboxLimits::default();
    limits.disk_bytes = 4 << 20;
    let tier = IsolationTier::LandlockOnly;
    let spec = host.spec().with_min_tier(tier).with_limits(limits);
    let session = LocalSandbox::with_options(at_most(tier)).open(&spec, &host.ctx).await.unwrap();
    let one = "import errno\n\
               try: open('one', 'wb').write(bytes(5 << 20))\n\
               except OSError as e: print(errno.errorcode[e.errno])\n";
    assert_eq!(host.python(&*session, one).await, "EFBIG\n");
    for what in ["open('%d' % n, 'wb').write(bytes(1 << 18))", "os.mkdir('d%d' % n)"] {
        let many = format!("import os, time\nfor n in range(10 ** 6):\n    {what}\n    time.sleep(0.001)\n");
        let request =
            ExecRequest::new(["python3", "-I", "-S", "-c", &many]).with_timeout(Duration::from_secs(60));
        let exit = session.run(&request, &host.ctx).await.unwrap().exit;
        assert_eq!((exit.signal, exit.timed_out), (Some(9), false), "{what}");
    }
    let output = host.run(&*session, &["sh", "-c", "rm -r one [0-9]* d[0-9]*; sleep 1; ls"]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello.txt\nlink\nout\nrun.sh\nsrc\n", "{output:?}");
}

const NO_GROUPS_MARK: &str = "STASO_TEST_NO_GROUPS";

/// The body of a host without control groups; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_control_groups() {
    if own_variable(NO_GROUPS_MARK).is_none() {
        return;
    }
    let host = Host::new();
    let session = LocalSandbox::new().open(&host.spec(), &host.ctx).await.unwrap();
    for sentence in ["memory is bounded for each process", "bounded by a resource limit only"] {
        assert!(missing(&*session).contains(sentence), "{}", missing(&*session));
    }
    bombs_are_limited(&host, LocalSandboxOptions::new(), IsolationTier::Full).await;
    for tier in WEAK {
        bombs_are_limited(&host, at_most(tier), tier).await;
    }
}

/// The kernel does not bound the processes of root, but sessions do not run as root.
#[test]
fn without_control_groups_processes_are_limited_for_root_and_for_others() {
    let body = "tiers::limits::a_host_without_control_groups";
    let mark = [(NO_GROUPS_MARK, Path::new("1"))];
    if is_root() {
        let script = "mount -t tmpfs none /sys/fs/cgroup && exec \"$@\"";
        passed(&again(&["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, "sh"], body, &mark), RUNS);
        passed(&again(&ANOTHER_USER, body, &mark), RUNS);
    }
}

/// The body of a host that is bounded itself; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_with_limits_of_its_own() {
    if own_variable(LIMITED_MARK).is_none() {
        return;
    }
    let host = Host::new();
    for tier in [IsolationTier::Full, IsolationTier::LandlockOnly] {
        let session = open(&host, tier).await;
        let program = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))";
        assert_eq!(host.python(&*session, program).await, "(300, 300)\n", "{tier:?}");
    }
}

const LIMITED_MARK: &str = "STASO_TEST_LIMITED";

#[test]
fn a_tighter_limit_of_the_host_stays() {
    let limited = ["/bin/sh", "-c", "ulimit -n 300 && exec \"$@\"", "sh"];
    let way: Vec<&str> =
        if is_root() { ANOTHER_USER.into_iter().chain(limited).collect() } else { limited.to_vec() };
    passed(
        &again(&way, "tiers::limits::a_host_with_limits_of_its_own", &[(LIMITED_MARK, Path::new("1"))]),
        RUNS,
    );
}

/// Starts more processes than a session may have.
async fn bombs_are_limited(host: &Host, options: LocalSandboxOptions, tier: IsolationTier) {
    let mut limits = SandboxLimits::default();
    limits.pids = 50;
    let bomb = "import os, time\n\
                n = 0\n\
                try:\n\
                \x20   while n < 500:\n\
                \x20       if os.fork() == 0: time.sleep(60); os._exit(0)\n\
                \x20       n += 1\n\
                except OSError: pass\n\
                print(n)\n";
    let spec = host.spec().with_min_tier(tier).with_limits(limits);
    let session = LocalSandbox::with_options(options).open(&spec, &host.ctx).await.unwrap();
    assert_eq!(session.isolation().tier, tier);
    let started: u32 = host.python(&*session, bomb).await.trim().parse().unwrap();
    // Control groups count the helper, and resource limits all that the user runs.
    assert!((20..150).contains(&started), "{tier:?}: started {started} of at most 50");
    assert!(host.run(&*session, &["true"]).await.exit.success(), "the children died with their command");
    session.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_bomb_beside_the_host_is_limited() {
    let host = Host::new();
    for tier in WEAK {
        bombs_are_limited(&host, at_most(tier), tier).await;
    }
}
