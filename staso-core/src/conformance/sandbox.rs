//! What every [`Sandbox`] must do. Sessions need `sh`, the usual small programs (`flock` and `setsid` among them) and
//! `python3`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::code::RepoPath;
use crate::run::RunContext;
use crate::sandbox::{
    ExecEvent, ExecOutput, ExecRequest, IsolationTier, Sandbox, SandboxError, SandboxLimits, SandboxSession,
    SandboxSessionExt as _, SandboxSpec, SessionChange, SessionEntry, SessionNode, TreeLimits,
};

/// The regular files that the checkout must hold: path, content, whether it is executable.
pub const FILES: [(&str, &str, bool); 4] = [
    ("hello.txt", "hello\n", false),
    ("src/one.py", "print('one')\n", false),
    ("src/deep/two.py", "print('two')\n", false),
    ("run.sh", "#!/bin/sh\necho ran\n", true),
];
/// The symbolic links that the checkout must hold: path, target. The second leads out of it.
pub const LINKS: [(&str, &str); 2] = [("link", "hello.txt"), ("out", "/etc/hostname")];

/// How long anything may take after the context was cancelled.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);

/// Where the suite runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fixture {
    /// A directory with exactly [`FILES`] and [`LINKS`], given to [`SandboxSpec::checkout`].
    pub checkout: PathBuf,
    /// A port on the host's `127.0.0.1` on which something listens, as the positive control of the network check.
    pub host_port: u16,
    /// A file of the host outside of the checkout, as the positive control of the file checks.
    pub host_file: PathBuf,
    /// The weakest tier that the sessions of the suite accept. Default [`IsolationTier::Full`].
    pub min_tier: IsolationTier,
}

impl Fixture {
    /// A checkout, a port and a file of the host.
    pub fn new(checkout: impl Into<PathBuf>, host_port: u16, host_file: impl Into<PathBuf>) -> Self {
        let (checkout, host_file) = (checkout.into(), host_file.into());
        Self { checkout, host_port, host_file, min_tier: IsolationTier::Full }
    }

    /// Accepts a weaker tier.
    #[must_use]
    pub const fn with_min_tier(mut self, tier: IsolationTier) -> Self {
        self.min_tier = tier;
        self
    }

    fn spec(&self) -> SandboxSpec {
        SandboxSpec::new(&self.checkout).with_min_tier(self.min_tier)
    }
}

/// Runs every check, each in sessions of its own.
///
/// # Panics
/// With a sentence, when the sandbox breaks the contract.
pub async fn run_all(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    says_what_it_gives(sandbox, fixture, ctx).await;
    commands_behave(sandbox, fixture, ctx).await;
    output_is_cut_in_the_middle(sandbox, fixture, ctx).await;
    time_is_limited(sandbox, fixture, ctx).await;
    cancellation_is_quick(sandbox, fixture, ctx).await;
    dropping_a_stream_kills_the_command(sandbox, fixture, ctx).await;
    daemons_die_with_their_command(sandbox, fixture, ctx).await;
    files_are_read_and_written(sandbox, fixture, ctx).await;
    paths_stay_in_the_checkout(sandbox, fixture, ctx).await;
    changes_are_complete(sandbox, fixture, ctx).await;
    trees_are_complete(sandbox, fixture, ctx).await;
    sessions_are_separate(sandbox, fixture, ctx).await;
    the_host_is_out_of_reach(sandbox, fixture, ctx).await;
    a_closed_session_refuses_everything(sandbox, fixture, ctx).await;
}

async fn open(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) -> Box<dyn SandboxSession> {
    open_with(sandbox, fixture.spec(), ctx).await
}

async fn open_with(sandbox: &dyn Sandbox, spec: SandboxSpec, ctx: &RunContext) -> Box<dyn SandboxSession> {
    match sandbox.open(&spec, ctx).await {
        Ok(session) => session,
        Err(error) => panic!("a session over the fixture must open: {error}"),
    }
}

async fn run(session: &dyn SandboxSession, request: &ExecRequest, ctx: &RunContext) -> ExecOutput {
    match session.run(request, ctx).await {
        Ok(output) => output,
        Err(error) => panic!("{:?} must run to its end: {error}", request.argv),
    }
}

async fn shell(session: &dyn SandboxSession, script: &str, ctx: &RunContext) -> ExecOutput {
    run(session, &ExecRequest::new(["sh", "-c", script]), ctx).await
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(text: &str) -> RepoPath {
    match RepoPath::new(text) {
        Ok(path) => path,
        Err(error) => panic!("{error}"),
    }
}

async fn close(session: &dyn SandboxSession) {
    assert!(session.close().await.is_ok(), "a session must close");
}

/// Capabilities and the session's own account agree, and the tier is at least the one asked for.
///
/// # Panics
/// When they do not.
pub async fn says_what_it_gives(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let capabilities = sandbox.capabilities(ctx).await;
    let Ok(capabilities) = capabilities else {
        panic!("the sandbox must know its capabilities: {capabilities:?}")
    };
    let session = open(sandbox, fixture, ctx).await;
    assert_eq!(session.isolation().tier, capabilities.tier, "a session reaches the tier that was announced");
    assert!(session.isolation().tier <= fixture.min_tier, "the tier is at least the one that was asked for");
    assert_eq!(session.isolation().limits, SandboxLimits::default(), "the limits are those of the request");
    close(&*session).await;
}

/// Exit codes, signals, standard input, environment, working directory, unknown programs.
///
/// # Panics
/// When a command behaves otherwise.
pub async fn commands_behave(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let spec = fixture.spec().with_env("GREETING", "hi").with_env("OTHER", "1");
    let session = open_with(sandbox, spec, ctx).await;
    let session = &*session;
    let output = shell(session, "echo out; echo err >&2; exit 3", ctx).await;
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("out\n".to_owned(), "err\n".to_owned()));
    assert_eq!((output.exit.code, output.exit.signal), (Some(3), None), "the exit code is reported");
    assert!(!output.exit.timed_out && !output.exit.oom);
    let output = shell(session, "kill -TERM $$", ctx).await;
    assert_eq!((output.exit.code, output.exit.signal), (None, Some(15)), "the signal is reported");
    let output = run(session, &ExecRequest::new(["./run.sh"]), ctx).await;
    assert_eq!(text(&output.stdout), "ran\n", "executable files of the checkout run");
    let input = vec![b'x'; 300_000];
    let output = run(session, &ExecRequest::new(["wc", "-c"]).with_stdin(input), ctx).await;
    assert_eq!(text(&output.stdout).trim(), "300000", "all of standard input arrives");
    let output = run(session, &ExecRequest::new(["cat"]), ctx).await;
    assert!(output.exit.success() && output.stdout.is_empty(), "no input is the end of the input");
    let output = run(session, &ExecRequest::new(["true"]).with_stdin(vec![0; 1 << 20]), ctx).await;
    assert!(output.exit.success(), "input that nobody reads does no harm");
    let request = ExecRequest::new(["sh", "-c", "echo $GREETING $OTHER"]).with_env("OTHER", "2");
    assert_eq!(text(&run(session, &request, ctx).await.stdout), "hi 2\n", "the request's variables win");
    let request = ExecRequest::new(["ls"]).with_cwd(path("src"));
    assert_eq!(
        text(&run(session, &request, ctx).await.stdout),
        "deep\none.py\n",
        "commands run where they are told"
    );
    let refused = session.exec(&ExecRequest::new(["no-such-program"]), ctx).await;
    assert!(
        matches!(refused, Err(SandboxError::InvalidRequest { .. })),
        "an unknown program is an error: {refused:?}"
    );
    let refused = session.exec(&ExecRequest::new(Vec::<String>::new()), ctx).await;
    assert!(
        matches!(refused, Err(SandboxError::InvalidRequest { .. })),
        "no program is an error: {refused:?}"
    );
    close(session).await;
}

/// Output beyond the limit loses its middle, not its end.
///
/// # Panics
/// When more is kept or something else is lost.
pub async fn output_is_cut_in_the_middle(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    const LIMIT: usize = 10_000;
    let limits = SandboxLimits { output_bytes: LIMIT as u64, ..SandboxLimits::default() };
    let session = open_with(sandbox, fixture.spec().with_limits(limits), ctx).await;
    let script = "echo start; yes | head -c 1000000; echo end";
    let Ok(mut stream) = session.exec(&ExecRequest::new(["sh", "-c", script]), ctx).await else {
        panic!("the command must start")
    };
    let (mut head, mut tail, mut omitted) = (Vec::new(), Vec::new(), 0);
    while let Some(event) = stream.next().await {
        match event {
            Ok(ExecEvent::Stdout(bytes)) if omitted == 0 => head.extend(bytes),
            Ok(ExecEvent::Stdout(bytes)) => tail.extend(bytes),
            Ok(ExecEvent::Truncated { bytes }) => omitted += bytes,
            Ok(ExecEvent::Exit(exit)) => assert!(exit.success(), "a talkative command is not disturbed"),
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(head.starts_with(b"start\n") && tail.ends_with(b"end\n"), "start and end of the output are kept");
    assert!(head.len() + tail.len() <= LIMIT, "no more than the limit is kept");
    assert_eq!(head.len() as u64 + tail.len() as u64 + omitted, 1_000_010, "what was left out is counted");
    let small = run(&*session, &ExecRequest::new(["sh", "-c", "yes | head -c 10000"]), ctx).await;
    assert_eq!((small.stdout.len(), small.omitted_bytes), (LIMIT, 0), "what fits is kept whole");
    close(&*session).await;
}

/// A command that ignores everything is killed when its time is over.
///
/// # Panics
/// When it is not.
pub async fn time_is_limited(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let started = Instant::now();
    let script = "trap '' TERM INT HUP; echo began; while :; do :; done";
    let request = ExecRequest::new(["sh", "-c", script]).with_timeout(Duration::from_millis(300));
    let output = run(&*session, &request, ctx).await;
    assert!(output.exit.timed_out && output.exit.code.is_none(), "a timeout is reported: {:?}", output.exit);
    assert_eq!(text(&output.stdout), "began\n", "what was printed before is kept");
    assert!(started.elapsed() >= Duration::from_millis(300), "the time is granted");
    assert!(started.elapsed() < Duration::from_millis(300) + CANCEL_LIMIT, "the time is enforced");
    assert!(shell(&*session, "true", ctx).await.exit.success(), "the session survives a timeout");
    close(&*session).await;
}

/// Everything returns soon after cancellation, and cancelled runs can still close.
///
/// # Panics
/// When it takes longer than two seconds.
pub async fn cancellation_is_quick(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let token = CancellationToken::new();
    let run_ctx = ctx.clone().with_cancellation(token.clone());
    let session = open(sandbox, fixture, &run_ctx).await;
    let Ok(mut stream) = session.exec(&ExecRequest::new(["sleep", "600"]), &run_ctx).await else {
        panic!("the command must start")
    };
    let started = Instant::now();
    token.cancel();
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(Err(SandboxError::Cancelled))), "a cancelled command says so: {last:?}");
    let refused = session.read_file(&path("hello.txt"), 10, &run_ctx).await;
    assert!(matches!(refused, Err(SandboxError::Cancelled)), "file operations as well: {refused:?}");
    let refused = sandbox.open(&fixture.spec(), &run_ctx).await.map(|_| ());
    assert!(matches!(refused, Err(SandboxError::Cancelled)), "opening as well: {refused:?}");
    assert!(started.elapsed() < CANCEL_LIMIT, "cancellation took {:?}", started.elapsed());
    close(&*session).await;
    assert!(started.elapsed() < CANCEL_LIMIT * 2, "closing took {:?}", started.elapsed());
}

/// A command whose stream is thrown away is killed.
///
/// # Panics
/// When it goes on.
pub async fn dropping_a_stream_kills_the_command(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    // Whoever holds the directory's lock is alive.
    let script = "exec 9>lock; flock 9; echo locked; sleep 600";
    let Ok(mut stream) = session.exec(&ExecRequest::new(["sh", "-c", script]), ctx).await else {
        panic!("the command must start")
    };
    assert!(matches!(stream.next().await, Some(Ok(ExecEvent::Stdout(_)))), "the command holds the lock");
    drop(stream);
    let output = shell(&*session, "exec 9>lock; flock -w 2 9", ctx).await;
    assert!(output.exit.success(), "the command must be dead within two seconds");
    close(&*session).await;
}

/// Background processes neither delay the end of their command nor outlive it.
///
/// # Panics
/// When they do.
pub async fn daemons_die_with_their_command(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let started = Instant::now();
    let script = "setsid sh -c 'exec 9>lock; flock 9; echo > ready; sleep 600' & \
                  while [ ! -e ready ]; do :; done; echo done";
    let output = shell(&*session, script, ctx).await;
    assert!(output.exit.success(), "the command ends: {output:?}");
    assert!(started.elapsed() < Duration::from_secs(30), "a pipe that a daemon holds does not delay the end");
    let output = shell(&*session, "exec 9>lock; flock -n 9", ctx).await;
    assert!(output.exit.success(), "the daemon is dead when the command has ended");
    close(&*session).await;
}

/// Files are read and written with their content, size limits and modes.
///
/// # Panics
/// When they are not.
pub async fn files_are_read_and_written(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let read = session.read_file(&path("hello.txt"), 6, ctx).await;
    assert_eq!(read.ok().as_deref(), Some(b"hello\n".as_slice()), "a file of just the limit is read");
    let read = session.read_file(&path("hello.txt"), 5, ctx).await;
    assert!(
        matches!(read, Err(SandboxError::TooLarge { limit_bytes: 5, .. })),
        "a larger one is not: {read:?}"
    );
    for missing in ["no", "no/no", "src/no.py"] {
        let read = session.read_file(&path(missing), 5, ctx).await;
        assert!(matches!(read, Err(SandboxError::NotFound { .. })), "{missing} is not there: {read:?}");
    }
    let read = session.read_file(&path("src"), 5, ctx).await;
    assert!(matches!(read, Err(SandboxError::Denied { .. })), "a directory is no file: {read:?}");
    for (name, executable) in [("new/a/b.sh", true), ("hello.txt", false)] {
        let written = session.write_file(&path(name), b"#!/bin/sh\necho new\n", executable, ctx).await;
        assert!(written.is_ok(), "{name} is written: {written:?}");
    }
    assert_eq!(
        text(&shell(session, "new/a/b.sh; cat hello.txt | tail -1", ctx).await.stdout),
        "new\necho new\n"
    );
    let written = session.write_file(&path("hello.txt/x"), b"", false, ctx).await;
    assert!(matches!(written, Err(SandboxError::Denied { .. })), "a file is no directory: {written:?}");
    close(session).await;
}

/// No path leads out of the checkout, by whatever link.
///
/// # Panics
/// When one does.
pub async fn paths_stay_in_the_checkout(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let script = "ln -s / root; ln -s /etc etc; ln -s .. src/up; mkfifo pipe; ln -s src/one.py inside";
    assert!(shell(session, script, ctx).await.exit.success());
    for name in ["out", "link", "inside", "root/etc/hostname", "etc/hostname", "src/up/hello.txt", "pipe"] {
        let read = session.read_file(&path(name), 1 << 20, ctx).await;
        assert!(matches!(read, Err(SandboxError::Denied { .. })), "{name} is not read: {read:?}");
        let written = session.write_file(&path(name), b"x", false, ctx).await;
        assert!(matches!(written, Err(SandboxError::Denied { .. })), "{name} is not written: {written:?}");
    }
    let written = session.write_file(&path("root/tmp/x"), b"x", false, ctx).await;
    assert!(matches!(written, Err(SandboxError::Denied { .. })), "no directory through a link: {written:?}");
    close(session).await;
}

/// Every kind of change is listed, and nothing that is as before.
///
/// # Panics
/// When something is missing or invented.
pub async fn changes_are_complete(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    assert_eq!(session.changes(ctx).await.ok().map(|changes| changes.len()), Some(0), "nothing changed yet");
    let script = "echo changed > hello.txt; chmod -x run.sh; rm -r src; mkdir src; echo 3 > src/three.py; \
                  cat link > /dev/null; ln -s /nowhere dangling; ln -sf run.sh out; mkfifo pipe; \
                  mkdir -p .staso/driver; echo x > .staso/driver/x; mkdir empty";
    let output = shell(session, script, ctx).await;
    assert!(output.exit.success(), "{}", text(&output.stderr));
    let changes = match session.changes(ctx).await {
        Ok(changes) => changes,
        Err(error) => panic!("changes are listed: {error}"),
    };
    let written = |content: &str| SessionChange::Written { content: content.into(), executable: false };
    let link = |target: &str| SessionChange::Symlink { target: target.into() };
    let expected = [
        ("dangling", link("/nowhere")),
        ("hello.txt", written("changed\n")),
        ("out", link("run.sh")),
        ("run.sh", written("#!/bin/sh\necho ran\n")),
        ("src/deep/two.py", SessionChange::Deleted),
        ("src/one.py", SessionChange::Deleted),
        ("src/three.py", written("3\n")),
    ];
    for (name, change) in &expected {
        assert_eq!(changes.get(&path(name)), Some(change), "{name}");
    }
    let pipe = changes.get(&path("pipe"));
    assert!(matches!(pipe, Some(SessionChange::Refused { .. })), "a pipe does not leave: {pipe:?}");
    assert_eq!(changes.len(), expected.len() + 1, "nothing else changed: {:?}", changes.keys());
    let undo = "echo hello > hello.txt; chmod +x run.sh; rm dangling pipe; ln -sf /etc/hostname out; \
                rm src/three.py; mkdir src/deep; echo \"print('one')\" > src/one.py; echo \"print('two')\" > src/deep/two.py";
    assert!(shell(session, undo, ctx).await.exit.success());
    let left = session.changes(ctx).await;
    assert!(matches!(&left, Ok(left) if left.is_empty()), "what is as before is no change: {left:?}");
    let script =
        "mkdir -p .git/objects sub/.GIT; echo x > .git/HEAD; echo x > sub/.GIT/config; ln -s / sub/git~1";
    assert!(shell(session, script, ctx).await.exit.success());
    let left = session.changes(ctx).await;
    assert!(matches!(&left, Ok(left) if left.is_empty()), "git's directories are no content: {left:?}");
    assert!(shell(session, "echo x > 'sub/back\\slash'", ctx).await.exit.success());
    let refused = session.changes(ctx).await;
    assert!(
        matches!(&refused, Err(SandboxError::InvalidRequest { reason, .. }) if reason.contains("sub/back")),
        "a path that cannot be named safely is named in the error: {refused:?}"
    );
    close(session).await;
}

/// The tree holds every file with its content, links and pipes without, and what commands changed.
///
/// # Panics
/// When something is missing, invented, followed or beyond the limits.
pub async fn trees_are_complete(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let limits = TreeLimits::default();
    let file = |content: &str, in_checkout| SessionEntry {
        node: SessionNode::File(content.as_bytes().into()),
        in_checkout,
    };
    let link = |target: &str, in_checkout| SessionEntry {
        node: SessionNode::Symlink { target: target.into() },
        in_checkout,
    };
    let mut expected: Vec<(&str, SessionEntry)> =
        FILES.iter().map(|(name, content, _)| (*name, file(content, true))).collect();
    expected.extend(LINKS.iter().map(|(name, target)| (*name, link(target, true))));
    same_tree(session, &limits, expected.clone(), ctx).await;
    same_tree(session, &limits, expected.clone(), ctx).await;
    let script = "echo changed > hello.txt; rm -r src/deep; echo 3 > src/three.py; ln -s /nowhere dangling; \
                  mkfifo pipe; mkdir -p .staso/driver sub/.git empty; echo x > .staso/driver/x; echo x > sub/.git/HEAD; \
                  head -c 70000 /dev/zero > zeros; rm run.sh; mkdir run.sh; echo in > run.sh/in";
    let output = shell(session, script, ctx).await;
    assert!(output.exit.success(), "{}", text(&output.stderr));
    expected.retain(|(name, _)| !["hello.txt", "src/deep/two.py", "run.sh"].contains(name));
    let special = SessionEntry { node: SessionNode::Special, in_checkout: false };
    expected.extend([
        ("hello.txt", file("changed\n", true)),
        ("src/three.py", file("3\n", false)),
        ("dangling", link("/nowhere", false)),
        ("pipe", special),
        ("run.sh/in", file("in\n", false)),
        ("zeros", file(&"\0".repeat(70_000), false)),
    ]);
    same_tree(session, &limits, expected.clone(), ctx).await;
    for (name, entry) in &mut expected {
        if matches!(*name, "zeros") {
            entry.node = SessionNode::Unread { size_bytes: Some(70_000) };
        }
    }
    same_tree(session, &limits.with_file_bytes(65_000), expected.clone(), ctx).await;
    let undo = "echo hello > hello.txt; rm -r src/three.py dangling pipe zeros run.sh";
    assert!(shell(session, undo, ctx).await.exit.success());
    expected.retain(|(name, _)| !["src/three.py", "dangling", "pipe", "zeros", "run.sh/in"].contains(name));
    for (name, entry) in &mut expected {
        if *name == "hello.txt" {
            *entry = file("hello\n", true);
        }
    }
    same_tree(session, &limits, expected, ctx).await;
    assert!(shell(session, "echo x > 'line\nbreak'", ctx).await.exit.success());
    let odd = session.tree(&limits, ctx).await;
    assert!(odd.is_ok_and(|tree| tree.unnamed >= 1), "a path that cannot be named safely is counted");
    let cut = session.tree(&limits.with_entries(2), ctx).await;
    assert!(
        cut.is_ok_and(|tree| tree.cut && tree.entries.len() <= 4),
        "more paths than the limit are cut, and it says so"
    );
    close(session).await;
}

async fn same_tree(
    session: &dyn SandboxSession,
    limits: &TreeLimits,
    mut expected: Vec<(&str, SessionEntry)>,
    ctx: &RunContext,
) {
    let tree = match session.tree(limits, ctx).await {
        Ok(tree) => tree,
        Err(error) => panic!("the tree is read: {error}"),
    };
    expected.sort_by_key(|(name, _)| *name);
    let names: Vec<&str> = tree.entries.keys().map(RepoPath::as_str).collect();
    assert_eq!(names, expected.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "the paths, sorted");
    for (name, entry) in expected {
        assert!(tree.entries.get(&path(name)) == Some(&entry), "{name}: {:?}", tree.entries.get(&path(name)));
    }
    assert!(!tree.cut && tree.unnamed == 0, "nothing is left out");
}

/// Sessions over the same checkout do not see each other, and leave the checkout as it was.
///
/// # Panics
/// When they do not.
pub async fn sessions_are_separate(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let (first, second) = tokio::join!(open(sandbox, fixture, ctx), open(sandbox, fixture, ctx));
    let script = "echo mine > hello.txt; echo mine > /tmp/mine; rm run.sh; sleep 0.2; cat hello.txt";
    let look = "sleep 0.1; cat hello.txt; ls run.sh; ls /tmp/mine; true";
    let (one, two) = tokio::join!(shell(&*first, script, ctx), shell(&*second, look, ctx));
    assert_eq!(text(&one.stdout), "mine\n", "a session sees its own writes");
    assert_eq!(text(&two.stdout), "hello\nrun.sh\n", "and not those of another");
    close(&*first).await;
    assert!(shell(&*second, "true", ctx).await.exit.success(), "closing one leaves the other");
    close(&*second).await;
    let third = open(sandbox, fixture, ctx).await;
    let changed = third.changes(ctx).await;
    assert!(matches!(&changed, Ok(changed) if changed.is_empty()), "a new session starts clean: {changed:?}");
    assert_eq!(
        text(&shell(&*third, "cat hello.txt run.sh", ctx).await.stdout),
        "hello\n#!/bin/sh\necho ran\n"
    );
    close(&*third).await;
}

/// No file, variable, process or service of the host is reachable.
///
/// # Panics
/// When one is.
pub async fn the_host_is_out_of_reach(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let output = run(session, &ExecRequest::new(["env"]), ctx).await;
    let names: Vec<String> =
        text(&output.stdout).lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
    assert_eq!(names.len(), 4, "four variables and no more: {names:?}");
    assert!(["PATH", "HOME", "LANG", "TMPDIR"].iter().all(|name| names.iter().any(|seen| seen == name)));
    let host_file = fixture.host_file.display().to_string();
    let output = run(session, &ExecRequest::new(["cat", &host_file]), ctx).await;
    assert!(
        !output.exit.success() && output.stdout.is_empty(),
        "a file of the host is not there: {output:?}"
    );
    let connect = "import socket, sys\n\
                   try:\n\
                   \x20   own = socket.socket(); own.bind(('127.0.0.1', 0)); own.listen()\n\
                   \x20   socket.create_connection(own.getsockname(), 2); print('own')\n\
                   except OSError: print('none')\n\
                   for place in (('127.0.0.1', int(sys.argv[1])), ('1.1.1.1', 53), ('169.254.169.254', 80)):\n\
                   \x20   try: socket.create_connection(place, 1); print('reached', place)\n\
                   \x20   except OSError: pass\n\
                   try: socket.getaddrinfo('example.com', 80); print('resolved')\n\
                   except OSError: pass\n";
    let port = fixture.host_port.to_string();
    let output = run(session, &ExecRequest::new(["python3", "-c", connect, &port]), ctx).await;
    // Without a network namespace there is no loopback that is not the host's.
    let shared = session.isolation().tier == IsolationTier::LandlockOnly;
    let loopback = if shared { "none\n" } else { "own\n" };
    assert_eq!(text(&output.stdout), loopback, "its own loopback and nothing else: {}", text(&output.stderr));
    close(session).await;
}

/// After close every method says that the session is closed, and closing again does nothing.
///
/// # Panics
/// When they do not.
pub async fn a_closed_session_refuses_everything(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let Ok(mut stream) = session.exec(&ExecRequest::new(["sleep", "600"]), ctx).await else {
        panic!("the command must start")
    };
    close(session).await;
    close(session).await;
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(Err(SandboxError::Closed))), "a running command ends: {last:?}");
    let exec = session.exec(&ExecRequest::new(["true"]), ctx).await.map(|_| ());
    let read = session.read_file(&path("hello.txt"), 10, ctx).await.map(|_| ());
    let write = session.write_file(&path("hello.txt"), b"", false, ctx).await;
    let changes = session.changes(ctx).await.map(|_| ());
    let tree = session.tree(&TreeLimits::default(), ctx).await.map(|_| ());
    for result in [exec, read, write, changes, tree] {
        assert!(matches!(result, Err(SandboxError::Closed)), "a closed session says so: {result:?}");
    }
}
