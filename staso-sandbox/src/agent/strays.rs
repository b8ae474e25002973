//! Ends what a command left behind where commands have no process namespace of their own.
//!
//! Process 1 of the container is the ancestor of everything in it. Every command is started by a keeper that takes in
//! the orphans of that command alone; when the keeper is gone, for whatever reason, its orphans become children of
//! process 1. So a child of process 1 that is no keeper belongs to a command that has ended.

use std::time::{Duration, Instant};

use crate::sys;

/// How long strays are killed one by one before everything is killed at once.
const PATIENCE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_micros(200);

/// Kills everything but the keepers in `live` and what descends from them; gives the processes that ended meanwhile.
///
/// A process that starts others faster than they are killed takes the whole session's commands with it: killing
/// everything at once is one system call that no process can outrun.
pub(crate) fn end(live: &[i32]) -> Vec<i32> {
    let mut ended = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while !live.is_empty() && Instant::now() < deadline {
        let Some(mut strays) = children() else { break };
        strays.retain(|child| !live.contains(child));
        if strays.is_empty() {
            return ended;
        }
        for stray in strays {
            sys::kill_now(stray);
        }
        std::thread::sleep(PAUSE);
        while let Ok(Some((pid, _))) = sys::reap(-1, false) {
            ended.push(pid);
        }
    }
    sys::kill_all_others();
    while let Ok(Some((pid, _))) = sys::reap(-1, true) {
        ended.push(pid);
    }
    ended
}

/// The children of this process that were not reaped yet. Not every kernel has a list of them.
fn children() -> Option<Vec<i32>> {
    let own = i32::try_from(std::process::id()).ok()?;
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc").ok()? {
        let Some(pid) = entry.ok()?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if parent(pid) == Some(own) {
            children.push(pid);
        }
    }
    Some(children)
}

/// The fourth field, counted after the name, which may hold anything.
fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit(|byte| *byte == b')').next()?;
    std::str::from_utf8(after_name).ok()?.split_whitespace().nth(1)?.parse().ok()
}
