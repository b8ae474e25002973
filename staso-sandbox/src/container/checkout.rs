//! The checkout on the host, which is copied into containers.
//!
//! It is plain data that nobody writes to while a session lives. Nothing in it is followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use staso_core::code::RepoPath;
use staso_core::sandbox::{SandboxError, SessionEntry, SessionNode, SessionTree, TreeLimits};

use super::refusal::PROVIDER;
use crate::session::wire::{Encoder, put, request};
use crate::session::{ReadCheckout, backend, invalid};

/// Paths of one checkout.
const MAX_ENTRIES: usize = 500_000;
const MAX_PATH_BYTES: usize = 4_095;
const PAGE_BYTES: u64 = 4_096;
/// Content in one frame.
const PIECE_BYTES: usize = 256 << 10;
const GIT: &[u8] = b".git";

/// A directory with the files of a commit; an empty path stands for an empty one.
#[derive(Debug, Clone)]
pub(super) struct Checkout {
    root: PathBuf,
}

/// What a checkout takes in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// All contents, in whole pages.
    pub(super) bytes: u64,
    /// Files, links and directories.
    pub(super) entries: usize,
}

impl Size {
    /// Files, links and directories, as a number of the engine's.
    pub(super) fn paths(self) -> u64 {
        u64::try_from(self.entries).unwrap_or(u64::MAX)
    }
}

/// Something in a checkout.
#[derive(Debug)]
enum Node {
    Directory,
    File { size: u64, executable: bool },
    Symlink,
    Special,
}

/// One path of a checkout.
#[derive(Debug)]
struct Entry {
    /// On the host.
    place: PathBuf,
    /// In the checkout.
    path: Vec<u8>,
    node: Node,
}

impl Checkout {
    pub(super) const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// What it takes.
    ///
    /// # Errors
    /// When it is no directory, cannot be read, holds what is neither file nor link nor directory, or is larger than
    /// `most_bytes`.
    pub(super) fn measure(&self, most_bytes: u64) -> Result<Size, SandboxError> {
        let mut size = Size::default();
        if self.root.as_os_str().is_empty() {
            return Ok(size);
        }
        if !self.root.is_dir() {
            let reason = format!("the checkout {} is no directory", self.root.display());
            return Err(invalid("open a session", reason));
        }
        self.walk(&mut |entry| {
            size.entries += 1;
            size.bytes = size.bytes.saturating_add(match entry.node {
                Node::File { size, .. } => size.div_ceil(PAGE_BYTES).saturating_mul(PAGE_BYTES),
                Node::Symlink => PAGE_BYTES,
                Node::Directory | Node::Special => 0,
            });
            if size.entries > MAX_ENTRIES {
                let reason = format!("the checkout has more than {MAX_ENTRIES} paths");
                return Err(invalid("open a session", reason));
            }
            if size.bytes > most_bytes {
                return Err(SandboxError::TooLarge {
                    what: "the checkout".to_owned(),
                    limit_bytes: most_bytes,
                });
            }
            Ok(true)
        })?;
        Ok(size)
    }

    /// The frames that copy it, one after the other.
    pub(super) fn frames(&self, send: &mut dyn FnMut(Vec<u8>) -> bool) -> Result<(), SandboxError> {
        if self.root.as_os_str().is_empty() {
            return Ok(());
        }
        self.walk(&mut |entry| match entry.node {
            Node::Directory => Ok(send(piece(&entry.path, put::DIRECTORY, b""))),
            Node::Symlink => {
                let target = fs::read_link(&entry.place).map_err(unreadable)?;
                Ok(send(piece(&entry.path, put::SYMLINK, target.as_os_str().as_bytes())))
            }
            Node::File { executable, .. } => send_file(&entry, executable, send),
            Node::Special => {
                let shown = String::from_utf8_lossy(&entry.path).into_owned();
                let reason = format!("the checkout holds {shown:?}, which is a device, a pipe or a socket");
                Err(invalid("open a session", reason))
            }
        })
    }

    /// Shows every path to `visit`, directories before what is in them, until it has enough. Git's own directory at the
    /// root is left out.
    fn walk(&self, visit: &mut dyn FnMut(Entry) -> Result<bool, SandboxError>) -> Result<(), SandboxError> {
        let mut directories = vec![(self.root.clone(), Vec::new())];
        while let Some((place, path)) = directories.pop() {
            for name in names(&place).map_err(unreadable)? {
                if path.is_empty() && name == GIT {
                    continue;
                }
                let entry = entry(&place, &path, name)?;
                if matches!(entry.node, Node::Directory) {
                    directories.push((entry.place.clone(), entry.path.clone()));
                }
                if !visit(entry)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn names(place: &Path) -> io::Result<Vec<Vec<u8>>> {
    let entries = fs::read_dir(place)?.take(MAX_ENTRIES + 1);
    let entries = entries.map(|entry| entry.map(|entry| entry.file_name().into_vec()));
    let mut names = entries.collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

fn entry(directory: &Path, above: &[u8], name: Vec<u8>) -> Result<Entry, SandboxError> {
    let place = directory.join(std::ffi::OsStr::from_bytes(&name));
    let path = if above.is_empty() { name } else { [above, name.as_slice()].join(&b'/') };
    if path.len() > MAX_PATH_BYTES {
        return Err(invalid("open a session", "the checkout has a path of more than 4,095 bytes"));
    }
    let found = fs::symlink_metadata(&place).map_err(unreadable)?;
    let node = if found.is_dir() {
        Node::Directory
    } else if found.is_file() {
        Node::File { size: found.len(), executable: found.mode() & 0o100 != 0 }
    } else if found.is_symlink() {
        Node::Symlink
    } else {
        Node::Special
    };
    Ok(Entry { place, path, node })
}

fn open(place: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(place)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn send_file(
    entry: &Entry,
    executable: bool,
    send: &mut dyn FnMut(Vec<u8>) -> bool,
) -> Result<bool, SandboxError> {
    let mut file = open(&entry.place).map_err(unreadable)?;
    let mut kind = if executable { put::EXECUTABLE } else { put::FILE };
    let mut content = vec![0u8; PIECE_BYTES];
    loop {
        let count = file.read(&mut content).map_err(unreadable)?;
        if count == 0 && kind == put::MORE {
            return Ok(true);
        }
        if !send(piece(&entry.path, kind, content.get(..count).unwrap_or_default())) {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        kind = put::MORE;
    }
}

fn piece(path: &[u8], kind: u8, content: &[u8]) -> Vec<u8> {
    Encoder::new(request::PUT, 0).bytes(path).u8(kind).bytes(content).finish()
}

fn unreadable(error: io::Error) -> SandboxError {
    backend(PROVIDER, "reading the checkout", error)
}

impl ReadCheckout for Checkout {
    fn tree(&self, limits: &TreeLimits) -> SessionTree {
        let mut tree = SessionTree::default();
        let mut bytes = 0;
        let walked = self.walk(&mut |entry| {
            if matches!(entry.node, Node::Directory) {
                return Ok(true);
            }
            let name = std::str::from_utf8(&entry.path).ok();
            let path = match name.map(|name| (name, RepoPath::new(name))) {
                Some((_, Ok(path))) => path,
                Some((name, Err(_))) if RepoPath::is_of_git(name) => return Ok(true),
                _ => {
                    tree.unnamed += 1;
                    return Ok(true);
                }
            };
            if tree.entries.len() >= limits.entries {
                tree.cut = true;
                return Ok(false);
            }
            let node = node(&entry, limits, &mut bytes);
            tree.entries.insert(path, SessionEntry { node, in_checkout: true });
            Ok(true)
        });
        tree.cut |= walked.is_err() && !self.root.as_os_str().is_empty();
        tree
    }
}

fn node(entry: &Entry, limits: &TreeLimits, bytes: &mut u64) -> SessionNode {
    match entry.node {
        Node::File { size, .. } => {
            let fits = size <= limits.file_bytes && bytes.saturating_add(size) <= limits.total_bytes;
            let read = || {
                let mut content = Vec::new();
                open(&entry.place)?.take(limits.file_bytes).read_to_end(&mut content)?;
                io::Result::Ok(content)
            };
            match fits.then(read) {
                Some(Ok(content)) => {
                    *bytes = bytes.saturating_add(size);
                    SessionNode::File(content.into())
                }
                _ => SessionNode::Unread { size_bytes: Some(size) },
            }
        }
        Node::Symlink => {
            let target = fs::read_link(&entry.place).map(|target| target.into_os_string().into_vec());
            SessionNode::Symlink { target: target.unwrap_or_default() }
        }
        Node::Directory | Node::Special => SessionNode::Special,
    }
}
