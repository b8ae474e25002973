//! Sessions among others, on hosts that lack or leak something, and what they leave behind.

use staso_core::sandbox::{ExecEvent, ExecStream};

use super::processes::remove;
use crate::escape::claims::Claims;
use crate::escape::ground::Ground;
use crate::escape::host::{SOON, eventually, open_descriptors, processes_with, traces};
use crate::escape::inside::{Inside, path, words};
use crate::escape::runner::Run;
use crate::escape::second::{Second, Task};
use crate::escape::verdict::{Judged, OrBroken as _, Verdict, control, ensure, escaped, held};

/// Row 67.
pub(super) async fn leftovers(run: &Run<'_>) -> Judged {
    /// Every so many sessions one gets processes, and one is dropped instead of closed.
    const CROWDED: u32 = 10;
    const DROPPED: u32 = 7;
    /// Descriptors of the runtime's own that may come and go.
    const OWN_DESCRIPTORS: usize = 8;
    let mark = run.ground.mark();
    let all = || {
        let mut all = traces();
        all.extend(processes_with(&mark).into_iter().map(|pid| format!("process {pid} of a session")));
        all.extend(run.ground.leftovers.iter().flat_map(|list| list()));
        all
    };
    let (before, descriptors) = (all(), open_descriptors());
    let mut most = 0;
    for round in 0..run.ground.rounds {
        let spec = run.ground.spec();
        let session = run.sandbox.open(&spec, run.ctx).await.or_broken("open a session")?;
        let mut stream = None;
        if round % CROWDED == 0 {
            let inside = run.open().await?;
            stream = Some(inside.start(&["daemons-and-wait".to_owned(), mark.clone()]).await?);
            most = most.max(all().difference(&before).count());
            inside.session.close().await.or_broken("close a session")?;
        }
        if round % DROPPED == 0 {
            drop(session);
        } else {
            session.close().await.or_broken("close a session")?;
        }
        drop(stream);
    }
    control(most > 0, "an open session shows on the host")?;
    let clean = eventually(SOON * 3, || all().is_subset(&before)).await;
    if !clean {
        let left: Vec<String> = all().difference(&before).take(5).cloned().collect();
        return escaped(format!("left behind: {}", left.join(", ")));
    }
    ensure(remove(run, &mark) == 0, "processes were left behind")?;
    let settled = eventually(SOON, || open_descriptors() <= descriptors + OWN_DESCRIPTORS).await;
    ensure(settled, format!("{descriptors} descriptors became {}", open_descriptors()))?;
    held(format!("{} sessions; up to {most} traces of an open one, none afterwards", run.ground.rounds))
}

/// Row 68.
pub(super) async fn no_namespaces(run: &Run<'_>) -> Judged {
    let outside = run.ground.probe.attempt(&words("unshare 10000000"));
    control(outside.is_done(), format!("this host has user namespaces: {outside}"))?;
    let stage = words("without-namespaces");
    let second = Second::start(run.ground, &Task::Open, &stage).await?;
    ensure(second.said.starts_with("refused"), format!("a session was {}", second.said))?;
    let said: String = second.said.chars().take(240).collect();
    held(said)
}

/// Row 70.
pub(super) async fn neighbours(run: &Run<'_>) -> Judged {
    let first = Neighbour::new(run)?;
    let serving = run.ground.probe.start(&first.serve()).or_broken("start the control")?;
    for look in first.looks() {
        let outcome = run.ground.probe.attempt(&look);
        control(outcome.is_done(), format!("`{}` outside: {outcome}", look.join(" ")))?;
    }
    drop(serving);
    let (one, other) = tokio::join!(run.open(), run.open());
    let (one, other) = (one?, other?);
    let near = Neighbour::new(run)?;
    one.session.write_file(&path("probe-of-one")?, b"x", false, run.ctx).await.or_broken("write a file")?;
    let mut looks = vec![words("exists probe-of-one")];
    let segment = own_segment(run);
    let stream = if Claims::NAMESPACES.include(run.tier) {
        let stream = near.start(&one, &near.serve()).await?;
        let temporary = one.attempt(&words("symlink /nowhere /tmp/probe-of-one")).await;
        let shared = one.attempt(&words(&format!("make-segment {segment}"))).await;
        if !temporary.is_done() || !shared.is_done() {
            return Err(Verdict::Broken(format!("a session cannot use its own: {temporary}, {shared}")));
        }
        looks.extend(near.looks());
        looks.push(words("exists /tmp/probe-of-one"));
        looks.push(words(&format!("find-segment {segment}")));
        stream
    } else {
        // Sockets and shared memory are denied altogether.
        looks.extend(near.looks().into_iter().take(1));
        near.start(&one, &["stubborn".to_owned(), near.mark.clone()]).await?
    };
    let mut through = Vec::new();
    for look in &looks {
        let outcome = other.attempt(look).await;
        through.extend((!outcome.is_refused()).then(|| format!("`{}`: {outcome}", look.join(" "))));
    }
    drop(stream);
    clean(run, segment);
    ensure(through.is_empty(), through.join("; "))?;
    held(format!("{} looks at what another session has found nothing", looks.len()))
}

/// A key for shared memory that nothing else uses.
fn own_segment(run: &Run<'_>) -> u32 {
    const ANOTHER: u32 = 0x4000_0000;
    run.ground.place("segment").and_then(|key| key.parse::<u32>().ok()).unwrap_or_default() ^ ANOTHER
}

/// Removes what only a sandbox that isolates nothing has put on the host.
fn clean(run: &Run<'_>, segment: u32) {
    run.ground.probe.attempt(&words(&format!("remove-segment {segment}")));
    drop(std::fs::remove_file("/tmp/probe-of-one"));
}

/// A probe that can be found: by its command line, by the name of a socket, by a port.
struct Neighbour {
    mark: String,
    name: String,
    port: u16,
}

impl Neighbour {
    fn new(run: &Run<'_>) -> Result<Self, Verdict> {
        let mark = run.ground.mark();
        Ok(Self { name: format!("probe-{mark}"), mark, port: Ground::free_port().or_broken("find a port")? })
    }

    fn serve(&self) -> Vec<String> {
        ["serve", &self.name, &self.port.to_string(), &self.mark].map(str::to_owned).to_vec()
    }

    /// Starts it in a session and waits until it is ready.
    async fn start(&self, inside: &Inside<'_>, arguments: &[String]) -> Result<ExecStream, Verdict> {
        let mut stream = inside.start(arguments).await?;
        match tokio::time::timeout(SOON, stream.next()).await {
            Ok(Some(Ok(ExecEvent::Stdout(said)))) if said.starts_with(b"ready") => Ok(stream),
            other => Err(Verdict::Broken(format!("a session cannot be looked for: {other:?}"))),
        }
    }

    fn looks(&self) -> Vec<Vec<String>> {
        let (half, rest) = self.mark.split_at(self.mark.len() / 2);
        vec![
            ["find-process", half, rest].map(str::to_owned).to_vec(),
            ["abstract", &self.name].map(str::to_owned).to_vec(),
            ["tcp".to_owned(), format!("127.0.0.1:{}", self.port)].to_vec(),
        ]
    }
}

/// Row 83.
pub(super) async fn leaky_host(run: &Run<'_>) -> Judged {
    let canary = run.ground.directory.join("canary").display().to_string();
    let stage = ["with-descriptor".to_owned(), "9".to_owned(), canary];
    let mut tries = vec!["descriptors".to_owned(), "environment PATH HOME LANG TMPDIR".to_owned()];
    let find = run.fill("find-secret {secret} {secret-end}").unwrap_or_default();
    tries.push(find.join(" "));
    let probe = run.ground.place("probe").unwrap_or_default();
    let outside: Vec<String> = stage.iter().cloned().chain([probe, "descriptors".to_owned()]).collect();
    let outcome = run.ground.probe.attempt(&outside);
    control(outcome.is_done(), format!("a program of the host inherits the descriptor: {outcome}"))?;
    let second = Second::start(run.ground, &Task::Attempts(tries.clone()), &stage).await?;
    ensure(!second.said.contains("through "), second.said.replace('\n', "; "))?;
    if second.said.lines().filter(|line| line.starts_with("refused ")).count() != tries.len() {
        return Err(Verdict::Broken(second.said.clone()));
    }
    held(second.said.replace('\n', "; "))
}
