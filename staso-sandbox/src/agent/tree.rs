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
    names: std::vec::IntoIter<Vec<u8>>,
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
            let Some((directory, name)) = self.next_name(session, out) else { return self.end(out) };
            self.entry(&directory, &name, out);
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

    fn next_name(&mut self, session: &Session, out: &mut Vec<u8>) -> Option<(Directory, Vec<u8>)> {
        loop {
            if let Some(mut directory) = self.current.take()
                && let Some(name) = directory.names.next()
            {
                return Some((directory, name));
            }
            let path = self.directories.pop()?;
            let Some(fd) = open_dir(session.lower.as_fd(), &path) else { continue };
            match sys::list_dir(fd.as_fd(), MAX_NAMES) {
                Ok(names) => self.current = Some(Directory { fd, path, names: names.into_iter() }),
                Err(_) => self.note_cut(out),
            }
        }
    }

    fn entry(&mut self, directory: &Directory, name: &[u8], out: &mut Vec<u8>) {
        if name == GIT {
            return;
        }
        let Ok(c_name) = CString::new(name) else { return };
        let Ok(stat) = sys::stat_at(directory.fd.as_fd(), &c_name) else { return };
        let Ok(path) = join(&directory.path, name) else { return self.note_cut(out) };
        if stat.kind == Kind::Directory {
            self.directories.push(path);
            return;
        }
        self.entries += 1;
        let frame = Encoder::after(std::mem::take(out), reply::CHANGE, self.id).bytes(&path);
        let frame = match stat.kind {
            Kind::Regular => self.file(frame, directory, &c_name, stat),
            Kind::Symlink => {
                let target = sys::read_link(directory.fd.as_fd(), &c_name).unwrap_or_default();
                frame.u8(change::SYMLINK).bytes(&target)
            }
            _ => frame.u8(change::REFUSED).bytes(b""),
        };
        *out = frame.finish();
    }

    fn file(&mut self, frame: Encoder, directory: &Directory, name: &CString, stat: Stat) -> Encoder {
        let fits = stat.size <= self.limits.file_bytes.min(MAX_FILE_BYTES)
            && self.bytes.saturating_add(stat.size) <= self.limits.total_bytes;
        let size = usize::try_from(stat.size).ok().filter(|_| fits);
        let kind = if size.is_some() { change::WRITTEN } else { change::UNREAD };
        let frame = frame.u8(kind);
        let Some(size) = size else { return frame.bytes(&stat.size.to_le_bytes()) };
        match frame.filled(size, |space| read(directory, name, space)) {
            Ok(frame) => {
                self.bytes = self.bytes.saturating_add(stat.size);
                frame
            }
            Err(frame) => frame.instead(change::UNREAD).bytes(&stat.size.to_le_bytes()),
        }
    }
}

/// Fills the space with the content of a file of that size.
fn read(directory: &Directory, name: &CString, space: &mut [u8]) -> sys::Result<()> {
    let file = sys::open_beneath(directory.fd.as_fd(), name, sys::O_RDONLY | sys::O_NONBLOCK, 0)?;
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
