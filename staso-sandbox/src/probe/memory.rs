//! Memory and disk: taking more than is due.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::FromRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Verb;
use crate::sys::{self, Arg, Errno, call, n, number};
use crate::verdict::{Attempt, Failure, Setup as _, argument, number as parse};

pub(crate) const VERBS: &[(&str, Verb)] = &[
    ("memory", memory),
    ("memory-file", memory_file),
    ("memory-tree", memory_tree),
    ("fill", fill),
    ("fill-and-stay", fill_and_stay),
    ("files", files),
];

const MEBIBYTE: usize = 1 << 20;
const PAGE: usize = 4096;

/// Takes memory and uses it: mebibytes.
fn memory(arguments: &[String]) -> Attempt {
    Ok(format!("{} MiB", used(&take(parse(arguments, 0)?)?)))
}

/// So much memory, every page of it written.
fn take(mebibytes: usize) -> Result<Vec<Vec<u8>>, Failure> {
    let mut taken = Vec::new();
    for at in 0..mebibytes {
        let mut part: Vec<u8> = Vec::new();
        if part.try_reserve_exact(MEBIBYTE).is_err() {
            return Err(Failure::Limited(format!("{at} MiB")));
        }
        part.resize(MEBIBYTE, 1);
        taken.push(part);
    }
    Ok(taken)
}

/// How many of them are there.
fn used(taken: &[Vec<u8>]) -> usize {
    taken.iter().filter_map(|part| part.get(PAGE)).map(|byte| usize::from(*byte)).sum()
}

/// Takes memory that counts as files: neither large ones nor many, which have limits of their own.
fn memory_file(arguments: &[String]) -> Attempt {
    const OF_A_FILE: usize = 4;
    let wanted: usize = parse(arguments, 0)?;
    let (block, mut taken) = (vec![1; MEBIBYTE], Vec::new());
    for at in (0..wanted).step_by(OF_A_FILE) {
        let fd = call(number::MEMFD_CREATE, [Arg::Text(c"probe"), n(0)]);
        let Ok(fd) = fd.and_then(|fd| i32::try_from(fd).map_err(|_| Errno(24))) else {
            return Err(Failure::Limited(format!("{at} MiB, and no other file")));
        };
        // SAFETY: the kernel just made this descriptor for us.
        let mut file = unsafe { File::from_raw_fd(fd) };
        for more in 0..OF_A_FILE {
            if file.write_all(&block).is_err() {
                return Err(Failure::Limited(format!("{} MiB", at + more)));
            }
        }
        taken.push(file);
    }
    Ok(format!("{} MiB", taken.len() * OF_A_FILE))
}

/// Takes memory in many processes at a time: processes, mebibytes of each.
///
/// That each had it once says nothing: they must have it together. So all keep it, and once everyone has said so, all are
/// asked again; who was killed for the others answers only once.
fn memory_tree(arguments: &[String]) -> Attempt {
    const LIMIT: Duration = Duration::from_secs(20);
    let (count, each): (usize, usize) = (parse(arguments, 0)?, parse(arguments, 1)?);
    let (mut parent, mut child) = UnixStream::pair().setup("make a socket")?;
    let mut children = Vec::new();
    for _ in 0..count {
        match sys::fork(0) {
            Ok(0) => {
                let taken = take(each);
                let _ = child.write_all(&[u8::from(taken.is_ok())]);
                let _ = child.read_exact(&mut [0]);
                let _ = child.write_all(&[u8::from(taken.is_ok_and(|taken| used(&taken) == each))]);
                // Another read would take what is for the others.
                std::thread::sleep(LIMIT);
                sys::exit(0);
            }
            Ok(pid) => children.push(pid),
            Err(_) => break,
        }
    }
    parent.set_read_timeout(Some(Duration::from_millis(20))).setup("set a time limit")?;
    let deadline = Instant::now() + LIMIT;
    let had = affirmed(&mut parent, &children, deadline);
    let mut have = 0;
    if had == count {
        parent.write_all(&vec![1; count]).setup("ask again")?;
        have = affirmed(&mut parent, &children, deadline);
    }
    sys::end(&children);
    match have == count {
        true => Ok(format!("{have} processes with {each} MiB each")),
        false => Err(Failure::Limited(format!("{had} of {count} processes got {each} MiB, {have} kept it"))),
    }
}

/// How many say yes, until all have answered, one was killed, or the time is over.
fn affirmed(parent: &mut UnixStream, children: &[i64], deadline: Instant) -> usize {
    let (mut yes, mut no) = (0, 0);
    while yes + no < children.len() && Instant::now() < deadline {
        let mut answer = [0];
        match parent.read(&mut answer) {
            Ok(1) if answer == [1] => yes += 1,
            Ok(1) => no += 1,
            _ => no += died(children),
        }
    }
    yes
}

/// Children that were killed since the last look.
fn died(children: &[i64]) -> usize {
    const WNOHANG: i64 = 1;
    let mut status = [0u64; 1];
    let ended =
        |pid: &&i64| call(number::WAIT4, [n(**pid), Arg::Out(&mut status), n(WNOHANG), n(0)]) == Ok(**pid);
    children.iter().filter(ended).count()
}

/// Writes files until there is no room, and removes them: directory, mebibytes.
fn fill(arguments: &[String]) -> Attempt {
    let directory = Path::new(argument(arguments, 0)?).join(format!("probe-fill-{}", sys::own_pid()));
    let result = fill_directory(&directory, parse(arguments, 1)?);
    remove(&directory)?;
    result
}

/// Removes what was made, if it could be.
fn remove(directory: &Path) -> Result<(), Failure> {
    if directory.exists() { fs::remove_dir_all(directory).setup("remove the files") } else { Ok(()) }
}

/// The same, without removing them, and waits for what may become of it: directory, mebibytes, milliseconds.
fn fill_and_stay(arguments: &[String]) -> Attempt {
    let directory = Path::new(argument(arguments, 0)?).join("probe-fill");
    let filled = fill_directory(&directory, parse(arguments, 1)?)?;
    std::thread::sleep(Duration::from_millis(parse(arguments, 2)?));
    Ok(filled)
}

fn fill_directory(directory: &Path, wanted: usize) -> Attempt {
    fs::create_dir_all(directory)?;
    let block = vec![1u8; MEBIBYTE];
    for at in 0..wanted {
        let written =
            File::create(directory.join(at.to_string())).and_then(|mut file| file.write_all(&block));
        if let Err(error) = written {
            return Err(Failure::Limited(format!("{at} MiB, then {}", Errno::from(error).name())));
        }
    }
    Ok(format!("{wanted} MiB"))
}

/// Makes empty files until there are no more, and removes them: directory, count.
fn files(arguments: &[String]) -> Attempt {
    let directory = Path::new(argument(arguments, 0)?).join(format!("probe-files-{}", sys::own_pid()));
    fs::create_dir_all(&directory)?;
    let wanted: usize = parse(arguments, 1)?;
    let made = (0..wanted).find_map(|at| {
        let error = File::create(directory.join(at.to_string())).err()?;
        Some(format!("{at} files, then {}", Errno::from(error).name()))
    });
    remove(&directory)?;
    match made {
        Some(bound) => Err(Failure::Limited(bound)),
        None => Ok(format!("{wanted} files")),
    }
}
