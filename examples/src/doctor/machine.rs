//! What the machine says about itself, as far as sandboxes depend on it.

use std::fs;
use std::path::Path;

use serde::Serialize;

/// Facts that explain why a sandbox works or does not. Nothing is concluded from them alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The operating system, as Rust names it: `linux`, `macos`, `windows`.
    pub os: &'static str,
    /// The processor, as Rust names it: `x86_64`, `aarch64`.
    pub arch: &'static str,
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// Whether this process is root, in its user namespace at least.
    pub root: bool,
    /// What runs this process as a container, when something does: `docker`, `podman`, `container`.
    pub container: Option<&'static str>,
    /// Whether a system-call filter holds this process already, as in a container.
    pub filtered: bool,
    /// How many user namespaces may be made; `None` when the kernel does not say.
    pub max_user_namespaces: Option<u64>,
    /// Whether ordinary users are kept from making user namespaces (`kernel.unprivileged_userns_clone=0`, Debian).
    pub users_kept_out: bool,
    /// Whether AppArmor takes the rights of user namespaces away (Ubuntu 23.10 and newer).
    pub apparmor_restricts: bool,
    /// Whether Landlock is among the kernel's security modules; `None` when the kernel does not say.
    pub landlock: Option<bool>,
    /// Control groups.
    pub cgroups: Cgroups,
}

/// What bounds of whole sessions are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Cgroups {
    /// `1`, `2` or `1 and 2`; `None` when no version is mounted.
    pub version: Option<&'static str>,
    /// The group of this process in version 2.
    pub own: Option<String>,
    /// The controllers that groups below that one may use.
    pub delegated: Vec<String>,
}

impl Machine {
    /// Reads the files of `/proc`, `/sys` and a few others below `root`, which is `/` but for tests. A file that is not there
    /// is a fact, too.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let file = |path: &str| fs::read_to_string(root.join(path)).ok();
        let setting = |path: &str| file(path)?.trim().parse::<u64>().ok();
        let status = file("proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|values| values.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        };
        let security = file("sys/kernel/security/lsm");
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            kernel: file("proc/sys/kernel/osrelease").map(|release| release.trim().to_owned()),
            // Real, effective, saved and file system user.
            root: field("Uid").and_then(|ids| ids.into_iter().nth(1)).as_deref() == Some("0"),
            container: container(root),
            filtered: field("Seccomp").is_some_and(|mode| mode == ["2"]),
            max_user_namespaces: setting("proc/sys/user/max_user_namespaces"),
            users_kept_out: setting("proc/sys/kernel/unprivileged_userns_clone") == Some(0),
            apparmor_restricts: setting("proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1),
            landlock: security.map(|names| names.trim().split(',').any(|name| name == "landlock")),
            cgroups: Cgroups::read(root),
        }
    }

    /// The version of the kernel, when its release begins with one.
    #[must_use]
    pub fn kernel_version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.kernel.as_deref()?.split(|c: char| !c.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

fn container(root: &Path) -> Option<&'static str> {
    let markers =
        [(".dockerenv", "docker"), ("run/.containerenv", "podman"), ("run/systemd/container", "container")];
    markers.into_iter().find(|(path, _)| root.join(path).exists()).map(|(_, name)| name)
}

impl Cgroups {
    fn read(root: &Path) -> Self {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let mounts = read(&root.join("proc/self/mountinfo"));
        // The kind of a file system follows the dash; where it is mounted is the fifth field before it.
        let of_kind = |kind: &str| {
            mounts.lines().find_map(|line| {
                let (place, system) = line.split_once(" - ")?;
                (system.split(' ').next()? == kind).then(|| place.split(' ').nth(4)).flatten()
            })
        };
        let (one, two) = (of_kind("cgroup"), of_kind("cgroup2"));
        let version = match (one.is_some(), two.is_some()) {
            (true, true) => Some("1 and 2"),
            (true, false) => Some("1"),
            (false, true) => Some("2"),
            (false, false) => None,
        };
        let groups = read(&root.join("proc/self/cgroup"));
        let own = two.and(groups.lines().find_map(|line| line.strip_prefix("0::"))).map(str::to_owned);
        let controllers = two.zip(own.as_deref()).map(|(mount, own)| {
            let group = root.join(mount.trim_start_matches('/')).join(own.trim_start_matches('/'));
            read(&group.join("cgroup.controllers"))
        });
        let delegated =
            controllers.iter().flat_map(|names| names.split_whitespace()).map(str::to_owned).collect();
        Self { version, own, delegated }
    }
}
