//! What is left where a machine gives less than namespaces, who gets it, and what it says.

mod checkouts;
mod endings;
mod limits;

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
pub(crate) fn again(way: &[&str], test: &str, variables: &[(&str, &Path)]) -> Output {
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

pub(crate) fn passed(output: &Output, must_say: &str) {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed") && text.contains(must_say), "{text}");
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Another user, whoever runs the tests.
pub(crate) const ANOTHER_USER: [&str; 4] =
    ["/usr/bin/setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"];

/// What another test gave the test that is run again by it; says that the test is not skipped.
pub(crate) fn own_variable(name: &str) -> Option<PathBuf> {
    let all = fs::read("/proc/self/environ").unwrap();
    let found = all.split(|byte| *byte == 0).find_map(|entry| {
        std::str::from_utf8(entry).ok()?.strip_prefix(name)?.strip_prefix('=').map(PathBuf::from)
    });
    found.inspect(|_| std::io::stderr().write_all(RUNS.as_bytes()).unwrap())
}

pub(crate) const RUNS: &str = "this test was not skipped\n";

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
