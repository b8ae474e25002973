//! What is left where a machine gives less than namespaces, who gets it, and what it says.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use staso_core::code::RepoPath;
use staso_core::conformance::sandbox as suite;
use staso_core::sandbox::{
    ExecRequest, IsolationTier, Sandbox as _, SandboxError, SandboxLimits, SandboxSession,
    SandboxSessionExt as _,
};
use staso_sandbox::{LocalSandbox, LocalSandboxOptions};

use crate::host::{CANARY, Host, ancestors, eventually, processes_with, python_outside};

const SOON: Duration = Duration::from_secs(3);
const WEAK: [IsolationTier; 2] = [IsolationTier::LandlockOnly, IsolationTier::None];

fn at_most(tier: IsolationTier) -> LocalSandboxOptions {
    LocalSandboxOptions::new().with_strongest_tier(tier)
}

async fn open_as(host: &Host, options: LocalSandboxOptions, tier: IsolationTier) -> Box<dyn SandboxSession> {
    let spec = host.spec().with_min_tier(tier);
    let session = LocalSandbox::with_options(options).open(&spec, &host.ctx).await.unwrap();
    assert_eq!(session.isolation().tier, tier);
    session
}

async fn open(host: &Host, tier: IsolationTier) -> Box<dyn SandboxSession> {
    open_as(host, at_most(tier), tier).await
}

fn missing(session: &dyn SandboxSession) -> String {
    session.isolation().missing.join("\n")
}

/// Runs one test of this program again, by way of another program.
fn again(way: &[&str], test: &str, variables: &[(&str, &Path)]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("it");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    for path in [directory.path(), copy.as_path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (program, arguments) = way.split_first().unwrap();
    let mut command = Command::new(program);
    command.args(arguments).arg(&copy).args(["--exact", "--nocapture", test]);
    command.current_dir("/").env_clear().env("TMPDIR", "/tmp").env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    command.envs(variables.iter().copied()).output().unwrap()
}

fn passed(output: &Output, must_say: &str) {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed") && text.contains(must_say), "{text}");
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Another user, whoever runs the tests.
const ANOTHER_USER: [&str; 4] = ["/usr/bin/setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_less_than_was_asked_for() {
    let host = Host::new();
    for strongest in WEAK {
        let sandbox = LocalSandbox::with_options(at_most(strongest));
        for wanted in [IsolationTier::Full, IsolationTier::Container] {
            let refused = sandbox.open(&host.spec().with_min_tier(wanted), &host.ctx).await.map(|_| ());
            assert!(
                matches!(&refused, Err(SandboxError::Unavailable { wanted: of, .. }) if *of == wanted),
                "{refused:?}"
            );
        }
    }
    // Accepting less takes nothing away.
    let spec = host.spec().with_min_tier(IsolationTier::None);
    let session = LocalSandbox::new().open(&spec, &host.ctx).await.unwrap();
    assert_eq!(session.isolation().tier, IsolationTier::Full);
    assert!(session.isolation().landlock_abi.is_some() || missing(&*session).contains("Landlock"));
}

/// The body of a host whose kernel refuses namespaces; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_namespaces() {
    if own_variable(REFUSED_MARK).is_none() {
        return;
    }
    let host = Host::new();
    let sandbox = LocalSandbox::new();
    let refused = sandbox.open(&host.spec(), &host.ctx).await.map(|_| ());
    assert!(
        matches!(refused, Err(SandboxError::Unavailable { .. })),
        "by default there is none: {refused:?}"
    );
    for accepted in WEAK {
        let spec = host.spec().with_min_tier(accepted);
        let session = sandbox.open(&spec, &host.ctx).await.unwrap();
        let isolation = session.isolation();
        assert_eq!(isolation.tier, IsolationTier::LandlockOnly, "the strongest that is left");
        assert!(isolation.landlock_abi.is_some());
        let why = isolation.missing.first().unwrap();
        assert!(
            why.contains("full isolation was refused: the kernel refused to make the namespaces"),
            "{why}"
        );
        assert!(why.contains("user.max_user_namespaces"), "and what would help: {why}");
        let output = host.run(&*session, &["cat", "hello.txt"]).await;
        assert_eq!(output.stdout, b"hello\n");
        session.close().await.unwrap();
    }
    let capabilities = sandbox.capabilities(&host.ctx).await.unwrap();
    assert_eq!(capabilities.tier, IsolationTier::LandlockOnly);
    assert!(capabilities.missing.iter().any(|line| line.contains("full isolation was refused")));
    let without = LocalSandbox::with_options(LocalSandboxOptions::new().with_landlock_at_most(0));
    let error = without.capabilities(&host.ctx).await.unwrap_err().to_string();
    assert!(
        error.contains("full isolation: ") && error.contains("Landlock alone: "),
        "both are named: {error}"
    );
    let session = without.open(&host.spec().with_min_tier(IsolationTier::None), &host.ctx).await.unwrap();
    assert_eq!(session.isolation().tier, IsolationTier::None, "by name, and only then");
}

const REFUSED_MARK: &str = "STASO_TEST_NO_NAMESPACES";

#[test]
fn where_namespaces_are_refused_landlock_alone_is_for_those_who_accept_it() {
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let unshare =
        ["/usr/bin/unshare", "--user", "--map-current-user", "--keep-caps", "/bin/sh", "-c", script, "sh"];
    let way: Vec<&str> =
        if is_root() { ANOTHER_USER.into_iter().chain(unshare).collect() } else { unshare.to_vec() };
    passed(&again(&way, "tiers::a_host_without_namespaces", &[(REFUSED_MARK, Path::new("1"))]), RUNS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_kernels_give_less_and_say_so() {
    let host = Host::new();
    let landlock = IsolationTier::LandlockOnly;
    for (abi, sentence) in [(5, "signal other processes"), (2, "can be emptied")] {
        let options = at_most(landlock).with_landlock_at_most(abi);
        let session = open_as(&host, options.clone(), landlock).await;
        assert_eq!(session.isolation().landlock_abi, Some(abi));
        assert!(missing(&*session).contains(sentence), "{}", missing(&*session));
        let fixture = host.fixture.clone().with_min_tier(landlock);
        suite::run_all(&LocalSandbox::with_options(options), &fixture, &host.ctx).await;
    }
    let newest = open(&host, landlock).await;
    if newest.isolation().landlock_abi >= Some(6) {
        assert!(!missing(&*newest).contains("signal other processes"));
    }
    let none = LocalSandbox::with_options(at_most(landlock).with_landlock_at_most(0));
    let refused = none.open(&host.spec().with_min_tier(landlock), &host.ctx).await.map(|_| ());
    assert!(matches!(refused, Err(SandboxError::Unavailable { .. })), "{refused:?}");
    let full = LocalSandbox::with_options(LocalSandboxOptions::new().with_landlock_at_most(0));
    let session = full.open(&host.spec(), &host.ctx).await.unwrap();
    assert_eq!(session.isolation().landlock_abi, None);
    assert!(missing(&*session).contains("no Landlock rules behind the mounts"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_process_keeps_what_it_can() {
    let host = Host::new();
    let tier = IsolationTier::None;
    let sandbox = LocalSandbox::with_options(at_most(tier));
    let fixture = host.fixture.clone().with_min_tier(tier);
    suite::says_what_it_gives(&sandbox, &fixture, &host.ctx).await;
    suite::commands_behave(&sandbox, &fixture, &host.ctx).await;
    suite::time_is_limited(&sandbox, &fixture, &host.ctx).await;
    suite::daemons_die_with_their_command(&sandbox, &fixture, &host.ctx).await;
    suite::paths_stay_in_the_checkout(&sandbox, &fixture, &host.ctx).await;
    suite::changes_are_complete(&sandbox, &fixture, &host.ctx).await;
    suite::trees_are_complete(&sandbox, &fixture, &host.ctx).await;
    suite::a_closed_session_refuses_everything(&sandbox, &fixture, &host.ctx).await;
    let session = open(&host, tier).await;
    assert!(missing(&*session).contains("nothing of the host is out of reach"));
    let user = host.python(&*session, "import os; print(os.getuid())").await;
    assert_ne!(user, "0\n", "never as root");
}

/// Expressions that must all be denied inside; each of `works_outside` succeeds outside.
async fn denied_inside(
    host: &Host,
    session: &dyn SandboxSession,
    expressions: &[String],
    works_outside: bool,
) {
    let mut program = String::from(
        "import os, socket, ctypes, signal, resource\nlibc = ctypes.CDLL(None, use_errno=True)\n\
         def call(*a):\n    r = libc.syscall(*a)\n    if r < 0: raise OSError(ctypes.get_errno(), 'denied')\n    return r\n",
    );
    for expression in expressions {
        program.push_str(&format!(
            "try:\n    eval({expression:?})\n    print({expression:?}, '-> WORKED')\nexcept OSError as e:\n    print({expression:?}, '-> DENIED', e.errno)\n"
        ));
    }
    if works_outside {
        let report = python_outside(&program);
        assert!(!report.contains("-> DENIED"), "the probes work outside: {report}");
    }
    let report = host.python(session, &program).await;
    assert_eq!(report.matches("-> DENIED").count(), expressions.len(), "{report}");
}

fn texts(expressions: &[&str]) -> Vec<String> {
    expressions.iter().map(|expression| (*expression).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn landlock_alone_keeps_the_host_out_of_reach() {
    let host = Host::new();
    let session = open(&host, IsolationTier::LandlockOnly).await;
    let session = &*session;
    let canary = host.fixture.host_file.display().to_string();
    let mode = |path: &str| fs::metadata(path).unwrap().mode();
    let (before, old_times) = (mode(&canary), fs::metadata(&canary).unwrap().mtime());
    let own = std::process::id();
    let reads = vec![
        format!("open({canary:?}).read()"),
        format!("os.listdir({:?})", host.directory.path()),
        format!("os.kill({own}, 0)"),
        "os.listdir('/tmp')".to_owned(),
        "os.listdir('/proc')".to_owned(),
        "os.listdir('/')".to_owned(),
        "os.listdir('/sys')".to_owned(),
        "socket.socket(socket.AF_INET)".to_owned(),
        "socket.socket(socket.AF_UNIX)".to_owned(),
        "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)".to_owned(),
        "open('/proc/self/status').read()".to_owned(),
    ];
    denied_inside(&host, session, &reads, true).await;
    // These leave marks where they work, so the control comes after.
    let writes = vec![
        format!("os.chmod({canary:?}, 0o777)"),
        format!("os.utime({canary:?}, (1, 1))"),
        format!("os.link({canary:?}, 'linked')"),
        format!("os.truncate({canary:?}, 0)"),
        format!("os.rename({canary:?}, 'moved')"),
        format!("os.chown({canary:?}, os.getuid(), -1)"),
        format!("os.setxattr({canary:?}, 'user.x', b'x')"),
        format!("os.symlink('x', {:?})", format!("{canary}-link")),
    ];
    denied_inside(&host, session, &writes, false).await;
    assert_eq!(fs::read_to_string(&canary).unwrap(), CANARY);
    assert_eq!((mode(&canary), fs::metadata(&canary).unwrap().mtime()), (before, old_times));
    let others = texts(&[
        "open('/etc/shadow')",
        "open('/usr/x', 'w')",
        "open('/tmp/x', 'w')",
        "open('/dev/shm/x', 'w')",
        "os.mknod('null', 0o20666, os.makedev(1, 3))",
        "os.chmod('/usr/bin/env', 0o777)",
        "os.chmod('/proc/self/cwd', 0o777)",
        "os.chmod('..', 0o777)",
        "os.fchmod(os.open('/usr', os.O_RDONLY), 0o777)",
        "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))",
        "os.setpriority(os.PRIO_USER, 0, 19)",
        "os.kill(os.getppid(), 9)",
    ]);
    denied_inside(&host, session, &others, false).await;
    denied_inside(&host, session, &ipc(), false).await;
    assert!(host.run(session, &["true"]).await.exit.success(), "the helper is unharmed");
}

#[cfg(target_arch = "x86_64")]
fn ipc() -> Vec<String> {
    let calls = [
        "29, 0, 4096, 0o1600",
        "68, 0, 0o1600",
        "64, 0, 1, 0o1600",
        "254, 0, b'/tmp', 1",
        "452, -100, b'/tmp', 0o777, 0",
    ];
    calls.iter().map(|call| format!("call({call})")).collect()
}

#[cfg(target_arch = "aarch64")]
fn ipc() -> Vec<String> {
    let calls = ["194, 0, 4096, 0o1600", "186, 0, 0o1600", "190, 0, 1, 0o1600", "27, 0, b'/tmp', 1"];
    calls.iter().map(|call| format!("call({call})")).collect()
}

/// The positive controls of the probes about one's own files need a host that is an ordinary user.
#[test]
fn an_ordinary_user_is_protected_from_its_own_sessions() {
    if is_root() {
        passed(&again(&ANOTHER_USER, "tiers::landlock_alone_keeps_the_host_out_of_reach", &[]), "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modes_and_times_of_the_sessions_own_files_can_be_set() {
    let host = Host::new();
    let session = open(&host, IsolationTier::LandlockOnly).await;
    let program = "import os, stat\n\
        mode = lambda p: stat.S_IMODE(os.stat(p).st_mode)\n\
        os.chmod('run.sh', 0o700); assert mode('run.sh') == 0o700\n\
        os.chmod(os.path.abspath('run.sh'), 0o4755); assert mode('run.sh') == 0o755\n\
        d = os.open('src', os.O_RDONLY)\n\
        os.chmod('one.py', 0o600, dir_fd=d); assert mode('src/one.py') == 0o600\n\
        f = os.open('hello.txt', os.O_RDONLY)\n\
        os.fchmod(f, 0o640); assert mode('hello.txt') == 0o640\n\
        os.chmod('link', 0o644); assert mode('hello.txt') == 0o644\n\
        os.utime('hello.txt', (5, 7)); assert os.stat('hello.txt').st_mtime == 7\n\
        os.utime(f, ns=(1, 2 * 10**9)); assert os.stat('hello.txt').st_mtime == 2\n\
        os.utime('one.py', dir_fd=d); assert os.stat('src/one.py').st_mtime > 10**9\n\
        os.utime('link', (3, 3), follow_symlinks=False); assert os.lstat('link').st_mtime == 3\n\
        assert os.stat('hello.txt').st_mtime == 2\n\
        try: os.chmod('absent', 0o600)\n\
        except FileNotFoundError: pass\n\
        else: raise SystemExit('absent')\n\
        try: os.chmod('a' * 5000, 0o600)\n\
        except OSError: pass\n\
        else: raise SystemExit('long')\n\
        os.symlink(os.environ['TMPDIR'], 'temporary'); open('temporary/x', 'w').close(); os.chmod('temporary/x', 0o600)\n\
        print('fine')\n";
    assert_eq!(host.python(&*session, program).await, "fine\n");
    let racing = "import os, threading\n\
        os.makedirs('real', exist_ok=True); open('real/f', 'w').close()\n\
        def swap():\n\
        \x20   while not done:\n\
        \x20       try: os.symlink('/etc', 'spot')\n\
        \x20       except FileExistsError: pass\n\
        \x20       try: os.rename('spot', 'gone'); os.unlink('gone')\n\
        \x20       except OSError: pass\n\
        done = False\n\
        t = threading.Thread(target=swap); t.start()\n\
        for _ in range(500):\n\
        \x20   try: os.chmod('spot', 0o777); print('escaped')\n\
        \x20   except OSError: pass\n\
        done = True; t.join()\n";
    let before = fs::metadata("/etc").unwrap().mode();
    assert_eq!(host.python(&*session, racing).await, "");
    assert_eq!(fs::metadata("/etc").unwrap().mode(), before);
}

/// A command with daemons that can be found from outside by their argument.
async fn start_daemons(host: &Host, session: &dyn SandboxSession, mark: &str) -> Vec<u32> {
    let script = format!("for i in 1 2 3; do (setsid sleep {mark} &) ; done; exec sleep {mark}");
    let stream = session.exec(&ExecRequest::new(["sh", "-c", &script]), &host.ctx).await.unwrap();
    assert!(eventually(SOON, || processes_with(mark).len() >= 4).await, "the daemons run");
    let found = processes_with(mark);
    tokio::spawn(async move {
        let mut stream = stream;
        while stream.next().await.is_some() {}
    });
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_namespaces_daemons_end_with_their_command_and_their_session() {
    let host = Host::new();
    for (number, tier) in WEAK.into_iter().enumerate() {
        let session = open(&host, tier).await;
        let mark = format!("81{}.{number}1", std::process::id());
        let script = format!("for i in 1 2 3; do (setsid sleep {mark} &) ; done");
        assert!(host.run(&*session, &["sh", "-c", &script]).await.exit.success());
        assert!(processes_with(&mark).is_empty(), "{tier:?}: a command's daemons ended with it");
        let endless = ExecRequest::new(["sh", "-c", &format!("{script}; sleep 600")]);
        let endless = endless.with_timeout(Duration::from_millis(300));
        assert!(session.run(&endless, &host.ctx).await.unwrap().exit.timed_out);
        assert!(processes_with(&mark).is_empty(), "{tier:?}: and when its time was over");
        start_daemons(&host, &*session, &mark).await;
        session.close().await.unwrap();
        assert!(processes_with(&mark).is_empty(), "{tier:?}: closed means gone");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_namespaces_everything_dies_with_the_helper() {
    let host = Host::new();
    for victim in 0..3 {
        let session = open(&host, IsolationTier::LandlockOnly).await;
        let mark = format!("82{}.{victim}1", std::process::id());
        let found = start_daemons(&host, &*session, &mark).await;
        // From the host's child down: the first life, the helper, the keeper.
        let chains: Vec<Vec<u32>> = found.iter().map(|pid| ancestors(*pid)).collect();
        let chain = chains.iter().max_by_key(|chain| chain.len()).unwrap();
        let own = chain.iter().position(|pid| *pid == std::process::id()).unwrap();
        let target = chain[own - 1 - victim];
        assert!(
            Command::new("/bin/sh").args(["-c", &format!("kill -9 {target}")]).status().unwrap().success()
        );
        assert!(eventually(SOON, || processes_with(&mark).is_empty()).await, "{victim}: they outlive it");
        let closed = session.run(&ExecRequest::new(["true"]), &host.ctx).await;
        assert!(matches!(closed, Err(SandboxError::Closed)), "{victim}: {closed:?}");
        session.close().await.unwrap();
    }
}

/// What another test gave the test that is run again by it; says that the test is not skipped.
fn own_variable(name: &str) -> Option<PathBuf> {
    let all = fs::read("/proc/self/environ").unwrap();
    let found = all.split(|byte| *byte == 0).find_map(|entry| {
        std::str::from_utf8(entry).ok()?.strip_prefix(name)?.strip_prefix('=').map(PathBuf::from)
    });
    found.inspect(|_| std::io::stderr().write_all(RUNS.as_bytes()).unwrap())
}

const RUNS: &str = "this test was not skipped\n";

const PLACE_MARK: &str = "STASO_TEST_PLACE";

/// The body of a host that is killed; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_waits_to_be_killed() {
    let Some(place) = own_variable(PLACE_MARK) else { return };
    let host = Host::new();
    let tier = IsolationTier::LandlockOnly;
    let session = open_as(&host, at_most(tier).with_directory(&place), tier).await;
    let mark = format!("83{}.1", std::process::id());
    start_daemons(&host, &*session, &mark).await;
    writeln!(std::io::stderr(), "mark {mark}").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_of_a_killed_host_goes_with_the_next_session() {
    let host = Host::new();
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let left = || fs::read_dir(place.path()).unwrap().count();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tiers::a_host_that_waits_to_be_killed", "--nocapture"])
        .env(PLACE_MARK, place.path())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stderr.take().unwrap()).lines();
    let mark =
        lines.map_while(Result::ok).find_map(|line| line.strip_prefix("mark ").map(str::to_owned)).unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(eventually(SOON, || processes_with(&mark).is_empty()).await, "processes outlive the host");
    assert_eq!(left(), 1, "nobody was there to remove it");
    let tier = IsolationTier::LandlockOnly;
    let session = open_as(&host, at_most(tier).with_directory(place.path()), tier).await;
    assert_eq!(left(), 1, "the new one");
    let hostile = "mkdir -p a/b/c; touch a/b/c/d; chmod 0 a/b; ln -s / root; mkfifo pipe";
    assert!(host.run(&*session, &["sh", "-c", hostile]).await.exit.success());
    session.close().await.unwrap();
    assert_eq!(left(), 0, "closed means gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_with_git_and_closed_files_is_copied_for_the_session() {
    let host = Host::new();
    let checkout = &host.fixture.checkout;
    let mode = fs::Permissions::from_mode;
    fs::create_dir(checkout.join(".git")).unwrap();
    fs::write(checkout.join(".git/config"), CANARY).unwrap();
    fs::set_permissions(checkout.join("hello.txt"), mode(0o400)).unwrap();
    fs::set_permissions(checkout.join("src"), mode(0o700)).unwrap();
    let session = open(&host, IsolationTier::LandlockOnly).await;
    assert!(session.changes(&host.ctx).await.unwrap().is_empty());
    let script = "test ! -e .git && cat hello.txt && echo more >> hello.txt && ls src && cat src/one.py";
    let output = host.run(&*session, &["sh", "-c", script]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\ndeep\none.py\nprint('one')\n", "{output:?}");
    let changes = session.changes(&host.ctx).await.unwrap();
    assert_eq!(changes.keys().map(RepoPath::as_str).collect::<Vec<_>>(), ["hello.txt"]);
    assert_eq!(fs::read_to_string(checkout.join("hello.txt")).unwrap(), "hello\n");
    session.close().await.unwrap();
}

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
    let body = "tiers::a_host_without_control_groups";
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
    passed(&again(&way, "tiers::a_host_with_limits_of_its_own", &[(LIMITED_MARK, Path::new("1"))]), RUNS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_several_owners_do_no_harm() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let checkout = &host.fixture.checkout;
    for foreign in ["hello.txt", "src"] {
        std::os::unix::fs::chown(checkout.join(foreign), Some(4242), Some(4242)).unwrap();
    }
    for (tier, appended) in [(IsolationTier::Full, false), (IsolationTier::LandlockOnly, true)] {
        let session = open(&host, tier).await;
        let output = host.run(&*session, &["sh", "-c", "cat hello.txt; ls src; echo own >> run.sh"]).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\ndeep\none.py\n", "{output:?}");
        let output = host.run(&*session, &["sh", "-c", "echo more >> hello.txt"]).await;
        assert_eq!(output.exit.success(), appended, "{tier:?}: {output:?}");
        let changes = session.changes(&host.ctx).await.unwrap();
        let names: Vec<&str> = changes.keys().map(RepoPath::as_str).collect();
        let expected: &[&str] = if appended { &["hello.txt", "run.sh"] } else { &["run.sh"] };
        assert_eq!(names, expected, "{tier:?}");
        session.close().await.unwrap();
    }
    assert_eq!(fs::metadata(checkout.join("hello.txt")).unwrap().uid(), 4242);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mode_that_git_does_not_keep_is_no_change() {
    let host = Host::new();
    let checkout = &host.fixture.checkout;
    fs::set_permissions(checkout.join("hello.txt"), fs::Permissions::from_mode(0o444)).unwrap();
    for tier in [IsolationTier::Full, IsolationTier::LandlockOnly] {
        let session = open(&host, tier).await;
        let script = "chmod u+w hello.txt; chmod go-rwx src/one.py src; touch src/deep/two.py";
        assert!(host.run(&*session, &["sh", "-c", script]).await.exit.success());
        assert!(session.changes(&host.ctx).await.unwrap().is_empty(), "{tier:?}");
        let script = "echo more >> src/one.py && echo more >> hello.txt && chmod +x src/deep/two.py";
        assert!(host.run(&*session, &["sh", "-c", script]).await.exit.success());
        assert_eq!(session.changes(&host.ctx).await.unwrap().len(), 3, "{tier:?}");
        session.close().await.unwrap();
    }
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
