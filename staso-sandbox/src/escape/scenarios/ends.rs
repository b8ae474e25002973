//! Ends of sessions: closed, cancelled, or their helper or host killed.

use std::time::{Duration, Instant};

use staso_core::sandbox::{ExecEvent, ExecStream, SandboxError};
use tokio_util::sync::CancellationToken;

use super::processes::remove;
use crate::escape::host::{APPEARS, eventually, helpers_of, processes_with};
use crate::escape::inside::{Inside, words};
use crate::escape::runner::Run;
use crate::escape::second::{Second, Task};
use crate::escape::verdict::{Judged, OrBroken as _, Verdict, ensure, held};

/// How long anything may take after its context was cancelled: what the trait demands.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);
/// Helpers that are killed in turn, each in a session of its own.
const MOST_HELPERS: usize = 4;
/// The processes of [`crowd`]: one that stays, with two daemons, and one that ignores signals.
const CROWD: usize = 4;

/// Fills a session with processes that outlive much: daemons, and one that blocks every signal.
async fn crowd(run: &Run<'_>, inside: &Inside<'_>) -> Result<(String, Vec<ExecStream>), Verdict> {
    let mark = run.ground.mark();
    let mut streams = Vec::new();
    for verb in ["daemons-and-wait", "stubborn"] {
        streams.push(inside.start(&[verb.to_owned(), mark.clone()]).await?);
    }
    if !eventually(APPEARS, || processes_with(&mark).len() >= CROWD).await {
        let seen = remove(run, &mark);
        return Err(Verdict::Broken(format!("{seen} of {CROWD} processes are seen from outside")));
    }
    Ok((mark, streams))
}

/// Everything with the mark dies soon.
async fn all_die(run: &Run<'_>, mark: &str, of_what: &str) -> Result<(), Verdict> {
    let dead = eventually(run.ground.patience, || processes_with(mark).is_empty()).await;
    ensure(dead, format!("{} processes outlive {of_what}", remove(run, mark)))
}

/// Row 28.
pub(super) async fn daemons_after_close(run: &Run<'_>) -> Judged {
    for drops in [false, true] {
        let inside = run.open().await?;
        let (mark, streams) = crowd(run, &inside).await?;
        if drops {
            drop((inside, streams));
            all_die(run, &mark, "a dropped session").await?;
        } else {
            inside.session.close().await.or_broken("close the session")?;
            all_die(run, &mark, "a closed session").await?;
        }
    }
    held(format!("{CROWD} processes each died with a closed and with a dropped session"))
}

/// Row 29.
pub(super) async fn kill_helper(run: &Run<'_>) -> Judged {
    let mut killed = 0;
    for at in 0..MOST_HELPERS {
        let inside = run.open().await?;
        let (mark, streams) = crowd(run, &inside).await?;
        let helpers = processes_with(&mark).first().map(|pid| helpers_of(*pid)).unwrap_or_default();
        // Nearest first: the one that serves a single command takes only that down.
        let whole_session = at + 1 < helpers.len() || helpers.len() == 1;
        let Some(helper) = helpers.iter().rev().nth(at).filter(|_| whole_session) else {
            drop(streams);
            break;
        };
        let outcome = run.ground.probe.kill(*helper);
        if !outcome.is_done() {
            remove(run, &mark);
            return Err(Verdict::Broken(format!("a helper cannot be killed: {outcome}")));
        }
        all_die(run, &mark, "a killed helper").await?;
        ensure(
            says_closed(run, &inside).await,
            "a session whose helper died does not say that it is closed",
        )?;
        inside.session.close().await.or_broken("close the session")?;
        killed += 1;
    }
    ensure(killed > 0, "nothing serves the session that could die with it")?;
    held(format!("{killed} helpers were killed, each with everything that it served"))
}

/// Whether a session answers everything with [`SandboxError::Closed`] before long.
async fn says_closed(run: &Run<'_>, inside: &Inside<'_>) -> bool {
    let start = Instant::now();
    while start.elapsed() < run.ground.patience {
        if matches!(inside.session.changes(run.ctx).await, Err(SandboxError::Closed)) {
            return true;
        }
    }
    false
}

/// Row 30.
pub(super) async fn kill_host(run: &Run<'_>) -> Judged {
    let mark = run.ground.mark();
    let mut second = Second::start(run.ground, &Task::Hold(mark.clone()), &[]).await?;
    let seen = eventually(APPEARS, || processes_with(&mark).len() >= CROWD).await;
    if !seen {
        remove(run, &mark);
        return Err(Verdict::Broken("the second host's processes are not seen".to_owned()));
    }
    second.child.kill().or_broken("kill the second host")?;
    second.child.wait().or_broken("wait for the second host")?;
    all_die(run, &mark, "their host").await?;
    held("daemons and a command that ignores signals died with their host")
}

/// Row 69.
pub(super) async fn cancel(run: &Run<'_>) -> Judged {
    let inside = run.open().await?;
    let (token, mark) = (CancellationToken::new(), run.ground.mark());
    let ctx = run.ctx.clone().with_cancellation(token.clone());
    let request = Inside::request(&["daemons-and-wait".to_owned(), mark.clone()]);
    let mut stream = inside.session.exec(&request, &ctx).await.or_broken("start the probe")?;
    if !eventually(APPEARS, || processes_with(&mark).len() >= CROWD - 1).await {
        remove(run, &mark);
        return Err(Verdict::Broken("the processes are not seen from outside".to_owned()));
    }
    let start = Instant::now();
    token.cancel();
    let ended = tokio::time::timeout(CANCEL_LIMIT, async {
        loop {
            match stream.next().await {
                Some(Ok(ExecEvent::Exit(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            }
        }
    });
    let ended = ended.await.is_ok();
    let took = start.elapsed();
    all_die(run, &mark, "a cancelled command").await?;
    ensure(ended, "the stream does not end")?;
    let refused = inside.session.exec(&Inside::request(&words("exists .")), &ctx).await.map(drop);
    ensure(matches!(refused, Err(SandboxError::Cancelled)), format!("after cancelling: {refused:?}"))?;
    inside.session.close().await.or_broken("close the session")?;
    ensure(says_closed(run, &inside).await, "the session is still there")?;
    held(format!("ended after {} ms", took.as_millis()))
}
