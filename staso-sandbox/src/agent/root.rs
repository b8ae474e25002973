//! The file system of a session: a read-only system, a writable layer over the checkout, and nothing else.

use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::copy::Copied;
use crate::launch::{Failure, Gate, SESSION_ID, Step as _};
use crate::sys::{self, Errno};
use crate::wire::Configuration;

/// Where the checkout is inside.
pub(crate) const WORKSPACE: &CStr = c"/workspace";
/// Where commands find process information; empty but for the mount of each command.
pub(crate) const PROC: &CStr = c"/proc";
/// What a command may learn of processes: those of its own user, and nothing of the machine.
pub(crate) const PROC_OPTIONS: &CStr = c"subset=pid,hidepid=2";

/// Directories that file operations start from.
#[derive(Debug)]
pub(crate) struct Session {
    /// The checkout as commands see it.
    pub(crate) workspace: OwnedFd,
    /// What commands wrote. Not reachable from inside.
    pub(crate) upper: OwnedFd,
    /// The checkout as it was. Not reachable from inside.
    pub(crate) lower: OwnedFd,
    /// How the files of a copy were when it was made. `None` where an overlay holds what was written: only then is
    /// `upper` another directory than `workspace`.
    pub(crate) copied: Option<Copied>,
}

/// The checkout and the toolchains, as far as they were opened with more rights than the session has.
pub(crate) type Opened = (Option<OwnedFd>, Option<Vec<(OwnedFd, PathBuf)>>);

const SYSTEM_DIRECTORIES: [&str; 6] = ["bin", "sbin", "lib", "lib64", "lib32", "libx32"];
const ETC_ENTRIES: [&str; 4] = ["ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives"];
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
const STAGES: [&str; 3] = ["/tmp", "/mnt", "/var"];
const READ_ONLY: u64 = sys::MOUNT_RDONLY | sys::MOUNT_NOSUID | sys::MOUNT_NODEV;
const PLAIN: std::ffi::c_ulong = sys::MS_NOSUID | sys::MS_NODEV;

/// Builds the root and enters it; the checkout is usable behind the gate. `missing` takes the protections that this kernel
/// does not offer.
pub(crate) fn build(
    configuration: &Configuration,
    (checkout, mounts): Opened,
    gate: &Gate,
    missing: &mut Vec<Vec<u8>>,
) -> Result<Session, Failure> {
    sys::make_private().step("separate the mounts")?;
    let checkout = match checkout {
        Some(tree) => Some(tree),
        None if configuration.checkout.is_empty() => None,
        None => Some(
            read_only_tree(OsStr::from_bytes(&configuration.checkout), false).step("open the checkout")?,
        ),
    };
    let mounts = mounts.map_or_else(|| toolchains(configuration), Ok)?;
    let stage = stage()?;
    let root = stage.join("root");
    make_dir(&root)?;
    mount("tmpfs", &root, PLAIN, "size=4m,nr_inodes=1024,mode=0755").step("mount the root")?;
    system(&root)?;
    etc(&root)?;
    devices(&root)?;
    for (tree, inside) in &mounts {
        let target = root.join(inside);
        make_dir(&target)?;
        attach(tree, &target).step("mount a toolchain")?;
    }
    scratch(&root, configuration)?;
    gate.pass().step("map the owner of the checkout")?;
    let session = workspace(&stage, &root, checkout, configuration, missing)?;
    forbid_nested_users(missing);
    enter(&root)?;
    Ok(session)
}

/// A small file system to build in, over a directory that every machine has.
fn stage() -> Result<PathBuf, Failure> {
    const STEP: &str = "mount a place to build the root";
    let found = STAGES.into_iter().find(|path| Path::new(path).is_dir());
    let stage = PathBuf::from(found.ok_or(Errno::NOENT).step(STEP)?);
    mount("tmpfs", &stage, PLAIN, "size=1m,nr_inodes=64,mode=0755").step(STEP)?;
    Ok(stage)
}

/// Opens the toolchains, read-only.
pub(crate) fn toolchains(configuration: &Configuration) -> Result<Vec<(OwnedFd, PathBuf)>, Failure> {
    let open = |(host, inside): &(Vec<u8>, Vec<u8>)| {
        let inside = Path::new(OsStr::from_bytes(inside));
        let relative = inside.strip_prefix("/").map_err(|_| Errno::INVAL).step("mount a toolchain")?;
        let tree = read_only_tree(OsStr::from_bytes(host), true).step("open a toolchain")?;
        Ok((tree, relative.to_path_buf()))
    };
    configuration.mounts.iter().map(open).collect()
}

fn system(root: &Path) -> Result<(), Failure> {
    const STEP: &str = "mount the system";
    bind(Path::new("/usr"), &root.join("usr"), READ_ONLY).step(STEP)?;
    for name in SYSTEM_DIRECTORIES {
        let host = Path::new("/").join(name);
        if let Ok(target) = fs::read_link(&host) {
            symlink(target, root.join(name)).step(STEP)?;
        } else if host.is_dir() {
            bind(&host, &root.join(name), READ_ONLY).step(STEP)?;
        }
    }
    Ok(())
}

fn etc(root: &Path) -> Result<(), Failure> {
    const STEP: &str = "make /etc";
    let etc = root.join("etc");
    make_dir(&etc)?;
    for name in ETC_ENTRIES {
        let host = Path::new("/etc").join(name);
        if host.exists() {
            bind(&host, &etc.join(name), READ_ONLY).step(STEP)?;
        }
    }
    let user = format!("sandbox:x:{SESSION_ID}:{SESSION_ID}:sandbox:/tmp/home:/bin/sh\n");
    for (name, text) in [
        ("passwd", user.as_str()),
        ("group", &format!("sandbox:x:{SESSION_ID}:\n")),
        ("hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"),
        ("hostname", "sandbox\n"),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ] {
        fs::write(etc.join(name), text).step(STEP)?;
    }
    Ok(())
}

fn devices(root: &Path) -> Result<(), Failure> {
    const STEP: &str = "make /dev";
    let dev = root.join("dev");
    make_dir(&dev)?;
    for name in DEVICES {
        let flags = sys::MOUNT_NOSUID | sys::MOUNT_NOEXEC;
        bind(&Path::new("/dev").join(name), &dev.join(name), flags).step(STEP)?;
    }
    for (name, target) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
    {
        symlink(target, dev.join(name)).step(STEP)?;
    }
    Ok(())
}

fn scratch(root: &Path, configuration: &Configuration) -> Result<(), Failure> {
    let size = configuration.limits.tmp_bytes;
    let tmp = root.join("tmp");
    make_dir(&tmp)?;
    mount("tmpfs", &tmp, PLAIN, &tmpfs(size, "1777")).step("mount /tmp")?;
    make_dir(&tmp.join("home"))?;
    let shm = root.join("dev/shm");
    make_dir(&shm)?;
    mount("tmpfs", &shm, PLAIN | sys::MS_NOEXEC, &tmpfs(size / 4, "1777")).step("mount /dev/shm")?;
    let proc = root.join("proc");
    make_dir(&proc)?;
    let options = PROC_OPTIONS.to_string_lossy();
    mount("proc", &proc, PLAIN | sys::MS_NOEXEC, &options).step("mount /proc")
}

fn tmpfs(size: u64, mode: &str) -> String {
    const BYTES_PER_INODE: u64 = 4096;
    const FEWEST_INODES: u64 = 1024;
    format!("size={size},nr_inodes={},mode={mode}", (size / BYTES_PER_INODE).max(FEWEST_INODES))
}

/// The overlay: the checkout below, a layer of limited size above.
fn workspace(
    stage: &Path,
    root: &Path,
    checkout: Option<OwnedFd>,
    configuration: &Configuration,
    missing: &mut Vec<Vec<u8>>,
) -> Result<Session, Failure> {
    const STEP: &str = "mount the checkout";
    let (lower, layers) = (stage.join("lower"), stage.join("layers"));
    make_dir(&lower)?;
    make_dir(&layers)?;
    if let Some(tree) = checkout {
        attach(&tree, &lower).step(STEP)?;
    }
    mount("tmpfs", &layers, PLAIN, &tmpfs(configuration.limits.disk_bytes, "0755")).step(STEP)?;
    let (upper, work) = (layers.join("upper"), layers.join("work"));
    make_dir(&upper)?;
    make_dir(&work)?;
    let probe = c_path(&work).step(STEP)?;
    if sys::set_attribute(&probe, c"user.staso", b"y").is_err() {
        let sentence =
            "a deleted directory cannot be made again: this kernel has no user attributes on tmpfs (6.6)";
        missing.push(sentence.as_bytes().to_vec());
    }
    let target = root.join("workspace");
    make_dir(&target)?;
    let options = format!(
        "lowerdir={},upperdir={},workdir={},userxattr,volatile",
        lower.display(),
        upper.display(),
        work.display()
    );
    mount("overlay", &target, PLAIN, &options).step("mount the overlay")?;
    cover_git(&lower, &target).step("cover .git")?;
    Ok(Session {
        workspace: open_dir(&target).step(STEP)?,
        upper: open_dir(&upper).step(STEP)?,
        lower: open_dir(&lower).step(STEP)?,
        copied: None,
    })
}

/// Puts something empty and read-only over git's own directory, should the checkout have one.
fn cover_git(lower: &Path, workspace: &Path) -> Result<(), Errno> {
    let Ok(found) = fs::symlink_metadata(lower.join(".git")) else { return Ok(()) };
    let target = workspace.join(".git");
    if found.is_dir() {
        mount("tmpfs", &target, PLAIN | sys::MS_NOEXEC, "size=4k,nr_inodes=2,mode=0555")?;
        let cover = sys::open_tree(&c_path(&target)?, false)?;
        sys::mount_setattr(cover.as_fd(), READ_ONLY, false, None)?;
        return attach(&cover, &target);
    }
    if found.is_file() {
        let cover = sys::open_tree(c"/dev/null", false)?;
        sys::mount_setattr(cover.as_fd(), sys::MOUNT_RDONLY | sys::MOUNT_NODEV, false, None)?;
        return attach(&cover, &target);
    }
    Ok(())
}

/// A process of the session that makes a user namespace of its own would be root in it.
fn forbid_nested_users(missing: &mut Vec<Vec<u8>>) {
    if fs::write("/proc/sys/user/max_user_namespaces", "0").is_err() {
        missing.push(b"commands can make user namespaces of their own".to_vec());
    }
}

fn enter(root: &Path) -> Result<(), Failure> {
    const STEP: &str = "enter the root";
    std::env::set_current_dir(root).step(STEP)?;
    sys::pivot_here().step(STEP)?;
    // What was opened outside still follows the mounts of the host.
    sys::make_private().step("separate the mounts")?;
    seal_root().step("make the root read-only")
}

/// Makes the root itself read-only; what is mounted below keeps its own attributes.
fn seal_root() -> Result<(), Errno> {
    let root = open_dir(Path::new("/"))?;
    sys::mount_setattr(root.as_fd(), sys::MOUNT_RDONLY, false, None)
}

fn read_only_tree(host: &OsStr, recursive: bool) -> Result<OwnedFd, Errno> {
    let tree = sys::open_tree(&c_path(Path::new(host))?, recursive)?;
    sys::mount_setattr(tree.as_fd(), READ_ONLY, recursive, None)?;
    Ok(tree)
}

/// Shows a file or directory of the host.
fn bind(host: &Path, target: &Path, attributes: u64) -> Result<(), Errno> {
    let tree = sys::open_tree(&c_path(host)?, true)?;
    sys::mount_setattr(tree.as_fd(), attributes, true, None)?;
    if host.is_dir() {
        fs::create_dir_all(target)?;
    } else {
        fs::write(target, b"")?;
    }
    attach(&tree, target)
}

fn attach(tree: &OwnedFd, target: &Path) -> Result<(), Errno> {
    sys::move_mount(tree.as_fd(), &c_path(target)?)
}

fn mount(kind: &str, target: &Path, flags: std::ffi::c_ulong, options: &str) -> Result<(), Errno> {
    let text = |text: &str| CString::new(text).map_err(|_| Errno::INVAL);
    sys::mount_fs(&text(kind)?, &c_path(target)?, flags, &text(options)?)
}

fn make_dir(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).step("make a directory of the root")
}

pub(crate) fn open_dir(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = i32::try_from(sys::O_DIRECTORY).map_err(|_| Errno::INVAL)?;
    Ok(fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?.into())
}

pub(crate) fn c_path(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)
}
