//! Stages for the controls: what an attempt needs outside of a session in order to succeed there.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::Verb;
use crate::sys::{self, Arg, call, n, number};
use crate::verdict::{Attempt, Failure, Setup as _, argument, number as parse};

pub(crate) const VERBS: &[(&str, Verb)] = &[
    ("rooted", rooted),
    ("with-descriptor", with_descriptor),
    ("in-terminal", in_terminal),
    ("without-namespaces", without_namespaces),
];

const NEW_CGROUP_UTS_IPC: i64 = 0x0200_0000 | 0x0400_0000 | 0x0800_0000;

/// Goes on as the root of namespaces of its own.
fn rooted(arguments: &[String]) -> Attempt {
    own_namespaces(sys::CLONE_NEWNS | sys::CLONE_NEWNET | NEW_CGROUP_UTS_IPC, 0)?;
    const MS_REC_PRIVATE: i64 = 0x4000 | 1 << 18;
    call(number::MOUNT, [n(0), Arg::Text(c"/"), n(0), n(MS_REC_PRIVATE), n(0)])
        .setup("separate the mounts")?;
    crate::run(arguments)
}

/// Leaves the user namespace, and others by flags, for one in which this is the user and group `inside`.
fn own_namespaces(flags: i64, inside: u32) -> Result<(), Failure> {
    let (user, group) = identity()?;
    call(number::UNSHARE, [n(sys::CLONE_NEWUSER | flags)]).setup("make namespaces")?;
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{inside} {user} 1")),
        ("gid_map", format!("{inside} {group} 1")),
    ] {
        fs::write(format!("/proc/self/{file}"), text).setup("map the user")?;
    }
    Ok(())
}

fn identity() -> Result<(u32, u32), Failure> {
    use std::os::unix::fs::MetadataExt as _;
    let own = fs::metadata("/proc/self").setup("know who this is")?;
    Ok((own.uid(), own.gid()))
}

/// Becomes a program that has a file of the host open: descriptor, file, program, arguments.
fn with_descriptor(arguments: &[String]) -> Attempt {
    let wanted: i64 = parse(arguments, 0)?;
    let file = sys::open(argument(arguments, 1)?, 0, 0).setup("open the file")?;
    if file != wanted {
        call(number::DUP3, [n(file), n(wanted), n(0)]).setup("place the descriptor")?;
        sys::close(file);
    }
    become_program(arguments, 2)
}

fn become_program(arguments: &[String], at: usize) -> Attempt {
    let rest = arguments.get(at + 1..).unwrap_or_default();
    Err(Command::new(argument(arguments, at)?).args(rest).exec()).setup("run the program")
}

/// Becomes a program where user namespaces are switched off, and nothing else is. It is an ordinary user there: a root
/// of such a namespace would be refused other things first.
fn without_namespaces(arguments: &[String]) -> Attempt {
    const ORDINARY: u32 = 1234;
    own_namespaces(0, ORDINARY)?;
    fs::write("/proc/sys/user/max_user_namespaces", "0").setup("switch user namespaces off")?;
    become_program(arguments, 0)
}

/// Goes on with a terminal of its own, in control.
fn in_terminal(arguments: &[String]) -> Attempt {
    own_terminal()?;
    crate::run(arguments)
}

/// Makes a terminal that controls this process.
pub(crate) fn own_terminal() -> Result<i64, Failure> {
    const STEP: &str = "make a terminal";
    const TIOCSPTLCK: i64 = 0x4004_5431;
    const TIOCGPTN: i64 = 0x8004_5430;
    const TIOCSCTTY: i64 = 0x540E;
    let terminal = sys::open("/dev/ptmx", sys::O_RDWR, 0).setup(STEP)?;
    call(number::IOCTL, [n(terminal), n(TIOCSPTLCK), Arg::In(&[0])]).setup(STEP)?;
    let mut name = [0u64; 1];
    call(number::IOCTL, [n(terminal), n(TIOCGPTN), Arg::Out(&mut name)]).setup(STEP)?;
    let end = sys::open(&format!("/dev/pts/{}", name[0]), sys::O_RDWR, 0).setup(STEP)?;
    // A process that leads its group cannot start a session.
    if let child @ 1.. = sys::fork(0).setup(STEP)? {
        sys::wait(child).setup("wait for the child")?;
        sys::exit(0);
    }
    sys::new_session();
    call(number::IOCTL, [n(end), n(TIOCSCTTY), n(0)]).setup(STEP)?;
    Ok(end)
}
