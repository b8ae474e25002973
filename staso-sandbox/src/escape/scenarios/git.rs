//! What a session writes for git must not run on the host.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use staso_core::code::RepoPath;
use staso_core::sandbox::SessionChange;

use crate::escape::ground::git;
use crate::escape::host;
use crate::escape::inside::{PROBE_FILE, path};
use crate::escape::runner::Run;
use crate::escape::verdict::{Judged, OrBroken as _, Verdict, control, ensure, held};

/// Row 18.
pub(super) async fn hooks(run: &Run<'_>) -> Judged {
    never_runs(run, "plant-hooks").await
}

/// Row 19.
pub(super) async fn monitor(run: &Run<'_>) -> Judged {
    never_runs(run, "plant-monitor").await
}

async fn never_runs(run: &Run<'_>, verb: &str) -> Judged {
    let marker = run.ground.fresh("public/ran");
    let arguments = [verb.to_owned(), marker.display().to_string()];
    let naive = run.ground.fresh("naive");
    host::copy_tree(&run.ground.checkout, &naive).or_broken("copy the checkout")?;
    fs::write(naive.join(PROBE_FILE), "").or_broken("mark the copy")?;
    let mut planted = run.ground.probe.command(&arguments);
    planted.current_dir(&naive).output().or_broken("plant outside")?;
    let said = host_operations(&naive);
    control(marker.exists(), format!("git runs what was planted: {said}"))?;
    drop(fs::remove_file(&marker));

    let before = host::digest(&run.ground.checkout.join(".git"));
    let inside = run.open().await?;
    let tried = inside.attempt(&arguments).await;
    if !tried.is_done() && !tried.is_refused() {
        return Err(Verdict::Broken(format!("nothing is planted inside: {tried}")));
    }
    for name in [".git/hooks/pre-commit", ".GIT/hooks/pre-commit", "src/.git/config"] {
        let Ok(path) = path(name) else { continue };
        drop(inside.session.write_file(&path, b"#!/bin/sh\n", true, run.ctx).await);
    }
    // Refusing all changes for one that cannot be named is an answer as well: then nothing leaves.
    let changes = inside.session.changes(run.ctx).await.unwrap_or_default();
    let of_git: Vec<&str> =
        changes.keys().map(RepoPath::as_str).filter(|path| RepoPath::is_of_git(path)).collect();
    ensure(of_git.is_empty(), format!("{of_git:?} leave the session as changes"))?;
    ensure(host::digest(&run.ground.checkout.join(".git")) == before, "the checkout's .git was changed")?;
    let applied = run.ground.fresh("applied");
    host::copy_tree(&run.ground.checkout, &applied).or_broken("copy the checkout")?;
    for (path, change) in &changes {
        apply(&applied.join(path.as_str()), change).or_broken("apply a change")?;
    }
    host_operations(&applied);
    host_operations(&run.ground.checkout.join("src"));
    ensure(!marker.exists(), "git ran on the host what the session had written")?;
    held(format!("planting inside: {tried}; nothing of git left the session, nothing ran"))
}

/// What a host may do with a tree: look at it, and commit.
fn host_operations(directory: &Path) -> String {
    let status = git(directory, &["status", "--porcelain"]);
    let commit = git(directory, &["commit", "--allow-empty", "-q", "-m", "host"]);
    format!("{status:?} {commit:?}").chars().take(200).collect()
}

fn apply(path: &Path, change: &SessionChange) -> std::io::Result<()> {
    if let SessionChange::Written { content, executable } = change {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(path, content)?;
        let mode = if *executable { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}
