//! The life in a container: process 1 of what an engine confined already.
//!
//! There is nothing to build here and no capability to build it with. The agent makes sure that it is confined as the
//! host asked the engine for, takes the checkout from the host, and serves. Requests arrive on descriptor 0, replies
//! leave on descriptor 1.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use crate::jail::Jail;
use crate::launch::{self, Failure, Step as _, report_on};
use crate::received::{Copying, Received};
use crate::serve::{self, Files, Service};
use crate::sys::{self, Errno, POLLIN, PollFd};
use crate::wire::{self, Configuration, Decoder, Encoder, Frame, reply, request, tier};
use crate::{root, rules};

const REQUESTS: i32 = 0;
const REPLIES: i32 = 1;
const HOME: &str = "/tmp/home";
const READ_BYTES: usize = 256 << 10;
/// How long the host may be silent before the session runs; from then on it is as the host said.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// Where a container may have mounts that can be written: its own memory, and what the kernel makes up. Anything else would
/// be a directory of the host.
const WRITABLE: [&str; 5] = ["/workspace", "/tmp", "/proc", "/dev", "/sys"];
const IN_MEMORY: [&str; 8] = ["tmpfs", "proc", "sysfs", "devpts", "devtmpfs", "mqueue", "cgroup", "cgroup2"];

/// Serves from inside of a container. `program` is the file that this process was started from.
pub(crate) fn run(program: Option<&std::ffi::CStr>) -> i32 {
    if let Some(program) = program {
        // Commands have no use for it; it is on a file system of the session and takes room there.
        let _ = fs::remove_file(program.to_string_lossy().as_ref());
    }
    match prepare() {
        Ok((copy, jail, missing)) => serve::serve(Service {
            files: Files::Received(&copy),
            jail: &jail,
            replies: REPLIES,
            host: None,
            missing: &missing,
            gate: None,
        }),
        Err(failure) => {
            report_on(REPLIES, &failure);
            1
        }
    }
}

fn prepare() -> Result<(Received, Jail, Vec<Vec<u8>>), Failure> {
    launch::clean()?;
    let mut missing = Vec::new();
    confined(&mut missing)?;
    sys::set_dumpable(false).step("close process 1 to others")?;
    sys::no_new_privileges().step("forbid new privileges")?;
    fs::create_dir(HOME).step("make the home directory")?;
    write_all(&Encoder::new(reply::HELLO, 0).finish())?;
    let mut incoming = Incoming::default();
    let mut configuration = None;
    let mut copying = Copying::into(open_dir().step("open the directory for the checkout")?);
    loop {
        let started = incoming.next(|frame| match frame.kind {
            request::CONFIGURE => {
                configuration = Configuration::decode(frame.body);
                Ok(false)
            }
            request::PUT => put(&mut copying, frame.body).map(|()| false),
            request::START => Ok(true),
            _ => Err(Errno::INVAL).step("understand the host"),
        })?;
        if started {
            break;
        }
    }
    let configuration: Configuration = configuration.ok_or(Errno::INVAL).step("understand the host")?;
    if configuration.tier != tier::CONTAINER {
        return Err(Errno::INVAL).step("understand the host");
    }
    let rules = rules::behind_mounts(configuration.landlock_most, &mut missing);
    let jail = Jail::new(&configuration, root::WORKSPACE.to_owned(), rules)?;
    Ok((copying.finish(), jail, missing))
}

fn put(copying: &mut Copying, body: &[u8]) -> Result<(), Failure> {
    let mut body = Decoder::new(body);
    let (Some(path), Some(kind), Some(content)) = (body.bytes(), body.u8(), body.bytes()) else {
        return Err(Errno::INVAL).step("understand the host");
    };
    copying.put(kind, path, content).step("copy the checkout into the container")
}

/// Frames of the host, read with waiting.
#[derive(Default)]
struct Incoming {
    buffer: Vec<u8>,
    done: usize,
}

impl Incoming {
    fn next<T>(&mut self, take: impl FnOnce(Frame<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        const STEP: &str = "hear from the host";
        let mut chunk = vec![0u8; READ_BYTES];
        loop {
            let frame = wire::split_frame(self.buffer.get(self.done..).unwrap_or_default());
            if let Some(frame) = frame.map_err(|_| Errno::INVAL).step(STEP)? {
                self.done += frame.length;
                return take(frame);
            }
            self.buffer.drain(..self.done);
            self.done = 0;
            let mut fds = [PollFd { fd: REQUESTS, events: POLLIN, revents: 0 }];
            sys::wait_fds(&mut fds, i32::try_from(SILENCE_LIMIT.as_millis()).unwrap_or(i32::MAX));
            if fds.iter().all(|entry| entry.revents == 0) {
                return Err(Errno::AGAIN).step(STEP);
            }
            match sys::read_fd(REQUESTS, &mut chunk) {
                Ok(0) => return Err(Errno::NOENT).step(STEP),
                Ok(count) => self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error).step(STEP),
            }
        }
    }
}

fn write_all(frame: &[u8]) -> Result<(), Failure> {
    let mut sent = 0;
    while let Some(rest) = frame.get(sent..).filter(|rest| !rest.is_empty()) {
        sent += sys::write_fd(REPLIES, rest).step("answer the host")?;
    }
    Ok(())
}

/// Makes sure that the engine did what it was asked for. What it left out and is no reason to stop goes to `missing`.
fn confined(missing: &mut Vec<Vec<u8>>) -> Result<(), Failure> {
    let refused = |step| Err(Failure { step, errno: Errno(0) });
    if std::process::id() != 1 {
        return refused("the agent is not process 1 of its container");
    }
    let status = fs::read_to_string("/proc/self/status").step("look at its own privileges")?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    for name in ["Uid", "Gid"] {
        if field(name).is_none_or(|ids| ids.split_whitespace().any(|id| id == "0")) {
            return refused("the container's user or group is root");
        }
    }
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        if field(name).is_some_and(|set| set.trim().bytes().any(|digit| digit != b'0')) {
            return refused("the container has capabilities");
        }
    }
    if field("CapEff").is_none() {
        return refused("the container does not show its capabilities");
    }
    if field("Seccomp").is_none_or(|mode| mode.trim() != "2") {
        let sentence = "the engine puts no system-call filter of its own on the container";
        missing.push(sentence.as_bytes().to_vec());
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").step("look at its mounts")?;
    if mounts.lines().any(is_writable_by_mistake) {
        return refused(
            "the container can write outside of its own memory (a volume of the image, or a writable root)",
        );
    }
    if has_route(missing) {
        return refused("the container has a network");
    }
    bounded(missing)
}

/// Whether a line of `mountinfo` is a mount that may be written but should not be there.
fn is_writable_by_mistake(line: &str) -> bool {
    let Some((mount, system)) = line.split_once(" - ") else { return true };
    let mut fields = mount.split(' ').skip(4);
    let (Some(place), Some(options)) = (fields.next(), fields.next()) else { return true };
    let own = WRITABLE
        .iter()
        .any(|own| place.strip_prefix(own).is_some_and(|below| below.is_empty() || below.starts_with('/')));
    let in_memory = system.split(' ').next().is_some_and(|kind| IN_MEMORY.contains(&kind));
    let read_only = options.split(',').any(|option| option == "ro");
    !read_only && (!own || !in_memory)
}

/// Whether packets could go anywhere but to the container itself, as far as it can be seen.
fn has_route(missing: &mut Vec<Vec<u8>>) -> bool {
    let four = fs::read_to_string("/proc/self/net/route").unwrap_or_else(|_| {
        missing.push(b"whether the container has a network cannot be seen inside".to_vec());
        String::new()
    });
    let four = four.lines().skip(1).any(|line| !line.trim().is_empty());
    // A kernel without this version has no such file.
    let six = fs::read_to_string("/proc/self/net/ipv6_route").unwrap_or_default();
    four || six.lines().any(|line| line.split_whitespace().last().is_some_and(|device| device != "lo"))
}

/// Looks at the control groups. Where the container cannot see its own, resource limits are all that is known.
fn bounded(missing: &mut Vec<Vec<u8>>) -> Result<(), Failure> {
    let bound = |files: [&str; 2]| {
        let found = files.iter().find_map(|file| fs::read_to_string(file).ok());
        found.map(|text| text.trim().parse::<u64>().is_ok_and(|bound| bound < u64::MAX / 4))
    };
    // A group without the file is the one that holds all of the machine, and nothing bounds that.
    let groups = ["/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/pids/cgroup.procs"];
    let shown = groups.iter().any(|file| Path::new(file).exists());
    match bound(["/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"]) {
        Some(true) => {}
        None if !shown => {
            missing.push(b"whether the engine bounds the number of processes cannot be seen".to_vec());
        }
        _ => {
            return Err(Failure {
                step: "the engine does not bound the number of processes",
                errno: Errno(0),
            });
        }
    }
    let memory = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    if bound(memory) != Some(true) {
        let sentence = "memory is bounded for each process, not for all together: the engine sets no limit";
        missing.push(sentence.as_bytes().to_vec());
    }
    Ok(())
}

fn open_dir() -> Result<OwnedFd, Errno> {
    root::open_dir(Path::new(OsStr::from_bytes(root::WORKSPACE.to_bytes())))
}

/// Processes of this container that were killed for want of memory so far.
pub(crate) fn oom_kills() -> u64 {
    let files = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];
    let text = files.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
    count.unwrap_or(0)
}
