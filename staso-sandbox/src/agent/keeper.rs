//! The third life: what keeps a command.
//!
//! Every command that runs has a *keeper*: it starts the program, takes in orphans, and when the program has ended kills
//! whatever is left of it, daemons included. It reports the end only when nothing is left. No list of processes has to be
//! kept and nothing can hide from one.
//!
//! Where there are namespaces a keeper is process 1 of one, and when the helper kills the keeper, because time is over or
//! nobody waits any more, the kernel kills the namespace. Elsewhere Landlock keeps the signals of a keeper and all that
//! descends from it to themselves, so that a signal to everyone is one to just these. Kernels before 6.12 cannot do
//! that; there, children are killed as they are found.
//!
//! A keeper whose command has ended has nothing left to keep, so it takes the next command: making and taking down
//! namespaces would cost more than a short command itself.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use crate::attributes;
use crate::command::{FAILURE, Program};
use crate::filter;
use crate::jail::Jail;
use crate::launch::{Failure, Step as _};
use crate::root::{PROC, PROC_OPTIONS};
use crate::sys::{self, Errno, POLLIN, PollFd};
use crate::wire::{self, Command};

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
/// How long a keeper without the means to kill all at once goes after processes that make new ones.
const CHASE: Duration = Duration::from_secs(1);
/// How long the helper waits for a keeper to be there, and at a time for it to take more of a command: some that run as the
/// same user can stop it.
const READY_LIMIT: Duration = Duration::from_secs(5);
const TAKE_LIMIT: Duration = Duration::from_secs(1);
/// The descriptor of the socket to the helper in a keeper.
const CONTROL: i32 = 0;
const READ_BYTES: usize = 64 << 10;
/// Input, output, errors, notes.
const STREAMS: usize = 4;

/// A process that waits for a command, or keeps one.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// The keeper as the helper sees it.
    pub(crate) pid: i32,
    namespaces: bool,
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

impl Keeper {
    /// Starts a keeper and waits until it is ready.
    pub(crate) fn new(jail: &Jail) -> Result<Self, Failure> {
        const STEP: &str = "isolate the command";
        let (control, inside) = sys::socket_pair().step(STEP)?;
        sys::limit_waiting(control.as_raw_fd(), READY_LIMIT, TAKE_LIMIT).step(STEP)?;
        let flags = if jail.namespaces { sys::CLONE_NEWPID | sys::CLONE_NEWNS } else { 0 };
        let pid = sys::clone(flags).step(STEP)?;
        if pid == 0 {
            sys::exit(i32::from(keep(&inside, jail).is_err()));
        }
        drop(inside);
        let keeper = Self { pid, namespaces: jail.namespaces, control };
        match sys::read_fd(keeper.control.as_raw_fd(), &mut [0]) {
            Ok(1) => Ok(keeper),
            _ => {
                keeper.give_up();
                Err(Failure { step: STEP, errno: Errno::CHILD })
            }
        }
    }

    /// Kills a keeper that keeps nothing.
    fn give_up(self) {
        sys::kill_now(self.pid);
    }

    /// Kills the command, and the keeper with it.
    pub(crate) fn kill(&self) {
        if self.namespaces {
            sys::kill_now(self.pid);
        } else {
            // While it keeps a command, anything that arrives tells it to end.
            let _ = sys::write_fd(self.control.as_raw_fd(), &[0]);
        }
    }

    /// Starts a command; its input goes through a pipe, if there is some.
    pub(crate) fn start(self, id: u32, command: &Command, input: bool) -> Result<(Self, Started), Failure> {
        match self.hand_over(id, command, input) {
            Ok(started) => Ok((self, started)),
            Err(failure) => {
                self.give_up();
                Err(failure)
            }
        }
    }

    fn hand_over(&self, id: u32, command: &Command, input: bool) -> Result<Started, Failure> {
        const STEP: &str = "start the command";
        let (stdin, stdin_writer) = if input {
            let (reader, writer) = sys::pipe().step(STEP)?;
            (reader, Some(writer))
        } else {
            (std::fs::File::open("/dev/null").step(STEP)?.into(), None)
        };
        let (stdout, stdout_writer) = sys::pipe().step(STEP)?;
        let (stderr, stderr_writer) = sys::pipe().step(STEP)?;
        let (notes, notes_writer) = sys::pipe().step(STEP)?;
        for fd in [Some(&stdout), Some(&stderr), Some(&notes), stdin_writer.as_ref()].into_iter().flatten() {
            sys::set_nonblocking(fd.as_raw_fd()).step(STEP)?;
        }
        let fds = [&stdin, &stdout_writer, &stderr_writer, &notes_writer].map(|fd| fd.as_raw_fd());
        let frame = command.encode(id);
        let mut sent = sys::send_with_fds(self.control.as_raw_fd(), &frame, fds).step(STEP)?;
        while let Some(rest) = frame.get(sent..).filter(|rest| !rest.is_empty()) {
            sent += sys::write_fd(self.control.as_raw_fd(), rest).step(STEP)?;
        }
        Ok(Started { stdin: stdin_writer, stdout, stderr, notes })
    }
}

/// What a keeper knows.
struct Keep<'a> {
    jail: &'a Jail,
    /// The rules for programs, at a number of their own.
    rules: Option<RawFd>,
    /// Whether a signal to everyone reaches descendants only.
    signals_kept: bool,
    /// Readable when a child ends; only where the helper cannot end everything by ending the keeper.
    children: Option<OwnedFd>,
}

/// The life of a keeper, until the helper closes the socket.
fn keep(control: &OwnedFd, jail: &Jail) -> Result<(), Errno> {
    let rules = jail.rules.as_ref().map(|rules| rules.commands.as_raw_fd());
    if !jail.namespaces {
        sys::adopt_orphans()?;
        if let Some(scope) = &jail.scope {
            sys::landlock::restrict(scope.as_fd())?;
        }
    }
    let fds: Vec<RawFd> = [control.as_raw_fd()].into_iter().chain(rules).collect();
    sys::place_fds(&fds)?;
    sys::set_close_on_exec(CONTROL);
    if jail.namespaces {
        sys::mount_fs(c"proc", PROC, sys::MS_NOSUID | sys::MS_NODEV | sys::MS_NOEXEC, PROC_OPTIONS)?;
    }
    // Should the kernel not keep its word, a signal to everyone would reach everything that this user runs.
    let signals_kept = jail.namespaces || (jail.scope.is_some() && !sys::may_signal(sys::parent()));
    sys::drop_capabilities()?;
    if !jail.beside() {
        filter::install(&jail.filter(signals_kept))?;
    }
    let children = if jail.namespaces { None } else { Some(sys::child_signal_fd()?) };
    let keep = Keep { jail, rules: rules.map(|_| 1), signals_kept, children };
    sys::write_fd(CONTROL, &[1])?;
    while let Some((command, fds)) = receive()? {
        if !keep.oversee(&command, fds)? {
            return Ok(());
        }
    }
    Ok(())
}

/// The next command with its standard streams and the pipe for notes; `None` when the helper wants none any more.
fn receive() -> Result<Option<(Command, [OwnedFd; STREAMS])>, Errno> {
    let mut buffer = Vec::new();
    let mut fds = None;
    let mut chunk = [0u8; READ_BYTES];
    loop {
        let frame = wire::split_frame(&buffer).map_err(|_| Errno::INVAL)?;
        if let Some(frame) = frame {
            if frame.length < buffer.len() {
                // What follows a command tells it to end.
                return Ok(None);
            }
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

impl Keep<'_> {
    /// Runs one program and leaves nothing of it; whether the helper did not end it before.
    fn oversee(&self, command: &Command, fds: [OwnedFd; STREAMS]) -> Result<bool, Errno> {
        let [stdin, stdout, stderr, notes] = fds;
        // Where a filter asks the keeper, the keeper itself must be free to do what it is asked for.
        let filter = if self.jail.beside() { self.jail.filter(self.signals_kept) } else { Vec::new() };
        let asks = !filter.is_empty();
        let limits = self.jail.limits();
        let begin = || -> Result<_, Errno> {
            let program = Program::new(command, &self.jail.workspace, filter)?;
            let (failure, failure_writer) = if asks { sys::socket_pair()? } else { sys::pipe()? };
            Ok((program, sys::clone(0)?, failure, failure_writer))
        };
        let (program, child, failure, failure_writer) = match begin() {
            Ok(begun) => begun,
            Err(error) => {
                // Other commands may have taken all that there is.
                tell(&notes, note::NO_PROGRAM, error.0);
                return Ok(true);
            }
        };
        if child == 0 {
            let own = [&stdin, &stdout, &stderr, &failure_writer].map(|fd| fd.as_raw_fd());
            let fds: Vec<RawFd> = own.into_iter().chain(self.rules).collect();
            let error = program.run(&fds, &limits);
            let _ = sys::write_fd(FAILURE, &error.0.to_le_bytes());
            sys::exit(127);
        }
        drop((stdin, stdout, stderr, failure_writer));
        let mut error = [0u8; 4];
        let listener = if asks { receive_listener(&failure, &mut error)? } else { None };
        let failed = if asks && listener.is_none() {
            true
        } else {
            sys::read_fd(failure.as_raw_fd(), &mut error) == Ok(error.len())
        };
        if !failed {
            tell(&notes, note::STARTED, 0);
        }
        let status = self.wait_for(child, listener.as_ref())?;
        self.end_others(if status.is_some() { GRACE } else { Duration::ZERO })?;
        let Some(status) = status else { return Ok(false) };
        match failed {
            true => tell(&notes, note::NO_PROGRAM, i32::from_le_bytes(error)),
            false => tell(&notes, note::ENDED, status),
        }
        Ok(true)
    }

    /// The status of the program; `None` when the helper wants it to end.
    fn wait_for(&self, child: i32, listener: Option<&OwnedFd>) -> Result<Option<i32>, Errno> {
        loop {
            if let Some(children) = &self.children
                && !self.attend(children, listener)
            {
                return Ok(None);
            }
            while let Some((ended, status)) = sys::reap(-1, self.children.is_none())? {
                if ended == child {
                    return Ok(Some(status));
                }
            }
        }
    }

    /// Waits for something to happen and deals with it; whether the helper does not want the command to end.
    fn attend(&self, children: &OwnedFd, listener: Option<&OwnedFd>) -> bool {
        let fd = |fd| PollFd { fd, events: POLLIN, revents: 0 };
        // A negative descriptor is not waited for.
        let mut fds =
            [fd(CONTROL), fd(children.as_raw_fd()), fd(listener.map_or(-1, |listener| listener.as_raw_fd()))];
        sys::wait_fds(&mut fds, -1);
        let [control, ended, asked] = fds;
        if ended.revents != 0 {
            let _ = sys::read_fd(children.as_raw_fd(), &mut [0u8; 1024]);
        }
        if let Some(listener) = listener
            && asked.revents & POLLIN != 0
        {
            attributes::answer(listener.as_fd(), &self.jail.directory);
        }
        control.revents == 0
    }

    /// Lets background processes finish for a moment, then kills them. All that is left of a command becomes a child of
    /// the keeper when its own parent ends, so when there is no child there is nothing left.
    fn end_others(&self, grace: Duration) -> Result<(), Errno> {
        let deadline = Instant::now() + grace;
        loop {
            match sys::reap(-1, false) {
                Ok(Some(_)) => {}
                Ok(None) if Instant::now() < deadline => std::thread::sleep(GRACE_STEP),
                Ok(None) => break,
                Err(_) => return Ok(()),
            }
        }
        if self.signals_kept {
            sys::kill_all_others();
            while let Ok(Some(_)) = sys::reap(-1, true) {}
            return Ok(());
        }
        if end_children(CHASE) { Ok(()) } else { Err(Errno::AGAIN) }
    }
}

/// The descriptor at which the filter of a program asks; `None` with an error number when there is no program.
fn receive_listener(from: &OwnedFd, error: &mut [u8; 4]) -> Result<Option<OwnedFd>, Errno> {
    let (_, fds) = sys::receive_with_fds::<1>(from.as_raw_fd(), error)?;
    Ok(fds.map(|[listener]| listener))
}

/// Kills children as they are found, and those that they leave behind; whether none is left.
pub(crate) fn end_children(limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        match sys::reap(-1, false) {
            Ok(Some(_)) => continue,
            Ok(None) => {}
            Err(_) => return true,
        }
        if Instant::now() >= deadline {
            return false;
        }
        children().into_iter().for_each(sys::kill_now);
        std::thread::sleep(GRACE_STEP);
    }
}

/// Waits for the end of all children, but no longer than `limit`.
pub(crate) fn wait_for_children(limit: Duration) {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        match sys::reap(-1, false) {
            Ok(Some(_)) => {}
            Ok(None) => std::thread::sleep(GRACE_STEP),
            Err(_) => return,
        }
    }
}

/// The children of this process. A list of processes is a directory that is read while it changes: call it again.
fn children() -> Vec<i32> {
    let own = std::process::id().to_string();
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_own = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            // The parent is the second field after the name, which may hold anything.
            stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)) == Some(own.as_str())
        })
    };
    numbers.filter(is_own).collect()
}
