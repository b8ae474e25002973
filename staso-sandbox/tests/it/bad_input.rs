//! Requests and trees that no honest caller or repository makes: each gets an answer that says what is wrong, and the
//! session goes on, or is gone and says so. What the conformance suite and the escape suite try is not tried here again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use staso_core::code::RepoPath;
use staso_core::sandbox::{
    ExecOutput, ExecRequest, IsolationTier, Sandbox as _, SandboxError, SandboxLimits, SandboxSession,
    SandboxSessionExt as _, SandboxSpec, SessionChange, SessionNode, TreeLimits,
};
use staso_sandbox::{LocalSandbox, LocalSandboxOptions};

use crate::host::{Host, ancestors, eventually, processes_with};

const TIERS: [IsolationTier; 2] = [IsolationTier::Full, IsolationTier::LandlockOnly];
const MIB: usize = 1 << 20;
const TIB: u64 = 1 << 40;
const SOON: Duration = Duration::from_secs(3);

fn options(tier: IsolationTier) -> LocalSandboxOptions {
    LocalSandboxOptions::new().with_strongest_tier(tier)
}

async fn open(host: &Host, spec: SandboxSpec, options: LocalSandboxOptions) -> Box<dyn SandboxSession> {
    let spec = spec.with_min_tier(options.strongest_tier);
    let session = LocalSandbox::with_options(options).open(&spec, &host.ctx).await.unwrap();
    assert_eq!(session.isolation().tier, spec.min_tier);
    session
}

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

/// The session still does what it is asked.
async fn works(host: &Host, session: &dyn SandboxSession) {
    assert_eq!(host.run(session, &["echo", "fine"]).await.stdout, b"fine\n");
}

/// Runs one test of this program again, by way of another program, on a machine that seems bare.
pub(crate) fn again(way: &[&str], test: &str) {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("it");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    for path in [directory.path(), copy.as_path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (program, arguments) = way.split_first().unwrap();
    let Output { status, stdout, stderr } = Command::new(program)
        .args(arguments)
        .arg(&copy)
        .args(["--exact", "--nocapture", test])
        .current_dir("/")
        .env_clear()
        .envs([("TMPDIR", "/tmp"), ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")])
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && text.contains("1 passed"), "{text}");
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_path_is_a_path_and_a_longer_one_is_none() {
    let host = Host::new();
    let longest = format!("{}{}", "d/".repeat(2046), "xyz");
    assert!(RepoPath::new(format!("{longest}!")).is_err());
    for tier in TIERS {
        let session = open(&host, host.spec(), options(tier)).await;
        let longest = path(&longest);
        let absent = session.read_file(&longest, 9, &host.ctx).await;
        assert!(matches!(absent, Err(SandboxError::NotFound { .. })), "{tier:?}: {absent:?}");
        session.write_file(&longest, b"deep", true, &host.ctx).await.unwrap();
        assert_eq!(session.read_file(&longest, 9, &host.ctx).await.unwrap(), b"deep");
        let changes = session.changes(&host.ctx).await.unwrap();
        let written = SessionChange::Written { content: b"deep".to_vec(), executable: true };
        assert_eq!(changes.into_iter().collect::<Vec<_>>(), [(longest, written)], "{tier:?}");
        // Long enough for what is written to be counted.
        assert!(host.run(&*session, &["sleep", "1"]).await.exit.success(), "{tier:?}");
    }
}

/// What a refused command says; it is no longer than a person reads.
async fn refused(host: &Host, session: &dyn SandboxSession, request: &ExecRequest) -> String {
    let error = session.run(request, &host.ctx).await.unwrap_err();
    assert!(matches!(error, SandboxError::InvalidRequest { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.len() < 4096, "{} bytes of message", text.len());
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_of_a_mebibyte_run_or_say_that_they_are_too_long() {
    let host = Host::new();
    for tier in TIERS {
        let session = open(&host, host.spec(), options(tier)).await;
        let session = &*session;
        let long = "x".repeat(MIB);
        for request in [
            ExecRequest::new(["echo", &long]),
            ExecRequest::new([long.as_str()]),
            ExecRequest::new(["true"]).with_env("LONG", &long),
        ] {
            let said = refused(&host, session, &request).await;
            assert!(said.contains("too long"), "{tier:?}: {said}");
        }
        let arguments = ["sh", "-c", "echo $# $(env | wc -c)", "sh"].map(str::to_owned).into_iter();
        let mut many = ExecRequest::new(arguments.chain(std::iter::repeat_n("x".repeat(64), MIB / 128)));
        for number in 0..MIB / 128 {
            many = many.with_env(format!("N{number:07}"), "y".repeat(54));
        }
        let output = session.run(&many, &host.ctx).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (count, bytes) = text.trim().split_once(' ').unwrap();
        assert_eq!(count, (MIB / 128).to_string(), "{tier:?}");
        assert!(bytes.parse::<usize>().unwrap() >= MIB / 2, "{tier:?}: {bytes}");
        let too_much = ExecRequest::new(["true"]).with_stdin(vec![0; 64 * MIB]);
        let refused = session.run(&too_much, &host.ctx).await;
        assert!(matches!(refused, Err(SandboxError::TooLarge { .. })), "{refused:?}");
        works(&host, session).await;
    }
}

/// A command that nobody waits for any more, while it is still on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_command_that_is_ended_at_once_takes_nothing_with_it() {
    let host = Host::new();
    for tier in TIERS {
        let session = open(&host, host.spec(), options(tier)).await;
        let script = ["sh", "-c", "sleep 600", "sh"].map(str::to_owned).into_iter();
        let request = ExecRequest::new(script.chain(std::iter::repeat_n("x".repeat(64), MIB / 64)))
            .with_timeout(Duration::ZERO);
        for round in 0..20 {
            let output = session.run(&request, &host.ctx).await;
            assert!(output.is_ok_and(|output| output.exit.timed_out), "{tier:?}, round {round}");
        }
        works(&host, &*session).await;
    }
}

/// The helper that serves a command with this mark: the host's child, or process 1 of the session.
fn helper_of(mark: &str) -> u32 {
    let chain = ancestors(processes_with(mark)[0]);
    chain[chain.iter().position(|pid| *pid == std::process::id()).unwrap() - 1]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_says_that_a_session_with_a_dead_helper_is_closed() {
    let host = Host::new();
    for (number, tier) in TIERS.into_iter().enumerate() {
        let session = open(&host, host.spec(), options(tier)).await;
        let mark = format!("85{}.{number}1", std::process::id());
        let mut stream = session.exec(&ExecRequest::new(["sleep", &mark]), &host.ctx).await.unwrap();
        assert!(eventually(SOON, || !processes_with(&mark).is_empty()).await);
        let kill = format!("kill -9 {}", helper_of(&mark));
        assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
        let mut last = None;
        while let Some(event) = stream.next().await {
            last = Some(event);
        }
        assert!(matches!(last, Some(Err(SandboxError::Closed))), "{tier:?}: {last:?}");
        let (name, limits) = (path("hello.txt"), TreeLimits::default());
        for result in [
            session.exec(&ExecRequest::new(["true"]), &host.ctx).await.map(drop),
            session.read_file(&name, 10, &host.ctx).await.map(drop),
            session.write_file(&name, b"x", false, &host.ctx).await,
            session.changes(&host.ctx).await.map(drop),
            session.tree(&limits, &host.ctx).await.map(drop),
        ] {
            assert!(matches!(result, Err(SandboxError::Closed)), "{tier:?}: {result:?}");
        }
        assert!(eventually(SOON, || processes_with(&mark).is_empty()).await, "{tier:?}: it is gone");
        session.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sparse_files_are_listed_by_content_or_refused_by_name() {
    let host = Host::new();
    let mut limits = SandboxLimits::default();
    limits.disk_bytes = 2 * TIB;
    for tier in TIERS {
        let session = open(&host, host.spec().with_limits(limits.clone()), options(tier)).await;
        let script = "truncate -s 1T new && truncate -s 1T src/one.py && truncate -s 1M small && \
                      printf x >> small && truncate -s 1T gone && rm gone";
        assert!(host.run(&*session, &["sh", "-c", script]).await.exit.success());
        let changes = session.changes(&host.ctx).await.unwrap();
        assert_eq!(changes.keys().map(RepoPath::as_str).collect::<Vec<_>>(), ["new", "small", "src/one.py"]);
        for name in ["new", "src/one.py"] {
            let change = changes.get(&path(name));
            let told =
                matches!(change, Some(SessionChange::Refused { why }) if why.contains(&TIB.to_string()));
            assert!(told, "{tier:?}: {change:?}");
            let read = session.read_file(&path(name), u64::MAX, &host.ctx).await;
            assert!(matches!(read, Err(SandboxError::TooLarge { .. })), "{tier:?}: {read:?}");
        }
        let Some(SessionChange::Written { content, .. }) = changes.get(&path("small")) else {
            panic!("{changes:?}")
        };
        assert!(content.len() == MIB + 1 && content.ends_with(b"\0x"));
        let tree = session.tree(&TreeLimits::default(), &host.ctx).await.unwrap();
        let size = tree.entries.get(&path("new")).map(|entry| &entry.node);
        assert!(matches!(size, Some(SessionNode::Unread { size_bytes: Some(TIB) })), "{tier:?}: {size:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_files_are_listed_by_content_or_refused_by_name() {
    let host = Host::new();
    for tier in TIERS {
        let session = open(&host, host.spec(), options(tier)).await;
        let script = "echo new > new; echo more >> hello.txt; chmod 0 new hello.txt; \
                      mkdir shut bare; echo in > shut/in; echo in > bare/in; chmod 0 shut; chmod 0444 bare; \
                      echo more >> src/one.py; chmod 0 src";
        assert!(host.run(&*session, &["sh", "-c", script]).await.exit.success());
        let changes = session.changes(&host.ctx).await.unwrap();
        let told = |name: &Path| match changes.get(&path(name.to_str().unwrap())) {
            Some(SessionChange::Written { .. }) => true,
            Some(SessionChange::Refused { why }) => why.contains("cannot be"),
            _ => false,
        };
        for name in ["new", "hello.txt", "shut/in", "bare/in", "src/one.py"] {
            let above = Path::new(name).ancestors().take_while(|path| path.parent().is_some());
            assert!(above.into_iter().any(told), "{tier:?}: {name} is missing in {changes:?}");
        }
        let tree = session.tree(&TreeLimits::default(), &host.ctx).await.unwrap();
        let hello = tree.entries.get(&path("hello.txt")).map(|entry| &entry.node);
        let old = SessionNode::File(b"hello\n".as_slice().into());
        assert!(hello.is_some_and(|node| *node != old), "{tier:?}: it is not as before: {hello:?}");
    }
}

/// Root's sessions read what their user closed; those of others cannot.
#[test]
fn an_ordinary_user_learns_of_closed_files_too() {
    if is_root() {
        let user = ["/usr/bin/setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"];
        again(&user, "bad_input::closed_files_are_listed_by_content_or_refused_by_name");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_nobody_can_print_are_refused_and_said_without_them() {
    let host = Host::new();
    for tier in TIERS {
        let session = open(&host, host.spec(), options(tier)).await;
        for (name, said) in [(r"b'line\nbreak'", "line"), (r"b'esc\x1b[2J'", "esc"), (r"b'byte\xff'", "byte")]
        {
            let made = format!("open({name}, 'w').close()");
            host.python(&*session, &made).await;
            let error = session.changes(&host.ctx).await.unwrap_err();
            assert!(matches!(error, SandboxError::InvalidRequest { .. }), "{error:?}");
            let text = error.to_string();
            assert!(text.contains(said) && !text.contains(char::is_control), "{tier:?}: {text:?}");
            let tree = session.tree(&TreeLimits::default(), &host.ctx).await.unwrap();
            assert_eq!(tree.unnamed, 1, "{tier:?}: {name}");
            host.python(&*session, &format!("import os; os.unlink({name})")).await;
        }
        let longest = "n".repeat(255);
        host.run(&*session, &["touch", &longest]).await;
        let changes = session.changes(&host.ctx).await.unwrap();
        assert!(matches!(changes.get(&path(&longest)), Some(SessionChange::Written { .. })), "{tier:?}");
    }
}

/// Makes directories in each other, as deep as told, with a file at the bottom.
const DIG: &str = "import os, sys\n\
                   for _ in range(int(sys.argv[1])): os.mkdir('deep'); os.chdir('deep')\n\
                   open('bottom', 'w').close()\n";

async fn dig(host: &Host, session: &dyn SandboxSession, depth: &str) -> ExecOutput {
    host.run(session, &["python3", "-I", "-S", "-c", DIG, depth]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deeper_than_a_path_is_refused_by_name_and_the_rest_is_listed() {
    let host = Host::new();
    for tier in TIERS {
        let session = open(&host, host.spec(), options(tier)).await;
        assert!(host.run(&*session, &["sh", "-c", "echo more >> hello.txt"]).await.exit.success());
        // Where what is written is counted, a tree that cannot be counted may end its command.
        let counted = tier != IsolationTier::Full;
        assert!(dig(&host, &*session, "900").await.exit.success() || counted);
        let changes = session.changes(&host.ctx).await.unwrap();
        assert!(changes.contains_key(&path("hello.txt")) && changes.len() == 2, "{tier:?}");
        let (deep, change) = changes.first_key_value().unwrap();
        assert!(deep.as_str().starts_with("deep/deep"), "{tier:?}: {deep}");
        let told = matches!(change, SessionChange::Refused { why } if why.contains("4095 bytes"));
        assert!(told, "{tier:?}: {change:?}");
        let tree = session.tree(&TreeLimits::default(), &host.ctx).await.unwrap();
        assert!(tree.entries.contains_key(&path("hello.txt")), "{tier:?}");
    }
}

/// A directory that was made again hides what the checkout has below it, however deep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_deep_below_is_listed() {
    const DEPTH: usize = 700;
    let host = Host::new();
    let bottom = host.fixture.checkout.join("deep/".repeat(DEPTH));
    fs::create_dir_all(&bottom).unwrap();
    fs::write(bottom.join("gone"), "x").unwrap();
    for tier in TIERS {
        let session = open(&host, host.spec(), options(tier)).await;
        let output = host.run(&*session, &["rm", "-r", "deep"]).await;
        assert!(output.exit.success(), "{tier:?}: {output:?}");
        assert!(dig(&host, &*session, &DEPTH.to_string()).await.exit.success());
        let changes = session.changes(&host.ctx).await.unwrap();
        let gone = path(&format!("{}gone", "deep/".repeat(DEPTH)));
        assert_eq!(changes.get(&gone), Some(&SessionChange::Deleted), "{tier:?}: {} changes", changes.len());
        assert_eq!(changes.len(), 2, "{tier:?}");
    }
}

#[test]
fn few_descriptors_hide_nothing_deep_below() {
    let way = ["/bin/sh", "-c", "ulimit -n 256 && exec \"$@\"", "sh"];
    again(&way, "bad_input::what_was_deleted_deep_below_is_listed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_of_too_many_names_is_too_large_and_cuts_the_tree() {
    let host = Host::new();
    let session = open(&host, host.spec(), options(IsolationTier::Full)).await;
    let program = "import os\nos.mkdir('many'); open('many/f', 'w').close(); d = os.open('many', os.O_RDONLY)\n\
                   for n in range(80_100): os.link('f', str(n), src_dir_fd=d, dst_dir_fd=d)\n";
    host.python(&*session, program).await;
    let changes = session.changes(&host.ctx).await;
    assert!(matches!(changes, Err(SandboxError::TooLarge { .. })), "{changes:?}");
    let tree = session.tree(&TreeLimits::default(), &host.ctx).await.unwrap();
    assert!(tree.cut && tree.entries.contains_key(&path("hello.txt")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hides_in_the_deep_is_still_stopped_from_filling_the_disk() {
    let host = Host::new();
    let mut limits = SandboxLimits::default();
    limits.disk_bytes = 4 << 20;
    let session = open(&host, host.spec().with_limits(limits), options(IsolationTier::LandlockOnly)).await;
    let program = format!("{DIG}import time; time.sleep(60)\n");
    let request = ExecRequest::new(["python3", "-I", "-S", "-c", &program, "900"]);
    assert_eq!(session.run(&request, &host.ctx).await.unwrap().exit.signal, Some(9));
    let fill =
        "import time\nfor n in range(600): open(str(n), 'wb').write(bytes(1 << 16)); time.sleep(0.01)\n";
    let output = host.run(&*session, &["python3", "-I", "-S", "-c", fill]).await;
    assert_eq!(output.exit.signal, Some(9), "{output:?}");
}

/// What is counted may be gone before the count comes to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_deletes_while_the_disk_is_counted_is_not_stopped() {
    let host = Host::new();
    let session = open(&host, host.spec(), options(IsolationTier::LandlockOnly)).await;
    let program = "import os, time\n\
                   end = time.monotonic() + 3\n\
                   while time.monotonic() < end:\n\
                   \x20   for _ in range(300): os.mkdir('deep'); os.chdir('deep')\n\
                   \x20   for _ in range(300): os.chdir('..'); os.rmdir('deep')\n";
    host.python(&*session, program).await;
    works(&host, &*session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_say_how_they_end() {
    let host = Host::new();
    for tier in TIERS {
        let session = open(&host, host.spec(), options(tier)).await;
        let request = ExecRequest::new(["sh", "-c", "sleep 0.01 & wait; exit 3"]).with_timeout(SOON * 10);
        let exit = session.run(&request, &host.ctx).await.unwrap().exit;
        assert_eq!((exit.code, exit.timed_out), (Some(3), false), "{tier:?}");
    }
}

/// What a host ignores, its children ignore: the kernel would then reap commands before anyone asked how they ended.
#[test]
fn commands_of_a_host_that_ignores_its_children_say_how_they_end() {
    let ignore = "import os, signal, sys\n\
                  for n in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(n, signal.SIG_IGN)\n\
                  os.execv(sys.argv[1], sys.argv[1:])";
    again(&["/usr/bin/python3", "-I", "-S", "-c", ignore], "bad_input::commands_say_how_they_end");
}

/// A command that starts when another one has taken all processes is refused, and takes neither session nor keeper along.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_process_left_a_command_is_refused() {
    let host = Host::new();
    let mut limits = SandboxLimits::default();
    limits.pids = 20;
    let program = "import os, time\n\
                   print('began', flush=True)\n\
                   while not os.path.exists('go'): time.sleep(0.01)\n\
                   for _ in range(500):\n\
                   \x20   try:\n\
                   \x20       if os.fork() == 0: time.sleep(600)\n\
                   \x20   except OSError: break\n\
                   os.rename('go', 'gone'); time.sleep(600)\n";
    for tier in TIERS {
        let session = open(&host, host.spec().with_limits(limits.clone()), options(tier)).await;
        let request = ExecRequest::new(["python3", "-I", "-S", "-c", program]);
        let mut bomb = session.exec(&request, &host.ctx).await.unwrap();
        assert!(bomb.next().await.unwrap().is_ok());
        works(&host, &*session).await;
        session.write_file(&path("go"), b"", false, &host.ctx).await.unwrap();
        let waits = tokio::time::Instant::now() + SOON * 5;
        while session.read_file(&path("gone"), 0, &host.ctx).await.is_err() {
            assert!(tokio::time::Instant::now() < waits, "{tier:?}: there is no end to it");
        }
        let refused = session.run(&ExecRequest::new(["true"]), &host.ctx).await;
        // Where no control group counts, the kernel counts the command's own processes only.
        let told = match &refused {
            Ok(output) => output.exit.success(),
            Err(error) => matches!(error, SandboxError::InvalidRequest { .. } | SandboxError::Backend { .. }),
        };
        assert!(told, "{tier:?}: {refused:?}");
        drop(bomb);
        let mut after = session.run(&ExecRequest::new(["true"]), &host.ctx).await;
        while after.is_err() && tokio::time::Instant::now() < waits {
            after = session.run(&ExecRequest::new(["true"]), &host.ctx).await;
        }
        assert!(after.is_ok_and(|output| output.exit.success()), "{tier:?}: the session goes on");
    }
}

/// Without Landlock's scopes a command can stop the process that waits for the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_keeper_stops_nobody_else() {
    let host = Host::new();
    let session = open(&host, host.spec(), options(IsolationTier::None)).await;
    let program = "import os, signal, time\n\
                   def parent(pid):\n\
                   \x20   try: return int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])\n\
                   \x20   except OSError: return 0\n\
                   print('began', flush=True)\n\
                   while not os.path.exists('stop'): time.sleep(0.01)\n\
                   keeper = os.getppid()\n\
                   others = [p for p in map(int, filter(str.isdigit, os.listdir('/proc')))\n\
                   \x20         if p != keeper and parent(p) == parent(keeper)]\n\
                   for p in others: os.kill(p, signal.SIGSTOP)\n\
                   open('some', 'w').write(str(len(others))); os.rename('some', 'stopped'); time.sleep(600)\n";
    let attacker = ExecRequest::new(["python3", "-I", "-S", "-c", program]).with_timeout(SOON * 10);
    let mut attack = session.exec(&attacker, &host.ctx).await.unwrap();
    assert!(attack.next().await.unwrap().is_ok());
    works(&host, &*session).await;
    session.write_file(&path("stop"), b"", false, &host.ctx).await.unwrap();
    let waits = tokio::time::Instant::now() + SOON;
    while session.read_file(&path("stopped"), 9, &host.ctx).await.is_err() {
        assert!(tokio::time::Instant::now() < waits, "nothing was stopped");
    }
    assert_eq!(session.read_file(&path("stopped"), 9, &host.ctx).await.unwrap(), b"1");
    let long = std::iter::repeat_n("x".repeat(64), MIB / 64);
    let long = ExecRequest::new(["true".to_owned()].into_iter().chain(long)).with_timeout(SOON);
    let refused = tokio::time::timeout(SOON * 3, session.run(&long, &host.ctx)).await.unwrap();
    assert!(matches!(refused, Err(SandboxError::Backend { .. })), "{refused:?}");
    works(&host, &*session).await;
}
