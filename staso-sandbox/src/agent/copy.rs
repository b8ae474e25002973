//! A checkout copied into a session's own directory, where no overlay can be mounted.
//!
//! The copy is made before anything of the session runs. Files that nobody touched since need not be compared with the
//! checkout later: the kernel keeps the time of the last change, and no program can set it. File systems in memory do not
//! keep it for what is written through a mapping, so there every file is compared.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{fchown, lchown, symlink};

use crate::changes::{join, open_dir};
use crate::launch::{Failure, Step as _};
use crate::sys::{self, Errno, Kind, Mapped, Stamp};

/// Files and directories of a checkout; one with more cannot be copied in reasonable time.
const MAX_ENTRIES: usize = 500_000;
/// All files together.
const MAX_BYTES: u64 = 8 << 30;
/// Git's own directory or file at the root is not for commands.
const GIT: &[u8] = b".git";
const STEP: &str = "copy the checkout";

/// How the copied files were at the end, for those whose change later cannot carry the same time.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    stamps: HashMap<Vec<u8>, Stamp>,
}

impl Copied {
    /// Whether the file at the path is the copied one and was not changed since.
    pub(crate) fn is_untouched(&self, path: &[u8], now: Stamp) -> bool {
        self.stamps.get(path) == Some(&now)
    }
}

/// What `from` holds, in the empty directory `to`: directories, regular files and links, owned by `owner` when the caller
/// is root. `scratch` is a directory of the same file system.
pub(crate) fn copy(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    scratch: BorrowedFd<'_>,
    owner: Option<(u32, u32)>,
) -> Result<Copied, Failure> {
    let flags = sys::O_RDWR | sys::O_CREAT | sys::O_EXCL;
    let mark = sys::open_beneath(scratch, c"mark", flags, 0o600).step(STEP)?;
    std::fs::remove_file(inside(scratch, c"mark")).step(STEP)?;
    sys::write_fd(mark.as_raw_fd(), b"0").step(STEP)?;
    // Once read, nothing but the file system makes the kernel notice a write. Who cannot map learns nothing and trusts no
    // time.
    let mut mapped = Mapped::new(mark.as_fd()).ok();
    let mut copy = Copy { from, to, owner, entries: 0, bytes: 0, stamps: HashMap::new() };
    let mut directories = vec![Vec::new()];
    while let Some(directory) = directories.pop() {
        copy.directory(&directory, &mut directories)?;
    }
    // The clock of file systems advances in steps: what was copied in the last step may be changed in the same one.
    if let Some(mapped) = &mut mapped {
        mapped.write(b'1');
    }
    let now = sys::stat_at(mark.as_fd(), c"").step(STEP)?.stamp.changed;
    copy.stamps.retain(|_, stamp| stamp.changed < now);
    Ok(Copied { stamps: copy.stamps })
}

struct Copy<'a> {
    from: BorrowedFd<'a>,
    to: BorrowedFd<'a>,
    owner: Option<(u32, u32)>,
    entries: usize,
    bytes: u64,
    stamps: HashMap<Vec<u8>, Stamp>,
}

impl Copy<'_> {
    fn directory(&mut self, path: &[u8], directories: &mut Vec<Vec<u8>>) -> Result<(), Failure> {
        let from = open_dir(self.from, path).step(STEP)?;
        let to = open_dir(self.to, path).step(STEP)?;
        for name in sys::list_dir(from.as_fd(), MAX_ENTRIES).step(STEP)? {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(Errno::FBIG).step(STEP);
            }
            if path.is_empty() && name == GIT {
                continue;
            }
            let deeper = join(path, &name).ok_or(Errno::NAMETOOLONG).step(STEP)?;
            let name = CString::new(name).map_err(|_| Errno::INVAL).step(STEP)?;
            match sys::stat_at(from.as_fd(), &name).step(STEP)?.kind {
                Kind::Directory => {
                    sys::make_dir(to.as_fd(), &name).step(STEP)?;
                    let made = sys::open_beneath(to.as_fd(), &name, sys::O_RDONLY | sys::O_DIRECTORY, 0);
                    self.own(&made.step(STEP)?)?;
                    directories.push(deeper);
                }
                Kind::Symlink => self.link(from.as_fd(), to.as_fd(), &name)?,
                Kind::Regular => self.file(from.as_fd(), to.as_fd(), &name, deeper)?,
                Kind::Whiteout | Kind::Special => {}
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &CString,
        path: Vec<u8>,
    ) -> Result<(), Failure> {
        let source = sys::open_beneath(from, name, sys::O_RDONLY | sys::O_NONBLOCK, 0).step(STEP)?;
        let stat = sys::stat_at(source.as_fd(), c"").step(STEP)?;
        if stat.kind != Kind::Regular {
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(stat.size);
        if self.bytes > MAX_BYTES {
            return Err(Errno::FBIG).step(STEP);
        }
        let mode = if stat.mode & 0o100 == 0 { 0o644 } else { 0o755 };
        let flags = sys::O_WRONLY | sys::O_CREAT | sys::O_EXCL;
        let copy = sys::open_beneath(to, name, flags, mode).step(STEP)?;
        let (mut source, mut copy) = (File::from(source), File::from(copy));
        std::io::copy(&mut source, &mut copy).step(STEP)?;
        let copy = OwnedFd::from(copy);
        self.own(&copy)?;
        self.stamps.insert(path, sys::stat_at(copy.as_fd(), c"").step(STEP)?.stamp);
        Ok(())
    }

    fn link(&self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CString) -> Result<(), Failure> {
        use std::os::unix::ffi::OsStringExt as _;
        let target = std::ffi::OsString::from_vec(sys::read_link(from, name).step(STEP)?);
        let path = inside(to, name);
        symlink(target, &path).step(STEP)?;
        match self.owner {
            Some((user, group)) => lchown(path, Some(user), Some(group)).step(STEP),
            None => Ok(()),
        }
    }

    fn own(&self, made: &OwnedFd) -> Result<(), Failure> {
        match self.owner {
            Some((user, group)) => fchown(made, Some(user), Some(group)).step(STEP),
            None => Ok(()),
        }
    }
}

/// A path for calls of the standard library that take no open directory.
fn inside(directory: BorrowedFd<'_>, name: &std::ffi::CStr) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    let directory = format!("/proc/self/fd/{}", directory.as_raw_fd());
    std::path::Path::new(&directory).join(std::ffi::OsStr::from_bytes(name.to_bytes()))
}
