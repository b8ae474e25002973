//! What a session did to its checkout, read from the upper layer of the overlay.
//!
//! The upper layer holds only what was touched: files that were written, marks for what was deleted, and directories
//! on the way to them. Neither layer is visible to commands, but they can change the upper one through the overlay at
//! any time; so nothing is followed, everything is bounded, and what vanishes meanwhile is left out.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::files::{self, Refusal};
use crate::root::Session;
use crate::sys::{self, Errno, Kind, Stat};
use crate::wire::{TreeLimits, change, refusal};

/// A kind of `wire::change` and its content.
pub(crate) type Change = (u8, Vec<u8>);

/// Largest file that is handed out.
pub(crate) const MAX_FILE_BYTES: u64 = 4 << 20;
/// All contents together.
const MAX_TOTAL_BYTES: usize = 64 << 20;
/// Paths that are handed out.
const MAX_CHANGES: usize = 20_000;
/// Names of one directory that are looked at.
const MAX_NAMES: usize = MAX_CHANGES * 4;
/// Longest path.
const MAX_PATH_BYTES: usize = 4095;
/// The host's own scratch directory at the root, unless the checkout has one itself.
pub(crate) const HOST_SCRATCH: &[u8] = b".staso";
const HOST_SCRATCH_NAME: &CStr = c".staso";
pub(crate) const SPECIAL: &str = "it is a device, a pipe or a socket";
pub(crate) const CLOSED: &str = "it is a directory that cannot be read";
pub(crate) const UNSEEN: &str = "it cannot be looked at";
pub(crate) const UNREADABLE: &str = "it cannot be read";
pub(crate) const TOO_DEEP: &str = "it holds a path that is longer than 4095 bytes";
const OPAQUE: &CStr = c"user.overlay.opaque";

/// What is handed out, and whether more is an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) file_bytes: u64,
    pub(crate) total_bytes: usize,
    pub(crate) changes: usize,
    pub(crate) strict: bool,
}

impl Bounds {
    /// All changes or none.
    pub(crate) const STRICT: Self =
        Self { file_bytes: MAX_FILE_BYTES, total_bytes: MAX_TOTAL_BYTES, changes: MAX_CHANGES, strict: true };

    /// As much as fits.
    pub(crate) fn within(limits: TreeLimits) -> Self {
        let most = |wanted: u64, most: usize| usize::try_from(wanted).unwrap_or(most).min(most);
        Self {
            file_bytes: limits.file_bytes.min(MAX_FILE_BYTES),
            total_bytes: most(limits.total_bytes, MAX_TOTAL_BYTES),
            changes: most(limits.entries, MAX_CHANGES),
            strict: false,
        }
    }
}

/// Everything that differs, by path.
pub(crate) fn list(session: &Session, bounds: Bounds) -> Result<BTreeMap<Vec<u8>, Change>, Refusal> {
    let hides_scratch = sys::stat_at(session.lower.as_fd(), HOST_SCRATCH_NAME).is_err();
    let directories = vec![Directory { path: Vec::new(), alone: session.copied.is_some() }];
    let changes = BTreeMap::new();
    let mut walk = Walk { session, bounds, hides_scratch, changes, bytes: 0, directories, cut: false };
    while let Some(directory) = walk.directories.pop().filter(|_| !walk.cut) {
        walk.directory(directory)?;
    }
    Ok(walk.changes)
}

struct Walk<'a> {
    session: &'a Session,
    bounds: Bounds,
    hides_scratch: bool,
    changes: BTreeMap<Vec<u8>, Change>,
    bytes: usize,
    directories: Vec<Directory>,
    cut: bool,
}

/// A directory of the upper layer that is to be looked at.
struct Directory {
    path: Vec<u8>,
    /// Whether nothing of the checkout shows through: what it does not have itself is gone.
    alone: bool,
}

/// Something in a directory of the upper layer, and what the checkout has in its place.
struct Entry<'a> {
    path: Vec<u8>,
    name: &'a CStr,
    upper: Stat,
    lower: Option<Stat>,
    above: BorrowedFd<'a>,
    below: Option<BorrowedFd<'a>>,
    alone: bool,
}

impl Walk<'_> {
    fn directory(&mut self, Directory { path, alone }: Directory) -> Result<(), Refusal> {
        let upper = open_dir(self.session.upper.as_fd(), &path);
        let Some(upper) = self.found(&path, CLOSED, upper)? else { return Ok(()) };
        let names = sys::list_dir(upper.as_fd(), MAX_NAMES);
        if names == Err(Errno::OVERFLOW) {
            return self.cut();
        }
        let Some(names) = self.found(&path, CLOSED, names)? else { return Ok(()) };
        let lower = open_dir(self.session.lower.as_fd(), &path);
        let lower = self.found(&path, CLOSED, lower)?;
        let alone = alone || sys::attribute(upper.as_fd(), OPAQUE).as_deref() == Some(b"y");
        for name in &names {
            if self.hides_scratch && path.is_empty() && name == HOST_SCRATCH {
                continue;
            }
            let Some(path) = self.named(&path, name)? else { continue };
            let Ok(name) = CString::new(name.as_slice()) else { continue };
            let stat = sys::stat_at(upper.as_fd(), &name);
            let Some(stat) = self.found(&path, UNSEEN, stat)? else { continue };
            let below = lower.as_ref().map(AsFd::as_fd);
            let before = below.and_then(|lower| sys::stat_at(lower, &name).ok());
            let above = upper.as_fd();
            self.entry(Entry { path, name: &name, upper: stat, lower: before, above, below, alone })?;
        }
        if let Some(lower) = lower.filter(|_| alone) {
            for (path, kind) in self.lacking(&path, lower.as_fd(), &names)? {
                self.delete(path, kind)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: Entry<'_>) -> Result<(), Refusal> {
        let lower = entry.lower.map(|stat| stat.kind);
        if lower == Some(Kind::Directory) && entry.upper.kind != Kind::Directory {
            self.delete(entry.path.clone(), Kind::Directory)?;
        }
        match entry.upper.kind {
            // In a copy nothing marks what is gone.
            Kind::Whiteout if self.session.copied.is_none() => match lower {
                None | Some(Kind::Directory) => Ok(()),
                Some(_) => self.add(entry.path, change::DELETED, Vec::new()),
            },
            Kind::Whiteout | Kind::Special => self.refuse(entry.path, SPECIAL),
            Kind::Directory => {
                if lower.is_some_and(|kind| kind != Kind::Directory) {
                    self.add(entry.path.clone(), change::DELETED, Vec::new())?;
                }
                self.directories.push(Directory { path: entry.path, alone: entry.alone });
                Ok(())
            }
            Kind::Symlink => {
                let target = sys::read_link(entry.above, entry.name);
                let Some(target) = self.found(&entry.path, UNSEEN, target)? else { return Ok(()) };
                let before = entry.below.filter(|_| lower == Some(Kind::Symlink));
                let before = before.and_then(|below| sys::read_link(below, entry.name).ok());
                if before.as_ref() == Some(&target) {
                    return Ok(());
                }
                self.add(entry.path, change::SYMLINK, target)
            }
            Kind::Regular => self.regular(entry),
        }
    }

    fn regular(&mut self, entry: Entry<'_>) -> Result<(), Refusal> {
        let Entry { path, name, upper, lower, above, below, .. } = entry;
        let copied = self.session.copied.as_ref();
        if copied.is_some_and(|copied| copied.is_untouched(&path, upper.stamp)) {
            return Ok(());
        }
        if upper.size > self.bounds.file_bytes || (self.is_full() && !self.bounds.strict) {
            return self.large(path, upper.size);
        }
        let content = match files::read(above, name.to_bytes(), MAX_FILE_BYTES) {
            Ok(content) => content,
            // It grew meanwhile.
            Err(Refusal { code: refusal::TOO_LARGE, .. }) => return self.large(path, MAX_FILE_BYTES + 1),
            Err(error) if is_absence(error.errno) => return Ok(()),
            Err(_) => return self.refuse(path, UNREADABLE),
        };
        let same_shape = lower.is_some_and(|lower| {
            lower.kind == Kind::Regular
                && lower.size == upper.size
                && lower.mode & 0o100 == upper.mode & 0o100
        });
        let before = below.filter(|_| same_shape);
        let before = before.and_then(|below| files::read(below, name.to_bytes(), MAX_FILE_BYTES).ok());
        if before.as_ref() == Some(&content) {
            return Ok(());
        }
        let executable = upper.mode & 0o100 != 0;
        let kind = if executable { change::WRITTEN_EXECUTABLE } else { change::WRITTEN };
        self.add(path, kind, content)
    }

    /// What the checkout has at a path is gone, with everything below.
    fn delete(&mut self, path: Vec<u8>, kind: Kind) -> Result<(), Refusal> {
        let mut gone = vec![(path, kind)];
        while let Some((path, kind)) = gone.pop() {
            if kind != Kind::Directory {
                self.add(path, change::DELETED, Vec::new())?;
                continue;
            }
            let directory = open_dir(self.session.lower.as_fd(), &path);
            if let Some(directory) = self.found(&path, CLOSED, directory)? {
                gone.extend(self.lacking(&path, directory.as_fd(), &[])?);
            }
        }
        Ok(())
    }

    /// What a directory of the checkout has beyond `names`.
    fn lacking(
        &mut self,
        path: &[u8],
        lower: BorrowedFd<'_>,
        names: &[Vec<u8>],
    ) -> Result<Vec<(Vec<u8>, Kind)>, Refusal> {
        let text = "list a directory of the checkout";
        let all = sys::list_dir(lower, MAX_NAMES);
        let all = all.map_err(|errno| Refusal { code: refusal::SYSTEM, errno, text })?;
        let mut lacking = Vec::new();
        for name in all {
            // Git's own is not copied.
            let is_git = path.is_empty() && name == b".git";
            if is_git || names.binary_search(&name).is_ok() {
                continue;
            }
            let Some(path) = self.named(path, &name)? else { continue };
            let Ok(name) = CString::new(name) else { continue };
            if let Ok(stat) = sys::stat_at(lower, &name) {
                lacking.push((path, stat.kind));
            }
        }
        Ok(lacking)
    }

    /// What was found at a path; what is not there any more is left out, and what cannot be looked at is refused.
    fn found<T>(&mut self, path: &[u8], why: &str, found: sys::Result<T>) -> Result<Option<T>, Refusal> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absence(error) => Ok(None),
            Err(_) => self.refuse(path.to_vec(), why).map(|()| None),
        }
    }

    /// The path of a name in a directory, which is refused when there is no such path.
    fn named(&mut self, directory: &[u8], name: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        match join(directory, name) {
            Some(path) => Ok(Some(path)),
            None => self.refuse(directory.to_vec(), TOO_DEEP).map(|()| None),
        }
    }

    /// A file beyond the bounds.
    fn large(&mut self, path: Vec<u8>, size: u64) -> Result<(), Refusal> {
        if self.bounds.strict {
            return self.refuse(path, &too_large(size));
        }
        self.add(path, change::UNREAD, size.to_le_bytes().to_vec())
    }

    fn refuse(&mut self, path: Vec<u8>, why: &str) -> Result<(), Refusal> {
        self.add(path, change::REFUSED, why.as_bytes().to_vec())
    }

    fn is_full(&self) -> bool {
        self.bytes > self.bounds.total_bytes
    }

    fn add(&mut self, path: Vec<u8>, kind: u8, content: Vec<u8>) -> Result<(), Refusal> {
        self.bytes = self.bytes.saturating_add(content.len());
        if self.changes.len() >= self.bounds.changes || (self.bounds.strict && self.is_full()) {
            return self.cut();
        }
        self.changes.insert(path, (kind, content));
        Ok(())
    }

    /// There is more than is handed out.
    fn cut(&mut self) -> Result<(), Refusal> {
        if self.bounds.strict {
            return Err(Refusal::new(refusal::TOO_LARGE, "what the session changed"));
        }
        self.cut = true;
        self.changes.insert(Vec::new(), (change::CUT, Vec::new()));
        Ok(())
    }
}

/// A path made of a directory's and a name in it; `None` when it is longer than a path can be.
pub(crate) fn join(path: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let joined = if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() };
    (joined.len() <= MAX_PATH_BYTES).then_some(joined)
}

/// Opens a directory below another one, or that one itself.
pub(crate) fn open_dir(root: BorrowedFd<'_>, path: &[u8]) -> sys::Result<OwnedFd> {
    let path = CString::new(if path.is_empty() { b"." } else { path }).map_err(|_| Errno::INVAL)?;
    sys::open_beneath(root, &path, sys::O_RDONLY | sys::O_DIRECTORY, 0)
}

/// Whether nothing, or something else, is at the path by now.
pub(crate) const fn is_absence(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::ISDIR)
}

/// Why a large file is refused.
pub(crate) fn too_large(size: u64) -> String {
    format!("it has {size} bytes, more than {MAX_FILE_BYTES}")
}
