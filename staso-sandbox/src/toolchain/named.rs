//! [`HostToolchain`]: a toolchain of the host, with its downloaded packages, by name.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::mount::{ReadOnlyMount, credentials_in, is_free, is_of_system};
use super::{cargo, node, python};

/// A toolchain that the host has, with the packages that it downloaded, for sessions to use without a network.
///
/// Give it to [`LocalSandboxOptions::with_host_toolchain`](crate::LocalSandboxOptions::with_host_toolchain). It is looked
/// for when the first session is opened, on the `PATH` of the host's process, and mounted read-only where the host has
/// it. Only directories that hold programs and packages are mounted, never one that a package manager keeps
/// credentials in, such as `~/.cargo`, `~/.npm` or a home directory.
///
/// Names are `python`, `node` and `cargo`.
///
/// ```
/// use staso_sandbox::HostToolchain;
///
/// assert_eq!("cargo".parse::<HostToolchain>(), Ok(HostToolchain::Cargo));
/// assert!("perl".parse::<HostToolchain>().unwrap_err().to_string().contains("python, node, cargo"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HostToolchain {
    /// `python3` with the active virtual environment, which comes first on `PATH`, or without one with the packages of
    /// the user (`PYTHONUSERBASE`).
    Python,
    /// `node` with the packages that are installed for all projects (`NODE_PATH`) and the contents of npm's cache
    /// (`npm_config_cache`, `npm_config_offline`): `npm ci` works as far as they go.
    Node,
    /// The active Rust toolchain, and the registry of `CARGO_HOME` with `CARGO_NET_OFFLINE`. Fetch the dependencies of
    /// the checkout on the host first (`cargo fetch`). Dependencies from git repositories are not mounted, and neither
    /// are settings such as another registry in place of crates.io.
    Cargo,
}

impl HostToolchain {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Python, Self::Node, Self::Cargo];

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Cargo => "cargo",
        }
    }

    /// Looks for it on this host. Blocks.
    pub(crate) fn find(self) -> Result<Found, Lacking> {
        match self {
            Self::Python => python::find(),
            Self::Node => node::find(),
            Self::Cargo => cargo::find(),
        }
    }
}

impl Display for HostToolchain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for HostToolchain {
    type Err = UnknownToolchain;

    fn from_str(name: &str) -> Result<Self, UnknownToolchain> {
        let known = Self::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| UnknownToolchain { name: name.to_owned() })
    }
}

/// There is no toolchain of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownToolchain {
    /// The name.
    pub name: String,
}

impl Display for UnknownToolchain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = HostToolchain::ALL.map(HostToolchain::name).join(", ");
        write!(formatter, "no toolchain is called {:?}: there are {known}", self.name)
    }
}

impl std::error::Error for UnknownToolchain {}

/// What sessions are to see of the host beside the system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Directories to be mounted.
    pub(crate) mounts: Vec<ReadOnlyMount>,
    /// Directories of programs, first on `PATH`.
    pub(crate) path: Vec<ReadOnlyMount>,
    /// Variables of every command.
    pub(crate) env: BTreeMap<String, String>,
}

/// Why sessions cannot have a toolchain, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lacking {
    pub(crate) reason: String,
    pub(crate) remedy: String,
}

impl Found {
    /// Adds an installation as it is, whose `bin` comes next on `PATH`.
    pub(crate) fn add(&mut self, mount: &ReadOnlyMount) {
        if !self.mounts.contains(mount) {
            self.mounts.push(mount.clone());
            let (host, inside) = (mount.host.join("bin"), mount.inside.join("bin"));
            self.path.push(ReadOnlyMount { host, inside });
        }
    }

    /// Adds all that was found for a toolchain.
    pub(crate) fn extend(&mut self, other: Self) {
        let new: Vec<_> = other.mounts.into_iter().filter(|mount| !self.mounts.contains(mount)).collect();
        self.mounts.extend(new);
        self.path.extend(other.path);
        self.env.extend(other.env);
    }

    /// Has sessions see a directory where the host has it, under the name that it was asked for and its real one.
    pub(super) fn show(&mut self, directory: &Path) -> Result<(), Lacking> {
        let host = directory.canonicalize().unwrap_or_else(|_| directory.to_path_buf());
        for inside in [host.as_path(), directory] {
            let known = |mount: &ReadOnlyMount| inside.starts_with(&mount.inside);
            if is_of_system(inside) || self.mounts.iter().any(known) {
                continue;
            }
            if !is_free(inside) {
                return Err(Lacking {
                    reason: format!("{} is where sessions have something of their own", inside.display()),
                    remedy: "install it elsewhere, outside of /tmp, /etc and /workspace".to_owned(),
                });
            }
            if let Some(file) = credentials_in(&host) {
                return Err(Lacking {
                    reason: format!("{} may hold credentials, and sessions would see it", file.display()),
                    remedy: "move that file to the home directory of the host's user".to_owned(),
                });
            }
            self.mounts.push(ReadOnlyMount { host: host.clone(), inside: inside.to_path_buf() });
        }
        Ok(())
    }

    /// As [`show`](Self::show) for an installation, whose `bin` comes next on `PATH`.
    pub(super) fn install(&mut self, directory: &Path) -> Result<(), Lacking> {
        self.show(directory)?;
        self.path.push(ReadOnlyMount::same_place(directory.join("bin")));
        Ok(())
    }

    /// Sets a variable of every command.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.insert(name.to_owned(), value.into());
    }
}

/// The directory that a program answered with.
pub(super) fn place(answer: &str) -> Option<PathBuf> {
    let path = Path::new(answer.trim_end_matches(['\r', '\n']));
    (path.is_absolute() && path.is_dir()).then(|| path.to_path_buf())
}

/// A path as the value of a variable.
pub(super) fn text(path: &Path) -> Result<String, Lacking> {
    path.to_str().map(str::to_owned).ok_or_else(|| Lacking {
        reason: format!("the path {} is not UTF-8", path.display()),
        remedy: "install it elsewhere".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for toolchain in HostToolchain::ALL {
            assert_eq!(toolchain.to_string().parse(), Ok(toolchain));
        }
        for unknown in ["", "Cargo", "python3"] {
            assert!(unknown.parse::<HostToolchain>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn only_free_places_without_credentials_are_shown_and_each_once() {
        let home = tempfile::tempdir_in("/var/tmp").unwrap();
        let place = home.path();
        let mut found = Found::default();
        std::fs::create_dir(place.join("bin")).unwrap();
        found.install(place).unwrap();
        found.show(&place.join("bin")).unwrap();
        found.install(Path::new("/usr/local")).unwrap();
        assert_eq!(found.mounts, [ReadOnlyMount::same_place(place)], "the system is there anyway");
        let bins = [place.join("bin"), PathBuf::from("/usr/local/bin")].map(ReadOnlyMount::same_place);
        assert_eq!(found.path, bins);
        let link =
            place.join("../").canonicalize().unwrap().join(format!("staso-link-{}", std::process::id()));
        std::os::unix::fs::symlink(place, &link).unwrap();
        found.show(&link).unwrap();
        std::fs::remove_file(&link).unwrap();
        let under_its_name = ReadOnlyMount { host: place.to_path_buf(), inside: link };
        assert_eq!(found.mounts.pop(), Some(under_its_name), "what points there by name still does");
        assert!(found.show(Path::new("/tmp/x")).unwrap_err().reason.contains("of their own"));
        let other = tempfile::tempdir_in("/var/tmp").unwrap();
        std::fs::write(other.path().join("pip.conf"), "").unwrap();
        let lacking = found.show(other.path()).unwrap_err();
        assert!(lacking.reason.contains("pip.conf may hold credentials"), "{lacking:?}");
        assert_eq!(found.mounts.len(), 1);
    }
}
