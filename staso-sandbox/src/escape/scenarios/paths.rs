//! Paths that lead out of the checkout.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use staso_core::code::RepoPath;

use crate::escape::ground::CANARY;
use crate::escape::inside::{Inside, path, words};
use crate::escape::runner::Run;
use crate::escape::verdict::{Judged, OrBroken as _, Verdict, control, ensure, held};

const MOST_BYTES: u64 = 1 << 20;
/// How long a race is run, and how long one may take that is slow, or that is the control and to be lost.
const RACE: Duration = Duration::from_millis(800);
const LONGEST_RACE: Duration = Duration::from_secs(15);
/// Fewer writes are no race.
const FEWEST_WRITES: u32 = 20;

/// Row 6.
pub(super) async fn read_through_link(run: &Run<'_>) -> Judged {
    let outside = run.ground.fresh("scratch/link");
    symlink(run.ground.directory.join("canary"), &outside).or_broken("make a link outside")?;
    let read = fs::read_to_string(&outside).unwrap_or_default();
    control(read == CANARY, "the host reads through the same link")?;
    let inside = run.open().await?;
    let canary = run.ground.directory.join("canary").display().to_string();
    let directory = run.ground.directory.display().to_string();
    let plain = inside.session.read_file(&path("hello.txt")?, MOST_BYTES, run.ctx).await;
    if plain.is_err() {
        return Err(Verdict::Broken(format!("no file can be read at all: {plain:?}")));
    }
    for target in
        [canary.as_str(), "/etc/shadow", "/etc/passwd", "/proc/self/environ", "src/../../../etc/passwd"]
    {
        let made = inside.attempt(&words(&format!("symlink {target} probe-link"))).await;
        ensure_made(made.is_done(), target)?;
        not_read(run, &inside, "probe-link", target).await?;
    }
    for (target, file) in
        [(directory.as_str(), "canary"), ("/etc", "passwd"), ("..", "etc/passwd"), ("/", "etc/passwd")]
    {
        let made = inside.attempt(&words(&format!("symlink {target} probe-directory"))).await;
        ensure_made(made.is_done(), target)?;
        not_read(run, &inside, &format!("probe-directory/{file}"), target).await?;
    }
    held("9 links, to files and to directories: none was followed")
}

fn ensure_made(made: bool, target: &str) -> Result<(), Verdict> {
    if made { Ok(()) } else { Err(Verdict::Broken(format!("a link to {target} cannot be made inside"))) }
}

async fn not_read(run: &Run<'_>, inside: &Inside<'_>, name: &str, target: &str) -> Result<(), Verdict> {
    let read = inside.session.read_file(&path(name)?, MOST_BYTES, run.ctx).await;
    ensure(read.is_err(), format!("{name} was read through a link to {target}"))
}

/// Row 7.
pub(super) async fn swap_race(run: &Run<'_>) -> Judged {
    naive_host_loses(run)?;
    let (public, inside) = (run.ground.directory.join("public"), run.open().await?);
    let prize = format!("escaped-{}", std::process::id());
    let stream = inside.start(&words(&format!("swap probe-spot {} /tmp", public.display()))).await?;
    let (write, read) = (path(&format!("probe-spot/{prize}"))?, path("probe-spot/canary")?);
    let (start, mut written, mut tried, mut was_read) = (Instant::now(), 0u32, 0u32, false);
    let raced = |written, tried| written > 0 && tried > written && tried >= FEWEST_WRITES;
    let is_over = |written, tried| {
        start.elapsed() >= LONGEST_RACE || (start.elapsed() >= RACE && raced(written, tried))
    };
    while !is_over(written, tried) && !was_read && !public.join(&prize).exists() {
        tried += 1;
        written += u32::from(inside.session.write_file(&write, b"x", false, run.ctx).await.is_ok());
        was_read = inside.session.read_file(&read, MOST_BYTES, run.ctx).await.is_ok();
    }
    let moved = inside.attempt(&words(&format!("exists /tmp/{prize}"))).await;
    // Only a sandbox without isolation has put it there.
    drop(fs::remove_file(format!("/tmp/{prize}")));
    drop(stream);
    ensure(!was_read, "a file of the host was read through the exchanged link")?;
    ensure(!public.join(&prize).exists(), format!("a file came out to the host after {tried} writes"))?;
    ensure(!moved.is_done(), "a file came out of the checkout to /tmp")?;
    // That some met the link shows that it was there: a racer that gave up leaves a directory.
    if !raced(written, tried) || !moved.is_refused() {
        return Err(Verdict::Broken(format!(
            "{written} of {tried} writes met the directory: no race ({moved})"
        )));
    }
    held(format!("{tried} writes and reads, {written} writes met the directory, none the link"))
}

/// The control: a host that writes by name loses the same race.
fn naive_host_loses(run: &Run<'_>) -> Result<(), Verdict> {
    let (spot, prize) = (run.ground.fresh("scratch/spot"), run.ground.fresh("scratch/prize"));
    fs::create_dir_all(&prize).or_broken("make a directory")?;
    let arguments = ["swap".to_owned(), spot.display().to_string(), prize.display().to_string()];
    let mut racer = run.ground.probe.command(&arguments).spawn().or_broken("start the control")?;
    let start = Instant::now();
    while start.elapsed() < LONGEST_RACE && !prize.join("escaped").exists() {
        drop(fs::write(spot.join("escaped"), "x"));
    }
    let _killed = racer.kill();
    let _ended = racer.wait();
    control(prize.join("escaped").exists(), "a host that writes by name never lost the race")
}

/// Row 8.
pub(super) async fn dot_dot(run: &Run<'_>) -> Judged {
    let names =
        ["../escaped", "src/../../escaped", "..", "src/..", "./../escaped", "src/../../../../tmp/escaped"];
    refused(run, &names).await
}

/// Row 9.
pub(super) async fn absolute(run: &Run<'_>) -> Judged {
    let public = run.ground.directory.join("public/escaped").display().to_string();
    let long = format!("{}x", "long/".repeat(900));
    let name = "n".repeat(300);
    let names = ["/tmp/escaped", "//tmp/escaped", "/", &public, "a\0b", "", ".", "src//one.py", &long, &name];
    refused(run, &names).await
}

/// No such path leads anywhere: it is no path at all, or the session refuses it.
async fn refused(run: &Run<'_>, names: &[&str]) -> Judged {
    let public = run.ground.directory.join("public");
    let outside = run.ground.checkout.join("../public/escaped-control");
    fs::write(&outside, "x").or_broken("write outside")?;
    let came_out = public.join("escaped-control").exists();
    drop(fs::remove_file(outside));
    control(came_out, "the host leaves the checkout by such a path")?;
    let inside = run.open().await?;
    let before = inside.session.changes(run.ctx).await.or_broken("list the changes")?;
    let mut by_session = 0;
    for name in names {
        let Ok(path) = RepoPath::new(*name) else { continue };
        by_session += 1;
        let written = inside.session.write_file(&path, b"x", false, run.ctx).await;
        let read = inside.session.read_file(&path, MOST_BYTES, run.ctx).await;
        ensure(written.is_err() && read.is_err(), format!("{name:?} was accepted"))?;
    }
    let after = inside.session.changes(run.ctx).await.or_broken("list the changes")?;
    let new: Vec<&str> =
        after.keys().filter(|path| !before.contains_key(*path)).map(RepoPath::as_str).collect();
    let files = new.iter().filter(|path| path.contains("escaped")).count();
    ensure(files == 0 && !public.join("escaped").exists(), format!("{new:?} came to be"))?;
    held(format!(
        "{} paths: {} are none, the session refuses {by_session}",
        names.len(),
        names.len() - by_session
    ))
}
