//! What the suite sees of the host: processes, what sessions leave behind, the content of directories.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long something that was started may take to show, on a machine that does much else.
pub(super) const APPEARS: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(4);

/// Waits until the condition holds, at most `limit`; whether it does.
pub(super) async fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Processes of this machine whose command line holds the text. One that has ended has no command line.
pub(super) fn processes_with(text: &str) -> Vec<u32> {
    let holds = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    processes().into_iter().filter(holds).collect()
}

/// The parent of a process: the second field after the name, which may hold anything.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok().filter(|parent| *parent > 0)
}

/// The parents of a process that serve its session, nearest first: those below this process, or, where an engine in
/// between started them, those that have a process namespace of their own.
pub(super) fn helpers_of(pid: u32) -> Vec<u32> {
    let chain: Vec<u32> = std::iter::successors(parent(pid), |pid| parent(*pid)).collect();
    match chain.iter().position(|pid| *pid == std::process::id()) {
        Some(own) => chain.into_iter().take(own).collect(),
        None => chain.into_iter().take_while(|pid| is_in_own_namespace(*pid)).collect(),
    }
}

/// Whether a process has numbers in more than one process namespace.
fn is_in_own_namespace(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers.is_some_and(|numbers| numbers.split_whitespace().count() > 1)
}

/// What sessions of this process could leave behind, as text that is the same on every look.
pub(super) fn traces() -> BTreeSet<String> {
    let own = std::process::id();
    let children = processes().into_iter().filter(|pid| parent(*pid) == Some(own));
    let mut found: BTreeSet<String> = children.map(|pid| format!("process {pid}")).collect();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // The first two fields number the mount.
    found.extend(mounts.lines().map(|line| format!("mount {line}")));
    let groups = directories_below(Path::new("/sys/fs/cgroup"), 8);
    let temporary =
        fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = groups.into_iter().chain(temporary).filter(|path| names_process(path, own));
    found.extend(named.map(|path| format!("path {}", path.display())));
    found
}

fn directories_below(root: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![(root.to_path_buf(), 0)];
    while let Some((directory, at)) = waiting.pop() {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        for entry in below {
            found.push(entry.path());
            if at < depth {
                waiting.push((entry.path(), at + 1));
            }
        }
    }
    found
}

/// Whether the name of a path has the number of a process in it, as a word of its own.
fn names_process(path: &Path, pid: u32) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let wanted = pid.to_string();
    name.split(|letter: char| !letter.is_ascii_digit()).any(|word| word == wanted)
}

/// Descriptors that this process has open.
pub(super) fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Memory of this process, in bytes.
pub(super) fn resident_bytes() -> u64 {
    const KIBIBYTE: u64 = 1024;
    let number = status("VmRSS").and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or_default() * KIBIBYTE
}

/// What the kernel says of this process under a name.
pub(super) fn status(name: &str) -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned())
}

/// The effective user of this process.
pub(super) fn user() -> u32 {
    fs::metadata("/proc/self").map_or(u32::MAX, |own| own.uid())
}

/// The effective capabilities of this process, one bit each.
pub(super) fn capabilities() -> u64 {
    status("CapEff").and_then(|bits| u64::from_str_radix(&bits, 16).ok()).unwrap_or_default()
}

/// Everything about a directory that a session could change: path, mode, time, content.
pub(super) fn digest(root: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let mut hasher = DefaultHasher::new();
        (metadata.mode(), metadata.uid(), metadata.gid(), metadata.nlink()).hash(&mut hasher);
        (metadata.mtime(), metadata.mtime_nsec()).hash(&mut hasher);
        if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if metadata.is_symlink() {
            fs::read_link(&path).ok().hash(&mut hasher);
        } else {
            fs::read(&path).unwrap_or_default().hash(&mut hasher);
        }
        found.insert(path, hasher.finish());
    }
    found
}

/// Copies a directory with its links and modes.
pub(super) fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Bytes of the files below a directory.
pub(super) fn disk_bytes(root: &Path) -> u64 {
    let mut bytes = 0;
    let mut waiting = vec![root.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        bytes += metadata.len();
        if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_process_is_a_word() {
        assert!(names_process(Path::new("/x/staso-sandbox-12-345-0"), 345));
        assert!(!names_process(Path::new("/x/staso-sandbox-12-345-0"), 34));
        assert!(!names_process(Path::new("/x"), 1));
    }
}
