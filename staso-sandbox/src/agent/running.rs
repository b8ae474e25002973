//! A command while it runs: its streams, its time, and what its keeper says of it.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use crate::files::Refusal;
use crate::keeper::{Keeper, Started, note};
use crate::launch::Failure;
use crate::output::Stream;
use crate::serve::refusal_frame;
use crate::sys::{self, Errno, POLLIN, POLLOUT, PollFd};
use crate::wire::{Command, Decoder, Encoder, Exit, refusal, reply};

const SIGKILL_STATUS: u32 = 9;
/// How long a keeper may take to end one command. A command of the same user may have stopped it.
const KEEPER_LIMIT: Duration = Duration::from_millis(1_200);

/// A command that has not ended.
pub(crate) struct Running {
    pub(crate) id: u32,
    pub(crate) keeper: Keeper,
    stdin: Option<OwnedFd>,
    stdin_left: VecDeque<u8>,
    stdout: Stream,
    stderr: Stream,
    /// Until the keeper hangs up.
    notes: Option<OwnedFd>,
    deadline: Instant,
    timed_out: bool,
    /// Whether the keeper was killed: it takes no other command.
    pub(crate) killed: bool,
    /// When a keeper that was told to end, and should have, is killed.
    impatient: Option<Instant>,
    refused: bool,
    status: Option<u32>,
}

impl Running {
    /// Starts a command in a keeper that keeps nothing.
    pub(crate) fn start(keeper: Keeper, id: u32, mut command: Command) -> Result<Self, Failure> {
        let input = VecDeque::from(std::mem::take(&mut command.stdin));
        let (keeper, started) = keeper.start(id, &command, !input.is_empty())?;
        let Started { stdin, stdout, stderr, notes } = started;
        Ok(Self {
            id,
            keeper,
            stdin,
            stdin_left: input,
            stdout: Stream::new(stdout, reply::STDOUT, command.output_bytes),
            stderr: Stream::new(stderr, reply::STDERR, command.output_bytes),
            notes: Some(notes),
            deadline: Instant::now() + Duration::from_millis(command.timeout_ms),
            timed_out: false,
            killed: false,
            impatient: None,
            refused: false,
            status: None,
        })
    }

    /// What it waits for; its output only if it is to be read.
    pub(crate) fn interests(&self, reading: bool, fds: &mut Vec<PollFd>) {
        let entry = |fd, events| PollFd { fd, events, revents: 0 };
        fds.extend(self.notes.as_ref().map(|fd| entry(fd.as_raw_fd(), POLLIN)));
        fds.extend(self.stdin.as_ref().map(|fd| entry(fd.as_raw_fd(), POLLOUT)));
        if reading {
            fds.extend(self.stdout.raw().map(|fd| entry(fd, POLLIN)));
            fds.extend(self.stderr.raw().map(|fd| entry(fd, POLLIN)));
        }
    }

    /// When its time is over, and when its keeper's is.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = Instant> {
        (!self.timed_out).then_some(self.deadline).into_iter().chain(self.impatient)
    }

    pub(crate) fn enforce_deadlines(&mut self, now: Instant) {
        if !self.timed_out && self.deadline <= now {
            self.timed_out = true;
            self.kill();
        }
        if self.impatient.is_some_and(|at| at <= now) {
            self.impatient = None;
            sys::kill_now(self.keeper.pid);
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.refused || self.status.is_some()
    }

    pub(crate) fn kill(&mut self) {
        self.killed = true;
        self.impatient = self.impatient.or_else(|| Instant::now().checked_add(KEEPER_LIMIT));
        self.keeper.kill();
    }

    /// Moves bytes and notes as far as they go.
    pub(crate) fn advance(&mut self, happened: &dyn Fn(i32) -> bool, out: &mut Vec<u8>) {
        if self.notes.as_ref().is_some_and(|fd| happened(fd.as_raw_fd())) {
            self.read_notes(out);
        }
        if self.stdin.as_ref().is_some_and(|fd| happened(fd.as_raw_fd())) {
            self.feed();
        }
        for stream in [&mut self.stdout, &mut self.stderr] {
            if stream.raw().is_some_and(happened) {
                stream.pump(self.id, false, out);
            }
        }
    }

    fn feed(&mut self) {
        let Some(fd) = &self.stdin else { return };
        match sys::write_fd(fd.as_raw_fd(), self.stdin_left.as_slices().0) {
            Ok(count) => drop(self.stdin_left.drain(..count)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.stdin_left.clear(),
        }
        if self.stdin_left.is_empty() {
            self.stdin = None;
        }
    }

    fn read_notes(&mut self, out: &mut Vec<u8>) {
        let mut bytes = [0u8; 8];
        while let Some(notes) = &self.notes {
            match sys::read_fd(notes.as_raw_fd(), &mut bytes) {
                Ok(count) if count == bytes.len() => self.note(&bytes, out),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                _ => self.notes = None,
            }
        }
    }

    fn note(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut body = Decoder::new(bytes);
        let (Some(kind), Some(value)) = (body.u32(), body.u32()) else { return };
        match kind {
            note::STARTED => out.extend(Encoder::new(reply::STARTED, self.id).finish()),
            note::ENDED => self.status = Some(value),
            note::NO_PROGRAM => {
                self.refused = true;
                let errno = Errno(i32::try_from(value).unwrap_or(0));
                let text = "the program cannot be run";
                out.extend(refusal_frame(self.id, &Refusal { code: refusal::INVALID, errno, text }));
            }
            _ => {}
        }
    }

    /// Reports the end; gives the keeper back.
    pub(crate) fn finish(mut self, oom: bool, out: &mut Vec<u8>) -> Keeper {
        self.read_notes(out);
        if self.refused {
            return self.keeper;
        }
        for stream in [&mut self.stdout, &mut self.stderr] {
            stream.pump(self.id, true, out);
            stream.finish(self.id, out);
        }
        let status = self.status.unwrap_or(SIGKILL_STATUS);
        let timed_out = self.timed_out && self.status.is_none();
        out.extend(Exit { status, timed_out, oom }.encode(self.id));
        self.keeper
    }
}
