//! Whether the user that sessions run as can read what is mounted for them.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::mount::ReadOnlyMount;
use super::named::Lacking;

/// Files and directories that are looked at; what is beyond is not known.
const MAX_ENTRIES: usize = 500_000;

/// A user of the host other than its own, with one group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    /// The user.
    pub(crate) uid: u32,
    /// The group.
    pub(crate) gid: u32,
}

impl Reader {
    /// Refuses a mount with anything that this user cannot read.
    pub(crate) fn check(self, mount: &ReadOnlyMount) -> Result<(), Lacking> {
        let mut waiting = vec![mount.host.clone()];
        let (mut seen, mut closed, mut example) = (0_usize, 0_usize, None);
        while let Some(path) = waiting.pop() {
            seen += 1;
            let Some(found) = fs::symlink_metadata(&path).ok().filter(|_| seen <= MAX_ENTRIES) else {
                continue;
            };
            if !self.can_read(&found) {
                closed += 1;
                example.get_or_insert(path);
            } else if found.is_dir() {
                waiting.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
            }
        }
        let Some(example) = example else { return Ok(()) };
        let (host, user) = (mount.host.display(), self.uid);
        Err(Lacking {
            reason: format!(
                "user {user}, whom sessions run as, cannot read {closed} of the files and directories in {host}, such \
                 as {}",
                example.display()
            ),
            remedy: format!("run `chmod -R o+rX {host}`, or choose another user for sessions"),
        })
    }

    /// The directory above a mount that this user may not pass.
    pub(crate) fn stopped_at(self, mount: &ReadOnlyMount) -> Option<PathBuf> {
        let above = mount.host.ancestors().skip(1);
        let closed = |path: &&Path| fs::metadata(path).is_ok_and(|found| self.rights(&found) & 1 == 0);
        above.filter(closed).last().map(Path::to_path_buf)
    }

    fn can_read(self, found: &Metadata) -> bool {
        let kind = found.file_type();
        let wanted = if kind.is_dir() { 5 } else { 4 };
        // What is neither is of no use inside, readable or not.
        !(kind.is_dir() || kind.is_file()) || self.rights(found) & wanted == wanted
    }

    const fn rights_of(self, mode: u32, uid: u32, gid: u32) -> u32 {
        if uid == self.uid {
            mode >> 6 & 7
        } else if gid == self.gid {
            mode >> 3 & 7
        } else {
            mode & 7
        }
    }

    fn rights(self, found: &Metadata) -> u32 {
        self.rights_of(found.mode(), found.uid(), found.gid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_another_user_cannot_read_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("place");
        fs::create_dir_all(place.join("deep")).unwrap();
        fs::write(place.join("deep/file"), "x").unwrap();
        std::os::unix::fs::symlink("nowhere", place.join("link")).unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for path in [&place, &place.join("deep")] {
            mode(path, 0o755);
        }
        mode(&place.join("deep/file"), 0o644);
        mode(directory.path(), 0o700);
        let mount = ReadOnlyMount::same_place(&place);
        let other = Reader { uid: 4242, gid: 4242 };
        assert_eq!(other.check(&mount), Ok(()), "what is above does not matter");
        assert_eq!(other.stopped_at(&mount).as_deref(), Some(directory.path()));
        mode(&place.join("deep/file"), 0o640);
        let lacking = other.check(&mount).unwrap_err();
        assert!(
            lacking.reason.contains("1 of the files") && lacking.reason.contains("deep/file"),
            "{lacking:?}"
        );
        assert!(lacking.remedy.contains(&format!("chmod -R o+rX {}", place.display())), "{lacking:?}");
        let found = fs::metadata(place.join("deep/file")).unwrap();
        let owner = Reader { uid: found.uid(), gid: 4242 };
        let group = Reader { uid: 4242, gid: found.gid() };
        assert_eq!((owner.check(&mount), group.check(&mount)), (Ok(()), Ok(())));
        mode(&place.join("deep"), 0o754);
        assert!(other.check(&mount).is_err(), "a directory must be passable too");
        mode(directory.path(), 0o755);
    }
}
