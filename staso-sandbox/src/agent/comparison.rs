//! What differs between a copied checkout and what commands made of it.
//!
//! Everything is looked at and every content is read, in steps, so that commands and their time limits are attended to
//! in between. Commands may change the tree at the same time; so nothing is followed, everything is bounded, and what
//! vanishes meanwhile is left out.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use crate::changes::{self, Bounds, MAX_FILE_BYTES, is_absence, join, open_dir};
use crate::files::Refusal;
use crate::received::{Digest, Received};
use crate::serve::refusal_frame;
use crate::sys::{self, Errno, Kind, Stat};
use crate::wire::{Encoder, change, refusal, reply};

/// What one step adds to the outgoing bytes, before the last file.
const STEP_BYTES: usize = 256 << 10;
/// Content that one step reads, before the last file.
const STEP_READ_BYTES: u64 = 4 << 20;
/// Paths that one step looks at.
const STEP_ENTRIES: usize = 256;
/// Names of one directory.
const MAX_NAMES: usize = 200_000;
const READ_BYTES: usize = 64 << 10;

/// A comparison that is going on: first everything that is there, then everything that is gone.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// The request.
    pub(crate) id: u32,
    bounds: Bounds,
    directories: Vec<Vec<u8>>,
    current: Option<Directory>,
    reading: Option<Reading>,
    /// The last path of the checkout that was looked for.
    looked_for: Option<Vec<u8>>,
    changes: usize,
    bytes: usize,
    /// What this step may still read.
    read_left: u64,
}

#[derive(Debug)]
struct Directory {
    fd: OwnedFd,
    path: Vec<u8>,
    names: std::vec::IntoIter<(Vec<u8>, Option<Kind>)>,
    /// Whether it was refused already for what it holds.
    refused: bool,
}

/// A large file that may be as it was.
#[derive(Debug)]
struct Reading {
    file: OwnedFd,
    path: Vec<u8>,
    size: u64,
    expected: u64,
    digest: Digest,
}

/// What a step came to.
enum Progress {
    More,
    Done,
}

type Step = Result<Progress, Refusal>;

impl Comparison {
    /// Starts at the root.
    pub(crate) fn new(id: u32, bounds: Bounds) -> Self {
        Self {
            id,
            bounds,
            directories: vec![Vec::new()],
            current: None,
            reading: None,
            looked_for: None,
            changes: 0,
            bytes: 0,
            read_left: 0,
        }
    }

    /// Compares a little more; whether that was all.
    pub(crate) fn step(&mut self, workspace: &Received, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        self.read_left = STEP_READ_BYTES;
        for _ in 0..STEP_ENTRIES {
            if out.len() - before > STEP_BYTES || self.read_left == 0 {
                return false;
            }
            match self.next(workspace, out) {
                Ok(Progress::More) => {}
                Ok(Progress::Done) => {
                    out.extend(Encoder::new(reply::DONE, self.id).finish());
                    return true;
                }
                Err(refused) => {
                    out.extend(refusal_frame(self.id, &refused));
                    return true;
                }
            }
        }
        false
    }

    fn next(&mut self, workspace: &Received, out: &mut Vec<u8>) -> Step {
        if let Some(reading) = self.reading.take() {
            return self.read_on(reading, out);
        }
        if let Some(mut directory) = self.current.take() {
            let Some((name, kind)) = directory.names.next() else { return Ok(Progress::More) };
            let step = self.entry(workspace, &mut directory, &name, kind, out);
            self.current = Some(directory);
            return step;
        }
        match self.directories.pop() {
            Some(path) => self.enter(workspace, path, out),
            None => self.look_for_next(workspace, out),
        }
    }

    fn enter(&mut self, workspace: &Received, path: Vec<u8>, out: &mut Vec<u8>) -> Step {
        let opened = open_dir(workspace.root.as_fd(), &path);
        match opened.and_then(|fd| Ok((sys::list_entries(fd.as_fd(), MAX_NAMES)?, fd))) {
            Ok((names, fd)) => {
                self.current = Some(Directory { fd, path, names: names.into_iter(), refused: false });
                Ok(Progress::More)
            }
            Err(error) if is_absence(error) => Ok(Progress::More),
            Err(_) => self.refuse(path, changes::CLOSED, out),
        }
    }

    fn entry(
        &mut self,
        workspace: &Received,
        directory: &mut Directory,
        name: &[u8],
        kind: Option<Kind>,
        out: &mut Vec<u8>,
    ) -> Step {
        if directory.path.is_empty() && name == changes::HOST_SCRATCH && !workspace.has_scratch() {
            return Ok(Progress::More);
        }
        let Some(path) = join(&directory.path, name) else {
            let told = std::mem::replace(&mut directory.refused, true);
            let path = directory.path.clone();
            return if told { Ok(Progress::More) } else { self.refuse(path, changes::TOO_DEEP, out) };
        };
        let c_name = c_text(name)?;
        let kind = match kind.map_or_else(|| Ok(sys::stat_at(directory.fd.as_fd(), &c_name)?.kind), Ok) {
            Ok(kind) => kind,
            Err(error) if is_absence(error) => return Ok(Progress::More),
            Err(_) => return self.refuse(path, changes::UNSEEN, out),
        };
        match kind {
            Kind::Directory => {
                self.directories.push(path);
                Ok(Progress::More)
            }
            Kind::Regular => self.regular(workspace, directory.fd.as_fd(), &c_name, path, out),
            Kind::Symlink => {
                let Ok(target) = sys::read_link(directory.fd.as_fd(), &c_name) else {
                    return Ok(Progress::More);
                };
                let same = workspace.known(&path).is_some_and(|known| {
                    known.kind == Kind::Symlink && known.digest == workspace.digest_of(&target)
                });
                if same { Ok(Progress::More) } else { self.add(path, change::SYMLINK, target, out) }
            }
            Kind::Whiteout | Kind::Special => self.refuse(path, changes::SPECIAL, out),
        }
    }

    fn regular(
        &mut self,
        workspace: &Received,
        directory: BorrowedFd<'_>,
        name: &CStr,
        path: Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Step {
        let (file, stat) = match open(directory, name) {
            Ok(found) => found,
            Err(error) if is_absence(error) => return Ok(Progress::More),
            Err(_) => return self.refuse(path, changes::UNREADABLE, out),
        };
        if stat.kind != Kind::Regular {
            return Ok(Progress::More);
        }
        let executable = stat.mode & 0o100 != 0;
        let known = workspace.known(&path).filter(|known| {
            known.kind == Kind::Regular && known.size == stat.size && known.executable == executable
        });
        if stat.size > MAX_FILE_BYTES {
            let Some(known) = known else { return self.large(path, stat.size, out) };
            let digest = workspace.digest();
            self.reading = Some(Reading { file, path, size: stat.size, expected: known.digest, digest });
            return Ok(Progress::More);
        }
        let Ok(content) = read_whole(file) else { return self.refuse(path, changes::UNREADABLE, out) };
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.read_left = self.read_left.saturating_sub(size);
        if known.is_some_and(|known| known.size == size && known.digest == workspace.digest_of(&content)) {
            return Ok(Progress::More);
        }
        let fits = size <= self.bounds.file_bytes && self.bytes <= self.bounds.total_bytes;
        if size > MAX_FILE_BYTES || !(fits || self.bounds.strict) {
            return self.large(path, size, out);
        }
        let kind = if executable { change::WRITTEN_EXECUTABLE } else { change::WRITTEN };
        self.add(path, kind, content, out)
    }

    /// A part of a large file.
    fn read_on(&mut self, mut reading: Reading, out: &mut Vec<u8>) -> Step {
        let mut chunk = [0u8; READ_BYTES];
        loop {
            match sys::read_fd(reading.file.as_raw_fd(), &mut chunk) {
                Ok(0) if reading.digest.finish() == reading.expected => return Ok(Progress::More),
                Ok(0) => return self.large(reading.path, reading.size, out),
                Ok(count) => {
                    reading.digest.add(chunk.get(..count).unwrap_or_default());
                    self.read_left = self.read_left.saturating_sub(u64::try_from(count).unwrap_or(0));
                }
                Err(Errno::INTR) => {}
                Err(_) => return self.refuse(reading.path, changes::UNREADABLE, out),
            }
            if self.read_left == 0 {
                self.reading = Some(reading);
                return Ok(Progress::More);
            }
        }
    }

    /// Looks whether the next path of the checkout is still there as anything but a directory.
    fn look_for_next(&mut self, workspace: &Received, out: &mut Vec<u8>) -> Step {
        let Some(path) = workspace.next_known(self.looked_for.as_deref()).map(<[u8]>::to_vec) else {
            return Ok(Progress::Done);
        };
        self.looked_for = Some(path.clone());
        let found = (|| {
            let split = path.iter().rposition(|byte| *byte == b'/');
            let directory = path.get(..split.unwrap_or(0)).filter(|path| !path.is_empty()).unwrap_or(b".");
            let name = path.get(split.map_or(0, |at| at + 1)..).unwrap_or_default();
            let flags = sys::O_PATH | sys::O_DIRECTORY;
            let directory = CString::new(directory).map_err(|_| Errno::INVAL)?;
            let directory = sys::open_beneath(workspace.root.as_fd(), &directory, flags, 0)?;
            sys::stat_at(directory.as_fd(), &CString::new(name).map_err(|_| Errno::INVAL)?)
        })();
        match found {
            Ok(stat) if stat.kind != Kind::Directory => Ok(Progress::More),
            Ok(_) => self.add(path, change::DELETED, Vec::new(), out),
            Err(error) if is_absence(error) => self.add(path, change::DELETED, Vec::new(), out),
            // Something above it cannot be entered, and was refused itself.
            Err(_) => Ok(Progress::More),
        }
    }

    fn refuse(&mut self, path: Vec<u8>, why: &str, out: &mut Vec<u8>) -> Step {
        self.add(path, change::REFUSED, why.as_bytes().to_vec(), out)
    }

    /// A file beyond the bounds.
    fn large(&mut self, path: Vec<u8>, size: u64, out: &mut Vec<u8>) -> Step {
        if self.bounds.strict {
            return self.refuse(path, &changes::too_large(size), out);
        }
        self.add(path, change::UNREAD, size.to_le_bytes().to_vec(), out)
    }

    fn add(&mut self, path: Vec<u8>, kind: u8, content: Vec<u8>, out: &mut Vec<u8>) -> Step {
        self.bytes = self.bytes.saturating_add(content.len());
        let too_many = self.changes >= self.bounds.changes;
        if self.bounds.strict && (too_many || self.bytes > self.bounds.total_bytes) {
            return Err(Refusal::new(refusal::TOO_LARGE, "what the session changed"));
        }
        let frame = Encoder::after(std::mem::take(out), reply::CHANGE, self.id);
        if too_many {
            *out = frame.bytes(b"").u8(change::CUT).bytes(b"").finish();
            return Ok(Progress::Done);
        }
        self.changes += 1;
        *out = frame.bytes(&path).u8(kind).bytes(&content).finish();
        Ok(Progress::More)
    }
}

fn open(directory: BorrowedFd<'_>, name: &CStr) -> Result<(OwnedFd, Stat), Errno> {
    let file = sys::open_beneath(directory, name, sys::O_RDONLY | sys::O_NONBLOCK, 0)?;
    let stat = sys::stat_at(file.as_fd(), c"")?;
    Ok((file, stat))
}

/// All of a file that was small when it was looked at; a little more than the limit when it has grown.
fn read_whole(file: OwnedFd) -> Result<Vec<u8>, Errno> {
    use std::io::Read as _;
    let mut content = Vec::new();
    std::fs::File::from(file).take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    Ok(content)
}

fn c_text(bytes: &[u8]) -> Result<CString, Refusal> {
    CString::new(bytes).map_err(|_| Refusal::new(refusal::INVALID, "the path holds a null byte"))
}
