//! Directories of the host inside of sessions.

use std::path::{Component, Path, PathBuf};

/// A directory of the host that sessions may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOnlyMount {
    /// Where it is on the host. Everything in it must be readable by the session's user; what is above it must be as well
    /// where sessions have no mounts of their own, or when the host is not root.
    pub host: PathBuf,
    /// Where sessions see it, absolute.
    pub inside: PathBuf,
}

impl ReadOnlyMount {
    /// A directory that sessions see where the host has it.
    pub fn same_place(path: impl Into<PathBuf>) -> Self {
        let host = path.into();
        Self { inside: host.clone(), host }
    }

    /// Whether sessions can have it there, as far as the paths tell.
    pub(crate) fn is_usable(&self) -> bool {
        let plain = |path: &Path| !path.components().any(|part| matches!(part, Component::ParentDir));
        let covered = COVERED.iter().any(|place| self.inside.starts_with(place));
        let absolute = self.host.is_absolute() && self.inside.is_absolute();
        absolute && plain(&self.inside) && self.inside != Path::new("/") && !covered
    }
}

/// What is mounted after everything else.
const COVERED: [&str; 4] = ["/workspace", "/tmp", "/proc", "/dev/shm"];

/// Where the system is, which sessions see anyway.
const SYSTEM: &str = "/usr";
/// Where sessions have something of their own, which a mount would cover or be covered by.
const TAKEN: [&str; 6] = ["/tmp", "/workspace", "/proc", "/dev", "/etc", "/sys"];
/// Settings of package managers that may hold a password or a token, below an installation.
const CREDENTIALS: [&str; 9] = [
    "pip.conf",
    ".pypirc",
    ".netrc",
    ".condarc",
    ".npmrc",
    "etc/npmrc",
    "credentials",
    "credentials.toml",
    ".cargo/credentials.toml",
];

/// Whether sessions see the directory without a mount.
pub(super) fn is_of_system(path: &Path) -> bool {
    path.starts_with(SYSTEM)
}

/// Whether the place can be used inside of a session.
pub(super) fn is_free(path: &Path) -> bool {
    path.is_absolute() && path != Path::new("/") && !TAKEN.iter().any(|place| path.starts_with(place))
}

/// A file of the directory that may hold credentials.
pub(super) fn credentials_in(path: &Path) -> Option<PathBuf> {
    CREDENTIALS.iter().map(|name| path.join(name)).find(|file| file.symlink_metadata().is_ok())
}
