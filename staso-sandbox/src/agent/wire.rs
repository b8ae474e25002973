//! The protocol between the host and the helper inside of a session. Both sides compile this file, so it uses the
//! standard library only.
//!
//! A frame is a length (`u32`, little endian, of what follows), a kind (`u8`), a request number (`u32`) and a body of
//! fixed-width little-endian integers and length-prefixed byte strings. Nothing a session wrote is ever part of the
//! framing.

/// Longest accepted frame, in bytes.
pub(crate) const MAX_FRAME_BYTES: usize = 72 << 20;
/// Bytes before the body: length, kind and request number.
pub(crate) const HEADER_BYTES: usize = 9;

/// Host to helper.
pub(crate) mod request {
    /// How to build the session; the first frame.
    pub(crate) const CONFIGURE: u8 = 1;
    /// Start a command.
    pub(crate) const EXEC: u8 = 2;
    /// Kill a command with all its processes.
    pub(crate) const KILL: u8 = 3;
    /// Read a file.
    pub(crate) const READ: u8 = 4;
    /// Write a file.
    pub(crate) const WRITE: u8 = 5;
    /// List what differs from the checkout. With `TreeLimits` as body, what is beyond them is listed without content;
    /// without, it is refused.
    pub(crate) const CHANGES: u8 = 6;
    /// Read the checkout as it was; body: `TreeLimits`.
    pub(crate) const TREE: u8 = 7;
    /// Copy a part of the checkout into a container; body: path, kind of `put`, content.
    pub(crate) const PUT: u8 = 8;
    /// The checkout is complete; commands may come.
    pub(crate) const START: u8 = 9;
    /// The host is there; says so where nothing else does.
    pub(crate) const PING: u8 = 10;
}

/// What is copied into a container.
pub(crate) mod put {
    /// A regular file, from its beginning.
    pub(crate) const FILE: u8 = 1;
    /// A regular file that its owner may execute, from its beginning.
    pub(crate) const EXECUTABLE: u8 = 2;
    /// What follows in the file that was put last.
    pub(crate) const MORE: u8 = 3;
    /// A symbolic link; the content is its target.
    pub(crate) const SYMLINK: u8 = 4;
    /// A directory; before anything in it.
    pub(crate) const DIRECTORY: u8 = 5;
}

/// Helper to host.
pub(crate) mod reply {
    /// The session runs; body: protections that this kernel refused, and the version of Landlock whose rules hold.
    pub(crate) const READY: u8 = 16;
    /// The session could not be built; body: step and error number.
    pub(crate) const FAILED: u8 = 17;
    /// The program of a command was found and runs.
    pub(crate) const STARTED: u8 = 18;
    /// Standard output of a command.
    pub(crate) const STDOUT: u8 = 19;
    /// Standard error of a command.
    pub(crate) const STDERR: u8 = 20;
    /// Output that was left out; body: bytes.
    pub(crate) const TRUNCATED: u8 = 21;
    /// A command ended; body: see `Exit`.
    pub(crate) const EXIT: u8 = 22;
    /// A request was refused; body: code, error number, text.
    pub(crate) const REFUSED: u8 = 23;
    /// The content of a file.
    pub(crate) const CONTENT: u8 = 24;
    /// One change; body: path, kind, content.
    pub(crate) const CHANGE: u8 = 25;
    /// A request without a result of its own is done.
    pub(crate) const DONE: u8 = 26;
    /// The agent of a container listens.
    pub(crate) const HELLO: u8 = 27;
}

/// Why a request was refused.
pub(crate) mod refusal {
    /// No such file.
    pub(crate) const NOT_FOUND: u8 = 1;
    /// The path is no regular file below the checkout.
    pub(crate) const DENIED: u8 = 2;
    /// More than the limit of the request.
    pub(crate) const TOO_LARGE: u8 = 3;
    /// The request makes no sense.
    pub(crate) const INVALID: u8 = 4;
    /// The kernel refused.
    pub(crate) const SYSTEM: u8 = 5;
}

/// What happened to a path.
pub(crate) mod change {
    /// A regular file.
    pub(crate) const WRITTEN: u8 = 1;
    /// A regular file that its owner may execute.
    pub(crate) const WRITTEN_EXECUTABLE: u8 = 2;
    /// Gone.
    pub(crate) const DELETED: u8 = 3;
    /// A symbolic link; the content is its target.
    pub(crate) const SYMLINK: u8 = 4;
    /// Not handed out; the content is the reason.
    pub(crate) const REFUSED: u8 = 5;
    /// A regular file without its content, which is beyond the limits; the content is its size in eight bytes.
    pub(crate) const UNREAD: u8 = 6;
    /// There is more than the limits allow; path and content are empty.
    pub(crate) const CUT: u8 = 7;
}

/// How strongly a session is confined.
pub(crate) mod tier {
    /// Namespaces, a root of its own, an overlay.
    pub(crate) const FULL: u8 = 1;
    /// A copy of the checkout, Landlock and a stricter system-call filter.
    pub(crate) const LANDLOCK_ONLY: u8 = 2;
    /// A copy of the checkout and bounds.
    pub(crate) const NONE: u8 = 3;
    /// What an engine confined already.
    pub(crate) const CONTAINER: u8 = 4;
}

/// How a session is to be built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Configuration {
    /// A constant of [`tier`].
    pub(crate) tier: u8,
    /// The latest version of Landlock to use.
    pub(crate) landlock_most: u32,
    /// The session's own directory, for tiers that copy the checkout; in a container only when its files are to be counted.
    pub(crate) directory: Vec<u8>,
    /// The process that owns the session; when it ends, the session ends.
    pub(crate) host_pid: u32,
    /// Whether the host is root: the session then gets `host_uid` and `host_gid` instead of the host's own.
    pub(crate) privileged: bool,
    /// The host's user that the session runs as.
    pub(crate) host_uid: u32,
    /// The host's group that the session runs as.
    pub(crate) host_gid: u32,
    /// The checkout; empty for a session over an empty directory.
    pub(crate) checkout: Vec<u8>,
    /// Files to write `0` into in order to join the control groups.
    pub(crate) cgroups: Vec<Vec<u8>>,
    /// More read-only directories: where on the host, where inside.
    pub(crate) mounts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bounds.
    pub(crate) limits: Limits,
}

/// Bounds as the helper needs them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// `RLIMIT_DATA`.
    pub(crate) data_bytes: u64,
    /// Processes and threads; 0 when something else bounds them.
    pub(crate) pids: u64,
    /// `RLIMIT_CPU`.
    pub(crate) cpu_seconds: u64,
    /// Size of the writable layer of the checkout.
    pub(crate) disk_bytes: u64,
    /// Size of `/tmp`; `/dev/shm` gets a quarter.
    pub(crate) tmp_bytes: u64,
    /// `RLIMIT_NOFILE`.
    pub(crate) open_files: u64,
    /// How long the host may be silent, in milliseconds, where nothing else tells that it went; else 0.
    pub(crate) silence_ms: u64,
}

/// One command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// Program and arguments.
    pub(crate) argv: Vec<Vec<u8>>,
    /// The whole environment, as `KEY=value`.
    pub(crate) env: Vec<Vec<u8>>,
    /// Working directory below the checkout; empty for its root.
    pub(crate) cwd: Vec<u8>,
    /// Standard input.
    pub(crate) stdin: Vec<u8>,
    /// Longest time, in milliseconds.
    pub(crate) timeout_ms: u64,
    /// Output kept per stream, in bytes.
    pub(crate) output_bytes: u64,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Exit {
    /// The status as `wait` gives it.
    pub(crate) status: u32,
    /// Whether its time was over.
    pub(crate) timed_out: bool,
    /// Whether a process was killed for want of memory meanwhile, where the agent can tell.
    pub(crate) oom: bool,
}

/// How much of a tree is handed out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TreeLimits {
    /// Paths.
    pub(crate) entries: u64,
    /// Largest file.
    pub(crate) file_bytes: u64,
    /// All contents together.
    pub(crate) total_bytes: u64,
}

/// Builds one frame.
#[derive(Debug)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    /// Where the frame begins.
    start: usize,
}

impl Encoder {
    /// Starts a frame.
    pub(crate) fn new(kind: u8, id: u32) -> Self {
        Self::after(Vec::with_capacity(64), kind, id)
    }

    /// Starts a frame behind others; [`finish`](Self::finish) gives all of them.
    pub(crate) fn after(mut bytes: Vec<u8>, kind: u8, id: u32) -> Self {
        let start = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        bytes.push(kind);
        bytes.extend_from_slice(&id.to_le_bytes());
        Self { bytes, start }
    }

    /// Adds a byte.
    pub(crate) fn u8(mut self, value: u8) -> Self {
        self.bytes.push(value);
        self
    }

    /// Replaces the last byte.
    pub(crate) fn instead(mut self, value: u8) -> Self {
        if let Some(last) = self.bytes.last_mut() {
            *last = value;
        }
        self
    }

    /// Adds four bytes.
    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds eight bytes.
    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds a byte string.
    pub(crate) fn bytes(self, value: &[u8]) -> Self {
        let mut this = self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        this.bytes.extend_from_slice(value);
        this
    }

    /// Adds a byte string of a known length that is filled in place; not at all when that fails.
    pub(crate) fn filled<E>(
        mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, Self> {
        let before = self.bytes.len();
        self = self.u32(u32::try_from(length).unwrap_or(u32::MAX));
        let start = self.bytes.len();
        self.bytes.resize(start.saturating_add(length), 0);
        match fill(self.bytes.get_mut(start..).unwrap_or_default()) {
            Ok(()) => Ok(self),
            Err(_) => {
                self.bytes.truncate(before);
                Err(self)
            }
        }
    }

    /// Adds a list of byte strings.
    pub(crate) fn list(self, values: &[Vec<u8>]) -> Self {
        let this = self.u32(u32::try_from(values.len()).unwrap_or(u32::MAX));
        values.iter().fold(this, |this, value| this.bytes(value))
    }

    /// The finished frame.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let body = self.bytes.len().saturating_sub(self.start).saturating_sub(4);
        let length = u32::try_from(body).unwrap_or(u32::MAX);
        if let Some(head) = self.bytes.get_mut(self.start..self.start.saturating_add(4)) {
            head.copy_from_slice(&length.to_le_bytes());
        }
        self.bytes
    }
}

/// Reads the body of a frame. Every method gives `None` when the body is too short.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Reads from the body of a frame.
    pub(crate) const fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// The next byte.
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// The next four bytes.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    /// The next eight bytes.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    /// The next byte string.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    /// The next list of byte strings.
    pub(crate) fn list(&mut self) -> Option<Vec<Vec<u8>>> {
        let count = self.u32()?;
        // Each entry takes at least its length, so a lying count ends at the end of the body.
        (0..count).map(|_| self.bytes().map(<[u8]>::to_vec)).collect()
    }
}

impl Configuration {
    /// The frame of this configuration.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mounts: Vec<Vec<u8>> =
            self.mounts.iter().flat_map(|(host, inside)| [host.clone(), inside.clone()]).collect();
        Encoder::new(request::CONFIGURE, 0)
            .u8(self.tier)
            .u32(self.landlock_most)
            .bytes(&self.directory)
            .u32(self.host_pid)
            .u8(u8::from(self.privileged))
            .u32(self.host_uid)
            .u32(self.host_gid)
            .bytes(&self.checkout)
            .list(&self.cgroups)
            .list(&mounts)
            .u64(self.limits.data_bytes)
            .u64(self.limits.pids)
            .u64(self.limits.cpu_seconds)
            .u64(self.limits.disk_bytes)
            .u64(self.limits.tmp_bytes)
            .u64(self.limits.open_files)
            .u64(self.limits.silence_ms)
            .finish()
    }

    /// Reads the body of a configuration frame.
    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        let mut body = Decoder::new(body);
        Some(Self {
            tier: body.u8()?,
            landlock_most: body.u32()?,
            directory: body.bytes()?.to_vec(),
            host_pid: body.u32()?,
            privileged: body.u8()? != 0,
            host_uid: body.u32()?,
            host_gid: body.u32()?,
            checkout: body.bytes()?.to_vec(),
            cgroups: body.list()?,
            mounts: pairs(body.list()?),
            limits: Limits {
                data_bytes: body.u64()?,
                pids: body.u64()?,
                cpu_seconds: body.u64()?,
                disk_bytes: body.u64()?,
                tmp_bytes: body.u64()?,
                open_files: body.u64()?,
                silence_ms: body.u64()?,
            },
        })
    }
}

fn pairs(list: Vec<Vec<u8>>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut list = list.into_iter();
    let mut pairs = Vec::new();
    while let (Some(first), Some(second)) = (list.next(), list.next()) {
        pairs.push((first, second));
    }
    pairs
}

impl Command {
    /// The frame of this command.
    pub(crate) fn encode(&self, id: u32) -> Vec<u8> {
        Encoder::new(request::EXEC, id)
            .list(&self.argv)
            .list(&self.env)
            .bytes(&self.cwd)
            .bytes(&self.stdin)
            .u64(self.timeout_ms)
            .u64(self.output_bytes)
            .finish()
    }

    /// Reads the body of a command frame.
    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        let mut body = Decoder::new(body);
        Some(Self {
            argv: body.list()?,
            env: body.list()?,
            cwd: body.bytes()?.to_vec(),
            stdin: body.bytes()?.to_vec(),
            timeout_ms: body.u64()?,
            output_bytes: body.u64()?,
        })
    }
}

impl TreeLimits {
    /// The frame of a request within these limits.
    pub(crate) fn encode(self, kind: u8, id: u32) -> Vec<u8> {
        Encoder::new(kind, id).u64(self.entries).u64(self.file_bytes).u64(self.total_bytes).finish()
    }

    /// Reads the body of such a frame.
    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        let mut body = Decoder::new(body);
        Some(Self { entries: body.u64()?, file_bytes: body.u64()?, total_bytes: body.u64()? })
    }
}

impl Exit {
    /// The frame of this exit.
    pub(crate) fn encode(self, id: u32) -> Vec<u8> {
        Encoder::new(reply::EXIT, id)
            .u32(self.status)
            .u8(u8::from(self.timed_out))
            .u8(u8::from(self.oom))
            .finish()
    }

    /// Reads the body of an exit frame.
    pub(crate) fn decode(body: &mut Decoder<'_>) -> Option<Self> {
        Some(Self { status: body.u32()?, timed_out: body.u8()? != 0, oom: body.u8()? != 0 })
    }
}

/// One frame in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// A constant of [`request`] or [`reply`].
    pub(crate) kind: u8,
    /// The request number.
    pub(crate) id: u32,
    /// What follows the header.
    pub(crate) body: &'a [u8],
    /// Bytes of the whole frame.
    pub(crate) length: usize,
}

/// Finds the first whole frame in a buffer; `Ok(None)` when more bytes are needed.
///
/// # Errors
/// When the length is impossible; the connection is of no use then.
pub(crate) fn split_frame(buffer: &[u8]) -> Result<Option<Frame<'_>>, BadFrame> {
    let mut head = Decoder::new(buffer);
    let Some(length) = head.u32() else { return Ok(None) };
    let length = usize::try_from(length).map_err(|_| BadFrame)?;
    if !(HEADER_BYTES - 4..=MAX_FRAME_BYTES).contains(&length) {
        return Err(BadFrame);
    }
    let Some(frame) = head.take(length) else { return Ok(None) };
    let mut frame = Decoder::new(frame);
    let (Some(kind), Some(id)) = (frame.u8(), frame.u32()) else { return Err(BadFrame) };
    Ok(Some(Frame { kind, id, body: frame.rest, length: length + 4 }))
}

/// The other side does not speak the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadFrame;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_sent_is_what_arrives() {
        let configuration = Configuration {
            tier: tier::LANDLOCK_ONLY,
            landlock_most: 6,
            directory: b"/tmp/session".to_vec(),
            host_pid: 7,
            privileged: true,
            host_uid: 65_534,
            host_gid: 65_533,
            checkout: b"/cache/\xff".to_vec(),
            cgroups: vec![b"/a".to_vec()],
            mounts: vec![(b"/opt/x".to_vec(), b"/x".to_vec())],
            limits: Limits {
                data_bytes: 1,
                pids: 2,
                cpu_seconds: 3,
                disk_bytes: 4,
                tmp_bytes: 5,
                open_files: 6,
                silence_ms: 7,
            },
        };
        let frame = configuration.encode();
        let found = split_frame(&frame).unwrap().unwrap();
        assert_eq!((found.kind, found.id, found.length), (request::CONFIGURE, 0, frame.len()));
        assert_eq!(Configuration::decode(found.body), Some(configuration));

        let command = Command {
            argv: vec![b"a".to_vec(), Vec::new()],
            env: vec![b"K=v".to_vec()],
            cwd: b"d".to_vec(),
            stdin: vec![0, 1],
            timeout_ms: 9,
            output_bytes: 10,
        };
        let frame = command.encode(3);
        let found = split_frame(&frame).unwrap().unwrap();
        assert_eq!((found.id, Command::decode(found.body)), (3, Some(command)));

        let limits = TreeLimits { entries: 1, file_bytes: 2, total_bytes: 3 };
        let frame = limits.encode(request::TREE, 4);
        let found = split_frame(&frame).unwrap().unwrap();
        assert_eq!((found.id, TreeLimits::decode(found.body)), (4, Some(limits)));

        let exit = Exit { status: 256, timed_out: true, oom: true };
        let frame = exit.encode(1);
        let found = split_frame(&frame).unwrap().unwrap();
        assert_eq!(Exit::decode(&mut Decoder::new(found.body)), Some(exit));
    }

    #[test]
    fn frames_follow_each_other_and_are_filled_in_place() {
        let first = Encoder::new(1, 1).u8(7).finish();
        let both = Encoder::after(first.clone(), 2, 2).filled(3, |space| {
            space.copy_from_slice(b"abc");
            Ok::<_, ()>(())
        });
        let both = both.unwrap().finish();
        assert_eq!(split_frame(&both).unwrap().unwrap().length, first.len());
        let second = split_frame(&both[first.len()..]).unwrap().unwrap();
        assert_eq!((second.kind, second.id, second.body), (2, 2, b"\x03\0\0\0abc".as_slice()));
        let failed = Encoder::new(1, 1).u8(9).filled(9, |_| Err(())).unwrap_err();
        assert_eq!(failed.instead(7).finish(), first);
    }

    #[test]
    fn an_impossible_length_is_refused() {
        assert_eq!(split_frame(&u32::MAX.to_le_bytes()), Err(BadFrame));
        assert_eq!(split_frame(&1u32.to_le_bytes()), Err(BadFrame));
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(Some(frame)) = split_frame(&bytes) {
                prop_assert!(frame.length <= bytes.len());
            }
            drop(Configuration::decode(&bytes));
            drop(Command::decode(&bytes));
            let _ = TreeLimits::decode(&bytes);
            let _ = Exit::decode(&mut Decoder::new(&bytes));
        }
    }
}
