//! The third life: process 1 of one command.
//!
//! Every command runs in a process namespace of its own. When its process 1 ends, the kernel kills everything that is
//! left in the namespace, daemons and fork bombs included, and the helper learns of the end only when all of it is
//! gone. No list of processes has to be kept, and nothing can hide from one.

use std::ffi::{CString, c_char};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use crate::launch::{Failure, Step as _};
use crate::root::{PROC, PROC_OPTIONS, WORKSPACE};
use crate::sys::{self, Errno};
use crate::wire::{Command, Limits};

/// What a command's process 1 tells the helper.
pub(crate) mod note {
    /// The program runs.
    pub(crate) const STARTED: u32 = 0;
    /// The program could not be started; with the error number.
    pub(crate) const NO_PROGRAM: u32 = 1;
    /// The program ended; with its status.
    pub(crate) const ENDED: u32 = 2;
    /// The namespace could not be set up; with the error number.
    pub(crate) const NO_NAMESPACE: u32 = 3;
}

/// How long background processes may go on after the program ended, to finish what they print.
const GRACE: Duration = Duration::from_millis(50);
const GRACE_STEP: Duration = Duration::from_millis(1);
/// The descriptor of the notes in process 1 of a command.
const NOTES: i32 = 3;

/// A command that was started.
#[derive(Debug)]
pub(crate) struct Started {
    /// Process 1 of the command.
    pub(crate) init: i32,
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
            sys::set_limit(resource, value)?;
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

/// Starts a command.
pub(crate) fn start(command: &Command, limits: &Limits, filter: &[u64]) -> Result<Started, Failure> {
    const STEP: &str = "start the command";
    let program = Program::new(command, filter).step(STEP)?;
    let (stdin, stdin_writer) = if command.stdin.is_empty() {
        (std::fs::File::open("/dev/null").step(STEP)?.into(), None)
    } else {
        let (reader, writer) = sys::pipe().step(STEP)?;
        (reader, Some(writer))
    };
    let (stdout, stdout_writer) = sys::pipe().step(STEP)?;
    let (stderr, stderr_writer) = sys::pipe().step(STEP)?;
    let (notes, notes_writer) = sys::pipe().step(STEP)?;
    let init = sys::clone(sys::CLONE_NEWPID | sys::CLONE_NEWNS).step(STEP)?;
    if init == 0 {
        let fds = [
            stdin.as_raw_fd(),
            stdout_writer.as_raw_fd(),
            stderr_writer.as_raw_fd(),
            notes_writer.as_raw_fd(),
        ];
        let placed = sys::place_fds(&fds);
        // `place_fds` closed all descriptors by number, so nothing may close them again.
        std::mem::forget((stdin, stdout_writer, stderr_writer, notes_writer));
        std::mem::forget((stdin_writer, stdout, stderr, notes));
        let result = placed.and_then(|()| oversee(&program, limits));
        if let Err(error) = result {
            tell(note::NO_NAMESPACE, error.0);
        }
        sys::exit(0);
    }
    for fd in [Some(&stdout), Some(&stderr), Some(&notes), stdin_writer.as_ref()].into_iter().flatten() {
        sys::set_nonblocking(fd.as_raw_fd()).step(STEP)?;
    }
    Ok(Started { init, stdin: stdin_writer, stdout, stderr, notes })
}

fn tell(kind: u32, value: i32) {
    let mut bytes = [0u8; 8];
    bytes[..4].copy_from_slice(&kind.to_le_bytes());
    bytes[4..].copy_from_slice(&value.to_le_bytes());
    let _ = sys::write_fd(NOTES, &bytes);
}

/// Runs the program as a child, takes in orphans, and reports how the program ended.
fn oversee(program: &Program, limits: &Limits) -> Result<(), Errno> {
    sys::set_close_on_exec(NOTES);
    sys::mount_fs(c"proc", PROC, sys::MS_NOSUID | sys::MS_NODEV | sys::MS_NOEXEC, PROC_OPTIONS)?;
    let (failure, failure_writer) = sys::pipe()?;
    let child = sys::clone(0)?;
    if child == 0 {
        let error = program.run(limits);
        let _ = sys::write_fd(failure_writer.as_raw_fd(), &error.0.to_le_bytes());
        sys::exit(127);
    }
    drop(failure_writer);
    sys::close_raw(0);
    sys::close_raw(1);
    sys::close_raw(2);
    sys::drop_capabilities()?;
    let mut error = [0u8; 4];
    if sys::read_fd(failure.as_raw_fd(), &mut error) == Ok(error.len()) {
        tell(note::NO_PROGRAM, i32::from_le_bytes(error));
        return Ok(());
    }
    drop(failure);
    tell(note::STARTED, 0);
    let status = wait_for(child)?;
    wait_for_others();
    tell(note::ENDED, status);
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

fn wait_for_others() {
    let deadline = Instant::now() + GRACE;
    loop {
        match sys::reap(-1, false) {
            Ok(Some(_)) => {}
            Ok(None) if Instant::now() < deadline => std::thread::sleep(GRACE_STEP),
            _ => return,
        }
    }
}
