//! Processes that hurt others or do not want to end.

use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use staso_core::sandbox::{ExecRequest, SandboxSessionExt as _};

use crate::escape::host::{APPEARS, eventually, processes_with};
use crate::escape::inside::{Inside, words};
use crate::escape::outcome::Outcome;
use crate::escape::runner::Run;
use crate::escape::verdict::{Judged, OrBroken as _, Verdict, control, ensure, escaped, held};

/// The time that a command gets which does not want to end.
const SHORT: Duration = Duration::from_millis(300);
/// How long something must go on to show that it does not end by itself.
const WHILE: Duration = Duration::from_millis(250);

/// Row 22.
pub(super) async fn kill_host_process(run: &Run<'_>) -> Judged {
    let kill = |pid: u32| words(&format!("kill {pid} 9"));
    let start = || run.ground.probe.start(&words("wait-here")).or_broken("start a victim");
    let mut sacrificed = start()?;
    let outside = run.ground.probe.attempt(&kill(sacrificed.pid()));
    let died = eventually(APPEARS, || !sacrificed.lives()).await;
    control(outside.is_done() && died, format!("outside: {outside}"))?;
    let mut victim = start()?;
    let outcome = run.open().await?.attempt(&kill(victim.pid())).await;
    ensure(!eventually(WHILE, || !victim.lives()).await, "a process of the host was killed")?;
    refused(&outcome)?;
    held(outcome.to_string())
}

/// What was tried was tried, and refused.
fn refused(outcome: &Outcome) -> Result<(), Verdict> {
    match outcome {
        Outcome::Broken(why) => Err(Verdict::Broken(why.clone())),
        other => ensure(other.is_refused(), other.to_string()),
    }
}

/// Row 77.
pub(super) async fn kill_first(run: &Run<'_>) -> Judged {
    let inside = run.open().await?;
    let Some(namespace) = run.ground.place("processes") else {
        return Err(Verdict::Broken("the host's process namespace cannot be told".to_owned()));
    };
    let outcome = inside.attempt(&["kill-first".to_owned(), namespace]).await;
    refused(&outcome)?;
    ensure(inside.lives().await, "the session is dead")?;
    Ok(Verdict::HeldUncontrolled("the session lives on (nobody kills the host's own process 1)".to_owned()))
}

/// Row 27.
pub(super) async fn daemons_after_exec(run: &Run<'_>) -> Judged {
    daemons_outlive_outside(run).await?;
    let (inside, mark) = (run.open().await?, run.ground.mark());
    are_seen(run, &inside).await?;
    let outcome = inside.attempt(&["daemons".to_owned(), mark.clone()]).await;
    if !outcome.is_done() {
        return Err(Verdict::Broken(outcome.to_string()));
    }
    let dead = eventually(run.ground.patience, || processes_with(&mark).is_empty()).await;
    ensure(dead, format!("{} daemons outlive their command", remove(run, &mark)))?;
    held("two daemons died with their command")
}

/// Where the host does not see what runs in a session, that nothing is seen says nothing.
async fn are_seen(run: &Run<'_>, inside: &Inside<'_>) -> Result<(), Verdict> {
    let mark = run.ground.mark();
    let stream = inside.start(&["stubborn".to_owned(), mark.clone()]).await?;
    let seen = eventually(APPEARS, || !processes_with(&mark).is_empty()).await;
    drop(stream);
    let gone = eventually(run.ground.patience, || processes_with(&mark).is_empty()).await;
    let left = remove(run, &mark);
    if !seen {
        return Err(Verdict::Broken("the host does not see the processes of a session".to_owned()));
    }
    ensure(gone, format!("{left} processes outlive a command that nobody wants any more"))
}

/// The control: without a sandbox they outlive their command.
async fn daemons_outlive_outside(run: &Run<'_>) -> Result<(), Verdict> {
    let mark = run.ground.mark();
    let outcome = run.ground.probe.attempt(&["daemons".to_owned(), mark.clone()]);
    let lived = !eventually(WHILE, || processes_with(&mark).len() < 2).await;
    remove(run, &mark);
    control(lived, format!("daemons outlive their command outside: {outcome}"))
}

/// Ends what was left; how many there were.
pub(super) fn remove(run: &Run<'_>, mark: &str) -> usize {
    let left = processes_with(mark);
    for pid in &left {
        run.ground.probe.kill(*pid);
    }
    left.len()
}

/// Row 63.
pub(super) async fn held_pipe(run: &Run<'_>) -> Judged {
    let mark = run.ground.mark();
    let arguments = ["daemons".to_owned(), mark.clone(), "hold".to_owned()];
    let mut naive = run.ground.probe.command(&arguments);
    let mut child = naive.stdout(Stdio::piped()).spawn().or_broken("start the control")?;
    let mut output = child.stdout.take().or_none("the control has no output")?;
    let reader = std::thread::spawn(move || output.read_to_end(&mut Vec::new()).is_ok());
    let ended = child.wait().is_ok();
    let hangs = !eventually(WHILE, || reader.is_finished()).await;
    remove(run, &mark);
    drop(reader.join());
    control(ended && hangs, "a host that reads to the end hangs")?;

    let (inside, mark) = (run.open().await?, run.ground.mark());
    let start = Instant::now();
    let limit = run.ground.patience * 2;
    let output = inside.output(&["daemons".to_owned(), mark.clone(), "hold".to_owned()], limit).await;
    let took = start.elapsed();
    remove(run, &mark);
    let output = output.or_broken("run the command")?;
    let outcome = Outcome::of_output(&output);
    ensure(took < limit && !output.exit.timed_out, format!("the command took {} ms", took.as_millis()))?;
    if !outcome.is_done() {
        return Err(Verdict::Broken(outcome.to_string()));
    }
    held(format!("the command ended after {} ms, with what it had printed", took.as_millis()))
}

/// Says what is missing.
trait OrNone<T> {
    fn or_none(self, what: &str) -> Result<T, Verdict>;
}

impl<T> OrNone<T> for Option<T> {
    fn or_none(self, what: &str) -> Result<T, Verdict> {
        self.ok_or_else(|| Verdict::Broken(what.to_owned()))
    }
}

/// Row 31.
pub(super) async fn stubborn(run: &Run<'_>) -> Judged {
    let mut outside = run.ground.probe.start(&words("stubborn")).or_broken("start the control")?;
    let asked = run.ground.probe.attempt(&words(&format!("kill {} 15", outside.pid())));
    let lived = !eventually(WHILE, || !outside.lives()).await;
    control(asked.is_done() && lived, "it outlives SIGTERM outside")?;
    ends_at_its_time(run, &run.open().await?, "stubborn").await
}

/// Row 64.
pub(super) async fn busy(run: &Run<'_>) -> Judged {
    let mut outside = run.ground.probe.command(&words("busy")).spawn().or_broken("start the control")?;
    let lived = !eventually(WHILE, || !matches!(outside.try_wait(), Ok(None))).await;
    let _killed = outside.kill();
    let _ended = outside.wait();
    control(lived, "it does not end by itself outside")?;
    ends_at_its_time(run, &run.open().await?, "busy").await?;
    let mut limits = run.ground.limits.clone();
    limits.cpu_seconds = 1;
    let inside = run.open_with(&limits).await?;
    // A second of the processor's time is more of this machine's where others use it as well.
    let limit = Duration::from_secs(1) + run.ground.patience * 3;
    let output = inside.output(&words("busy"), limit).await.or_broken("run the command")?;
    let by_limit = output.exit.signal.is_some() || output.exit.code.is_some_and(|code| code > 128);
    ensure(by_limit && !output.exit.timed_out, format!("a second of processor time took {:?}", output.exit))?;
    held("killed when its time was over, and at the limit of processor time")
}

/// A command that does not want to end is killed when its time is over.
async fn ends_at_its_time(run: &Run<'_>, inside: &Inside<'_>, verb: &str) -> Judged {
    are_seen(run, inside).await?;
    let mark = run.ground.mark();
    let start = Instant::now();
    let request: ExecRequest = Inside::request(&[verb.to_owned(), mark.clone()]).with_timeout(SHORT);
    let output = inside.session.run(&request, run.ctx).await.or_broken("run the command")?;
    let took = start.elapsed();
    let dead = eventually(run.ground.patience, || processes_with(&mark).is_empty()).await;
    if !dead {
        return escaped(format!("{} processes outlive their time", remove(run, &mark)));
    }
    ensure(
        output.exit.timed_out && took < SHORT + run.ground.patience,
        format!("{:?} after {took:?}", output.exit),
    )?;
    ensure(inside.lives().await, "the session died with it")?;
    held(format!("killed after {} ms", took.as_millis()))
}
