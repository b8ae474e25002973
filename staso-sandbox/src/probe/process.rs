//! Other processes: seeing them, looking into them, outliving one's own.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::Duration;

use crate::Verb;
use crate::kernel::{make_segment, remove_segment};
use crate::sys::{self, Arg, Errno, anywhere, call, n, number};
use crate::verdict::{Attempt, Failure, Setup as _, argument, number as parse};

pub(crate) const VERBS: &[(&str, Verb)] = &[
    ("wait-here", wait_here),
    ("stubborn", stubborn),
    ("daemons", daemons),
    ("daemons-and-wait", daemons_and_wait),
    ("find-process", find_process),
    ("find-secret", find_secret),
    ("environ", environ),
    ("environment", environment),
    ("kill", kill),
    ("kill-first", kill_first),
    ("ptrace", ptrace),
    ("vm-read", vm_read),
    ("take-descriptor", take_descriptor),
    ("kcmp", kcmp),
];

const FOR_EVER: Duration = Duration::from_secs(3600);
const LONG_SECONDS: u64 = 900;

/// Waits to be found, until its standard input ends: the victim of the controls. Prints its number and an address with
/// something to read. With a second argument it has shared memory of that key meanwhile.
fn wait_here(arguments: &[String]) -> Attempt {
    const PR_SET_PTRACER: i64 = 0x5961_6d61;
    sys::end_after(LONG_SECONDS);
    let _ = call(number::PRCTL, [n(PR_SET_PTRACER), n(-1), n(0), n(0), n(0)]);
    let treasure = Box::new(0x5354_4153_4f5f_4f4bu64);
    let key = arguments.get(1..).unwrap_or_default();
    if !key.is_empty() {
        // Not every kernel has it; who looks for it finds out.
        let _ = make_segment(key);
    }
    ready(&format!("{} {}", sys::own_pid(), &raw const *treasure as usize))?;
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    let _ = remove_segment(key);
    Ok(format!("{:x}", *treasure))
}

fn ready(detail: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {detail}").and_then(|()| out.flush()).setup("say that it runs")
}

/// Holds back every signal that can be held back, and waits.
fn stubborn(_: &[String]) -> Attempt {
    block_signals();
    ready("")?;
    thread::sleep(FOR_EVER);
    Ok(String::new())
}

pub(crate) fn block_signals() {
    const SIG_BLOCK: i64 = 0;
    let _ = call(number::RT_SIGPROCMASK, [n(SIG_BLOCK), Arg::In(&[u64::MAX]), n(0), n(8)]);
}

/// Leaves two daemons behind once both are there, one that leads a session and one whose parents are gone. With `hold`
/// they keep the standard streams open.
fn daemons(arguments: &[String]) -> Attempt {
    let hold = arguments.get(1).is_some_and(|word| word == "hold");
    let (mut told, mut tell) = io::pipe().setup("make a pipe")?;
    if sys::fork(0)? == 0 {
        sys::new_session();
        let both = sys::fork(0).is_ok();
        sys::end_after(LONG_SECONDS);
        block_signals();
        if !hold {
            (0..3).for_each(sys::close);
        }
        if both {
            let _ = tell.write_all(b"x");
        }
        drop((told, tell));
        thread::sleep(FOR_EVER);
        sys::exit(0);
    }
    drop(tell);
    told.read_exact(&mut [0; 2]).setup("start both")?;
    Ok(String::new())
}

/// Leaves the same daemons behind, and stays.
fn daemons_and_wait(arguments: &[String]) -> Attempt {
    daemons(arguments)?;
    ready("")?;
    thread::sleep(FOR_EVER);
    Ok(String::new())
}

fn processes() -> impl Iterator<Item = String> {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Looks for a process with a text in its command line. The text comes in two parts, so that this process has it not.
fn find_process(arguments: &[String]) -> Attempt {
    search("cmdline", &format!("{}{}", argument(arguments, 0)?, argument(arguments, 1)?))
}

/// Looks for a text in the environments of all processes.
fn find_secret(arguments: &[String]) -> Attempt {
    search("environ", &format!("{}{}", argument(arguments, 0)?, argument(arguments, 1)?))
}

fn search(file: &str, wanted: &str) -> Attempt {
    let holds = |pid: &String| {
        fs::read(format!("/proc/{pid}/{file}"))
            .is_ok_and(|text| text.windows(wanted.len()).any(|part| part == wanted.as_bytes()))
    };
    Ok(processes().find(holds).ok_or(Errno(3))?)
}

/// The process that is meant. In a process namespace its number may be this one's own: then the other is not there.
fn target(arguments: &[String]) -> Result<i64, Failure> {
    match parse(arguments, 0)? {
        own if own == sys::own_pid() => Err(Errno(3).into()),
        other => Ok(other),
    }
}

/// Reads the environment of a process.
fn environ(arguments: &[String]) -> Attempt {
    let pid = target(arguments)?;
    Ok(format!("{} bytes", fs::read(format!("/proc/{pid}/environ"))?.len()))
}

/// Looks for variables other than those named.
fn environment(arguments: &[String]) -> Attempt {
    let mut names: Vec<String> =
        std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| !arguments.contains(name));
    match names.is_empty() {
        true => Err(Errno::NOENT.into()),
        false => Ok(names.join(" ")),
    }
}

/// Sends a signal: process, signal.
fn kill(arguments: &[String]) -> Attempt {
    sys::kill(target(arguments)?, parse(arguments, 1)?)?;
    Ok(String::new())
}

/// Kills process 1, unless it is that of the process namespace named, which is the host's.
fn kill_first(arguments: &[String]) -> Attempt {
    const SIGKILL: i64 = 9;
    const SIGSTOP: i64 = 19;
    let own = fs::read_link("/proc/self/ns/pid").setup("read the own process namespace")?;
    if own.to_string_lossy() == argument(arguments, 0)? {
        return Ok("shares the host's processes; process 1 was spared".to_owned());
    }
    for signal in [SIGSTOP, SIGKILL] {
        let _ = sys::kill(1, signal);
    }
    Err(Errno(1).into())
}

/// Takes control of a process.
fn ptrace(arguments: &[String]) -> Attempt {
    const PTRACE_SEIZE: i64 = 0x4206;
    call(number::PTRACE, [n(PTRACE_SEIZE), n(target(arguments)?), n(0), n(0)])?;
    Ok(String::new())
}

/// Reads the memory of a process: process, address.
fn vm_read(arguments: &[String]) -> Attempt {
    let (pid, address): (i64, u64) = (target(arguments)?, parse(arguments, 1)?);
    let mut bytes = Box::new([0u64; 1]);
    let local = [&raw mut *bytes as u64, 8];
    let remote = [address, 8];
    match call(number::PROCESS_VM_READV, [n(pid), Arg::In(&local), n(1), Arg::In(&remote), n(1), n(0)]) {
        // An address that means nothing there: the kernel looked.
        Err(Errno(14)) => Ok("the address is wrong, the process open".to_owned()),
        other => Ok(other.map(|_| format!("{bytes:x?}"))?),
    }
}

/// Takes the standard input of a process.
fn take_descriptor(arguments: &[String]) -> Attempt {
    let process = call(anywhere::PIDFD_OPEN, [n(target(arguments)?), n(0)])?;
    call(anywhere::PIDFD_GETFD, [n(process), n(0), n(0)])?;
    Ok(String::new())
}

/// Compares the files of this process with those of another.
fn kcmp(arguments: &[String]) -> Attempt {
    const KCMP_FILES: i64 = 2;
    call(number::KCMP, [n(sys::own_pid()), n(target(arguments)?), n(KCMP_FILES), n(0), n(0)])?;
    Ok(String::new())
}
