//! Reading and writing files of the checkout for the host.
//!
//! The tree belongs to hostile code that may change it at the same time. Every path is opened by the kernel in one
//! step that follows no link and cannot leave the checkout, and what was opened is looked at before it is used.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::{self, Errno, Kind};
use crate::wire::refusal;

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: u8,
    pub(crate) errno: Errno,
    pub(crate) text: &'static str,
}

impl Refusal {
    pub(crate) const fn new(code: u8, text: &'static str) -> Self {
        Self { code, errno: Errno(0), text }
    }

    fn of(errno: Errno, text: &'static str) -> Self {
        let (code, text) = match errno {
            Errno::NOENT => (refusal::NOT_FOUND, text),
            Errno::LOOP => (refusal::DENIED, "a part of the path is a symbolic link"),
            Errno::XDEV => (refusal::DENIED, "it leads out of the checkout"),
            Errno::NOTDIR => (refusal::DENIED, "a part of the path is no directory"),
            Errno::ISDIR => (refusal::DENIED, "it is a directory"),
            Errno::NXIO => (refusal::DENIED, "it is no regular file"),
            _ => (refusal::SYSTEM, text),
        };
        Self { code, errno, text }
    }
}

/// The content of a regular file of at most `most` bytes.
pub(crate) fn read(root: BorrowedFd<'_>, path: &[u8], most: u64) -> Result<Vec<u8>, Refusal> {
    let path = c_path(path)?;
    let file = sys::open_beneath(root, &path, sys::O_RDONLY | sys::O_NONBLOCK, 0)
        .map_err(|errno| Refusal::of(errno, "open the file"))?;
    let size = regular_size(&file)?;
    if size > most {
        return Err(Refusal::new(refusal::TOO_LARGE, "the file"));
    }
    let mut content = Vec::new();
    File::from(file)
        .take(most.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|error| Refusal::of(error.into(), "read the file"))?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > most {
        return Err(Refusal::new(refusal::TOO_LARGE, "the file"));
    }
    Ok(content)
}

/// Writes a regular file and makes its directories.
pub(crate) fn write(
    root: BorrowedFd<'_>,
    path: &[u8],
    content: &[u8],
    executable: bool,
) -> Result<(), Refusal> {
    make_parents(root, path)?;
    let path = c_path(path)?;
    let flags = sys::O_WRONLY | sys::O_CREAT | sys::O_NONBLOCK;
    let file =
        sys::open_beneath(root, &path, flags, 0o644).map_err(|errno| Refusal::of(errno, "open the file"))?;
    regular_size(&file)?;
    let failed = |error: std::io::Error| Refusal::of(error.into(), "write the file");
    let mode = if executable { 0o755 } else { 0o644 };
    sys::set_mode(file.as_fd(), mode).map_err(|errno| Refusal::of(errno, "set the mode of the file"))?;
    let mut file = File::from(file);
    file.set_len(0).map_err(failed)?;
    file.write_all(content).map_err(failed)
}

fn make_parents(root: BorrowedFd<'_>, path: &[u8]) -> Result<(), Refusal> {
    let Some(end) = path.iter().rposition(|byte| *byte == b'/') else { return Ok(()) };
    let directory = sys::O_RDONLY | sys::O_DIRECTORY;
    let mut at: Option<OwnedFd> = None;
    for name in path.get(..end).unwrap_or_default().split(|byte| *byte == b'/') {
        let name = c_path(name)?;
        let parent = at.as_ref().map_or(root, AsFd::as_fd);
        sys::make_dir(parent, &name).map_err(|errno| Refusal::of(errno, "make a directory"))?;
        let opened = sys::open_beneath(parent, &name, directory, 0);
        at = Some(opened.map_err(|errno| Refusal::of(errno, "open a directory"))?);
    }
    Ok(())
}

fn regular_size(file: &OwnedFd) -> Result<u64, Refusal> {
    let stat = sys::stat_at(file.as_fd(), c"").map_err(|errno| Refusal::of(errno, "look at the file"))?;
    match stat.kind {
        Kind::Regular => Ok(stat.size),
        Kind::Directory => Err(Refusal::new(refusal::DENIED, "it is a directory")),
        _ => Err(Refusal::new(refusal::DENIED, "it is no regular file")),
    }
}

fn c_path(path: &[u8]) -> Result<CString, Refusal> {
    CString::new(path).map_err(|_| Refusal::new(refusal::INVALID, "the path holds a null byte"))
}
