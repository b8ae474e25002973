//! Control groups: bounds for a session as a whole, where the host may make them.
//!
//! Versions 1 and 2, below the host's own group so that its own limits hold as well. Groups of hosts that were killed
//! are removed by the next host: those beside its own when it makes some, others after its first session.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use staso_core::sandbox::SandboxLimits;

use super::helper::kill;
use super::owner;

/// Processes of the helper itself, so that it can start commands when the session's are used up.
const SPARE_PIDS: u64 = 32;
/// Memory of the helper itself.
const SPARE_BYTES: u64 = 32 << 20;
/// Groups that are looked into for those of dead hosts, nearest to the top first.
const MAX_SWEPT: usize = 10_000;
const REMOVAL_ATTEMPTS: u32 = 100;
const REMOVAL_PAUSE: Duration = Duration::from_millis(2);

/// The groups of one session. Dropping removes them.
#[derive(Debug, Default)]
pub(super) struct Cgroups {
    groups: Vec<Group>,
    bounds_pids: bool,
}

#[derive(Debug)]
struct Group {
    path: PathBuf,
    /// The file that counts processes killed for want of memory, if this group has one.
    oom_file: Option<&'static str>,
}

/// What a group bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Controller {
    Memory,
    Pids,
}

impl Controller {
    const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }
}

impl Cgroups {
    /// Makes the groups of a session. `in_memory` are the bytes that its file systems may take. Bounds that cannot be set
    /// are named in `missing`.
    pub(super) fn create(limits: &SandboxLimits, in_memory: u64, missing: &mut Vec<String>) -> Self {
        let name = owner::new_name();
        let mut this = Self::default();
        kept().retain(|path| fs::remove_dir(path).is_err() && path.exists());
        let bytes = limits.memory_bytes.saturating_add(in_memory).saturating_add(SPARE_BYTES);
        let pids = u64::from(limits.pids).saturating_add(SPARE_PIDS);
        if !this.bound(Controller::Memory, &name, bytes) {
            missing.push(
                "memory is bounded for each process, not for all together: no writable control group"
                    .to_owned(),
            );
        }
        this.bounds_pids = this.bound(Controller::Pids, &name, pids);
        if !this.bounds_pids {
            missing
                .push("processes are bounded by a resource limit only: no writable control group".to_owned());
        }
        this
    }

    fn bound(&mut self, controller: Controller, name: &str, limit: u64) -> bool {
        for parent in parents(controller) {
            remove_abandoned(&parent.path);
            let path = parent.path.join(name);
            let known = self.groups.iter().any(|group| group.path == path);
            enable(&parent, controller);
            if !known && fs::create_dir(&path).is_err() {
                continue;
            }
            let set = set_limit(&path, controller, parent.version, limit).is_ok();
            if set {
                let oom_file = match (controller, parent.version) {
                    (Controller::Memory, 1) => Some("memory.oom_control"),
                    (Controller::Memory, _) => Some("memory.events"),
                    (Controller::Pids, _) => None,
                };
                match self.groups.iter_mut().find(|group| group.path == path) {
                    Some(group) => group.oom_file = group.oom_file.or(oom_file),
                    None => self.groups.push(Group { path, oom_file }),
                }
                return true;
            }
            if !known {
                drop(fs::remove_dir(&path));
            }
        }
        false
    }

    /// Whether one of them bounds the number of processes.
    pub(super) const fn bounds_pids(&self) -> bool {
        self.bounds_pids
    }

    /// The files through which a process joins.
    pub(super) fn join_files(&self) -> Vec<PathBuf> {
        self.groups.iter().map(|group| group.path.join("cgroup.procs")).collect()
    }

    /// Counts processes that are killed for want of memory.
    pub(super) fn oom_watch(&self) -> OomWatch {
        let files = self.groups.iter().filter_map(|group| Some(group.path.join(group.oom_file?)));
        OomWatch { files: files.collect() }
    }
}

/// Counts processes that were killed for want of memory.
#[derive(Debug)]
pub(super) struct OomWatch {
    files: Vec<PathBuf>,
}

impl crate::session::OomWatch for OomWatch {
    fn kills(&self) -> u64 {
        oom_kills(&self.files)
    }
}

fn oom_kills(files: &[PathBuf]) -> u64 {
    let count = |file: &PathBuf| {
        let text = fs::read_to_string(file).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok())
    };
    files.iter().filter_map(count).sum()
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        let paths = self.groups.drain(..).map(|group| group.path);
        let left: Vec<PathBuf> = paths.filter(|path| !remove(path)).collect();
        kept().extend(left);
    }
}

/// Groups of this host that could not be removed when their session ended.
fn kept() -> MutexGuard<'static, Vec<PathBuf>> {
    static KEPT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    // Nothing panics while it is held.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the group of a session that is over; whether it is gone.
fn remove(path: &Path) -> bool {
    for _ in 0..REMOVAL_ATTEMPTS {
        match fs::remove_dir(path) {
            // The last process may still be on its way out, or was left by a helper without namespaces.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                end_processes(path);
                thread::sleep(REMOVAL_PAUSE);
            }
            _ => break,
        }
    }
    !path.exists()
}

#[derive(Debug)]
struct Parent {
    path: PathBuf,
    version: u8,
    /// Whether it is the host's own group or just above it, and so what a service manager may have handed to the host.
    delegated: bool,
}

/// Lets groups below bound what the controller counts. A service manager hands a group over without doing so; where the
/// host may not, or the group has processes of its own, the limits cannot be set later.
fn enable(parent: &Parent, controller: Controller) {
    if parent.version < 2 || !parent.delegated {
        return;
    }
    let name = controller.name();
    let control = parent.path.join("cgroup.subtree_control");
    let enabled = fs::read_to_string(&control).unwrap_or_default();
    if !enabled.split_whitespace().any(|on| on == name) {
        let file = fs::OpenOptions::new().write(true).open(control);
        drop(file.and_then(|mut file| io::Write::write_all(&mut file, format!("+{name}").as_bytes())));
    }
}

/// Where a group for the controller may be made, best first.
fn parents(controller: Controller) -> Vec<Parent> {
    let name = controller.name();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    if let (Some(mount), Some(path)) = (mount_point(&mounts, "cgroup", Some(name)), own_path(&own, name)) {
        return vec![Parent { path: mount.join(path), version: 1, delegated: true }];
    }
    let (Some(mount), Some(path)) = (mount_point(&mounts, "cgroup2", None), own_path(&own, "")) else {
        return Vec::new();
    };
    // A group with processes of its own cannot bound its children: one of the groups above may.
    let own = mount.join(path);
    let above = own.ancestors().take_while(|path| path.starts_with(&mount));
    let parent =
        |(steps, path): (usize, &Path)| Parent { path: path.to_path_buf(), version: 2, delegated: steps < 2 };
    above.enumerate().map(parent).collect()
}

/// Where a control-group file system is mounted: the fifth field; its kind and options follow the dash.
fn mount_point(mounts: &str, kind: &str, controller: Option<&str>) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (place, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let options = (system.next()? == kind).then(|| system.nth(1)).flatten()?;
        let found = controller.is_none_or(|name| options.split(',').any(|option| option == name));
        found.then(|| place.split(' ').nth(4).map(PathBuf::from)).flatten()
    })
}

/// The host's own group of a controller, relative to the mount; `controller` is empty for version 2.
fn own_path(own: &str, controller: &str) -> Option<PathBuf> {
    own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        let path = fields.next()?;
        let found = controllers.split(',').any(|name| name == controller);
        let path = Path::new(path.trim_start_matches('/'));
        // What is outside of the host's own namespace of groups is written with dots, and is not below the mount.
        let below = path.components().all(|part| matches!(part, Component::Normal(_)));
        (found && below).then(|| path.to_path_buf())
    })
}

fn set_limit(path: &Path, controller: Controller, version: u8, limit: u64) -> io::Result<()> {
    // Files of a control group cannot be made: a controller that is off has none, and nothing may be made there.
    let write = |file: &str, value: &str| {
        let mut options = fs::OpenOptions::new();
        io::Write::write_all(&mut options.write(true).open(path.join(file))?, value.as_bytes())
    };
    let limit = limit.to_string();
    match (controller, version) {
        (Controller::Pids, _) => write("pids.max", &limit)?,
        (Controller::Memory, 1) => {
            write("memory.limit_in_bytes", &limit)?;
            // Only there when swap is counted.
            drop(write("memory.memsw.limit_in_bytes", &limit));
        }
        (Controller::Memory, _) => {
            write("memory.max", &limit)?;
            drop(write("memory.swap.max", "0"));
        }
    }
    fs::OpenOptions::new().write(true).open(path.join("cgroup.procs")).map(|_| ())
}

/// Kills what is in a group of a session that is over.
fn end_processes(group: &Path) {
    let all_at_once = fs::OpenOptions::new().write(true).open(group.join("cgroup.kill"));
    if all_at_once.is_ok_and(|mut file| io::Write::write_all(&mut file, b"1").is_ok()) {
        return;
    }
    let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    list.lines().filter_map(|line| line.parse().ok()).for_each(kill);
}

/// Removes the groups of hosts that are no more.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    // To look for this process once for each of its sessions would make opening many of them slow.
    let own = owner::own_prefix();
    let abandoned = |name: &str| !name.starts_with(&own) && owner::is_abandoned(name);
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(abandoned) {
            end_processes(&entry.path());
            drop(fs::remove_dir(entry.path()));
        }
    }
}

/// Removes groups of dead hosts wherever they are, once in the life of a host: a host that is started elsewhere has
/// another parent for its own. What has processes stays.
pub(super) fn sweep_once() {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let first = |controller: Controller| mount_point(&mounts, "cgroup", Some(controller.name()));
        let places =
            [first(Controller::Memory), first(Controller::Pids), mount_point(&mounts, "cgroup2", None)];
        places.into_iter().flatten().for_each(sweep);
    });
}

fn sweep(top: PathBuf) {
    let mut waiting = VecDeque::from([top]);
    for _ in 0..MAX_SWEPT {
        let Some(parent) = waiting.pop_front() else { return };
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                match entry.file_name().to_str().is_some_and(owner::is_abandoned) {
                    true => drop(fs::remove_dir(entry.path())),
                    false => waiting.push_back(entry.path()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 29 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw
";

    #[test]
    fn mounts_are_found_by_kind_and_controller() {
        let found = |kind, name| mount_point(HYBRID, kind, name).map(|path| path.display().to_string());
        assert_eq!(found("cgroup", Some("memory")).as_deref(), Some("/sys/fs/cgroup/memory"));
        assert_eq!(found("cgroup", Some("cpuacct")).as_deref(), Some("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(found("cgroup", Some("pids")), None);
        assert_eq!(found("cgroup2", None).as_deref(), Some("/sys/fs/cgroup/unified"));
    }

    #[test]
    fn the_own_group_is_found_by_controller() {
        let own = "5:cpu,memory:/a/b\n0::/user.slice/x:y\n";
        assert_eq!(own_path(own, "memory"), Some(PathBuf::from("a/b")));
        assert_eq!(own_path(own, ""), Some(PathBuf::from("user.slice/x:y")));
        assert_eq!(own_path(own, "pids"), None);
        assert_eq!(own_path("4:memory:/\n", "memory"), Some(PathBuf::new()));
        assert_eq!(own_path("4:memory:/../../other\n", "memory"), None, "outside of the mount");
    }
}
