//! Sessions among others, on hosts that lack or leak something, and what they leave behind.

use staso_core::sandbox::{ExecEvent, ExecStream};

use super::processes::remove;
use crate::escape::claims::Claims;
use crate::escape::host::{APPEARS, eventually, open_descriptors, processes_with, traces};
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
    let clean = eventually(run.ground.patience, || all().is_subset(&before)).await;
    if !clean {
        let left: Vec<String> = all().difference(&before).take(5).cloned().collect();
        remove(run, &mark);
        return escaped(format!("left behind: {}", left.join(", ")));
    }
    ensure(remove(run, &mark) == 0, "processes were left behind")?;
    let settled =
        eventually(run.ground.patience, || open_descriptors() <= descriptors + OWN_DESCRIPTORS).await;
    ensure(settled, format!("{descriptors} descriptors became {}", open_descriptors()))?;
    held(format!("{} sessions; up to {most} traces of an open one, none afterwards", run.ground.rounds))
}

/// Row 68.
pub(super) async fn no_namespaces(run: &Run<'_>) -> Judged {
    let said = |second: &Second| second.said.chars().take(240).collect::<String>();
    if run.host.no_namespaces.is_some() {
        // This host is one itself, at least for a program that nobody knows.
        let second = Second::start(run.ground, &Task::Open, &[]).await?;
        return Ok(match second.said.starts_with("refused") {
            true => Verdict::Held(said(&second)),
            false => Verdict::NotApplicable("only some programs of this host have none".to_owned()),
        });
    }
    let outside = run.ground.probe.attempt(&words("unshare 10000000"));
    control(outside.is_done(), format!("this host has user namespaces: {outside}"))?;
    let stage = words("without-namespaces");
    let second = Second::start(run.ground, &Task::Open, &stage).await?;
    ensure(second.said.starts_with("refused"), format!("a session was {}", second.said))?;
    held(said(&second))
}

/// Row 70.
pub(super) async fn neighbours(run: &Run<'_>) -> Judged {
    let first = Neighbour::new(run)?;
    let serving = run.ground.probe.start(&first.serve()).or_broken("start the control")?;
    let mut failed = Vec::new();
    for look in first.looks(&serving.said) {
        let outcome = run.ground.probe.attempt(&look);
        failed.extend((!outcome.is_done()).then(|| format!("`{}` outside: {outcome}", look.join(" "))));
    }
    drop(serving);
    first.clean(run);
    control(failed.is_empty(), failed.join("; "))?;
    let (one, other) = tokio::join!(run.open(), run.open());
    let (one, other) = (one?, other?);
    let near = Neighbour::new(run)?;
    one.session.write_file(&path("probe-of-one")?, b"x", false, run.ctx).await.or_broken("write a file")?;
    let mut looks = vec![words("exists probe-of-one")];
    let stream = if Claims::NAMESPACES.include(run.tier) {
        let (stream, port) = near.start(&one, &near.serve()).await?;
        let temporary = one.attempt(&words("symlink /nowhere /tmp/probe-of-one")).await;
        if !temporary.is_done() {
            return Err(Verdict::Broken(format!("a session cannot use its own: {temporary}")));
        }
        looks.extend(near.looks(&port));
        looks.push(words("exists /tmp/probe-of-one"));
        stream
    } else {
        // Sockets and shared memory are denied altogether.
        looks.extend(near.looks("").into_iter().take(1));
        near.start(&one, &["stubborn".to_owned(), near.mark.clone()]).await?.0
    };
    let mut through = Vec::new();
    for look in &looks {
        let outcome = other.attempt(look).await;
        through.extend((!outcome.is_refused()).then(|| format!("`{}`: {outcome}", look.join(" "))));
    }
    drop(stream);
    near.clean(run);
    ensure(through.is_empty(), through.join("; "))?;
    held(format!("{} looks at what another session has found nothing", looks.len()))
}

/// A probe that can be found: by its command line, by the name of a socket, by a key of shared memory, by a port.
struct Neighbour {
    mark: String,
    name: String,
    segment: String,
}

impl Neighbour {
    fn new(run: &Run<'_>) -> Result<Self, Verdict> {
        let mark = run.ground.mark();
        let none = || Verdict::Broken("there is no key for shared memory".to_owned());
        let segment = run.ground.place("other-segment").ok_or_else(none)?;
        Ok(Self { name: format!("probe-{mark}"), mark, segment })
    }

    fn serve(&self) -> Vec<String> {
        ["serve", &self.name, &self.segment, &self.mark].map(str::to_owned).to_vec()
    }

    /// Starts it in a session and waits until it is ready: its port, if it has one.
    async fn start(
        &self,
        inside: &Inside<'_>,
        arguments: &[String],
    ) -> Result<(ExecStream, String), Verdict> {
        let mut stream = inside.start(arguments).await?;
        match tokio::time::timeout(APPEARS, stream.next()).await {
            Ok(Some(Ok(ExecEvent::Stdout(said)))) if said.starts_with(b"ready") => {
                let said = String::from_utf8_lossy(&said);
                Ok((stream, said.trim_start_matches("ready").trim().to_owned()))
            }
            other => Err(Verdict::Broken(format!("a session cannot be looked for: {other:?}"))),
        }
    }

    fn looks(&self, port: &str) -> Vec<Vec<String>> {
        let (half, rest) = self.mark.split_at(self.mark.len() / 2);
        vec![
            ["find-process", half, rest].map(str::to_owned).to_vec(),
            ["abstract", &self.name].map(str::to_owned).to_vec(),
            ["find-segment", &self.segment].map(str::to_owned).to_vec(),
            ["tcp".to_owned(), format!("127.0.0.1:{port}")].to_vec(),
        ]
    }

    /// Removes what the control, or a sandbox that isolates nothing, has put on the host.
    fn clean(&self, run: &Run<'_>) {
        run.ground.probe.attempt(&["remove-segment".to_owned(), self.segment.clone()]);
        drop(std::fs::remove_file("/tmp/probe-of-one"));
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
