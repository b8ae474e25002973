//! Bounds of commands and sessions.

use std::time::{Duration, Instant};

use super::Fixture;
use super::working::{CANCEL_LIMIT, close, lock_is_free, open, open_with, path, run, shell, text};
use crate::run::RunContext;
use crate::sandbox::{ExecRequest, IsolationTier, Sandbox, SandboxLimits, SandboxSession};

/// A command that ignores everything is killed when its time is over.
///
/// # Panics
/// When it is not.
pub async fn time_is_limited(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let session = open(sandbox, fixture, ctx).await;
    let started = Instant::now();
    let script =
        "trap '' TERM INT HUP; exec 9>lock; flock 9; setsid sleep 600 & echo began; while :; do :; done";
    let request = ExecRequest::new(["sh", "-c", script]).with_timeout(Duration::from_millis(300));
    let output = run(&*session, &request, ctx).await;
    assert!(output.exit.timed_out && output.exit.code.is_none(), "a timeout is reported: {:?}", output.exit);
    assert_eq!(text(&output.stdout), "began\n", "what was printed before is kept");
    assert!(started.elapsed() >= Duration::from_millis(300), "the time is granted");
    assert!(started.elapsed() < Duration::from_millis(300) + CANCEL_LIMIT, "the time is enforced");
    lock_is_free(&*session, "all that a command started dies with it, and the session survives", ctx).await;
    close(&*session).await;
}

/// The bounds of a session hold for commands that do not care, and where the session has a file system of its own for the
/// host's writes as well. The session survives.
///
/// # Panics
/// When one does not hold.
pub async fn limits_hold(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    let limits = SandboxLimits { exec_timeout_ms: 300, ..SandboxLimits::default() };
    let session = open_with(sandbox, fixture.spec().with_limits(limits), ctx).await;
    let started = Instant::now();
    let output = shell(&*session, "while :; do :; done", ctx).await;
    let in_time = started.elapsed() < Duration::from_millis(300) + CANCEL_LIMIT;
    assert!(output.exit.timed_out && in_time, "the session's time holds where a command has none");
    close(&*session).await;
    let limits = SandboxLimits {
        memory_bytes: 128 << 20,
        pids: 64,
        cpu_seconds: 1,
        disk_bytes: DISK_BYTES as u64,
        ..SandboxLimits::default()
    };
    let session = open_with(sandbox, fixture.spec().with_limits(limits.clone()), ctx).await;
    let session = &*session;
    assert_eq!(session.isolation().limits, limits, "the limits are those of the request");
    let busy = shell(session, "while :; do :; done", ctx).await;
    assert!(!busy.exit.success() && !busy.exit.timed_out, "processor time is bounded: {:?}", busy.exit);
    let large = "x = bytearray(512 << 20); x[::4096] = b'x' * len(x[::4096]); print(len(x))";
    let output = run(session, &ExecRequest::new(["python3", "-c", large]), ctx).await;
    assert!(!output.exit.success() && output.stdout.is_empty(), "memory is bounded: {:?}", output.exit);
    let output = run(session, &ExecRequest::new(["python3", "-c", FORKS]), ctx).await;
    let forked = text(&output.stdout).trim().parse::<u32>();
    // A backend may need some for itself.
    assert!(forked.is_ok_and(|forked| forked < 2 * limits.pids), "processes are bounded: {output:?}");
    disk_is_bounded(session, ctx).await;
    close(session).await;
}

/// What a session of [`limits_hold`] may write.
const DISK_BYTES: usize = 2 << 20;
/// Starts as many processes as there may be, and says how many that were.
const FORKS: &str = "import os, time\n\
                     started = 0\n\
                     try:\n\
                     \x20   while started < 200:\n\
                     \x20       if os.fork() == 0:\n\
                     \x20           time.sleep(60); os._exit(0)\n\
                     \x20       started += 1\n\
                     except OSError: pass\n\
                     print(started)\n";

async fn disk_is_bounded(session: &dyn SandboxSession, ctx: &RunContext) {
    let output = shell(session, "head -c 8000000 /dev/zero > big", ctx).await;
    assert!(!output.exit.success(), "one file is bounded: {:?}", output.exit);
    let many = "rm -f big; i=0; while [ $i -lt 400 ]; do head -c 100000 /dev/zero > many$i || exit 1; i=$((i + 1)); done";
    let output = shell(session, many, ctx).await;
    assert!(!output.exit.success(), "all files together are bounded: {:?}", output.exit);
    assert!(shell(session, "rm -f many*", ctx).await.exit.success(), "what was written can be removed");
    // Weaker tiers have no file system of their own, and look at what commands write.
    if session.isolation().tier <= IsolationTier::Container {
        let written = session.write_file(&path("host"), &vec![0; 2 * DISK_BYTES], false, ctx).await;
        assert!(written.is_err(), "the bound holds for the host as well");
    }
    let written = session.write_file(&path("host"), b"small", false, ctx).await;
    assert!(written.is_ok(), "what fits is written: {written:?}");
}
