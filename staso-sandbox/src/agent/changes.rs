//! What a session did to its checkout, read from the upper layer of the overlay.
//!
//! The upper layer holds only what was touched: files that were written, marks for what was deleted, and directories
//! on the way to them. Neither layer is visible to commands, but they can change the upper one through the overlay at
//! any time; so nothing is followed, everything is bounded, and what vanishes meanwhile is left out.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::files::{self, Refusal};
use crate::root::Session;
use crate::sys::{self, Kind, Stat};
use crate::wire::{TreeLimits, change, refusal};

/// A kind of `wire::change` and its content.
pub(crate) type Change = (u8, Vec<u8>);

/// Largest file that is handed out.
pub(crate) const MAX_FILE_BYTES: u64 = 4 << 20;
/// All contents together.
const MAX_TOTAL_BYTES: usize = 64 << 20;
/// Paths that are handed out.
const MAX_CHANGES: usize = 20_000;
/// Longest path.
const MAX_PATH_BYTES: usize = 4095;
/// The host's own scratch directory at the root, unless the checkout has one itself.
pub(crate) const HOST_SCRATCH: &[u8] = b".staso";
pub(crate) const SPECIAL: &[u8] = b"it is a device, a pipe or a socket";
const OPAQUE: &std::ffi::CStr = c"user.overlay.opaque";

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
    let hides_scratch = lower_stat(session, HOST_SCRATCH).is_none();
    let directories = vec![Vec::new()];
    let mut walk = Walk { session, bounds, hides_scratch, changes: BTreeMap::new(), bytes: 0, directories };
    while let Some(directory) = walk.directories.pop() {
        walk.upper_directory(&directory)?;
    }
    Ok(walk.changes)
}

struct Walk<'a> {
    session: &'a Session,
    bounds: Bounds,
    hides_scratch: bool,
    changes: BTreeMap<Vec<u8>, Change>,
    bytes: usize,
    directories: Vec<Vec<u8>>,
}

impl Walk<'_> {
    /// Looks at everything in a directory of the upper layer.
    fn upper_directory(&mut self, path: &[u8]) -> Result<(), Refusal> {
        let Some(directory) = open_dir(self.session.upper.as_fd(), path) else { return Ok(()) };
        let names = list_names(directory.as_fd())?;
        for name in &names {
            if self.hides_scratch && path.is_empty() && name == HOST_SCRATCH {
                continue;
            }
            let Ok(c_name) = CString::new(name.as_slice()) else { continue };
            let Ok(stat) = sys::stat_at(directory.as_fd(), &c_name) else { continue };
            self.upper_entry(join(path, name)?, stat, directory.as_fd(), &c_name)?;
        }
        if self.session.copied.is_some() {
            return self.gone_from_copy(path, &names);
        }
        if sys::attribute(directory.as_fd(), OPAQUE).as_deref() == Some(b"y") {
            self.hidden_by_opaque(path, &names)?;
        }
        Ok(())
    }

    fn upper_entry(
        &mut self,
        path: Vec<u8>,
        upper: Stat,
        directory: BorrowedFd<'_>,
        name: &std::ffi::CStr,
    ) -> Result<(), Refusal> {
        let lower = lower_stat(self.session, &path);
        let lower_kind = lower.map(|stat| stat.kind);
        if lower_kind == Some(Kind::Directory) && upper.kind != Kind::Directory {
            self.delete_below(&path)?;
        }
        match upper.kind {
            // In a copy nothing marks what is gone.
            Kind::Whiteout if self.session.copied.is_some() => {
                self.add(path, change::REFUSED, SPECIAL.to_vec())
            }
            Kind::Whiteout => match lower_kind {
                None | Some(Kind::Directory) => Ok(()),
                Some(_) => self.add(path, change::DELETED, Vec::new()),
            },
            Kind::Directory => {
                if lower_kind.is_some_and(|kind| kind != Kind::Directory) {
                    self.add(path.clone(), change::DELETED, Vec::new())?;
                }
                self.directories.push(path);
                Ok(())
            }
            Kind::Symlink => {
                let Ok(target) = sys::read_link(directory, name) else { return Ok(()) };
                if lower_kind == Some(Kind::Symlink)
                    && lower_link(self.session, &path).as_ref() == Some(&target)
                {
                    return Ok(());
                }
                self.add(path, change::SYMLINK, target)
            }
            Kind::Regular => self.regular(path, upper, lower),
            Kind::Special => self.add(path, change::REFUSED, SPECIAL.to_vec()),
        }
    }

    fn regular(&mut self, path: Vec<u8>, upper: Stat, lower: Option<Stat>) -> Result<(), Refusal> {
        let copied = self.session.copied.as_ref();
        if copied.is_some_and(|copied| copied.is_untouched(&path, upper.stamp)) {
            return Ok(());
        }
        let kind = if upper.mode & 0o100 == 0 { change::WRITTEN } else { change::WRITTEN_EXECUTABLE };
        if upper.size > self.bounds.file_bytes {
            if !self.bounds.strict {
                return self.add(path, change::UNREAD, upper.size.to_le_bytes().to_vec());
            }
            let why = format!("it has {} bytes, more than {MAX_FILE_BYTES}", upper.size);
            return self.add(path, change::REFUSED, why.into_bytes());
        }
        if self.is_full() && !self.bounds.strict {
            return self.add(path, change::UNREAD, upper.size.to_le_bytes().to_vec());
        }
        let Ok(content) = files::read(self.session.upper.as_fd(), &path, MAX_FILE_BYTES) else {
            return Ok(());
        };
        let same_shape = lower.is_some_and(|lower| {
            lower.kind == Kind::Regular
                && lower.size == upper.size
                && lower.mode & 0o100 == upper.mode & 0o100
        });
        let same = same_shape
            && files::read(self.session.lower.as_fd(), &path, MAX_FILE_BYTES)
                .is_ok_and(|before| before == content);
        if same { Ok(()) } else { self.add(path, kind, content) }
    }

    /// A copy lacks what was deleted.
    fn gone_from_copy(&mut self, path: &[u8], names: &[Vec<u8>]) -> Result<(), Refusal> {
        let Some(lower) = open_dir(self.session.lower.as_fd(), path) else { return Ok(()) };
        for name in list_names(lower.as_fd())? {
            // Git's own was not copied.
            let is_git = path.is_empty() && name == b".git";
            if !is_git && names.binary_search(&name).is_err() {
                self.delete(join(path, &name)?)?;
            }
        }
        Ok(())
    }

    /// A directory that replaces one of the checkout hides everything in it that it does not have itself.
    fn hidden_by_opaque(&mut self, path: &[u8], names: &[Vec<u8>]) -> Result<(), Refusal> {
        let Some(lower) = open_dir(self.session.lower.as_fd(), path) else { return Ok(()) };
        for name in list_names(lower.as_fd())? {
            if names.binary_search(&name).is_err() {
                self.delete(join(path, &name)?)?;
            } else if let Some(stat) = lower_stat(self.session, &join(path, &name)?)
                && stat.kind == Kind::Directory
            {
                self.delete_unless_upper(&join(path, &name)?)?;
            }
        }
        Ok(())
    }

    /// Below an opaque directory a directory of the same name is new as well, marked or not.
    fn delete_unless_upper(&mut self, path: &[u8]) -> Result<(), Refusal> {
        let Some(upper) = open_dir(self.session.upper.as_fd(), path) else { return Ok(()) };
        if sys::attribute(upper.as_fd(), OPAQUE).as_deref() == Some(b"y") {
            return Ok(());
        }
        let names = list_names(upper.as_fd())?;
        self.hidden_by_opaque(path, &names)
    }

    fn delete(&mut self, path: Vec<u8>) -> Result<(), Refusal> {
        match lower_stat(self.session, &path).map(|stat| stat.kind) {
            Some(Kind::Directory) => self.delete_below(&path),
            Some(_) => self.add(path, change::DELETED, Vec::new()),
            None => Ok(()),
        }
    }

    fn delete_below(&mut self, path: &[u8]) -> Result<(), Refusal> {
        let mut directories = vec![path.to_vec()];
        while let Some(path) = directories.pop() {
            let Some(directory) = open_dir(self.session.lower.as_fd(), &path) else { continue };
            for name in list_names(directory.as_fd())? {
                let child = join(&path, &name)?;
                match lower_stat(self.session, &child).map(|stat| stat.kind) {
                    Some(Kind::Directory) => directories.push(child),
                    Some(_) => self.add(child, change::DELETED, Vec::new())?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.bytes > self.bounds.total_bytes
    }

    fn add(&mut self, path: Vec<u8>, kind: u8, content: Vec<u8>) -> Result<(), Refusal> {
        self.bytes = self.bytes.saturating_add(content.len());
        let too_many = self.changes.len() >= self.bounds.changes;
        if self.bounds.strict && (too_many || self.is_full()) {
            return Err(Refusal::new(refusal::TOO_LARGE, "what the session changed"));
        }
        let (path, change) =
            if too_many { (Vec::new(), (change::CUT, Vec::new())) } else { (path, (kind, content)) };
        self.changes.insert(path, change);
        Ok(())
    }
}

pub(crate) fn join(path: &[u8], name: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut joined = path.to_vec();
    if !joined.is_empty() {
        joined.push(b'/');
    }
    joined.extend_from_slice(name);
    if joined.len() > MAX_PATH_BYTES {
        return Err(Refusal::new(refusal::INVALID, "a path is longer than 4095 bytes"));
    }
    Ok(joined)
}

pub(crate) fn open_dir(root: BorrowedFd<'_>, path: &[u8]) -> Option<OwnedFd> {
    let path = CString::new(if path.is_empty() { b"." } else { path }).ok()?;
    sys::open_beneath(root, &path, sys::O_RDONLY | sys::O_DIRECTORY, 0).ok()
}

fn list_names(directory: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    sys::list_dir(directory, MAX_CHANGES * 4).map_err(|errno| Refusal {
        code: refusal::SYSTEM,
        errno,
        text: "list a directory",
    })
}

/// Looks at a path of the checkout without following links.
fn lower_stat(session: &Session, path: &[u8]) -> Option<Stat> {
    let (parent, name) = parent(session.lower.as_fd(), path)?;
    sys::stat_at(parent.as_fd(), &name).ok()
}

fn lower_link(session: &Session, path: &[u8]) -> Option<Vec<u8>> {
    let (parent, name) = parent(session.lower.as_fd(), path)?;
    sys::read_link(parent.as_fd(), &name).ok()
}

/// The directory of a path, and the name in it.
pub(crate) fn parent(root: BorrowedFd<'_>, path: &[u8]) -> Option<(OwnedFd, CString)> {
    let split = path.iter().rposition(|byte| *byte == b'/');
    let directory = path.get(..split.unwrap_or(0)).unwrap_or_default();
    let name = path.get(split.map_or(0, |at| at + 1)..).unwrap_or_default();
    Some((open_dir(root, directory)?, CString::new(name).ok()?))
}
