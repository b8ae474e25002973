//! One kept checkout: its directory, who uses it, and whether it is whole and unaltered.

use std::fs::{self, File, FileTimes, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use git2::Oid;
use serde::{Deserialize, Serialize};
use staso_core::id::CommitId;
use staso_core::vcs::{Checkout, VcsError};

use super::checkout::Written;
use super::fingerprint::Fingerprint;
use crate::blocking::Stop;
use crate::platform;

/// Version of an entry's layout. Entries of another version are made anew.
const LAYOUT: u32 = 2;
/// Longest note of what is in an entry, in bytes.
const NOTE_BYTES: u64 = 4096;

/// The directory of a kept checkout, whether it is there or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    path: PathBuf,
}

/// What the file `complete` says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Complete {
    layout: u32,
    /// The object whose files these are.
    tree: String,
    /// What it takes of the disk.
    bytes: u64,
    unusable: usize,
    boot: String,
    files: Fingerprint,
}

/// Keeps an entry from being removed while it is used.
#[derive(Debug)]
pub(super) struct Lease {
    _lock: File,
}

/// Keeps an entry from being used while it is removed.
#[derive(Debug)]
pub(super) struct Claim {
    _lock: Option<File>,
}

impl Entry {
    pub(super) const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn exists(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok()
    }

    pub(super) fn checkout(&self, commit: &CommitId, lease: Lease) -> Checkout {
        Checkout::new(self.path.join("files"), commit.clone(), Some(Box::new(lease)))
    }

    /// Shares an entry that holds the files of `tree`. `None` when there is none, when it is just being removed, and
    /// when it is not as it was left.
    pub(super) fn lease(&self, tree: Oid, now: SystemTime, stop: &Stop) -> Result<Option<Lease>, VcsError> {
        let Some((lock, complete)) = self.share() else { return Ok(None) };
        if complete.layout != LAYOUT || complete.boot != boot_id() || complete.tree != tree.to_string() {
            return Ok(None);
        }
        if !complete.files.holds(&self.path.join("files"), stop)? {
            tracing::warn!(entry = %self.path.display(), "a kept checkout was altered and is not used any more");
            return Ok(None);
        }
        if lock.set_times(FileTimes::new().set_modified(now)).is_err() {
            tracing::debug!("the time of the last use of a checkout could not be noted");
        }
        Ok(Some(Lease { _lock: lock }))
    }

    fn share(&self) -> Option<(File, Complete)> {
        let path = self.path.join("lease");
        let lock = OpenOptions::new().read(true).write(true).open(&path).ok()?;
        lock.try_lock_shared().ok()?;
        // Between opening and locking the entry may have been removed and made anew.
        let (held, there) = (lock.metadata().ok()?, fs::symlink_metadata(&path).ok()?);
        Some((lock, self.complete()?)).filter(|_| platform::is_same_file(&held, &there))
    }

    /// Keeps everyone else from using the entry; `None` while someone does. The caller holds the stripe's lock, so that
    /// no other entry takes this one's place, and removes the entry before it lets go of the claim.
    pub(super) fn claim(&self) -> io::Result<Option<Claim>> {
        let lock = match File::open(self.path.join("lease")) {
            Ok(lock) => lock,
            // Nobody can share what has no lock.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Claim { _lock: None })),
            Err(error) => return Err(error),
        };
        match lock.try_lock() {
            Ok(()) => Ok(Some(Claim { _lock: Some(lock) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Gives the filled directory `temporary` this entry's name.
    pub(super) fn publish(
        &self,
        temporary: &Path,
        complete: &Complete,
        now: SystemTime,
    ) -> io::Result<Lease> {
        let new = |name| {
            let mut options = OpenOptions::new();
            platform::with_mode(options.create_new(true).write(true), 0o600).open(temporary.join(name))
        };
        let lock = new("lease")?;
        lock.lock_shared()?;
        lock.set_times(FileTimes::new().set_modified(now))?;
        new("complete")?.write_all(&serde_json::to_vec(complete)?)?;
        fs::rename(temporary, &self.path)?;
        Ok(Lease { _lock: lock })
    }

    /// What is noted about the entry, when that is whole and of this layout.
    pub(super) fn complete(&self) -> Option<Complete> {
        let mut text = Vec::new();
        File::open(self.path.join("complete")).ok()?.take(NOTE_BYTES).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// When it was last used, by the clocks of the runs.
    pub(super) fn used(&self) -> Option<SystemTime> {
        fs::metadata(self.path.join("lease")).and_then(|lease| lease.modified()).ok()
    }
}

impl Complete {
    /// What is to be noted about files that were just written.
    pub(super) fn new(tree: Oid, written: &Written, files: Fingerprint) -> Self {
        let (bytes, unusable) = (written.disk_bytes, written.unusable);
        Self { layout: LAYOUT, tree: tree.to_string(), bytes, unusable, boot: boot_id(), files }
    }

    /// What the entry takes of the disk.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the entry was made since the machine started.
    pub(super) fn is_of_this_boot(&self) -> bool {
        self.boot == boot_id()
    }
}

/// Which start of the machine this is; the same for all on systems that do not tell.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use staso_core::testing::test_context;

    use super::*;
    use crate::blocking;

    fn tree() -> Oid {
        Oid::from_str(&"12".repeat(20)).unwrap()
    }

    /// Makes an entry and gives what `work` finds of it, after everyone let go.
    async fn with_entry<T: Send + 'static>(work: fn(&Entry, &Stop) -> T) -> T {
        let ctx = test_context();
        blocking::run(&ctx, "working", Duration::from_secs(60), move |stop| {
            let directory = tempfile::tempdir().unwrap();
            let (new, entry) = (directory.path().join("new"), Entry::at(directory.path().join("entry")));
            fs::create_dir_all(new.join("files")).unwrap();
            fs::write(new.join("files/file"), "text").unwrap();
            let files = Fingerprint::of(&new.join("files"), stop)?;
            let complete = Complete::new(tree(), &Written::default(), files);
            drop(entry.publish(&new, &complete, SystemTime::UNIX_EPOCH).unwrap());
            Ok(work(&entry, stop))
        })
        .await
        .unwrap()
    }

    fn lease(entry: &Entry, stop: &Stop) -> Option<Lease> {
        entry.lease(tree(), SystemTime::UNIX_EPOCH, stop).unwrap()
    }

    #[tokio::test]
    async fn who_removes_an_entry_keeps_others_out_until_it_is_gone() {
        with_entry(|entry, stop| {
            let (one, other) = (lease(entry, stop), lease(entry, stop));
            assert!(one.is_some() && other.is_some() && entry.claim().unwrap().is_none());
            drop((one, other));
            let claim = entry.claim().unwrap();
            assert!(claim.is_some() && lease(entry, stop).is_none(), "nobody begins to use it now");
            fs::rename(entry.path(), entry.path().with_extension("old")).unwrap();
            drop(claim);
            assert!(lease(entry, stop).is_none());
        })
        .await;
    }

    #[tokio::test]
    async fn the_lock_that_is_in_its_place_counts() {
        with_entry(|entry, stop| {
            let late = File::open(entry.path().join("lease")).unwrap();
            fs::remove_file(entry.path().join("lease")).unwrap();
            fs::write(entry.path().join("lease"), "").unwrap();
            late.lock().unwrap();
            let lease = lease(entry, stop);
            assert!(lease.is_some(), "an old lock keeps nobody out");
            assert!(entry.claim().unwrap().is_none());
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_not_whole_or_of_another_tree_is_no_lease() {
        with_entry(|entry, stop| {
            let other = Oid::from_str(&"34".repeat(20)).unwrap();
            assert!(entry.lease(other, SystemTime::UNIX_EPOCH, stop).unwrap().is_none());
            let note = fs::read(entry.path().join("complete")).unwrap();
            for end in 0..note.len() {
                fs::write(entry.path().join("complete"), &note[..end]).unwrap();
                assert!(lease(entry, stop).is_none(), "a note cut at {end}");
            }
            fs::write(entry.path().join("complete"), &note).unwrap();
            assert!(lease(entry, stop).is_some());
            fs::remove_file(entry.path().join("lease")).unwrap();
            assert!(lease(entry, stop).is_none());
            assert!(entry.claim().unwrap().is_some(), "what cannot be used can be removed");
        })
        .await;
    }
}
