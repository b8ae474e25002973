//! What is kept of one output stream: the start is handed on at once, the end is held back, the middle is counted.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::sys::{self, Errno};
use crate::wire::{Encoder, reply};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 << 10;
/// Reads before other descriptors get their turn.
const CHUNKS_PER_TURN: usize = 16;
/// Reads after a command's end: twice what a pipe can hold. A process of another command may hold the pipe as well and
/// write for ever.
const CHUNKS_AT_END: usize = 32;

/// One output stream of a command.
#[derive(Debug)]
pub(crate) struct Stream {
    fd: Option<OwnedFd>,
    kind: u8,
    head_left: usize,
    tail: VecDeque<u8>,
    tail_most: usize,
    omitted: u64,
}

impl Stream {
    /// Keeps at most `keep` bytes of what comes out of `fd`.
    pub(crate) fn new(fd: OwnedFd, kind: u8, keep: u64) -> Self {
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        let head_left = keep / 2;
        Self { fd: Some(fd), kind, head_left, tail: VecDeque::new(), tail_most: keep - head_left, omitted: 0 }
    }

    /// The descriptor to wait for, while there is one.
    pub(crate) fn raw(&self) -> Option<i32> {
        self.fd.as_ref().map(|fd| fd.as_raw_fd())
    }

    /// Takes what there is, or at the end of a command all that is left.
    pub(crate) fn pump(&mut self, id: u32, to_end: bool, out: &mut Vec<u8>) {
        let mut chunk = [0u8; CHUNK_BYTES];
        for _ in 0..if to_end { CHUNKS_AT_END } else { CHUNKS_PER_TURN } {
            let Some(fd) = self.raw() else { return };
            match sys::read_fd(fd, &mut chunk) {
                Ok(0) => self.fd = None,
                Ok(count) => self.take(id, chunk.get(..count).unwrap_or_default(), out),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.fd = None,
            }
        }
    }

    fn take(&mut self, id: u32, bytes: &[u8], out: &mut Vec<u8>) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.head_left));
        if !head.is_empty() {
            self.head_left -= head.len();
            out.extend(Encoder::new(self.kind, id).bytes(head).finish());
        }
        let skipped = rest.len().saturating_sub(self.tail_most);
        let kept = rest.get(skipped..).unwrap_or_default();
        let overflow = (self.tail.len() + kept.len()).saturating_sub(self.tail_most);
        self.tail.drain(..overflow);
        self.tail.extend(kept);
        self.omitted += u64::try_from(skipped + overflow).unwrap_or(0);
    }

    /// Hands on what was held back.
    pub(crate) fn finish(&mut self, id: u32, out: &mut Vec<u8>) {
        self.fd = None;
        if self.omitted > 0 {
            out.extend(Encoder::new(reply::TRUNCATED, id).u64(self.omitted).finish());
        }
        for bytes in self.tail.make_contiguous().chunks(CHUNK_BYTES) {
            out.extend(Encoder::new(self.kind, id).bytes(bytes).finish());
        }
    }
}
