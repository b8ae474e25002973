//! Making room among kept checkouts: the ones unused for longest go first, those in use never.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use super::cache::{CheckoutCache, Key};
use super::data::{self, Hold};
use super::entry::Entry;

/// An entry as it counts for room.
struct Kept {
    entry: Entry,
    stripe: u8,
    bytes: u64,
    /// `None` for what can never be used again.
    used: Option<SystemTime>,
}

impl Kept {
    fn read(path: PathBuf) -> Option<Self> {
        let stripe = Key::of_entry(path.file_name()?.to_str()?)?.stripe;
        let entry = Entry::at(path);
        let complete = entry.complete();
        let used = match &complete {
            Some(complete) if complete.is_of_this_boot() => entry.used(),
            _ => None,
        };
        Some(Self { bytes: complete.map_or(0, |complete| complete.bytes()), entry, stripe, used })
    }
}

impl CheckoutCache {
    /// Removes entries that nobody uses until the rest fits, and what dead processes left. While another process is at it,
    /// that is enough.
    pub(super) fn make_room(&self) -> io::Result<()> {
        let Some(_turn) = data::try_lock(&self.locks().join("room"), Hold::Alone)? else { return Ok(()) };
        let mut entries = self.entries()?;
        let mut total: u64 = entries.iter().map(|kept| kept.bytes).sum();
        entries.sort_by_key(|kept| kept.used);
        for kept in entries {
            // What takes an unknown number of bytes goes in any case.
            if total <= self.limits.cache_bytes && kept.bytes > 0 {
                break;
            }
            let Some(_stripe) = data::try_lock(&self.stripe(kept.stripe), Hold::Alone)? else { continue };
            if kept.entry.exists() && self.discard(&kept.entry, kept.stripe)? {
                total = total.saturating_sub(kept.bytes);
            }
        }
        self.sweep_all()
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
            kept.extend(Kept::read(entry?.path()));
        }
        Ok(kept)
    }
}
