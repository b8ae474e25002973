//! The third life: process 1 of a command.
//!
//! Every command that runs has a process namespace of its own, and process 1 of it is a *keeper*: it starts the program,
//! takes in orphans, and when the program has ended kills whatever is left in the namespace, daemons included. It
//! reports the end only when nothing is left. No list of processes has to be kept and nothing can hide from one. When
//! the helper kills the keeper, because time is over or nobody waits any more, the kernel kills the namespace.
//!
//! A namespace whose command has ended is empty again, so its keeper takes the next command: making and taking down
//! namespaces would cost more than a short command itself.

use std::ffi::{CString, c_char};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use crate::launch::{Failure, Step as _};
use crate::root::{PROC, PROC_OPTIONS, WORKSPACE};
use crate::sys::{self, Errno};
use crate::wire::{self, Command, Limits};

/// What a keeper tells the helper.
pub(crate) mod note {
    /// The program runs.
    pub(crate) const STARTED: u32 = 0;
    /// The program could not be started; with the error number.
    pub(crate) const NO_PROGRAM: u32 = 1;
    /// The program ended; with its status.
    pub(crate) const ENDED: u32 = 2;
}

/// How long background processes may go on after the program ended, to finish what they print.
const GRACE: Duration = Duration::from_millis(50);
const GRACE_STEP: Duration = Duration::from_millis(1);
/// The descriptor of the socket to the helper in a keeper.
const CONTROL: i32 = 0;
/// The descriptor through which a program that cannot be started is reported.
const FAILURE: i32 = 3;
const READ_BYTES: usize = 64 << 10;

/// How far killing a keeper goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Everything of the command: the kernel kills the keeper's process namespace.
    Namespace,
    /// The keeper alone: what descends from it comes to process 1, which ends it. Such a keeper takes one command.
    Descendants,
}

/// A process namespace with nothing in it but its keeper.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// The keeper as the helper sees it.
    pub(crate) pid: i32,
    control: OwnedFd,
}

/// The helper's ends of a command that was started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    /// Where the notes arrive: pairs of four-byte integers.
    pub(crate) notes: OwnedFd,
}

/// Everything that the program needs, in the form that the kernel takes.
struct Program {
    candidates: Vec<CString>,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
    filter: Vec<u64>,
}

impl Program {
    fn new(command: &Command, filter: &[u64]) -> Result<Self, Errno> {
        let text = |bytes: &Vec<u8>| CString::new(bytes.as_slice()).map_err(|_| Errno::INVAL);
        let all = |list: &[Vec<u8>]| list.iter().map(text).collect::<Result<Vec<_>, _>>();
        let name = command.argv.first().filter(|name| !name.is_empty()).ok_or(Errno::INVAL)?;
        let search = command.env.iter().find_map(|entry| entry.strip_prefix(b"PATH=")).unwrap_or(b"/usr/bin");
        let candidates = if name.contains(&b'/') {
            vec![name.clone()]
        } else {
            search.split(|byte| *byte == b':').map(|dir| [dir, b"/", name].concat()).collect()
        };
        let mut cwd = WORKSPACE.to_bytes().to_vec();
        cwd.push(b'/');
        cwd.extend_from_slice(&command.cwd);
        Ok(Self {
            candidates: all(&candidates)?,
            argv: all(&command.argv)?,
            env: all(&command.env)?,
            cwd: text(&cwd)?,
            filter: filter.to_vec(),
        })
    }

    /// Becomes the program, or says why not.
    fn run(&self, limits: &Limits) -> Errno {
        match self.confine(limits) {
            Ok(()) => self.exec(),
            Err(error) => error,
        }
    }

    fn confine(&self, limits: &Limits) -> Result<(), Errno> {
        sys::set_close_on_exec(FAILURE);
        sys::new_session();
        sys::block_child_signal(false);
        sys::ignore_broken_pipes(false);
        // The files of a process that is closed to others belong to the host's root; and should the kernel run out of
        // memory, the helper is to survive the command.
        sys::set_dumpable(true)?;
        std::fs::write("/proc/self/oom_score_adj", "1000")?;
        for (resource, value) in [
            (RLIMIT_CPU, limits.cpu_seconds),
            (RLIMIT_FSIZE, limits.disk_bytes),
            (RLIMIT_DATA, limits.data_bytes),
            (RLIMIT_CORE, 0),
            (RLIMIT_NPROC, limits.pids),
            (RLIMIT_NOFILE, limits.open_files),
        ] {
            if value != u64::MAX {
                sys::set_limit(resource, value)?;
            }
        }
        sys::drop_capabilities()?;
        crate::filter::install(&self.filter)?;
        use std::os::unix::ffi::OsStrExt as _;
        std::env::set_current_dir(std::ffi::OsStr::from_bytes(self.cwd.to_bytes()))?;
        Ok(())
    }

    fn exec(&self) -> Errno {
        let list = |strings: &[CString]| -> Vec<*const c_char> {
            strings.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (argv, env) = (list(&self.argv), list(&self.env));
        let mut error = Errno::NOENT;
        for candidate in &self.candidates {
            match sys::exec(candidate, &argv, &env) {
                Errno::NOENT | Errno::NOTDIR => {}
                other => error = other,
            }
        }
        error
    }
}

const RLIMIT_CPU: i32 = 0;
const RLIMIT_FSIZE: i32 = 1;
const RLIMIT_DATA: i32 = 2;
const RLIMIT_CORE: i32 = 4;
const RLIMIT_NPROC: i32 = 6;
const RLIMIT_NOFILE: i32 = 7;

impl Keeper {
    /// Makes a process namespace, or where there can be none a process that takes in orphans.
    pub(crate) fn new(reach: Reach, limits: &Limits, filter: &[u64]) -> Result<Self, Failure> {
        const STEP: &str = "isolate the command";
        let (control, inside) = sys::socket_pair().step(STEP)?;
        let namespaces = match reach {
            Reach::Namespace => sys::CLONE_NEWPID | sys::CLONE_NEWNS,
            Reach::Descendants => 0,
        };
        let pid = sys::clone(namespaces).step(STEP)?;
        if pid == 0 {
            sys::exit(i32::from(keep(&inside, reach, limits, filter).is_err()));
        }
        drop(inside);
        let keeper = Self { pid, control };
        match sys::read_fd(keeper.control.as_raw_fd(), &mut [0]) {
            Ok(1) => Ok(keeper),
            _ => Err(Failure { step: STEP, errno: Errno::CHILD }),
        }
    }

    /// Starts a command in the namespace.
    pub(crate) fn start(&self, id: u32, command: &Command) -> Result<Started, Failure> {
        const STEP: &str = "start the command";
        let (stdin, stdin_writer) = if command.stdin.is_empty() {
            (std::fs::File::open("/dev/null").step(STEP)?.into(), None)
        } else {
            let (reader, writer) = sys::pipe().step(STEP)?;
            (reader, Some(writer))
        };
        let (stdout, stdout_writer) = sys::pipe().step(STEP)?;
        let (stderr, stderr_writer) = sys::pipe().step(STEP)?;
        let (notes, notes_writer) = sys::pipe().step(STEP)?;
        for fd in [Some(&stdout), Some(&stderr), Some(&notes), stdin_writer.as_ref()].into_iter().flatten() {
            sys::set_nonblocking(fd.as_raw_fd()).step(STEP)?;
        }
        let fds = [&stdin, &stdout_writer, &stderr_writer, &notes_writer].map(|fd| fd.as_raw_fd());
        // The input goes through the pipe.
        let frame = Command { stdin: Vec::new(), ..command.clone() }.encode(id);
        let mut sent = sys::send_with_fds(self.control.as_raw_fd(), &frame, fds).step(STEP)?;
        while let Some(rest) = frame.get(sent..).filter(|rest| !rest.is_empty()) {
            sent += sys::write_fd(self.control.as_raw_fd(), rest).step(STEP)?;
        }
        Ok(Started { stdin: stdin_writer, stdout, stderr, notes })
    }
}

/// The life of a keeper, until the helper closes the socket.
fn keep(control: &OwnedFd, reach: Reach, limits: &Limits, filter: &[u64]) -> Result<(), Errno> {
    sys::place_fds(&[control.as_raw_fd()])?;
    sys::set_close_on_exec(CONTROL);
    match reach {
        Reach::Namespace => {
            sys::mount_fs(c"proc", PROC, sys::MS_NOSUID | sys::MS_NODEV | sys::MS_NOEXEC, PROC_OPTIONS)?;
        }
        Reach::Descendants => sys::adopt_orphans()?,
    }
    sys::drop_capabilities()?;
    sys::write_fd(CONTROL, &[1])?;
    while let Some((command, fds)) = receive()? {
        oversee(&command, fds, reach, limits, filter)?;
        if reach == Reach::Descendants {
            break;
        }
    }
    Ok(())
}

/// The next command with its standard streams and the pipe for notes.
fn receive() -> Result<Option<(Command, [OwnedFd; sys::FDS_PER_MESSAGE])>, Errno> {
    let mut buffer = Vec::new();
    let mut fds = None;
    let mut chunk = [0u8; READ_BYTES];
    loop {
        let frame = wire::split_frame(&buffer).map_err(|_| Errno::INVAL)?;
        if let Some(frame) = frame {
            let command = Command::decode(frame.body).ok_or(Errno::INVAL)?;
            return fds.map(|fds| Some((command, fds))).ok_or(Errno::INVAL);
        }
        let (count, more) = sys::receive_with_fds(CONTROL, &mut chunk)?;
        if count == 0 {
            return Ok(None);
        }
        buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        fds = more.or(fds);
    }
}

fn tell(notes: &OwnedFd, kind: u32, value: i32) {
    let mut bytes = [0u8; 8];
    bytes[..4].copy_from_slice(&kind.to_le_bytes());
    bytes[4..].copy_from_slice(&value.to_le_bytes());
    let _ = sys::write_fd(notes.as_raw_fd(), &bytes);
}

/// Runs one program and leaves the namespace empty.
fn oversee(
    command: &Command,
    fds: [OwnedFd; sys::FDS_PER_MESSAGE],
    reach: Reach,
    limits: &Limits,
    filter: &[u64],
) -> Result<(), Errno> {
    let [stdin, stdout, stderr, notes] = fds;
    let program = match Program::new(command, filter) {
        Ok(program) => program,
        Err(error) => {
            tell(&notes, note::NO_PROGRAM, error.0);
            return Ok(());
        }
    };
    let (failure, failure_writer) = sys::pipe()?;
    let child = sys::clone(0)?;
    if child == 0 {
        let fds = [&stdin, &stdout, &stderr, &failure_writer].map(|fd| fd.as_raw_fd());
        let error = match sys::place_fds(&fds) {
            Ok(()) => program.run(limits),
            Err(error) => error,
        };
        let _ = sys::write_fd(FAILURE, &error.0.to_le_bytes());
        sys::exit(127);
    }
    drop((stdin, stdout, stderr, failure_writer));
    let mut error = [0u8; 4];
    let failed = sys::read_fd(failure.as_raw_fd(), &mut error) == Ok(error.len());
    if !failed {
        tell(&notes, note::STARTED, 0);
    }
    let status = wait_for(child)?;
    end_others(reach);
    match failed {
        true => tell(&notes, note::NO_PROGRAM, i32::from_le_bytes(error)),
        false => tell(&notes, note::ENDED, status),
    }
    Ok(())
}

fn wait_for(child: i32) -> Result<i32, Errno> {
    loop {
        if let Some((ended, status)) = sys::reap(-1, true)?
            && ended == child
        {
            return Ok(status);
        }
    }
}

/// Lets background processes finish for a moment, then kills them. All processes of the namespace descend from the
/// keeper, so when it has no child left there is no other process. Without a namespace process 1 does the killing.
fn end_others(reach: Reach) {
    let deadline = Instant::now() + GRACE;
    loop {
        match sys::reap(-1, false) {
            Ok(Some(_)) => {}
            Ok(None) if Instant::now() < deadline => std::thread::sleep(GRACE_STEP),
            Ok(None) => break,
            Err(_) => return,
        }
    }
    if reach == Reach::Namespace {
        sys::kill_all_others();
        while let Ok(Some(_)) = sys::reap(-1, true) {}
    }
}
