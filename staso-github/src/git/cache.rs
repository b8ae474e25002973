//! Checkouts that are kept: one read-only directory per repository and commit, shared by all runs.
//!
//! ```text
//! <data>/checkouts/<repository>-<commit>/files/     the checkout
//! <data>/checkouts/<repository>-<commit>/lease      share-locked by everyone who uses it; its time is the last use
//! <data>/checkouts/<repository>-<commit>/complete   what is in it, and since which start of the machine
//! <data>/checkouts/.tmp-<stripe>-…                  half-made or half-removed
//! <data>/locks/<stripe>                             held while an entry of that stripe is made or removed
//! ```
//!
//! An entry is made under a temporary name and renamed when it is whole; a process that dies leaves only the temporary
//! directory, which the next holder of the stripe's lock removes. The kernel releases locks of dead processes. Files are
//! not flushed to the disk one by one; instead an entry of an earlier start of the machine is made anew, because a power
//! failure may have left it with holes.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use staso_core::id::{CommitId, Digest};
use staso_core::trace::Timestamp;
use staso_core::vcs::{Checkout, VcsError};

use super::checkout::{remove_tree, write_tree};
use super::data::{self, Hold};
use super::repository::GitRepository;
use crate::blocking::Stop;
use crate::limits::GitLimits;
use crate::{error, platform};

/// Version of the layout above. Entries of another version are made anew.
const LAYOUT: u32 = 1;
/// Locks that all entries share.
const STRIPES: u8 = 64;

/// The kept checkouts below one data directory.
#[derive(Debug, Clone)]
pub(crate) struct CheckoutCache {
    root: PathBuf,
    limits: GitLimits,
}

/// What the file `complete` says.
#[derive(Debug, Serialize, Deserialize)]
struct Complete {
    layout: u32,
    bytes: u64,
    unusable: usize,
    boot: String,
}

/// Keeps an entry from being removed while it is used.
#[derive(Debug)]
struct Lease {
    _lock: File,
}

/// One repository and commit.
struct Key {
    name: String,
    stripe: u8,
}

impl Key {
    fn new(repository_id: &str, commit: &CommitId) -> Self {
        let repository = Digest::of(repository_id);
        let name = format!("{}-{commit}", repository.hex().get(..16).unwrap_or_default());
        let digest = Digest::of(&name);
        let stripe =
            digest.hex().get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or_default();
        Self { name, stripe: stripe % STRIPES }
    }

    fn temporary(&self) -> String {
        format!(".tmp-{:02}-{}", self.stripe, self.name)
    }
}

impl CheckoutCache {
    pub(crate) const fn new(root: PathBuf, limits: GitLimits) -> Self {
        Self { root, limits }
    }

    /// The checkout of a commit: the kept one, or a new one. `now` orders the uses.
    pub(crate) fn acquire(
        &self,
        repository: &GitRepository,
        commit: &CommitId,
        now: SystemTime,
        stop: &Stop,
    ) -> Result<Checkout, VcsError> {
        // Also for a kept one: who cannot read the commit gets no checkout of it.
        let tree = repository.tree(commit)?.id();
        let key = Key::new(&repository.id(), commit);
        let entry = self.checkouts().join(&key.name);
        for directory in ["locks", "checkouts"] {
            data::make_directory(&self.root, directory, data::PASSABLE)
                .map_err(|error| error::backend("preparing the checkout cache", error))?;
        }
        if let Some(lease) = lease(&entry, now) {
            return Ok(checkout(&entry, commit, lease));
        }
        let made = {
            let _stripe = data::lock(&self.stripe(key.stripe), Hold::Alone, stop)?;
            match lease(&entry, now) {
                Some(lease) => return Ok(checkout(&entry, commit, lease)),
                None => self.make(repository, tree, &key, now, stop)?,
            }
        };
        // Failing to make room does not take away what was made.
        if let Err(error) = self.evict() {
            tracing::warn!(%error, "could not remove old checkouts");
        }
        Ok(checkout(&entry, commit, made))
    }

    fn make(
        &self,
        repository: &GitRepository,
        tree: git2::Oid,
        key: &Key,
        now: SystemTime,
        stop: &Stop,
    ) -> Result<Lease, VcsError> {
        let fail = |error: io::Error| error::backend("writing a checkout", error);
        let entry = self.checkouts().join(&key.name);
        let temporary = self.checkouts().join(key.temporary());
        self.sweep(key.stripe).map_err(fail)?;
        if entry.exists() {
            self.discard(&entry, key.stripe).map_err(fail)?;
        }
        fs::create_dir(&temporary).map_err(fail)?;
        let filled =
            write_tree(repository, tree, &temporary.join("files"), &self.limits, stop).and_then(|written| {
                let complete = Complete {
                    layout: LAYOUT,
                    bytes: written.bytes,
                    unusable: written.unusable,
                    boot: boot_id(),
                };
                publish(&temporary, &entry, &complete, now).map_err(fail)
            });
        if filled.is_err() {
            drop(remove_tree(&temporary));
        }
        filled
    }

    /// Removes the least recently used entries that nobody uses until the rest fits.
    fn evict(&self) -> io::Result<()> {
        let mut entries = self.entries()?;
        let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
        entries.sort_by_key(|entry| entry.used);
        for entry in entries {
            if total <= self.limits.cache_bytes {
                break;
            }
            let Some(_stripe) = data::try_lock(&self.stripe(entry.stripe), Hold::Alone)? else { continue };
            if !is_unused(&entry.path) {
                continue;
            }
            self.discard(&entry.path, entry.stripe)?;
            total = total.saturating_sub(entry.bytes);
        }
        self.sweep_all()
    }

    /// Takes an entry out of sight in one step, then removes it. The caller holds the stripe's lock.
    fn discard(&self, entry: &Path, stripe: u8) -> io::Result<()> {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let away = self.checkouts().join(format!(".tmp-{stripe:02}-old-{name}"));
        remove_tree(&away)?;
        fs::rename(entry, &away)?;
        remove_tree(&away)
    }

    /// Removes what dead processes left of a stripe. The caller holds its lock, so nobody is at work there.
    fn sweep(&self, stripe: u8) -> io::Result<()> {
        let prefix = format!(".tmp-{stripe:02}-");
        for entry in fs::read_dir(self.checkouts())? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                remove_tree(&entry.path())?;
            }
        }
        Ok(())
    }

    fn sweep_all(&self) -> io::Result<()> {
        let mut stripes = Vec::new();
        for entry in fs::read_dir(self.checkouts())? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            stripes.extend(name.strip_prefix(".tmp-").and_then(|rest| rest.get(..2)?.parse::<u8>().ok()));
        }
        stripes.sort_unstable();
        stripes.dedup();
        for stripe in stripes {
            if let Some(_lock) = data::try_lock(&self.stripe(stripe), Hold::Alone)? {
                self.sweep(stripe)?;
            }
        }
        Ok(())
    }

    fn entries(&self) -> io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(self.checkouts())? {
            let path = entry?.path();
            kept.extend(Kept::read(path));
        }
        Ok(kept)
    }

    fn stripe(&self, stripe: u8) -> PathBuf {
        self.root.join("locks").join(format!("{stripe:02}"))
    }

    fn checkouts(&self) -> PathBuf {
        self.root.join("checkouts")
    }
}

/// An entry as eviction sees it.
struct Kept {
    path: PathBuf,
    stripe: u8,
    bytes: u64,
    used: SystemTime,
}

impl Kept {
    fn read(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_owned();
        let (repository, commit) = name.split_once('-').filter(|(repository, _)| !repository.is_empty())?;
        let stripe = Digest::of(format!("{repository}-{commit}"));
        let stripe = u8::from_str_radix(stripe.hex().get(..2)?, 16).ok()? % STRIPES;
        let used = fs::metadata(path.join("lease")).and_then(|lease| lease.modified()).ok()?;
        let bytes = read_complete(&path).map_or(0, |complete| complete.bytes);
        Some(Self { path, stripe, bytes, used })
    }
}

/// A time of the run's clock as file systems have it.
pub(crate) fn system_time(time: Timestamp) -> SystemTime {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)
}

fn checkout(entry: &Path, commit: &CommitId, lease: Lease) -> Checkout {
    Checkout::new(entry.join("files"), commit.clone(), Some(Box::new(lease)))
}

/// Shares the lock of a whole entry. `None` when there is none, or when it is just being removed.
fn lease(entry: &Path, now: SystemTime) -> Option<Lease> {
    let path = entry.join("lease");
    let file = OpenOptions::new().read(true).write(true).open(&path).ok()?;
    file.try_lock_shared().ok()?;
    // Between opening and locking the entry may have been removed and made anew.
    let (held, there) = (file.metadata().ok()?, fs::symlink_metadata(&path).ok()?);
    let complete = read_complete(entry)?;
    if !platform::is_same_file(&held, &there) || complete.layout != LAYOUT || complete.boot != boot_id() {
        return None;
    }
    if file.set_times(FileTimes::new().set_modified(now)).is_err() {
        tracing::debug!("the time of the last use of a checkout could not be noted");
    }
    Some(Lease { _lock: file })
}

/// Whether nobody holds a lease. The caller holds the stripe's lock; a lease that is taken right afterwards finds that
/// its file is no longer where it was.
fn is_unused(entry: &Path) -> bool {
    File::open(entry.join("lease")).is_ok_and(|file| file.try_lock().is_ok())
}

fn publish(temporary: &Path, entry: &Path, complete: &Complete, now: SystemTime) -> io::Result<Lease> {
    let create = |name: &str, mode| {
        let mut options = OpenOptions::new();
        platform::with_mode(options.create_new(true).write(true), mode).open(temporary.join(name))
    };
    let lease = create("lease", 0o600)?;
    lease.lock_shared()?;
    lease.set_times(FileTimes::new().set_modified(now))?;
    let mut marker = create("complete", 0o644)?;
    marker.write_all(&serde_json::to_vec(complete)?)?;
    platform::set_mode(temporary, data::PASSABLE)?;
    fs::rename(temporary, entry)?;
    Ok(Lease { _lock: lease })
}

fn read_complete(entry: &Path) -> Option<Complete> {
    let mut text = Vec::new();
    File::open(entry.join("complete")).ok()?.take(4096).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Which start of the machine this is; the same for all on systems that do not tell.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| String::new(), |id| id.trim().to_owned())
}
