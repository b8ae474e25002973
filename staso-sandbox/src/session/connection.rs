//! The conversation with a helper: requests out, replies to whoever waits for them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::wire::{self, Decoder, Encoder, Exit, Frame, reply, request};

/// Requests that wait to be sent.
const QUEUED_REQUESTS: usize = 64;
/// Neighbouring pieces of output are put together up to this size.
const PIECE_BYTES: usize = 256 << 10;
const READ_BYTES: usize = 256 << 10;
/// A buffer that a large frame made larger than this is given back.
const KEPT_BYTES: usize = 2 << 20;

/// What a command reports.
#[derive(Debug)]
pub(super) enum Report {
    Started,
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    Truncated(u64),
    Exit(Exit),
    Refused(Refused),
    /// The helper is gone.
    Lost,
}

/// A refusal as the helper gave it.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: u8,
    pub(super) errno: i32,
    pub(super) text: String,
}

/// What a file operation gave.
#[derive(Debug)]
pub(super) enum Answer {
    Content(Vec<u8>),
    /// Paths with the kind of change and its content.
    Done(Vec<(Vec<u8>, u8, Vec<u8>)>),
    /// Paths with the kind of node and its content.
    Tree(Vec<TreePart>),
    Refused(Refused),
}

/// One path of a tree.
#[derive(Debug)]
pub(super) struct TreePart {
    pub(super) path: Vec<u8>,
    pub(super) kind: u8,
    pub(super) content: Arc<[u8]>,
}

/// The reports of one command, in order. The helper bounds them: at most twice the output limit and a few more.
#[derive(Debug, Default)]
pub(super) struct Reports {
    queue: Mutex<VecDeque<Report>>,
    arrived: Notify,
}

impl Reports {
    fn push(&self, report: Report) {
        let mut queue = lock(&self.queue);
        let rest = match (queue.back_mut(), report) {
            (Some(Report::Stdout(last)), Report::Stdout(more))
            | (Some(Report::Stderr(last)), Report::Stderr(more))
                if last.len().saturating_add(more.len()) <= PIECE_BYTES =>
            {
                last.extend_from_slice(&more);
                None
            }
            (_, report) => Some(report),
        };
        queue.extend(rest);
        drop(queue);
        self.arrived.notify_one();
    }

    /// The next report. There is one reader.
    pub(super) async fn next(&self) -> Report {
        loop {
            if let Some(report) = lock(&self.queue).pop_front() {
                return report;
            }
            self.arrived.notified().await;
        }
    }
}

#[derive(Debug)]
enum Waiting {
    Command(Arc<Reports>),
    Answer { to: oneshot::Sender<Answer>, changes: Vec<(Vec<u8>, u8, Vec<u8>)> },
    Tree { to: oneshot::Sender<Answer>, parts: Vec<TreePart>, bytes_left: usize },
}

/// Who waits for what; `None` once the helper is gone.
type Board = Mutex<Option<HashMap<u32, Waiting>>>;

/// The helper is gone.
#[derive(Debug)]
pub(super) struct Gone;

/// The host's end of a session.
#[derive(Debug)]
pub(crate) struct Connection {
    requests: mpsc::Sender<Vec<u8>>,
    board: Arc<Board>,
    next_id: AtomicU32,
    stop: CancellationToken,
}

impl Connection {
    /// Takes over both directions of a stream on which the helper said that it is ready. Ends, and drops `helper` after
    /// the stream, when `stop` is cancelled. With `ping` something is said at least that often.
    pub(crate) fn start(
        reading: impl AsyncRead + Send + Unpin + 'static,
        writing: impl AsyncWrite + Send + Unpin + 'static,
        helper: impl Send + 'static,
        ping: Option<Duration>,
        stop: CancellationToken,
    ) -> Self {
        let (requests, outgoing) = mpsc::channel(QUEUED_REQUESTS);
        let board = Arc::new(Mutex::new(Some(HashMap::new())));
        let task = Task { reading, writing, helper, ping, board: Arc::clone(&board) };
        tokio::spawn(task.run(outgoing, stop.clone()));
        Self { requests, board, next_id: AtomicU32::new(1), stop }
    }

    /// Whether the helper is gone or told to go.
    pub(super) fn is_closed(&self) -> bool {
        self.stop.is_cancelled() || lock(&self.board).is_none()
    }

    /// Ends the session.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Sends a request whose reports are many.
    pub(super) async fn command(
        &self,
        encode: impl FnOnce(u32) -> Vec<u8>,
    ) -> Result<(u32, Arc<Reports>), Gone> {
        let reports = Arc::new(Reports::default());
        let id = self.register(Waiting::Command(Arc::clone(&reports)))?;
        self.send(encode(id)).await?;
        Ok((id, reports))
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn ask(&self, encode: impl FnOnce(u32) -> Vec<u8>) -> Result<Answer, Gone> {
        let (to, answer) = oneshot::channel();
        let id = self.register(Waiting::Answer { to, changes: Vec::new() })?;
        self.send(encode(id)).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Sends a request for a tree and waits for all of it. At most `most_bytes` of paths and contents are kept: a helper
    /// that sends more is no helper of ours.
    pub(super) async fn tree(
        &self,
        most_bytes: usize,
        encode: impl FnOnce(u32) -> Vec<u8>,
    ) -> Result<Answer, Gone> {
        let (to, answer) = oneshot::channel();
        let id = self.register(Waiting::Tree { to, parts: Vec::new(), bytes_left: most_bytes })?;
        let _abandon = Abandon { connection: self, id };
        self.send(encode(id)).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Sends a request that has no answer.
    pub(super) async fn tell(&self, frame: Vec<u8>) -> Result<(), Gone> {
        self.send(frame).await
    }

    /// As [`tell`](Self::tell), from where nothing can wait. A helper with a full queue is as good as gone.
    pub(super) fn tell_now(&self, frame: Vec<u8>) {
        if self.requests.try_send(frame).is_err() && !self.is_closed() {
            self.stop.cancel();
        }
    }

    fn register(&self, waiting: Waiting) -> Result<u32, Gone> {
        if self.stop.is_cancelled() {
            return Err(Gone);
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        lock(&self.board).as_mut().ok_or(Gone)?.insert(id, waiting);
        Ok(id)
    }

    async fn send(&self, frame: Vec<u8>) -> Result<(), Gone> {
        self.requests.send(frame).await.map_err(|_| Gone)
    }
}

/// Stops the reading of a tree that nobody waits for any more.
struct Abandon<'a> {
    connection: &'a Connection,
    id: u32,
}

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        let waited = lock(&self.connection.board).as_mut().and_then(|board| board.remove(&self.id));
        if waited.is_some() {
            self.connection.tell_now(Encoder::new(request::KILL, self.id).finish());
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Owns stream and helper, in this order: the helper ends because the stream is closed.
struct Task<R, W, H> {
    reading: R,
    writing: W,
    helper: H,
    ping: Option<Duration>,
    board: Arc<Board>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin, H> Task<R, W, H> {
    async fn run(self, mut outgoing: mpsc::Receiver<Vec<u8>>, stop: CancellationToken) {
        let Self { mut reading, mut writing, helper, ping, board } = self;
        let board = ClosingBoard(board);
        let write = async {
            while let Some(frame) = next_frame(&mut outgoing, ping).await {
                writing.write_all(&frame).await?;
                writing.flush().await?;
            }
            io::Result::Ok(())
        };
        let read = read_all(&mut reading, &board.0);
        tokio::select! {
            () = stop.cancelled() => {}
            _ = write => {}
            _ = read => {}
        }
        drop((reading, writing));
        drop(helper);
        drop(board);
    }
}

/// What is to be sent next; `None` when nothing will be.
async fn next_frame(outgoing: &mut mpsc::Receiver<Vec<u8>>, ping: Option<Duration>) -> Option<Vec<u8>> {
    let Some(every) = ping else { return outgoing.recv().await };
    let next = tokio::time::timeout(every, outgoing.recv()).await;
    next.unwrap_or_else(|_| Some(Encoder::new(request::PING, 0).finish()))
}

/// Tells everyone who waits that nothing will come, even when the task is thrown away.
struct ClosingBoard(Arc<Board>);

impl Drop for ClosingBoard {
    fn drop(&mut self) {
        let waiting = lock(&self.0).take();
        for waiting in waiting.into_iter().flat_map(HashMap::into_values) {
            if let Waiting::Command(reports) = waiting {
                reports.push(Report::Lost);
            }
        }
    }
}

async fn read_all(stream: &mut (impl AsyncRead + Unpin), board: &Board) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        let mut done = 0;
        while let Some(frame) =
            wire::split_frame(buffer.get(done..).unwrap_or_default()).map_err(|_| malformed())?
        {
            deliver(board, frame).ok_or_else(malformed)?;
            done += frame.length;
        }
        buffer.drain(..done);
        if buffer.capacity() > KEPT_BYTES && buffer.len() < READ_BYTES {
            buffer.shrink_to(READ_BYTES);
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the helper does not speak the protocol")
}

/// Hands a reply to whoever waits for it. `None` when the reply is malformed; replies that nobody waits for any more
/// are dropped.
fn deliver(board: &Board, frame: Frame<'_>) -> Option<()> {
    let Frame { kind, id, body, .. } = frame;
    let mut board = lock(board);
    let board = board.as_mut()?;
    let mut body = Decoder::new(body);
    if matches!(board.get(&id), Some(Waiting::Command(_))) {
        let report = report(kind, &mut body)?;
        let last = matches!(report, Report::Exit(_) | Report::Refused(_));
        if let Some(Waiting::Command(reports)) = board.get(&id) {
            reports.push(report);
        }
        if last {
            board.remove(&id);
        }
        return Some(());
    }
    if kind == reply::CHANGE {
        match board.get_mut(&id) {
            Some(Waiting::Answer { changes, .. }) => {
                changes.push((body.bytes()?.to_vec(), body.u8()?, body.bytes()?.to_vec()));
            }
            Some(Waiting::Tree { parts, bytes_left, .. }) => {
                *bytes_left = bytes_left.checked_sub(frame.length)?;
                let (path, kind, content) = (body.bytes()?.to_vec(), body.u8()?, body.bytes()?.into());
                parts.push(TreePart { path, kind, content });
            }
            _ => {}
        }
        return Some(());
    }
    let (to, whole) = match board.remove(&id) {
        Some(Waiting::Answer { to, changes }) => (to, Answer::Done(changes)),
        Some(Waiting::Tree { to, parts, .. }) => (to, Answer::Tree(parts)),
        Some(Waiting::Command(_)) | None => return Some(()),
    };
    let answer = match kind {
        reply::CONTENT => Answer::Content(body.bytes()?.to_vec()),
        reply::DONE => whole,
        reply::REFUSED => Answer::Refused(refused(&mut body)?),
        _ => return None,
    };
    // Whoever asked may have given up.
    drop(to.send(answer));
    Some(())
}

fn report(kind: u8, body: &mut Decoder<'_>) -> Option<Report> {
    match kind {
        reply::STARTED => Some(Report::Started),
        reply::STDOUT => Some(Report::Stdout(body.bytes()?.to_vec())),
        reply::STDERR => Some(Report::Stderr(body.bytes()?.to_vec())),
        reply::TRUNCATED => Some(Report::Truncated(body.u64()?)),
        reply::EXIT => Some(Report::Exit(Exit::decode(body)?)),
        reply::REFUSED => Some(Report::Refused(refused(body)?)),
        _ => None,
    }
}

pub(super) fn refused(body: &mut Decoder<'_>) -> Option<Refused> {
    Some(Refused {
        code: body.u8()?,
        errno: i32::try_from(body.u32()?).ok()?,
        text: String::from_utf8_lossy(body.bytes()?).into_owned(),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
