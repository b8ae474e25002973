//! How commands and sessions end.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::Fixture;
use super::working::{CANCEL_LIMIT, PATIENCE, close, hold_lock, lock_is_free, open, path, shell};
use crate::run::RunContext;
use crate::sandbox::{ExecRequest, Sandbox, SandboxError, SandboxSession, TreeLimits};

/// Everything returns soon after cancellation, and cancelled runs can still close.
///
/// # Panics
/// When it takes longer than two seconds.
pub async fn cancellation_is_quick(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let token = CancellationToken::new();
    let run_ctx = ctx.clone().with_cancellation(token.clone());
    let session = open(sandbox, fixture, &run_ctx).await;
    let mut stream = hold_lock(&*session, &run_ctx).await;
    let started = Instant::now();
    token.cancel();
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(Err(SandboxError::Cancelled))), "a cancelled command says so: {last:?}");
    for refused in every_method(&*session, &run_ctx).await {
        assert!(matches!(refused, Err(SandboxError::Cancelled)), "every method as well: {refused:?}");
    }
    let refused = sandbox.open(&fixture.spec(), &run_ctx).await.map(|_| ());
    assert!(matches!(refused, Err(SandboxError::Cancelled)), "opening as well: {refused:?}");
    assert!(started.elapsed() < CANCEL_LIMIT, "cancellation took {:?}", started.elapsed());
    lock_is_free(&*session, "a cancelled command dies with its children, and the session goes on", ctx).await;
    let closing = Instant::now();
    close(&*session).await;
    assert!(closing.elapsed() < CANCEL_LIMIT, "closing took {:?}", closing.elapsed());
}

/// A command whose stream is thrown away is killed.
///
/// # Panics
/// When it goes on.
pub async fn dropping_a_stream_kills_the_command(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    drop(hold_lock(&*session, ctx).await);
    lock_is_free(&*session, "the command must be dead within two seconds", ctx).await;
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
    assert!(started.elapsed() < PATIENCE, "a pipe that a daemon holds does not delay the end");
    let output = shell(&*session, "exec 9>lock; flock -n 9", ctx).await;
    assert!(output.exit.success(), "the daemon is dead when the command has ended");
    close(&*session).await;
}

/// After close every method says that the session is closed, and closing again does nothing.
///
/// # Panics
/// When they do not.
pub async fn a_closed_session_refuses_everything(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let session = &*session;
    let mut stream = hold_lock(session, ctx).await;
    close(session).await;
    close(session).await;
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(Err(SandboxError::Closed))), "a running command ends: {last:?}");
    for result in every_method(session, ctx).await {
        assert!(matches!(result, Err(SandboxError::Closed)), "a closed session says so: {result:?}");
    }
}

/// What each method of a session says.
async fn every_method(session: &dyn SandboxSession, ctx: &RunContext) -> [Result<(), SandboxError>; 5] {
    [
        session.exec(&ExecRequest::new(["true"]), ctx).await.map(|_| ()),
        session.read_file(&path("hello.txt"), 10, ctx).await.map(|_| ()),
        session.write_file(&path("hello.txt"), b"", false, ctx).await,
        session.changes(ctx).await.map(|_| ()),
        session.tree(&TreeLimits::default(), ctx).await.map(|_| ()),
    ]
}
