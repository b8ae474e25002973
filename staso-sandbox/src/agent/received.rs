//! A checkout that the host sent, in the only copy of it that there is here.
//!
//! In a container there is no second layer to look at: commands write into the copy itself. So the agent remembers a
//! digest of everything that was copied, in its own memory, which commands cannot read or write, and compares the whole
//! copy with it whenever it is asked for changes. Neither times nor sizes are trusted: what is mapped into memory can
//! be changed without either. The digest is keyed with random numbers that never leave this process, so that nobody can
//! look for another content with the same one.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::changes::{self, open_dir};
use crate::sys::{self, Errno, Kind};
use crate::wire::put;

/// The writable copy, and what it was copied from.
#[derive(Debug)]
pub(crate) struct Received {
    /// The copy.
    pub(crate) root: OwnedFd,
    known: BTreeMap<Vec<u8>, Known>,
    keys: RandomState,
    has_scratch: bool,
}

/// A file or link of the checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    pub(crate) executable: bool,
    pub(crate) size: u64,
    pub(crate) digest: u64,
}

/// A digest that is taken piece by piece.
#[derive(Debug)]
pub(crate) struct Digest(std::hash::DefaultHasher);

impl Digest {
    /// Adds what follows.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The digest of all pieces.
    pub(crate) fn finish(&self) -> u64 {
        self.0.finish()
    }
}

impl Received {
    /// An empty one.
    pub(crate) fn new(root: OwnedFd) -> Self {
        Self { root, known: BTreeMap::new(), keys: RandomState::new(), has_scratch: false }
    }

    /// A digest of nothing yet.
    pub(crate) fn digest(&self) -> Digest {
        Digest(self.keys.build_hasher())
    }

    /// The digest of a whole content.
    pub(crate) fn digest_of(&self, content: &[u8]) -> u64 {
        let mut digest = self.digest();
        digest.add(content);
        digest.finish()
    }

    /// What the checkout has at a path; directories are not remembered.
    pub(crate) fn known(&self, path: &[u8]) -> Option<Known> {
        self.known.get(path).copied()
    }

    /// The first path of the checkout after another one.
    pub(crate) fn next_known(&self, after: Option<&[u8]>) -> Option<&[u8]> {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.known.range::<[u8], _>((from, Bound::Unbounded)).next().map(|(path, _)| path.as_slice())
    }

    /// Whether the checkout has the directory that the host otherwise uses for itself.
    pub(crate) const fn has_scratch(&self) -> bool {
        self.has_scratch
    }
}

/// Copies a checkout, piece by piece, before any command runs.
#[derive(Debug)]
pub(crate) struct Copying {
    workspace: Received,
    open: Option<Open>,
}

/// The file that more may be added to.
#[derive(Debug)]
struct Open {
    file: File,
    path: Vec<u8>,
    executable: bool,
    size: u64,
    digest: Digest,
}

impl Copying {
    /// Into an empty directory.
    pub(crate) fn into(root: OwnedFd) -> Self {
        Self { workspace: Received::new(root), open: None }
    }

    /// Adds one piece: a kind of `wire::put`, its path and its content.
    pub(crate) fn put(&mut self, kind: u8, path: &[u8], content: &[u8]) -> Result<(), Errno> {
        if kind == put::MORE {
            let open = self.open.as_mut().filter(|open| open.path == path).ok_or(Errno::INVAL)?;
            return open.add(content);
        }
        self.close();
        let (parent, name) = self.parent(path)?;
        if path.split(|byte| *byte == b'/').next() == Some(changes::HOST_SCRATCH) {
            self.workspace.has_scratch = true;
        }
        match kind {
            put::DIRECTORY => sys::make_dir(parent.as_fd(), &name),
            put::SYMLINK => self.link(parent.as_fd(), &name, path, content),
            put::FILE | put::EXECUTABLE => {
                let executable = kind == put::EXECUTABLE;
                let mode = if executable { 0o755 } else { 0o644 };
                let flags = sys::O_WRONLY | sys::O_CREAT | sys::O_EXCL;
                let file = sys::open_beneath(parent.as_fd(), &name, flags, mode)?.into();
                let digest = self.workspace.digest();
                let mut open = Open { file, path: path.to_vec(), executable, size: 0, digest };
                open.add(content)?;
                self.open = Some(open);
                Ok(())
            }
            _ => Err(Errno::INVAL),
        }
    }

    /// The finished copy.
    pub(crate) fn finish(mut self) -> Received {
        self.close();
        self.workspace
    }

    fn close(&mut self) {
        if let Some(Open { path, executable, size, digest, .. }) = self.open.take() {
            let known = Known { kind: Kind::Regular, executable, size, digest: digest.finish() };
            self.workspace.known.insert(path, known);
        }
    }

    fn link(&mut self, parent: BorrowedFd<'_>, name: &CStr, path: &[u8], target: &[u8]) -> Result<(), Errno> {
        sys::make_link(&CString::new(target).map_err(|_| Errno::INVAL)?, parent, name)?;
        let (digest, size) =
            (self.workspace.digest_of(target), u64::try_from(target.len()).map_err(|_| Errno::INVAL)?);
        let known = Known { kind: Kind::Symlink, executable: false, size, digest };
        self.workspace.known.insert(path.to_vec(), known);
        Ok(())
    }

    /// The directory of a path, which was put before, and the name in it.
    fn parent(&self, path: &[u8]) -> Result<(OwnedFd, CString), Errno> {
        let split = path.iter().rposition(|byte| *byte == b'/');
        let directory = path.get(..split.unwrap_or(0)).unwrap_or_default();
        let name = path.get(split.map_or(0, |at| at + 1)..).unwrap_or_default();
        Ok((open_dir(self.workspace.root.as_fd(), directory)?, CString::new(name).map_err(|_| Errno::INVAL)?))
    }
}

impl Open {
    fn add(&mut self, content: &[u8]) -> Result<(), Errno> {
        self.file.write_all(content)?;
        self.digest.add(content);
        self.size += u64::try_from(content.len()).map_err(|_| Errno::INVAL)?;
        Ok(())
    }
}
