//! Bare repositories below the data directory, as they count for room.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::bare;
use super::checkout::{disk_bytes, remove_tree};
use super::data::{self, Hold};
use super::in_use;

/// Where they are.
const PARENTS: [&str; 2] = ["commits", "mirrors"];
/// What one consists of: the repository, its history, and what a killed process half made.
const PARTS: [&str; 3] = ["git", "history", "tmp"];
/// What is being removed.
const AWAY: &str = "away";

/// One repository with everything that belongs to it.
#[derive(Debug)]
pub(super) struct KeptRepository {
    /// `<name>.git`, whether that is there or not.
    directory: PathBuf,
}

/// All repositories of a data directory. What a killed process was removing is gone afterwards; the caller holds the lock
/// for making room.
pub(super) fn all(data: &Path) -> io::Result<Vec<KeptRepository>> {
    let mut found = Vec::new();
    for parent in PARENTS.map(|name| data.join(name)) {
        let entries = match fs::read_dir(&parent) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            if extension == AWAY {
                remove_tree(&path)?;
            } else if PARTS.contains(&extension) {
                found.push(path.with_extension("git"));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found.into_iter().map(|directory| KeptRepository { directory }).collect())
}

impl KeptRepository {
    /// What its objects take of the disk, about. Never 0.
    pub(super) fn bytes(&self) -> u64 {
        let parts = PARTS.map(|part| self.directory.with_extension(part).join("objects"));
        disk_bytes(0).saturating_add(parts.iter().map(|objects| objects_bytes(objects)).sum())
    }

    /// When it was last used.
    pub(super) fn used(&self) -> Option<SystemTime> {
        in_use::last_use(&self.directory)
    }

    /// Removes it, unless someone uses it or it has the record of a proposal. Whether it did. The caller holds the lock
    /// for making room.
    pub(super) fn remove(&self) -> io::Result<bool> {
        let Some(alone) = data::try_lock(&in_use::lock_of(&self.directory), Hold::Alone)? else {
            return Ok(false);
        };
        if bare::holds_proposals(&self.directory) {
            return Ok(false);
        }
        let away = self.directory.with_extension(AWAY);
        fs::create_dir_all(&away)?;
        for part in PARTS {
            match fs::rename(self.directory.with_extension(part), away.join(part)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        drop(alone);
        remove_tree(&away)?;
        Ok(true)
    }
}

/// Objects lie in `objects` and the directories in it. What changes meanwhile counts as it was seen.
fn objects_bytes(objects: &Path) -> u64 {
    let (mut bytes, mut pending) = (0_u64, vec![objects.to_owned()]);
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => pending.push(entry.path()),
                Ok(found) => bytes = bytes.saturating_add(disk_bytes(found.len())),
                Err(_) => {}
            }
        }
    }
    bytes
}
