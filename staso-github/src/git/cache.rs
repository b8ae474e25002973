//! Checkouts that are kept: one directory per repository and commit, shared by all runs.
//!
//! ```text
//! <data>/checkouts/<repository>-<commit>/files/     the checkout
//! <data>/checkouts/<repository>-<commit>/lease      share-locked by everyone who uses it; its time is the last use
//! <data>/checkouts/<repository>-<commit>/complete   what is in it, how its files looked, since which start of the machine
//! <data>/checkouts/<repository>-<commit>.1/         the same, when the first was altered while someone uses it
//! <data>/checkouts/.tmp-<stripe>-…                  half-made or half-removed
//! <data>/locks/<stripe>                             held while an entry of that stripe is made or removed
//! <data>/locks/room                                 held while room is made
//! ```
//!
//! All of it is for this user alone. Sandboxes whose sessions are another user open a checkout before they become that
//! one.
//!
//! An entry is made under a temporary name and renamed when it is whole; a process that dies leaves only the temporary
//! directory, which the next holder of the stripe's lock removes. It is removed by whoever holds its lease alone until it
//! has another name, so that nobody begins to use it meanwhile. The kernel releases locks of dead processes. Files are
//! not flushed to the disk one by one; instead an entry of an earlier start of the machine is made anew, because a power
//! failure may have left it with holes.
//!
//! The files themselves have the permissions of a clone, for commands of a session, which change copies of them. Nothing
//! keeps another
//! process of this user from changing the files themselves: it could as well take write protection away. So every use
//! begins with a look at each file's metadata, and an entry that is not as it was left is made anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use git2::Oid;
use staso_core::id::{CommitId, Digest};
use staso_core::trace::Timestamp;
use staso_core::vcs::{Checkout, VcsError};

use super::checkout::{remove_tree, write_tree};
use super::data::{self, Hold};
use super::entry::{Complete, Entry, Lease};
use super::fingerprint::Fingerprint;
use super::repository::GitRepository;
use crate::blocking::Stop;
use crate::limits::GitLimits;
use crate::{error, platform};

/// Locks that all entries share.
const STRIPES: u8 = 64;
/// Entries of one commit: when one was altered while it is used, the next is made.
const PLACES: u8 = 4;

/// The kept checkouts below one data directory.
#[derive(Debug, Clone)]
pub(crate) struct CheckoutCache {
    pub(super) root: PathBuf,
    pub(super) limits: GitLimits,
}

/// One repository and commit.
pub(super) struct Key {
    name: String,
    pub(super) stripe: u8,
}

impl Key {
    fn new(repository_id: &str, commit: &CommitId) -> Self {
        let repository = Digest::of(repository_id);
        Self::named(format!("{}-{commit}", repository.hex().get(..16).unwrap_or_default()))
    }

    /// The key of an entry by the entry's name; `None` when it is no entry's.
    pub(super) fn of_entry(name: &str) -> Option<Self> {
        let (repository, _) = name.split_once('-')?;
        let key = name.split_once('.').map_or(name, |(key, _)| key);
        (!repository.is_empty() && !repository.starts_with('.')).then(|| Self::named(key.to_owned()))
    }

    fn named(name: String) -> Self {
        let digest = Digest::of(&name);
        let stripe =
            digest.hex().get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or_default();
        Self { name, stripe: stripe % STRIPES }
    }

    fn place(&self, number: u8) -> String {
        if number == 0 { self.name.clone() } else { format!("{}.{number}", self.name) }
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
        self.prepare().map_err(|error| error::backend("preparing the checkout cache", error))?;
        if let Some((entry, lease)) = self.find(&key, tree, now, stop)? {
            return Ok(entry.checkout(commit, lease));
        }
        let (entry, lease) = {
            let _stripe = data::lock(&self.stripe(key.stripe), Hold::Alone, stop)?;
            match self.find(&key, tree, now, stop)? {
                Some((entry, lease)) => return Ok(entry.checkout(commit, lease)),
                None => self.make(repository, tree, &key, now, stop)?,
            }
        };
        // Failing to make room does not take away what was made.
        self.make_room(now);
        Ok(entry.checkout(commit, lease))
    }

    /// Makes the directories that are not there yet.
    pub(super) fn prepare(&self) -> io::Result<()> {
        ["locks", "checkouts"].iter().try_for_each(|name| data::make_directory(&self.root, name))
    }

    fn find(
        &self,
        key: &Key,
        tree: Oid,
        now: SystemTime,
        stop: &Stop,
    ) -> Result<Option<(Entry, Lease)>, VcsError> {
        for entry in self.places(key) {
            if let Some(lease) = entry.lease(tree, now, stop)? {
                return Ok(Some((entry, lease)));
            }
        }
        Ok(None)
    }

    /// The caller holds the stripe's lock.
    fn make(
        &self,
        repository: &GitRepository,
        tree: Oid,
        key: &Key,
        now: SystemTime,
        stop: &Stop,
    ) -> Result<(Entry, Lease), VcsError> {
        let fail = |error: io::Error| error::backend("writing a checkout", error);
        let temporary = self.checkouts().join(format!(".tmp-{:02}-{}", key.stripe, key.name));
        self.sweep(key.stripe).map_err(fail)?;
        let entry = self.free_place(key).map_err(fail)?;
        platform::make_directory(&temporary, 0o700).map_err(fail)?;
        let filled = self.fill(repository, tree, &temporary, stop).and_then(|complete| {
            entry.publish(&temporary, &complete, now).map(|lease| (entry, lease)).map_err(fail)
        });
        if filled.is_err() {
            drop(remove_tree(&temporary));
        }
        filled
    }

    fn fill(
        &self,
        repository: &GitRepository,
        tree: Oid,
        directory: &Path,
        stop: &Stop,
    ) -> Result<Complete, VcsError> {
        let files = directory.join("files");
        let written = write_tree(repository, tree, &files, &self.limits, stop)?;
        Ok(Complete::new(tree, &written, Fingerprint::of(&files, stop)?))
    }

    /// The first place where nothing is, or something that nobody uses, which is removed.
    fn free_place(&self, key: &Key) -> io::Result<Entry> {
        for entry in self.places(key) {
            if !entry.exists() || self.discard(&entry, key.stripe)? {
                return Ok(entry);
            }
        }
        Err(io::Error::other("all kept checkouts of the commit were altered and are still in use"))
    }

    /// Removes an entry that nobody uses, out of sight in one step. Whether it did. The caller holds the stripe's lock.
    pub(super) fn discard(&self, entry: &Entry, stripe: u8) -> io::Result<bool> {
        let Some(claim) = entry.claim()? else { return Ok(false) };
        let name = entry.path().file_name().unwrap_or_default().to_string_lossy();
        let away = self.checkouts().join(format!(".tmp-{stripe:02}-old-{name}"));
        remove_tree(&away)?;
        fs::rename(entry.path(), &away)?;
        drop(claim);
        remove_tree(&away)?;
        Ok(true)
    }

    /// Removes what dead processes left of a stripe. The caller holds its lock, so nobody is at work there.
    pub(super) fn sweep(&self, stripe: u8) -> io::Result<()> {
        let prefix = format!(".tmp-{stripe:02}-");
        for entry in fs::read_dir(self.checkouts())? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                remove_tree(&entry.path())?;
            }
        }
        Ok(())
    }

    fn places(&self, key: &Key) -> impl Iterator<Item = Entry> {
        (0..PLACES).map(|number| Entry::at(self.checkouts().join(key.place(number))))
    }

    pub(super) fn stripe(&self, stripe: u8) -> PathBuf {
        self.locks().join(format!("{stripe:02}"))
    }

    pub(super) fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    pub(super) fn checkouts(&self) -> PathBuf {
        self.root.join("checkouts")
    }
}

/// A time of the run's clock as file systems have it.
pub(crate) fn system_time(time: Timestamp) -> SystemTime {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)
}
