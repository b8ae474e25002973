//! Files: of the host, of the system, and tricks of the checkout.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::Verb;
use crate::sys::{self, Arg, Errno, call, n, number};
use crate::verdict::{Attempt, Failure, Setup as _, argument, number as parse};

pub(crate) const VERBS: &[(&str, Verb)] = &[
    ("read", read),
    ("exists", exists),
    ("write", write),
    ("write-parent", write_parent),
    ("create", create),
    ("create-directory", create_directory),
    ("device", device),
    ("mknod", make_device),
    ("link", link),
    ("symlink", make_symlink),
    ("swap", swap),
    ("through-root", through_root),
    ("climb", climb),
    ("handle", handle),
    ("descriptors", descriptors),
    ("scribble", scribble),
    ("writable", writable),
    ("traps", traps),
];

/// Reads a file, or lists a directory.
fn read(arguments: &[String]) -> Attempt {
    let path = argument(arguments, 0)?;
    if Path::new(path).is_dir() {
        return Ok(format!("{} entries", fs::read_dir(path)?.count()));
    }
    Ok(format!("{} bytes", fs::read(path)?.len()))
}

/// Looks whether a path is there, without following it.
fn exists(arguments: &[String]) -> Attempt {
    Ok(format!("{} bytes", fs::symlink_metadata(argument(arguments, 0)?)?.len()))
}

/// Opens a file for writing and writes nothing. A file that runs is as good as open: only its use stands in the way.
fn write(arguments: &[String]) -> Attempt {
    match sys::open(argument(arguments, 0)?, sys::O_WRONLY | sys::O_APPEND | sys::O_CLOEXEC, 0) {
        Ok(_) | Err(Errno::TXTBSY) => Ok(String::new()),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens the program of the parent for writing.
fn write_parent(_: &[String]) -> Attempt {
    write(&[format!("/proc/{}/exe", std::os::unix::process::parent_id())])
}

/// Makes a file in a directory that has no name, or one that is removed at once.
fn create(arguments: &[String]) -> Attempt {
    const O_DIRECTORY: i64 = if cfg!(target_arch = "aarch64") { 0o40_000 } else { 0o200_000 };
    const O_TMPFILE: i64 = 0o20_000_000 | O_DIRECTORY;
    let directory = argument(arguments, 0)?;
    if sys::open(directory, O_TMPFILE | sys::O_RDWR, 0o600).is_ok() {
        return Ok("an unnamed file".to_owned());
    }
    // Not every file system has such, and who refuses the one need not refuse the other.
    let path = Path::new(directory).join(format!(".probe-{}", sys::own_pid()));
    fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    fs::remove_file(&path).setup("remove the file again")?;
    Ok("a named file".to_owned())
}

/// Makes a directory in a directory, and removes it.
fn create_directory(arguments: &[String]) -> Attempt {
    let path = Path::new(argument(arguments, 0)?).join(format!(".probe-{}", sys::own_pid()));
    fs::create_dir(&path)?;
    fs::remove_dir(&path).setup("remove the directory again")?;
    Ok(String::new())
}

/// Opens a device for reading and writing.
fn device(arguments: &[String]) -> Attempt {
    let path = argument(arguments, 0)?;
    sys::open(path, sys::O_RDWR | sys::O_NONBLOCK | sys::O_CLOEXEC, 0)?;
    Ok(String::new())
}

/// Makes a device: path, `b` or `c`, major, minor.
fn make_device(arguments: &[String]) -> Attempt {
    let kind = if argument(arguments, 1)? == "b" { 0o060_000 } else { 0o020_000 };
    let (major, minor): (i64, i64) = (parse(arguments, 2)?, parse(arguments, 3)?);
    let path = argument(arguments, 0)?;
    call(
        number::MKNODAT,
        [n(sys::AT_FDCWD), Arg::Text(&sys::text(path)?), n(kind | 0o666), n(major << 8 | minor)],
    )?;
    fs::remove_file(path).setup("remove the device again")?;
    Ok(String::new())
}

/// Gives a file a second name, and takes it away again.
fn link(arguments: &[String]) -> Attempt {
    let name = argument(arguments, 1)?;
    fs::hard_link(argument(arguments, 0)?, name)?;
    fs::remove_file(name).setup("remove the name again")?;
    Ok(String::new())
}

/// Makes a symbolic link: target, path.
fn make_symlink(arguments: &[String]) -> Attempt {
    let path = argument(arguments, 1)?;
    let _ = fs::remove_file(path);
    symlink(argument(arguments, 0)?, path)?;
    Ok(String::new())
}

/// Exchanges a directory with links to the given targets, over and over, until the probe is ended.
fn swap(arguments: &[String]) -> Attempt {
    const RENAME_EXCHANGE: i64 = 2;
    let (spot, targets) = arguments.split_first().ok_or_else(|| Failure::broken("no path"))?;
    fs::create_dir_all(spot).setup("make the directory")?;
    let spot_text = sys::text(spot)?;
    let mut links = Vec::new();
    for (at, target) in targets.iter().enumerate() {
        let path = format!("{spot}-{at}");
        symlink(target, &path).setup("make a link")?;
        links.push(sys::text(&path)?);
    }
    loop {
        for link in links.iter().flat_map(|link| [link, link]) {
            call(
                number::RENAMEAT2,
                [
                    n(sys::AT_FDCWD),
                    Arg::Text(&spot_text),
                    n(sys::AT_FDCWD),
                    Arg::Text(link),
                    n(RENAME_EXCHANGE),
                ],
            )
            .setup("exchange")?;
        }
    }
}

/// Reads a file of the host through the roots that procfs shows.
fn through_root(arguments: &[String]) -> Attempt {
    let path = argument(arguments, 0)?;
    let parent = std::os::unix::process::parent_id().to_string();
    let mut last = Errno::NOENT;
    for process in ["1", "self", &parent] {
        for through in ["root", "cwd/../../../../../../../.."] {
            match fs::read(format!("/proc/{process}/{through}{path}")) {
                Ok(_) => return Ok(format!("/proc/{process}/{through}")),
                Err(error) => last = error.into(),
            }
        }
    }
    Err(last.into())
}

/// Looks for a file of the host above the root and where an old root is commonly left.
fn climb(arguments: &[String]) -> Attempt {
    let path = argument(arguments, 0)?;
    let above = "/..".repeat(32);
    std::env::set_current_dir("/").setup("go to the root")?;
    let _ = (0..32).try_for_each(|_| std::env::set_current_dir(".."));
    let mut last = Errno::NOENT;
    for old in
        [&above, ".", "/old_root", "/oldroot", "/.oldroot", "/.old", "/put_old", "/mnt", "/.pivot_root"]
    {
        match fs::File::open(format!("{old}{path}")) {
            Ok(_) => return Ok(format!("below {old}")),
            Err(error) => last = error.into(),
        }
    }
    Err(last.into())
}

/// Opens one of several directories by its handle. Not every file system has handles: one where none says anything counts
/// only when no other does.
fn handle(arguments: &[String]) -> Attempt {
    let weight = |errno: &Errno| match errno.verdict() {
        denied if denied.starts_with("denied") => 2,
        broken if broken.starts_with("broken") => 1,
        _ => 0,
    };
    let mut kept = Errno::NOENT;
    for place in arguments {
        match open_by_handle(place) {
            Ok(()) => return Ok(place.clone()),
            Err(errno) if weight(&errno) > weight(&kept) => kept = errno,
            Err(_) => {}
        }
    }
    Err(kept.into())
}

/// Opens a directory by the handle that is given out for it, else by that of the root of an ext file system.
fn open_by_handle(place: &str) -> Result<(), Errno> {
    let path = sys::text(place)?;
    // Bytes and type of the handle, then the handle: inode 2 of generation 0.
    let mut wanted = [0u64; 20];
    let (mut mount, mut at) = ([0u64; 1], [128u64; 20]);
    let named = call(
        number::NAME_TO_HANDLE_AT,
        [n(sys::AT_FDCWD), Arg::Text(&path), Arg::Out(&mut at), Arg::Out(&mut mount), n(0)],
    );
    match named {
        Ok(_) => wanted = at,
        Err(_) => wanted[..2].copy_from_slice(&[8 | 1 << 32, 2]),
    }
    let directory = sys::open(place, 0, 0)?;
    call(number::OPEN_BY_HANDLE_AT, [n(directory), Arg::In(&wanted), n(0)]).map(drop)
}

/// Looks for descriptors beyond the three standard ones.
fn descriptors(_: &[String]) -> Attempt {
    const F_GETFD: i64 = 1;
    const MOST: i64 = 65_536;
    // Where the kernel lists them, none is too high to be found; the one that reads the list is gone when it is read.
    let listed = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let listed: Vec<i64> = listed
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd >= MOST)
        .collect();
    let open = (3..MOST).chain(listed).filter(|fd| call(number::FCNTL, [n(*fd), n(F_GETFD)]).is_ok());
    let open: Vec<String> = open.map(|fd| fd.to_string()).collect();
    match open.is_empty() {
        true => Err(Errno::NOENT.into()),
        false => Ok(open.join(",")),
    }
}

/// The suite puts this file into every directory that may be spoilt.
const MAY_BE_SPOILT: &str = "probe-of-the-suite";

/// Makes sure that what a probe is about to spoil is a checkout of the suite, whatever the sandbox made of it.
pub(crate) fn check_may_be_spoilt(directory: &Path) -> Result<(), Failure> {
    match directory.join(MAY_BE_SPOILT).exists() {
        true => Ok(()),
        false => Err(Failure::broken("this is no checkout of the suite")),
    }
}

/// Changes everything below a directory: contents, modes, names.
fn scribble(arguments: &[String]) -> Attempt {
    let mut changed = 0;
    let root = Path::new(argument(arguments, 0)?);
    check_may_be_spoilt(root)?;
    let mut waiting = vec![root.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten().filter(|entry| !entry.file_name().as_bytes().starts_with(b"probe")) {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(path);
                continue;
            }
            let _ = fs::write(&path, "scribbled");
            let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o777));
            changed += u32::from(fs::rename(&path, path.with_extension("scribbled")).is_ok());
        }
    }
    match changed {
        0 => Err(Errno(13).into()),
        changed => Ok(format!("{changed} files")),
    }
}

/// Lists what can be written near the root: directories that take a new file, and files. What is below the current
/// directory, the one for temporary files and those named does not count.
fn writable(arguments: &[String]) -> Attempt {
    const DEPTH: usize = 3;
    let here = std::env::current_dir().setup("know where this is")?;
    let temporary = std::env::vars_os().find(|(name, _)| name == "TMPDIR");
    let own = [Some(here), temporary.map(|(_, place)| place.into())];
    let named = |place: &Path| {
        let mut own = own.iter().flatten();
        own.any(|own| own == place) || arguments.iter().any(|named| Path::new(named) == place)
    };
    let mut found = Vec::new();
    let mut waiting = vec![(Path::new("/").to_path_buf(), 0)];
    while let Some((directory, depth)) = waiting.pop() {
        let shown = directory.display().to_string();
        if named(&directory) || Path::new("/proc") == directory {
            continue;
        }
        if create(std::slice::from_ref(&shown)).is_ok() {
            found.push(shown);
            continue;
        }
        let below = fs::read_dir(&directory).into_iter().flatten().flatten().filter(|_| depth < DEPTH);
        for entry in below {
            // Not what the directory says: something may be mounted on it.
            let Ok(kind) = entry.path().symlink_metadata().map(|found| found.file_type()) else { continue };
            let shown = entry.path().display().to_string();
            if kind.is_dir() {
                waiting.push((entry.path(), depth + 1));
            } else if kind.is_file() && write(std::slice::from_ref(&shown)).is_ok() {
                found.push(shown);
            }
        }
    }
    match found.is_empty() {
        true => Err(Errno(13).into()),
        false => Ok(found.join(" ")),
    }
}

/// Makes what a careless reader hangs on or falls into: a pipe without a writer, links in a circle, a socket, a deep
/// tree, a huge sparse file, names that no terminal should see.
fn traps(_: &[String]) -> Attempt {
    const FIFO: i64 = 0o010_000;
    const DEEP: usize = 200;
    // A file that would be too large is to be an error, not the end.
    crate::process::block_signals();
    call(number::MKNODAT, [n(sys::AT_FDCWD), Arg::Text(c"trap-pipe"), n(FIFO | 0o644), n(0)])
        .setup("make a pipe")?;
    symlink("trap-b", "trap-a").and_then(|()| symlink("trap-a", "trap-b")).setup("make links")?;
    symlink("/", "trap-root").setup("make a link")?;
    // Not everyone may have sockets.
    let _ = std::os::unix::net::UnixListener::bind("trap-socket");
    let home = std::env::current_dir().setup("know where this is")?;
    for _ in 0..DEEP {
        fs::create_dir_all("trap-deep")
            .and_then(|()| std::env::set_current_dir("trap-deep"))
            .setup("go deeper")?;
    }
    fs::write("bottom", "x").setup("write at the bottom")?;
    std::env::set_current_dir(home).setup("come back")?;
    // As far as the limit on the size of a file lets it.
    let sparse = fs::File::create("trap-sparse").setup("make a sparse file")?;
    let _ = [1 << 42, 3 << 20].into_iter().find(|bytes| sparse.set_len(*bytes).is_ok());
    fs::create_dir("trap-names").setup("make a directory")?;
    fs::write("trap-names/\u{1b}]0;title\u{7}\u{1b}[2J", "x").setup("make an odd name")?;
    Ok(String::new())
}
