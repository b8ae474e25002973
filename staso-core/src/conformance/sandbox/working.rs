//! A session at work, and what every check expects of it.

use std::time::Duration;

use super::Fixture;
use crate::code::RepoPath;
use crate::run::RunContext;
use crate::sandbox::{
    ExecEvent, ExecOutput, ExecRequest, ExecStream, Sandbox, SandboxError, SandboxSession,
    SandboxSessionExt as _, SandboxSpec,
};

/// How long anything may take after the context was cancelled.
pub(super) const CANCEL_LIMIT: Duration = Duration::from_secs(2);
/// How long the suite waits for what takes no time unless something is wrong.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn open(
    sandbox: &dyn Sandbox,
    fixture: &Fixture,
    ctx: &RunContext,
) -> Box<dyn SandboxSession> {
    open_with(sandbox, fixture.spec(), ctx).await
}

pub(super) async fn open_with(
    sandbox: &dyn Sandbox,
    spec: SandboxSpec,
    ctx: &RunContext,
) -> Box<dyn SandboxSession> {
    match sandbox.open(&spec, ctx).await {
        Ok(session) => session,
        Err(error) => panic!("a session over the fixture must open: {error}"),
    }
}

pub(super) async fn run(session: &dyn SandboxSession, request: &ExecRequest, ctx: &RunContext) -> ExecOutput {
    match session.run(request, ctx).await {
        Ok(output) => output,
        Err(error) => panic!("{:?} must run to its end: {error}", request.argv),
    }
}

pub(super) async fn shell(session: &dyn SandboxSession, script: &str, ctx: &RunContext) -> ExecOutput {
    run(session, &ExecRequest::new(["sh", "-c", script]), ctx).await
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn path(text: &str) -> RepoPath {
    match RepoPath::new(text) {
        Ok(path) => path,
        Err(error) => panic!("{error}"),
    }
}

pub(super) async fn close(session: &dyn SandboxSession) {
    assert!(session.close().await.is_ok(), "a session must close");
}

pub(super) async fn start(session: &dyn SandboxSession, script: &str, ctx: &RunContext) -> ExecStream {
    match session.exec(&ExecRequest::new(["sh", "-c", script]), ctx).await {
        Ok(stream) => stream,
        Err(error) => panic!("the command must start: {error}"),
    }
}

/// The next event of a command that is expected to have one.
pub(super) async fn next(
    stream: &mut ExecStream,
    ctx: &RunContext,
) -> Option<Result<ExecEvent, SandboxError>> {
    match ctx.bounded(PATIENCE, stream.next()).await {
        Ok(event) => event,
        Err(_) => panic!("what a command prints must arrive while it runs"),
    }
}

/// Starts a command that holds a lock with its child, as long as either lives.
pub(super) async fn hold_lock(session: &dyn SandboxSession, ctx: &RunContext) -> ExecStream {
    let script = "exec 9>lock; flock 9; sleep 600 & echo locked; wait";
    let mut stream = start(session, script, ctx).await;
    let event = next(&mut stream, ctx).await;
    assert!(matches!(event, Some(Ok(ExecEvent::Stdout(_)))), "the command holds the lock: {event:?}");
    stream
}

/// Checks that whoever held the lock is dead within two seconds.
pub(super) async fn lock_is_free(session: &dyn SandboxSession, why: &str, ctx: &RunContext) {
    let output = shell(session, "exec 9>lock; flock -w 2 9", ctx).await;
    assert!(output.exit.success(), "{why}");
}
