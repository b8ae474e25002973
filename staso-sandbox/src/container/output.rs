//! What comes out of a container, as a stream of bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bollard::container::LogOutput;
use bollard::errors::Error;
use futures_util::Stream;
use tokio::io::{AsyncRead, ReadBuf};

/// What is kept of the standard error stream, in bytes.
const KEPT_COMPLAINT_BYTES: usize = 2_048;

type Pieces = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// The standard output of a container. What it writes to standard error is put aside.
pub(super) struct Output {
    pieces: Pieces,
    rest: Vec<u8>,
    done: usize,
    complaint: Vec<u8>,
}

impl Output {
    pub(super) fn new(pieces: Pieces) -> Self {
        Self { pieces, rest: Vec::new(), done: 0, complaint: Vec::new() }
    }

    /// The beginning of what was written to standard error so far.
    pub(super) fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.complaint).trim().to_owned()
    }

    fn complain(&mut self, message: &[u8]) {
        let room = KEPT_COMPLAINT_BYTES.saturating_sub(self.complaint.len()).min(message.len());
        self.complaint.extend_from_slice(message.get(..room).unwrap_or_default());
    }
}

impl AsyncRead for Output {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let rest = self.rest.get(self.done..).unwrap_or_default();
            if !rest.is_empty() {
                let count = rest.len().min(into.remaining());
                into.put_slice(rest.get(..count).unwrap_or_default());
                self.done += count;
                return Poll::Ready(Ok(()));
            }
            match ready!(self.pieces.as_mut().poll_next(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Some(Ok(LogOutput::StdOut { message })) => {
                    self.rest.clear();
                    self.rest.extend_from_slice(&message);
                    self.done = 0;
                }
                Some(Ok(other)) => self.complain(other.as_ref()),
            }
        }
    }
}
