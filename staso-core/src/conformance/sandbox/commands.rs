//! What a command is given and what it gives back.

use super::Fixture;
use super::working::{PATIENCE, close, hold_lock, open, open_with, path, run, shell, text};
use crate::run::RunContext;
use crate::sandbox::{ExecRequest, Sandbox, SandboxSession};

/// Exit codes, signals, standard input, environment, working directory, and nothing of another command.
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
    let output = shell(session, "echo $GREETING $OTHER", ctx).await;
    assert_eq!(text(&output.stdout), "hi 1\n", "they are for one command alone");
    close(session).await;
}

/// Commands of one session run at the same time, see each other's files, and keep their output apart; file operations do
/// not wait for them.
///
/// # Panics
/// When one waits for another, or output is mixed.
pub async fn commands_run_at_the_same_time(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    assert!(shell(session, "mkfifo there back", ctx).await.exit.success());
    let in_time = |script: &str| ExecRequest::new(["sh", "-c", script]).with_timeout(PATIENCE);
    let (one, other) = (in_time("echo ping > there; cat back"), in_time("cat there; echo pong > back"));
    let (one, other) = tokio::join!(run(session, &one, ctx), run(session, &other, ctx));
    let said = [text(&one.stdout), text(&other.stdout)];
    assert_eq!(said, ["pong\n", "ping\n"], "two commands of a session talk to each other");
    tokio::join!(chatter(session, 1, ctx), chatter(session, 2, ctx), chatter(session, 3, ctx));
    let stream = hold_lock(session, ctx).await;
    let files = async {
        let written = session.write_file(&path("beside"), b"x", false, ctx).await;
        let read = session.read_file(&path("beside"), 1, ctx).await;
        let changed = session.changes(ctx).await;
        written.is_ok() && read.is_ok_and(|read| read == b"x") && changed.is_ok()
    };
    let done = ctx.bounded(PATIENCE, files).await;
    assert_eq!(done.ok(), Some(true), "files are read, written and compared while a command runs");
    drop(stream);
    close(session).await;
}

async fn chatter(session: &dyn SandboxSession, number: u8, ctx: &RunContext) {
    const LINES: usize = 20_000;
    let output = shell(session, &format!("yes {number} | head -n {LINES}"), ctx).await;
    assert_eq!(text(&output.stdout), format!("{number}\n").repeat(LINES), "output of commands is not mixed");
}
