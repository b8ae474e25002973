//! Process 1 of the session: carries out the host's requests until the host goes away.
//!
//! One thread, one loop over everything that can happen. Nothing blocks but file operations on the session's own
//! layers, which are in memory and bounded.

mod requests;

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::comparison::Comparison;
use crate::container;
use crate::disk::Disk;
use crate::files::Refusal;
use crate::filter;
use crate::jail::Jail;
use crate::keeper::{self, Keeper};
use crate::launch::{Failure, Gate, SOCKET, Step as _, report_on};
use crate::received::Received;
use crate::root::Session;
use crate::running::Running;
use crate::sys::{self, Errno, POLLIN, POLLOUT, PollFd};
use crate::tree::TreeWalk;
use crate::wire::{self, Encoder, reply};

/// While more than this waits to be sent, commands are not read from.
const SEND_AHEAD_BYTES: usize = 8 << 20;

/// While more than this waits to be sent, trees are not read from.
const TREE_AHEAD_BYTES: usize = 1 << 20;
/// Trees that are read at a time.
const MAX_WALKS: usize = 8;
/// How long keepers may take to end what they keep.
const END_LIMIT: Duration = Duration::from_millis(500);
/// Keepers that wait for the next command.
const MAX_IDLE: usize = 4;

/// Where the files of a session are, and how changes are found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Files<'a> {
    /// In a layer above the checkout, or in a copy beside it.
    Layers(&'a Session),
    /// In a copy whose original is not here.
    Received(&'a Received),
}

impl Files<'_> {
    fn workspace(&self) -> BorrowedFd<'_> {
        match self {
            Self::Layers(session) => session.workspace.as_fd(),
            Self::Received(copy) => copy.root.as_fd(),
        }
    }
}

/// What is served, and to whom.
#[derive(Debug)]
pub(crate) struct Service<'a> {
    /// The session's files.
    pub(crate) files: Files<'a>,
    /// What confines commands.
    pub(crate) jail: &'a Jail,
    /// Where replies go; requests come from [`SOCKET`].
    pub(crate) replies: i32,
    /// The host's process, where it can be watched.
    pub(crate) host: Option<OwnedFd>,
    /// Protections that are not there.
    pub(crate) missing: &'a [Vec<u8>],
    /// What commands have to wait for.
    pub(crate) gate: Option<&'a Gate>,
}

/// Something that is read in steps.
enum Walk {
    Tree(TreeWalk),
    Changes(Comparison),
}

struct Server<'a> {
    files: Files<'a>,
    jail: &'a Jail,
    replies: i32,
    host: Option<OwnedFd>,
    oom_kills: u64,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    sent: usize,
    running: Vec<Running>,
    idle: Vec<Keeper>,
    walks: Vec<Walk>,
    /// Where no file system of its own bounds what the session writes.
    disk: Option<Disk>,
    /// When a host that is not heard of is taken for gone; only where nothing else tells.
    silence_ends: Option<Instant>,
    host_gone: bool,
}

/// Serves until the host closes the socket or ends; then this process ends, and with it everything in the session.
pub(crate) fn serve(service: Service<'_>) -> i32 {
    let Service { files, jail, replies, host, missing, gate } = service;
    let report = |failure: &Failure| report_on(replies, failure);
    let (children, disk) = match prepare(jail, replies) {
        Ok(prepared) => prepared,
        Err(failure) => {
            report(&failure);
            return 1;
        }
    };
    let ready = Encoder::new(reply::READY, 0).list(missing).u32(jail.landlock_abi());
    let mut server = Server {
        files,
        jail,
        replies,
        host,
        oom_kills: if jail.contained { container::oom_kills() } else { 0 },
        incoming: Vec::new(),
        outgoing: ready.finish(),
        sent: 0,
        running: Vec::new(),
        idle: Vec::new(),
        walks: Vec::new(),
        disk,
        silence_ends: None,
        host_gone: false,
    };
    server.hear();
    if jail.namespaces {
        // The host need not wait for the control groups and the namespace of its first command; the command must.
        server.send();
    }
    if gate.is_some_and(|gate| gate.pass().is_err()) {
        return 1;
    }
    match Keeper::new(jail) {
        Ok(keeper) => server.idle.push(keeper),
        // There is no session yet, and without rules and filter there shall be none.
        Err(failure) if !jail.namespaces => {
            report(&failure);
            return 1;
        }
        Err(_) => {}
    }
    server.send();
    while !server.host_gone {
        server.turn(&children);
    }
    server.end();
    0
}

fn prepare(jail: &Jail, replies: i32) -> Result<(OwnedFd, Option<Disk>), Failure> {
    const STEP: &str = "confine the helper";
    filter::install(&jail.helper_filter()).step(STEP)?;
    sys::block_child_signal(true);
    for fd in [SOCKET, replies] {
        sys::set_nonblocking(fd).step(STEP)?;
        sys::set_close_on_exec(fd);
    }
    let disk = jail.counted().map(|directory| Disk::new(directory, jail.disk_bytes()));
    Ok((sys::child_signal_fd().step(STEP)?, disk.transpose().step("count what is written")?))
}

impl Server<'_> {
    /// Waits for something to happen and deals with it.
    fn turn(&mut self, children: &OwnedFd) {
        let mut fds = self.interests(children);
        sys::wait_fds(&mut fds, if self.may_walk() { 0 } else { self.next_deadline() });
        let happened = |fd: i32| fds.iter().any(|entry| entry.fd == fd && entry.revents != 0);
        if self.host.as_ref().is_some_and(|host| happened(host.as_raw_fd())) {
            self.host_gone = true;
            return;
        }
        if self.sent < self.outgoing.len() {
            self.send();
        }
        for command in &mut self.running {
            command.advance(&happened, &mut self.outgoing);
        }
        self.finish_ended();
        if happened(children.as_raw_fd()) {
            self.reap(children);
        }
        if happened(SOCKET) {
            self.receive();
        }
        self.enforce_deadlines();
        self.walk();
    }

    fn may_walk(&self) -> bool {
        !self.walks.is_empty() && self.outgoing.len() - self.sent <= TREE_AHEAD_BYTES
    }

    /// Reads a little of every tree.
    fn walk(&mut self) {
        if self.may_walk() {
            let Self { walks, files, outgoing, .. } = self;
            walks.retain_mut(|walk| match (walk, &*files) {
                (Walk::Tree(walk), Files::Layers(session)) => !walk.step(session, outgoing),
                (Walk::Changes(walk), Files::Received(copy)) => !walk.step(copy, outgoing),
                _ => false,
            });
            self.send();
        }
    }

    fn interests(&self, children: &OwnedFd) -> Vec<PollFd> {
        let entry = |fd, events| PollFd { fd, events, revents: 0 };
        let mut fds = vec![entry(SOCKET, POLLIN), entry(children.as_raw_fd(), POLLIN)];
        fds.extend(self.host.as_ref().map(|host| entry(host.as_raw_fd(), POLLIN)));
        if self.sent < self.outgoing.len() {
            fds.push(entry(self.replies, POLLOUT));
        }
        let reading = self.outgoing.len() - self.sent <= SEND_AHEAD_BYTES;
        self.running.iter().for_each(|command| command.interests(reading, &mut fds));
        fds
    }

    /// Milliseconds until the first command's time is over, or the disk is to be looked at; -1 without a command.
    fn next_deadline(&self) -> i32 {
        let deadlines = self.running.iter().flat_map(Running::deadlines);
        let first = deadlines.chain(self.silence_ends).min();
        let Some(first) = first else { return -1 };
        let first = self.disk.as_ref().map_or(first, |disk| first.min(disk.next()));
        let left = first.saturating_duration_since(Instant::now()).as_millis().saturating_add(1);
        i32::try_from(left).unwrap_or(i32::MAX)
    }

    fn enforce_deadlines(&mut self) {
        let now = Instant::now();
        self.host_gone |= self.silence_ends.is_some_and(|end| end <= now);
        self.running.iter_mut().for_each(|command| command.enforce_deadlines(now));
        let writing = !self.running.is_empty();
        if writing && self.disk.as_mut().is_some_and(Disk::grew_too_large) {
            self.running.iter_mut().for_each(Running::kill);
        }
    }

    fn send(&mut self) {
        while let Some(rest) = self.outgoing.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match sys::write_fd(self.replies, rest) {
                Ok(count) => self.sent += count,
                Err(Errno::AGAIN) => return self.forget_sent(),
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.host_gone = true;
                    return;
                }
            }
        }
        self.forget_sent();
    }

    /// Gives room back that what was sent takes. A host that is a little slower would otherwise make the buffer grow to all
    /// that is ever sent. Moving less than what was sent keeps the cost of a byte constant.
    fn forget_sent(&mut self) {
        if self.sent * 2 >= self.outgoing.len() {
            self.outgoing.drain(..self.sent);
            self.sent = 0;
        }
    }

    fn hear(&mut self) {
        if let Some(silence) = self.jail.silence() {
            self.silence_ends = Instant::now().checked_add(silence);
        }
    }

    fn receive(&mut self) {
        self.hear();
        let mut chunk = [0u8; 64 << 10];
        match sys::read_fd(SOCKET, &mut chunk) {
            Ok(0) => self.host_gone = true,
            Ok(count) => self.incoming.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(_) => self.host_gone = true,
        }
        let incoming = std::mem::take(&mut self.incoming);
        let mut done = 0;
        while !self.host_gone {
            match wire::split_frame(incoming.get(done..).unwrap_or_default()) {
                Ok(Some(frame)) => {
                    self.dispatch(frame.kind, frame.id, frame.body);
                    done += frame.length;
                }
                Ok(None) => break,
                Err(_) => self.host_gone = true,
            }
        }
        self.incoming = incoming;
        self.incoming.drain(..done);
    }

    /// Finishes the commands whose keeper says that nothing of them is left.
    fn finish_ended(&mut self) {
        while let Some(at) = self.running.iter().position(Running::is_over) {
            let command = self.running.swap_remove(at);
            let usable = !command.killed && self.idle.len() < MAX_IDLE;
            let oom = self.any_new_oom();
            let keeper = command.finish(oom, &mut self.outgoing);
            self.idle.extend(Some(keeper).filter(|_| usable));
        }
        self.send();
    }

    /// Finishes the commands whose keeper is gone. The kernel reports that only after all their processes are.
    fn reap(&mut self, children: &OwnedFd) {
        let mut signals = [0u8; 1024];
        let _ = sys::read_fd(children.as_raw_fd(), &mut signals);
        while let Ok(Some((ended, status))) = sys::reap(-1, false) {
            self.keeper_ended(ended, status);
        }
        self.send();
    }

    fn keeper_ended(&mut self, ended: i32, status: i32) {
        let idle = self.idle.len();
        self.idle.retain(|keeper| keeper.pid != ended);
        let at = self.running.iter().position(|command| command.keeper.pid == ended);
        let as_told = at.and_then(|at| self.running.get(at)).is_some_and(|command| command.killed);
        let was_keeper = at.is_some() || idle > self.idle.len();
        if was_keeper && !(as_told && status == 0) && !self.jail.namespaces {
            // Whatever it kept is on its own now.
            self.end_strays();
        }
        if let Some(at) = self.running.iter().position(|command| command.keeper.pid == ended) {
            let oom = self.any_new_oom();
            drop(self.running.swap_remove(at).finish(oom, &mut self.outgoing));
        }
    }

    /// Ends everything that may have lost its keeper: all commands of a container, at once, because nothing outruns
    /// that; the session where there are other processes than its own.
    fn end_strays(&mut self) {
        if !self.jail.contained {
            self.host_gone = true;
            return;
        }
        sys::kill_all_others();
        while let Ok(Some((ended, _))) = sys::reap(-1, true) {
            self.idle.retain(|keeper| keeper.pid != ended);
            if let Some(at) = self.running.iter().position(|command| command.keeper.pid == ended) {
                let oom = self.any_new_oom();
                drop(self.running.swap_remove(at).finish(oom, &mut self.outgoing));
            }
        }
    }

    fn any_new_oom(&mut self) -> bool {
        if !self.jail.contained {
            return false;
        }
        let now = container::oom_kills();
        std::mem::replace(&mut self.oom_kills, now) < now
    }
}

impl Walk {
    const fn id(&self) -> u32 {
        match self {
            Self::Tree(walk) => walk.id,
            Self::Changes(walk) => walk.id,
        }
    }
}

impl Server<'_> {
    /// Ends everything, where the kernel does not when this process ends.
    fn end(self) {
        if !self.jail.beside() {
            return;
        }
        let Self { running, idle, .. } = self;
        // Keepers end what they keep when the helper hangs up.
        running.into_iter().for_each(|command| command.keeper.kill());
        drop(idle);
        keeper::wait_for_children(END_LIMIT);
    }
}

pub(crate) fn refusal_frame(id: u32, refused: &Refusal) -> Vec<u8> {
    Encoder::new(reply::REFUSED, id)
        .u8(refused.code)
        .u32(u32::try_from(refused.errno.0).unwrap_or(0))
        .bytes(refused.text.as_bytes())
        .finish()
}
