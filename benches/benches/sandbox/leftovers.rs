//! What sessions could leave behind on this machine.

use std::fs;
use std::path::Path;

use staso_benches::Failure;

/// Counts of everything that a session takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// Processes of the machine that descend from this one, zombies included.
    processes: usize,
    /// Mounts that this process sees.
    mounts: usize,
    /// Control groups of this process's sessions.
    groups: usize,
    /// Open descriptors.
    descriptors: usize,
    /// Entries of the temporary directory, of shared memory and of the bench's own directory.
    files: usize,
}

impl Leftovers {
    /// Counts now.
    pub(crate) fn count(directory: &Path) -> Result<Self, Failure> {
        let entries = |path: &Path| Ok::<_, Failure>(fs::read_dir(path)?.count());
        Ok(Self {
            processes: descendants(std::process::id()),
            mounts: fs::read_to_string("/proc/self/mountinfo")?.lines().count(),
            groups: groups(Path::new("/sys/fs/cgroup"), &format!("staso-sandbox-{}-", std::process::id())),
            descriptors: entries(Path::new("/proc/self/fd"))?,
            files: entries(directory)? + named_in(&std::env::temp_dir()) + named_in(Path::new("/dev/shm")),
        })
    }
}

/// Entries that the sandbox would have made: other programs use these directories as well.
fn named_in(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("staso-sandbox-")).count()
}

fn descendants(pid: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    children.iter().map(|child| 1 + descendants(*child)).sum()
}

fn groups(directory: &Path, prefix: &str) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories
        .map(|entry| {
            let own = entry.file_name().to_string_lossy().starts_with(prefix);
            usize::from(own) + groups(&entry.path(), prefix)
        })
        .sum()
}
