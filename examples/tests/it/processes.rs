//! A look at the processes of this machine.

use std::fs;
use std::time::{Duration, Instant};

/// A process: its id and when it started, so that a reused id is another process.
pub(crate) type Process = (u32, String);

fn all() -> Vec<u32> {
    let names = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).collect()
}

/// The fields of `/proc/PID/stat` after the name; `None` for a process that is gone or only waits to be collected.
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect();
    (!["Z", "X"].contains(&fields[0].as_str())).then_some(fields)
}

/// Everything below a process.
pub(crate) fn descendants(root: u32) -> Vec<Process> {
    let known: Vec<_> = all().into_iter().filter_map(|pid| Some((pid, fields(pid)?))).collect();
    let mut parents = vec![root];
    let mut found = Vec::new();
    while let Some(parent) = parents.pop() {
        for (pid, fields) in known.iter().filter(|(_, fields)| fields[1] == parent.to_string()) {
            parents.push(*pid);
            found.push((*pid, fields[19].clone()));
        }
    }
    found
}

/// Those that still run.
pub(crate) fn alive(processes: &[Process]) -> Vec<u32> {
    let same = |(pid, start): &&Process| fields(*pid).is_some_and(|fields| fields[19] == *start);
    processes.iter().filter(same).map(|(pid, _)| *pid).collect()
}

/// Processes with this text in their arguments or environment.
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let holds = |pid: u32, file: &str| {
        let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        text.windows(mark.len()).any(|window| window == mark.as_bytes())
    };
    let marked = |pid: &u32| fields(*pid).is_some() && (holds(*pid, "cmdline") || holds(*pid, "environ"));
    all().into_iter().filter(marked).collect()
}

/// Whether the condition comes true within two seconds.
pub(crate) async fn soon(condition: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        if condition() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    condition()
}
