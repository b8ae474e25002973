//! Making room among checkouts and repositories that are kept: the ones unused for longest go first, those in use never.
//!
//! One bound holds for both, and one order, in which a repository stands behind its own checkouts: it takes the network to
//! have it again, and none of them can be used without it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

use super::cache::{CheckoutCache, Key, system_time};
use super::data::{self, Hold};
use super::entry::Entry;
use super::kept_repository::{self, KeptRepository};
use crate::blocking;
use crate::limits::GitLimits;

/// A use that is to come later than this was noted before the clock was set back, and tells nothing.
const CLOCK_LEEWAY: Duration = Duration::from_hours(1);

/// For how much longer than a checkout a repository counts as used; a run is shorter.
const REPOSITORY_GRACE: Duration = Duration::from_hours(1);

/// Something that is kept, as it counts for room.
struct Kept {
    what: What,
    bytes: u64,
    /// `None` for what can never be used again, and where nobody knows.
    used: Option<SystemTime>,
}

enum What {
    Checkout { entry: Entry, stripe: u8 },
    Repository(KeptRepository),
}

impl What {
    const fn grace(&self) -> Duration {
        match self {
            Self::Checkout { .. } => Duration::ZERO,
            Self::Repository(_) => REPOSITORY_GRACE,
        }
    }
}

impl Kept {
    fn checkout(path: PathBuf) -> Option<Self> {
        let stripe = Key::of_entry(path.file_name()?.to_str()?)?.stripe;
        let entry = Entry::at(path);
        let complete = entry.complete();
        let used = match &complete {
            Some(complete) if complete.is_of_this_boot() => entry.used(),
            _ => None,
        };
        let bytes = complete.map_or(0, |complete| complete.bytes());
        Some(Self { what: What::Checkout { entry, stripe }, bytes, used })
    }

    fn repository(repository: KeptRepository) -> Self {
        let (bytes, used) = (repository.bytes(), repository.used());
        Self { what: What::Repository(repository), bytes, used }
    }
}

/// Makes room below a data directory. Failing to is no failure of what was done before.
///
/// # Errors
/// [`VcsError::Cancelled`].
pub(super) async fn make_room(data: &Path, limits: &GitLimits, ctx: &RunContext) -> Result<(), VcsError> {
    let (cache, now) = (CheckoutCache::new(data.to_owned(), limits.clone()), system_time(ctx.now()));
    let made = blocking::run(ctx, "making room", limits.operation, move |_| {
        cache.make_room(now);
        Ok(())
    });
    match made.await {
        // It goes on by itself.
        Err(VcsError::Timeout { .. }) => Ok(()),
        made => made,
    }
}

impl CheckoutCache {
    /// Makes room, as far as that is possible.
    pub(super) fn make_room(&self, now: SystemTime) {
        if let Err(error) = self.remove_oldest(now) {
            tracing::warn!(%error, "could not remove what is kept of repositories");
        }
    }

    /// Removes what nobody uses until the rest fits, and what dead processes left. While another process is at it, that is
    /// enough.
    fn remove_oldest(&self, now: SystemTime) -> io::Result<()> {
        self.prepare()?;
        let Some(_turn) = data::try_lock(&self.locks().join("room"), Hold::Alone)? else { return Ok(()) };
        let mut kept = self.kept()?;
        let latest = now.checked_add(CLOCK_LEEWAY).unwrap_or(now);
        for one in &mut kept {
            let told = one.used.filter(|used| *used <= latest);
            one.used = told.and_then(|used| used.checked_add(one.what.grace()));
        }
        let mut total: u64 = kept.iter().map(|one| one.bytes).sum();
        kept.sort_by_key(|one| (one.used, one.bytes));
        for one in kept {
            // What takes an unknown number of bytes goes in any case.
            if total <= self.limits.cache_bytes && one.bytes > 0 {
                break;
            }
            match self.remove(&one.what) {
                Ok(true) => total = total.saturating_sub(one.bytes),
                Ok(false) => {}
                // What cannot be removed keeps nothing else from it.
                Err(error) => tracing::warn!(%error, "something that is kept could not be removed"),
            }
        }
        self.sweep_all()
    }

    fn remove(&self, what: &What) -> io::Result<bool> {
        match what {
            What::Checkout { entry, stripe } => {
                let Some(_stripe) = data::try_lock(&self.stripe(*stripe), Hold::Alone)? else {
                    return Ok(false);
                };
                Ok(entry.exists() && self.discard(entry, *stripe)?)
            }
            What::Repository(repository) => repository.remove(),
        }
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

    /// Everything that is kept. What dead processes left of repositories is removed.
    fn kept(&self) -> io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(self.checkouts())? {
            kept.extend(Kept::checkout(entry?.path()));
        }
        kept.extend(kept_repository::all(&self.root)?.into_iter().map(Kept::repository));
        Ok(kept)
    }
}
