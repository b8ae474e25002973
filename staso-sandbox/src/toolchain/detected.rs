//! Interpreters that are not installed under `/usr`.

use std::path::Path;

use super::mount::{ReadOnlyMount, credentials_in, is_free, is_of_system};
use super::question::ask;

/// The directories of interpreters that sessions would lack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toolchains {
    /// One for each interpreter that was found outside of `/usr`.
    pub mounts: Vec<ReadOnlyMount>,
}

/// Each interpreter with its question: what is its installation directory?
const INTERPRETERS: [(&str, &[&str]); 2] = [
    ("python3", &["-I", "-c", "import sys; print(sys.base_prefix)"]),
    ("node", &["-p", "require('path').dirname(require('path').dirname(process.execPath))"]),
];

impl Toolchains {
    /// Finds `python3` and `node` for sessions. An interpreter in `/usr/bin` needs nothing; of another one on the host's
    /// `PATH` the installation directory is asked for, by running it outside of any session in `/`: it is the host's
    /// own program. An interpreter that does not answer within thirty seconds is left out, and so is an installation with
    /// settings that may hold credentials, such as `pip.conf`.
    ///
    /// Blocks: call it once, at start.
    #[must_use]
    pub fn detect() -> Self {
        Self::missing_from(Path::new("/usr/bin"), &INTERPRETERS)
    }

    fn missing_from(system: &Path, interpreters: &[(&str, &[&str])]) -> Self {
        let missing = interpreters.iter().filter(|(name, _)| {
            let name = Path::new(name).file_name().unwrap_or_default();
            !system.join(name).exists()
        });
        let mut mounts: Vec<_> =
            missing.filter_map(|(name, question)| installation(name, question)).collect();
        mounts.dedup();
        Self { mounts }
    }
}

/// The installation directory of a program on `PATH`, when it answers with one outside of `/usr`.
fn installation(program: &str, question: &[&str]) -> Option<ReadOnlyMount> {
    let answer = ask(program, question)?;
    let path = Path::new(answer.trim()).canonicalize().ok()?;
    is_mountable(&path).then(|| ReadOnlyMount::same_place(path))
}

/// Whether the directory is the place of an installation, free to be used inside, and without credentials.
fn is_mountable(path: &Path) -> bool {
    is_free(path) && !is_of_system(path) && path.join("bin").is_dir() && credentials_in(path).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_installation_in_a_free_place_is_mounted() {
        let home = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        std::fs::create_dir(home.path().join("bin")).unwrap();
        let place = home.path().canonicalize().unwrap();
        assert!(!is_mountable(&place.join("bin")) && !is_mountable(Path::new("/usr")));
        assert!(!is_mountable(Path::new("/")) && !is_mountable(Path::new("relative")));
        let covered = tempfile::tempdir_in("/tmp").unwrap();
        std::fs::create_dir(covered.path().join("bin")).unwrap();
        assert!(!is_mountable(covered.path()), "sessions have a /tmp of their own");
        // Where this is built decides whether the directory itself is free.
        if is_mountable(&place) {
            let found = installation("echo", &[place.to_str().unwrap()]);
            assert_eq!(found, Some(ReadOnlyMount::same_place(place)));
        }
        assert_eq!(installation("echo", &["relative"]), None);
    }

    #[test]
    fn what_the_system_has_is_not_asked() {
        let system = tempfile::tempdir().unwrap();
        let asked = |program: &Path| {
            let program = program.to_str().unwrap();
            !Toolchains::missing_from(system.path(), &[(program, &[])]).mounts.is_empty()
        };
        let home = Path::new("/opt");
        let interpreter = system.path().join("elsewhere").join("python9");
        std::fs::create_dir(interpreter.parent().unwrap()).unwrap();
        std::fs::write(&interpreter, format!("#!/bin/sh\necho {}\n", home.display())).unwrap();
        std::fs::set_permissions(&interpreter, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(asked(&interpreter), is_mountable(home), "it is asked, and its answer checked");
        std::fs::write(system.path().join("python9"), "").unwrap();
        assert!(!asked(&interpreter), "the system has one");
    }
}
