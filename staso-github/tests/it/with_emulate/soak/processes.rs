//! Processes that work in a directory.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Git programs and their helpers whose arguments or environment name the directory.
pub(super) fn gits_of(directory: &Path) -> Vec<Pid> {
    let wanted = directory.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().map_while(Result::ok) {
        let id = entry.file_name().to_string_lossy().parse::<i32>().ok().and_then(Pid::from_raw);
        let read = |what: &str| std::fs::read(entry.path().join(what)).unwrap_or_default();
        let (arguments, environment) = (read("cmdline"), read("environ"));
        let is_git = arguments.split(|byte| *byte == 0).next().is_some_and(|name| {
            let name = String::from_utf8_lossy(name);
            name.rsplit('/').next().is_some_and(|name| name.starts_with("git"))
        });
        let names = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(&wanted);
        if is_git && (names(&arguments) || names(&environment)) {
            found.extend(id);
        }
    }
    found
}

/// Ends them, as when the machine goes.
pub(super) fn kill_gits_of(directory: &Path) -> usize {
    let found = gits_of(directory);
    // One that has ended meanwhile is no failure.
    found.iter().filter(|id| kill_process(**id, Signal::KILL).is_ok()).count()
}

/// Waits until none is left. Panics when that takes longer than any of them may need.
pub(super) async fn no_gits_of(directory: &Path) {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let left = gits_of(directory);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "git is left: {left:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
