//! The checkout itself: what is below stays, what is above is bounded, and reading it ends.

use std::time::Instant;

use staso_core::sandbox::TreeLimits;

use crate::escape::host;
use crate::escape::inside::{PROBE_FILE, path, words};
use crate::escape::outcome::Outcome;
use crate::escape::runner::{Run, is_killed_for_more};
use crate::escape::verdict::{Judged, OrBroken as _, Verdict, control, ensure, held};

/// Row 20.
pub(super) async fn lower_unchanged(run: &Run<'_>) -> Judged {
    let copy = run.ground.fresh("scribbled");
    host::copy_tree(&run.ground.checkout.join("src"), &copy).or_broken("copy the checkout")?;
    std::fs::write(copy.join(PROBE_FILE), "").or_broken("mark the copy")?;
    let fresh = host::digest(&copy);
    run.ground.probe.attempt(&["scribble".to_owned(), copy.display().to_string()]);
    control(host::digest(&copy) != fresh, "the same changes show in a copy")?;
    let before = host::digest(&run.ground.checkout);
    let inside = run.open().await?;
    let scribbled = inside.attempt(&words("scribble .")).await;
    ensure(
        host::digest(&run.ground.checkout) == before,
        "the host's checkout changed while the session ran",
    )?;
    if !scribbled.is_done() {
        return Err(Verdict::Broken(format!("the session cannot change its checkout: {scribbled}")));
    }
    let changes = inside.session.changes(run.ctx).await.or_broken("list the changes")?;
    inside.session.close().await.or_broken("close the session")?;
    ensure(host::digest(&run.ground.checkout) == before, "the host's checkout changed")?;
    held(format!("{scribbled} were changed inside, {} changes are listed", changes.len()))
}

/// Row 58.
pub(super) async fn fill_checkout(run: &Run<'_>) -> Judged {
    const MEBIBYTES: u64 = 64;
    let sentence = format!("fill . {MEBIBYTES}");
    let outside = run.ground.probe.attempt(&words(&sentence));
    control(outside.is_done(), format!("outside: {outside}"))?;
    let before = host::disk_bytes(&run.ground.directory);
    let inside = run.open().await?;
    let stays = run.ground.patience.as_millis();
    let outcome = inside.attempt(&words(&format!("fill-and-stay . {MEBIBYTES} {stays}"))).await;
    let grown = host::disk_bytes(&run.ground.directory).saturating_sub(before);
    ensure(grown < 1 << 20, format!("the ground grew by {grown} bytes: {outcome}"))?;
    match &outcome {
        Outcome::Limited(_) | Outcome::Denied(_) => held(outcome.to_string()),
        killed if is_killed_for_more(killed) => held(killed.to_string()),
        Outcome::Done(_) => Err(Verdict::Escaped(format!("a limit of 16 MiB took {outcome}"))),
        other => Err(Verdict::Broken(other.to_string())),
    }
}

/// Row 76.
pub(super) async fn traps(run: &Run<'_>) -> Judged {
    let inside = run.open().await?;
    let made = inside.attempt(&words("traps")).await;
    if !made.is_done() {
        return Err(Verdict::Broken(format!("the traps cannot be set: {made}")));
    }
    let start = Instant::now();
    // How long reading a hostile tree may take.
    let limit = run.ground.patience * 3;
    for name in ["trap-pipe", "trap-socket", "trap-a", "trap-root", "trap-names"] {
        let path = path(name)?;
        let read = tokio::time::timeout(limit, inside.session.read_file(&path, 1 << 20, run.ctx));
        let read = read.await.map_err(|_| Verdict::Escaped(format!("reading {name} hangs")))?;
        ensure(read.is_err(), format!("{name} was read as a file"))?;
    }
    let changes = tokio::time::timeout(limit, inside.session.changes(run.ctx)).await;
    let changes = changes.map_err(|_| Verdict::Escaped("listing the changes hangs".to_owned()))?;
    let tree = tokio::time::timeout(limit, inside.session.tree(&TreeLimits::default(), run.ctx)).await;
    let tree = tree.map_err(|_| Verdict::Escaped("reading the tree hangs".to_owned()))?;
    let told = match &changes {
        Ok(changes) => format!("{} changes are listed", changes.len()),
        Err(error) => format!("the changes are refused: {error}"),
    };
    ensure(!told.contains(char::is_control), "a name reaches the host's terminal as it is")?;
    ensure(inside.lives().await, "the session did not survive its own tree")?;
    let tree = tree.map_or_else(|error| error.to_string(), |tree| format!("{} entries", tree.entries.len()));
    held(format!("{told}; the tree: {tree}; {} ms", start.elapsed().as_millis()))
}
