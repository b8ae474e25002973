//! Privileges: those that a process has, and those that it can get.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::Verb;
use crate::sys::{self, Arg, Errno, anywhere, call, n, number};
use crate::verdict::{Attempt, Failure, Setup as _, argument, number as parse};

pub(crate) const VERBS: &[(&str, Verb)] = &[
    ("run-set-user", run_set_user),
    ("other-user", other_user),
    ("new-privileges", new_privileges),
    ("no-filter", no_filter),
    ("root-user", root_user),
    ("capabilities", capabilities),
    ("bounding-set", bounding_set),
    ("unshare", unshare),
    ("clone", clone),
    ("clone3", clone3),
    ("setns", setns),
    ("raise-limit", raise_limit),
    ("lowered", lowered),
    ("realtime", realtime),
    ("core", core),
];

fn control(option: i64, second: i64, third: i64) -> Result<i64, Errno> {
    call(number::PRCTL, [n(option), n(second), n(third), n(0), n(0)])
}

/// Runs a program that is marked to run as its owner; that program is this one and goes on in [`other_user`].
fn run_set_user(arguments: &[String]) -> Attempt {
    Err(Command::new(argument(arguments, 0)?).arg("other-user").exec().into())
}

/// Whether this process acts for another user than the one who started it.
fn other_user(_: &[String]) -> Attempt {
    let (real, effective) = (call(number::GETUID, [])?, call(number::GETEUID, [])?);
    match real == effective {
        true => Err(Errno(1).into()),
        false => Ok(format!("{real} became {effective}")),
    }
}

/// Whether programs may give privileges at all.
fn new_privileges(_: &[String]) -> Attempt {
    const PR_GET_NO_NEW_PRIVS: i64 = 39;
    match control(PR_GET_NO_NEW_PRIVS, 0, 0).setup("ask")? {
        0 => Ok(String::new()),
        _ => Err(Errno(1).into()),
    }
}

/// Whether system calls go unfiltered.
fn no_filter(_: &[String]) -> Attempt {
    const PR_GET_SECCOMP: i64 = 21;
    match control(PR_GET_SECCOMP, 0, 0).setup("ask")? {
        0 => Ok(String::new()),
        _ => Err(Errno(1).into()),
    }
}

/// Whether this is root, as this process sees it.
fn root_user(_: &[String]) -> Attempt {
    match call(number::GETEUID, [])? {
        0 => Ok(String::new()),
        _ => Err(Errno(1).into()),
    }
}

/// Whether any of the sets of capabilities holds one that can be used.
fn capabilities(_: &[String]) -> Attempt {
    const VERSION_3: u64 = 0x2008_0522;
    const PR_CAP_AMBIENT: i64 = 47;
    const AMBIENT_IS_SET: i64 = 1;
    let (mut header, mut sets) = ([VERSION_3], [0u64; 3]);
    call(number::CAPGET, [Arg::Out(&mut header), Arg::Out(&mut sets)]).setup("ask")?;
    let ambient =
        (0..64).filter(|capability| control(PR_CAP_AMBIENT, AMBIENT_IS_SET, *capability) == Ok(1)).count();
    if sets == [0; 3] && ambient == 0 {
        return Err(Errno(1).into());
    }
    Ok(format!("sets {sets:x?}, {ambient} ambient"))
}

/// Whether the set that bounds all others holds a capability.
fn bounding_set(_: &[String]) -> Attempt {
    const PR_CAPBSET_READ: i64 = 23;
    match (0..64).filter(|capability| control(PR_CAPBSET_READ, *capability, 0) == Ok(1)).count() {
        0 => Err(Errno(1).into()),
        bound => Ok(format!("{bound} capabilities")),
    }
}

/// Leaves namespaces for new ones: the flags, in hexadecimal.
fn unshare(arguments: &[String]) -> Attempt {
    call(number::UNSHARE, [n(flags(arguments)?)])?;
    Ok(String::new())
}

fn flags(arguments: &[String]) -> Result<i64, Failure> {
    i64::from_str_radix(argument(arguments, 0)?, 16).map_err(|_| Failure::broken("the flags are no number"))
}

/// Makes a child in new namespaces.
fn clone(arguments: &[String]) -> Attempt {
    match sys::fork(flags(arguments)?)? {
        0 => sys::exit(0),
        child => sys::wait(child).setup("wait for the child")?,
    };
    Ok(String::new())
}

/// Makes a child with the call whose arguments no filter can read.
fn clone3(arguments: &[String]) -> Attempt {
    const SIGCHLD: u64 = 17;
    const SIZE: i64 = 64;
    let flags = flags(arguments)?.cast_unsigned();
    match call(anywhere::CLONE3, [Arg::In(&[flags, 0, 0, 0, SIGCHLD, 0, 0, 0]), n(SIZE)])? {
        0 => sys::exit(0),
        child => sys::wait(child).setup("wait for the child")?,
    };
    Ok(String::new())
}

/// Enters a namespace: its own, which needs the same rights as any other.
fn setns(_: &[String]) -> Attempt {
    const CLONE_NEWUTS: i64 = 0x0400_0000;
    let namespace = call(anywhere::PIDFD_OPEN, [n(sys::own_pid()), n(0)])
        .or_else(|_| sys::open("/proc/self/ns/uts", 0, 0))
        .unwrap_or(-1);
    call(number::SETNS, [n(namespace), n(CLONE_NEWUTS)])?;
    Ok(String::new())
}

/// Raises a hard limit: the resource by number.
fn raise_limit(arguments: &[String]) -> Attempt {
    let resource: i64 = parse(arguments, 0)?;
    let mut bounds = [0u64; 2];
    call(number::PRLIMIT64, [n(0), n(resource), n(0), Arg::Out(&mut bounds)]).setup("ask for the limit")?;
    if bounds[1] == u64::MAX {
        return Ok("there is no limit".to_owned());
    }
    call(number::PRLIMIT64, [n(0), n(resource), Arg::In(&[bounds[0], bounds[1] + 1]), n(0)])?;
    Ok(String::new())
}

/// Goes on with a low hard limit on a resource, so that there is something to raise.
fn lowered(arguments: &[String]) -> Attempt {
    const LOW: u64 = 256;
    let resource: i64 = parse(arguments, 0)?;
    let mut bounds = [0u64; 2];
    call(number::PRLIMIT64, [n(0), n(resource), n(0), Arg::Out(&mut bounds)]).setup("ask for the limit")?;
    let low = LOW.min(bounds[1]);
    call(number::PRLIMIT64, [n(0), n(resource), Arg::In(&[low, low]), n(0)]).setup("lower the limit")?;
    crate::run(arguments.get(1..).unwrap_or_default())
}

/// Runs before everything else on the machine: in real time, else, where that is given out otherwise, as the nicest to
/// itself.
fn realtime(_: &[String]) -> Attempt {
    const SCHED_FIFO: i64 = 1;
    const PRIO_PROCESS: i64 = 0;
    if call(number::SCHED_SETSCHEDULER, [n(0), n(SCHED_FIFO), Arg::In(&[1])]).is_ok() {
        return Ok("in real time".to_owned());
    }
    call(number::SETPRIORITY, [n(PRIO_PROCESS), n(0), n(-20)])?;
    Ok("before all others".to_owned())
}

/// Whether a crash here reaches the host: writes a core file, or starts the host's program for crashes. `pipe` says that
/// the host has such a program; the kernel starts it whatever the limit is, unless that is 1.
fn core(arguments: &[String]) -> Attempt {
    const RLIMIT_CORE: i64 = 4;
    let mut bounds = [0u64; 2];
    call(number::PRLIMIT64, [n(0), n(RLIMIT_CORE), n(0), Arg::Out(&mut bounds)])
        .setup("ask for the limit")?;
    match (bounds[1], argument(arguments, 0)?) {
        (1, _) | (0, "file") => Err(Errno(1).into()),
        (limit, _) => Ok(format!("core dumps of up to {limit} bytes")),
    }
}
