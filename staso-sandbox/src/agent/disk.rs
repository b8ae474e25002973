//! What a session without a file system of its own has written, counted now and then.

use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::changes::{self, is_absence, join};
use crate::root::open_dir;
use crate::sys::{self, Kind};

/// Between two counts at least.
const PAUSE: Duration = Duration::from_millis(250);
/// How much longer than a count the pause after it is.
const PAUSE_FACTOR: u32 = 20;
/// Files and directories for each this many bytes of the limit; on disk the smallest takes as much.
const BYTES_PER_ENTRY: u64 = 4096;
const FEWEST_ENTRIES: u64 = 1024;
const MAX_NAMES: usize = 1 << 20;

/// Everything below a directory.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    bytes: u64,
    entries: u64,
}

impl Usage {
    const ENDLESS: Self = Self { bytes: u64::MAX, entries: u64::MAX };

    fn exceeds(self, other: Self) -> bool {
        self.bytes > other.bytes || self.entries > other.entries
    }
}

/// Counts what is in a session's directory.
#[derive(Debug)]
pub(crate) struct Disk {
    places: [OwnedFd; 2],
    most: Usage,
    last: Usage,
    next: Instant,
}

impl Disk {
    /// Allows `bytes` more than there is now.
    pub(crate) fn new(directory: &Path, bytes: u64) -> sys::Result<Self> {
        let place = |name| open_dir(&directory.join(name));
        let places = [place("workspace")?, place("tmp")?];
        let now = count(&places);
        let most = Usage {
            bytes: now.bytes.saturating_add(bytes),
            entries: now.entries.saturating_add((bytes / BYTES_PER_ENTRY).max(FEWEST_ENTRIES)),
        };
        Ok(Self { places, most, last: now, next: Instant::now() + PAUSE })
    }

    /// When to count again.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Counts when it is time to; whether there is too much, and more than the last time: what deletes may go on.
    pub(crate) fn grew_too_large(&mut self) -> bool {
        let started = Instant::now();
        if started < self.next {
            return false;
        }
        let now = count(&self.places);
        self.next = Instant::now() + (started.elapsed() * PAUSE_FACTOR).max(PAUSE);
        let grew = now.exceeds(self.most) && now.exceeds(self.last);
        // What cannot be counted is no measure for the next time.
        if Usage::ENDLESS.exceeds(now) {
            self.last = now;
        }
        grew
    }
}

fn count(places: &[OwnedFd]) -> Usage {
    let mut usage = Usage::default();
    // Paths are those of the checkout: whatever has a name there can be counted.
    let mut directories: Vec<_> = places.iter().map(|place| (place.as_fd(), Vec::new())).collect();
    while let Some((root, path)) = directories.pop() {
        // What cannot be opened is gone, or was closed by the command itself: nothing new can be opened in it.
        let Ok(directory) = changes::open_dir(root, &path) else { continue };
        let names = match sys::list_entries(directory.as_fd(), MAX_NAMES) {
            Ok(names) => names,
            Err(error) if is_absence(error) => continue,
            Err(_) => return Usage::ENDLESS,
        };
        for (name, _) in names {
            let Ok(c_name) = CString::new(name.as_slice()) else { continue };
            let Ok(stat) = sys::stat_at(directory.as_fd(), &c_name) else { continue };
            usage.bytes = usage.bytes.saturating_add(stat.disk_bytes);
            usage.entries += 1;
            if stat.kind == Kind::Directory {
                // Deeper than a path can name nothing could be counted.
                let Some(deeper) = join(&path, &name) else { return Usage::ENDLESS };
                directories.push((root, deeper));
            }
        }
    }
    usage
}
