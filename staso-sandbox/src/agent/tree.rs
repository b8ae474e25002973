//! The checkout as it was, read from the lower layer of the overlay.
//!
//! Nothing changes that layer while a session lives, so a tree is read once and changes are put on top of it. It may be
//! large: it is read in steps, each a little more than a frame, and only while the host keeps up.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

use crate::changes::{join, open_dir};
use crate::root::Session;
use crate::sys::{self, Errno, Kind, Stat};
use crate::wire::{Encoder, TreeLimits, change, reply};

/// What one step adds to the outgoing bytes, before the last file.
const STEP_BYTES: usize = 256 << 10;
/// Paths that one step looks at.
const STEP_ENTRIES: usize = 256;
const MAX_FILE_BYTES: u64 = 16 << 20;
/// Names of one directory; a larger one is cut.
const MAX_NAMES: usize = 200_000;
/// Its own directory is no content of the repository.
const GIT: &[u8] = b".git";

/// A tree that is being read.
#[derive(Debug)]
pub(crate) struct TreeWalk {
    /// The request.
    pub(crate) id: u32,
    limits: TreeLimits,
    directories: Vec<Vec<u8>>,
    current: Option<Directory>,
    entries: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Directory {
    fd: OwnedFd,
    path: Vec<u8>,
    names: std::vec::IntoIter<(Vec<u8>, Option<Kind>)>,
}

impl TreeWalk {
    /// Starts at the root.
    pub(crate) fn new(id: u32, limits: TreeLimits) -> Self {
        Self { id, limits, directories: vec![Vec::new()], current: None, entries: 0, bytes: 0 }
    }

    /// Reads a little more; whether that was all.
    pub(crate) fn step(&mut self, session: &Session, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        for _ in 0..STEP_ENTRIES {
            if out.len() - before > STEP_BYTES {
                return false;
            }
            if self.entries >= self.limits.entries {
                self.note_cut(out);
                return self.end(out);
            }
            let Some((directory, name, kind)) = self.next_name(session, out) else { return self.end(out) };
            self.entry(&directory, &name, kind, out);
            self.current = Some(directory);
        }
        false
    }

    fn end(&self, out: &mut Vec<u8>) -> bool {
        out.extend(Encoder::new(reply::DONE, self.id).finish());
        true
    }

    fn note_cut(&self, out: &mut Vec<u8>) {
        out.extend(Encoder::new(reply::CHANGE, self.id).bytes(b"").u8(change::CUT).bytes(b"").finish());
    }

    fn next_name(
        &mut self,
        session: &Session,
        out: &mut Vec<u8>,
    ) -> Option<(Directory, Vec<u8>, Option<Kind>)> {
        loop {
            if let Some(mut directory) = self.current.take()
                && let Some((name, kind)) = directory.names.next()
            {
                return Some((directory, name, kind));
            }
            let path = self.directories.pop()?;
            let Ok(fd) = open_dir(session.lower.as_fd(), &path) else { continue };
            match sys::list_entries(fd.as_fd(), MAX_NAMES) {
                Ok(names) => self.current = Some(Directory { fd, path, names: names.into_iter() }),
                Err(_) => self.note_cut(out),
            }
        }
    }

    fn entry(&mut self, directory: &Directory, name: &[u8], kind: Option<Kind>, out: &mut Vec<u8>) {
        if name == GIT {
            return;
        }
        let Ok(c_name) = CString::new(name) else { return };
        let named = || sys::stat_at(directory.fd.as_fd(), &c_name).map(|stat| stat.kind);
        let Some(kind) = kind.or_else(|| named().ok()) else { return };
        let Some(path) = join(&directory.path, name) else { return self.note_cut(out) };
        if kind == Kind::Directory {
            self.directories.push(path);
            return;
        }
        let frame = |out| Encoder::after(out, reply::CHANGE, self.id).bytes(&path);
        let frame = match kind {
            Kind::Regular => {
                let Some((file, stat)) = open(directory, &c_name) else { return };
                let frame = frame(std::mem::take(out));
                self.file(frame, file, stat)
            }
            Kind::Symlink => {
                let target = sys::read_link(directory.fd.as_fd(), &c_name).unwrap_or_default();
                frame(std::mem::take(out)).u8(change::SYMLINK).bytes(&target)
            }
            _ => frame(std::mem::take(out)).u8(change::REFUSED).bytes(b""),
        };
        self.entries += 1;
        *out = frame.finish();
    }

    fn file(&mut self, frame: Encoder, file: Option<OwnedFd>, stat: Stat) -> Encoder {
        let fits = stat.size <= self.limits.file_bytes.min(MAX_FILE_BYTES)
            && self.bytes.saturating_add(stat.size) <= self.limits.total_bytes;
        let size = usize::try_from(stat.size).ok().filter(|_| fits);
        let (Some(file), Some(size)) = (file, size) else {
            return frame.u8(change::UNREAD).bytes(&stat.size.to_le_bytes());
        };
        match frame.u8(change::WRITTEN).filled(size, |space| read(&file, space)) {
            Ok(frame) => {
                self.bytes = self.bytes.saturating_add(stat.size);
                frame
            }
            Err(frame) => frame.instead(change::UNREAD).bytes(&stat.size.to_le_bytes()),
        }
    }
}

/// A regular file, and what is known of it. One that cannot be opened has a size all the same.
fn open(directory: &Directory, name: &CString) -> Option<(Option<OwnedFd>, Stat)> {
    let directory = directory.fd.as_fd();
    // To ask an open file what it is takes no other walk along its path.
    match sys::open_beneath(directory, name, sys::O_RDONLY | sys::O_NONBLOCK, 0) {
        Ok(file) => {
            let stat = sys::stat_at(file.as_fd(), c"").ok().filter(|stat| stat.kind == Kind::Regular)?;
            Some((Some(file), stat))
        }
        Err(_) => Some((None, sys::stat_at(directory, name).ok()?)),
    }
}

/// Fills the space with the content of a file of that size.
fn read(file: &OwnedFd, space: &mut [u8]) -> sys::Result<()> {
    let mut filled = 0;
    while let Some(rest) = space.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match sys::read_fd(file.as_raw_fd(), rest) {
            Ok(0) => return Err(Errno::INVAL),
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
