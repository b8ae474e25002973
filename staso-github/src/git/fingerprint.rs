//! Whether a directory is still as it was left, without reading its files.
//!
//! For every name its kind, permissions, size, number on the disk, and the times of the last change of its content and of
//! its metadata. The kernel sets the last one by itself: writing, replacing, linking or changing a file shows, whatever
//! times are set afterwards. Someone who can write to the disk below the file system, or to the note of what is expected,
//! is not found out; neither is a change within one tick of the kernel's clock after the fingerprint was taken.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use staso_core::id::Digest;
use staso_core::vcs::VcsError;

use crate::blocking::Stop;
use crate::{error, platform};

/// What was seen of a directory and everything in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    /// Files, links and directories.
    entries: usize,
    digest: String,
}

impl Fingerprint {
    /// Looks at everything below `root`. Links are not followed.
    pub(super) fn of(root: &Path, stop: &Stop) -> Result<Self, VcsError> {
        Self::taken(root, usize::MAX, stop)
            .and_then(|found| found.map_err(|error| error::backend("looking at a checkout", error)))
    }

    /// Whether everything below `root` is as it was. What cannot be looked at is not.
    ///
    /// # Errors
    /// [`VcsError::Cancelled`].
    pub(super) fn holds(&self, root: &Path, stop: &Stop) -> Result<bool, VcsError> {
        Self::taken(root, self.entries, stop).map(|found| found.is_ok_and(|found| found == *self))
    }

    /// Stops at the first directory in which it has seen more than `most` entries.
    fn taken(root: &Path, most: usize, stop: &Stop) -> Result<io::Result<Self>, VcsError> {
        let mut seen = Seen { entries: 0, digest: String::new(), pending: vec![root.to_owned()] };
        if let Err(error) = fs::symlink_metadata(root).map(|found| seen.fold(&record(&[], &found))) {
            return Ok(Err(error));
        }
        while let Some(directory) = seen.pending.pop() {
            stop.check()?;
            if let Err(error) = seen.directory(&directory, most) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(Self { entries: seen.entries, digest: seen.digest }))
    }
}

struct Seen {
    entries: usize,
    digest: String,
    pending: Vec<PathBuf>,
}

impl Seen {
    fn directory(&mut self, directory: &Path, most: usize) -> io::Result<()> {
        let mut found: Vec<(OsString, Metadata)> = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            self.entries += 1;
            if self.entries > most {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            found.push((entry.file_name(), entry.metadata()?));
        }
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut records = Vec::new();
        for (name, metadata) in &found {
            records.extend_from_slice(&record(name.as_encoded_bytes(), metadata));
            if metadata.is_dir() {
                self.pending.push(directory.join(name));
            }
        }
        self.fold(&records);
        Ok(())
    }

    fn fold(&mut self, records: &[u8]) {
        let mut bytes = std::mem::take(&mut self.digest).into_bytes();
        bytes.extend_from_slice(records);
        Digest::of(bytes).hex().clone_into(&mut self.digest);
    }
}

/// No name holds a NUL, so that no two lists of names and metadata look the same.
fn record(name: &[u8], found: &Metadata) -> Vec<u8> {
    let mut record = Vec::with_capacity(name.len() + 64);
    record.extend_from_slice(name);
    record.push(0);
    record.extend(platform::signs_of_change(found).into_iter().flat_map(i128::to_le_bytes));
    record
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::time::Duration;

    use staso_core::testing::test_context;

    use super::*;
    use crate::blocking;

    /// What is done to a directory, and how.
    type Change = (&'static str, fn(&Path));

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("a/b/file"), "one").unwrap();
        fs::write(root.path().join("other"), "two").unwrap();
        symlink("other", root.path().join("link")).unwrap();
        root
    }

    /// Waits until the clock of the file system has moved on.
    fn tick(root: &Path) {
        let aside = tempfile::tempdir_in(root.parent().unwrap()).unwrap();
        let before = fs::metadata(aside.path()).unwrap();
        let mut number = 0;
        loop {
            fs::write(aside.path().join(format!("{number}")), "").unwrap();
            let now = fs::metadata(aside.path()).unwrap();
            if (now.ctime(), now.ctime_nsec()) != (before.ctime(), before.ctime_nsec()) {
                break;
            }
            number += 1;
        }
    }

    async fn holds_after(alter: fn(&Path)) -> bool {
        let root = tree();
        let ctx = test_context();
        let limit = Duration::from_secs(60);
        blocking::run(&ctx, "looking", limit, move |stop| {
            let fingerprint = Fingerprint::of(root.path(), stop)?;
            tick(root.path());
            alter(root.path());
            fingerprint.holds(root.path(), stop)
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn looking_and_reading_change_nothing() {
        assert!(holds_after(|_| {}).await);
        assert!(holds_after(|root| drop(fs::read(root.join("a/b/file")).unwrap())).await);
    }

    #[tokio::test]
    async fn every_change_shows() {
        let changes: [Change; 10] = [
            ("other content of the same size, times put back", |root| {
                let file = File::options().write(true).open(root.join("other")).unwrap();
                let modified = file.metadata().unwrap().modified().unwrap();
                fs::write(root.join("other"), "xxx").unwrap();
                file.set_times(FileTimes::new().set_modified(modified)).unwrap();
            }),
            ("longer", |root| fs::write(root.join("a/b/file"), "one more").unwrap()),
            ("executable", |root| {
                fs::set_permissions(root.join("other"), Permissions::from_mode(0o755)).unwrap();
            }),
            ("a new file", |root| fs::write(root.join("a/b/new"), "").unwrap()),
            ("a new directory", |root| fs::create_dir(root.join("new")).unwrap()),
            ("a file less", |root| fs::remove_file(root.join("a/b/file")).unwrap()),
            ("another name", |root| fs::rename(root.join("other"), root.join("name")).unwrap()),
            ("another target", |root| {
                fs::remove_file(root.join("link")).unwrap();
                symlink("a", root.join("link")).unwrap();
            }),
            ("a second name outside", |root| {
                let aside = root.with_extension("aside");
                fs::hard_link(root.join("other"), &aside).unwrap();
                fs::remove_file(aside).unwrap();
            }),
            ("nothing", |root| fs::remove_dir_all(root).unwrap()),
        ];
        for (what, change) in changes {
            assert!(!holds_after(change).await, "{what}");
        }
    }
}
