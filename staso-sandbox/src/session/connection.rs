//! The conversation with a helper: requests out, replies to whoever waits for them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::wire::{self, Decoder, Encoder, Exit, Frame, reply, request};

/// Requests that wait to be sent.
const QUEUED_REQUESTS: usize = 64;
/// Neighbouring pieces of output are put together up to this size.
const PIECE_BYTES: usize = 256 << 10;
const READ_BYTES: usize = 256 << 10;
/// A buffer that a large frame made larger than this is given back.
const KEPT_BYTES: usize = 2 << 20;

/// How long a helper that takes nothing any more is still listened to.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(1);

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

/// A step of building the session that was refused when the helper had said already that it is ready. No command ran.
#[derive(Debug)]
pub(super) struct LateFailure {
    pub(super) step: String,
    pub(super) errno: i32,
}

/// A frame, and the room that it takes among those that wait to be sent.
type Queued = (Vec<u8>, Option<OwnedSemaphorePermit>);

/// The host's end of a session.
#[derive(Debug)]
pub(crate) struct Connection {
    requests: mpsc::UnboundedSender<Queued>,
    room: Arc<Semaphore>,
    board: Arc<Board>,
    failure: Arc<OnceLock<LateFailure>>,
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
        let (requests, outgoing) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(QUEUED_REQUESTS));
        let board = Arc::new(Mutex::new(Some(HashMap::new())));
        let failure = Arc::default();
        let task =
            Task { reading, writing, helper, ping, board: Arc::clone(&board), failure: Arc::clone(&failure) };
        tokio::spawn(task.run(outgoing, stop.clone()));
        Self { requests, room, board, failure, next_id: AtomicU32::new(1), stop }
    }

    /// Why there is no session after all.
    pub(super) fn failure(&self) -> Option<&LateFailure> {
        self.failure.get()
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
        let mut place = self.register(Waiting::Command(Arc::clone(&reports)))?;
        self.send(encode(place.id)).await?;
        place.kept = true;
        Ok((place.id, reports))
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn ask(&self, encode: impl FnOnce(u32) -> Vec<u8>) -> Result<Answer, Gone> {
        let (to, answer) = oneshot::channel();
        let place = self.register(Waiting::Answer { to, changes: Vec::new() })?;
        self.send(encode(place.id)).await?;
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
        let mut place = self.register(Waiting::Tree { to, parts: Vec::new(), bytes_left: most_bytes })?;
        self.send(encode(place.id)).await?;
        place.stops = true;
        answer.await.map_err(|_| Gone)
    }

    /// Tells the helper to stop what it does for a request. It need not wait for room: there is at most one for each
    /// request that had some.
    pub(super) fn stop_request(&self, id: u32) {
        // A helper that is gone has stopped.
        drop(self.requests.send((Encoder::new(request::KILL, id).finish(), None)));
    }

    fn register(&self, waiting: Waiting) -> Result<Place<'_>, Gone> {
        if self.stop.is_cancelled() {
            return Err(Gone);
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        lock(&self.board).as_mut().ok_or(Gone)?.insert(id, waiting);
        Ok(Place { connection: self, id, kept: false, stops: false })
    }

    async fn send(&self, frame: Vec<u8>) -> Result<(), Gone> {
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| Gone)?;
        self.requests.send((frame, Some(room))).map_err(|_| Gone)
    }
}

/// A place on the board, given up when nobody waits any more.
struct Place<'a> {
    connection: &'a Connection,
    id: u32,
    /// Whether the reports are waited for by someone else from now on.
    kept: bool,
    /// Whether the helper is to stop what nobody waits for.
    stops: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let waited = lock(&self.connection.board).as_mut().and_then(|board| board.remove(&self.id));
        if waited.is_some() && self.stops {
            self.connection.stop_request(self.id);
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
    failure: Arc<OnceLock<LateFailure>>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin, H> Task<R, W, H> {
    async fn run(self, mut outgoing: mpsc::UnboundedReceiver<Queued>, stop: CancellationToken) {
        let Self { mut reading, mut writing, helper, ping, board, failure } = self;
        let board = ClosingBoard(board);
        let write = async {
            if write_all(&mut writing, &mut outgoing, ping).await.is_err() {
                // Why it takes nothing any more may be on its way here.
                tokio::time::sleep(LAST_WORDS_LIMIT).await;
            }
        };
        let read = read_all(&mut reading, &board.0, &failure);
        tokio::select! {
            () = stop.cancelled() => {}
            () = write => {}
            _ = read => {}
        }
        drop((reading, writing));
        drop(helper);
        drop(board);
    }
}

async fn write_all(
    stream: &mut (impl AsyncWrite + Unpin),
    outgoing: &mut mpsc::UnboundedReceiver<Queued>,
    ping: Option<Duration>,
) -> io::Result<()> {
    // The room is free again when the frame was sent.
    while let Some((frame, _room)) = next_frame(outgoing, ping).await {
        stream.write_all(&frame).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// What is to be sent next; `None` when nothing will be.
async fn next_frame(
    outgoing: &mut mpsc::UnboundedReceiver<Queued>,
    ping: Option<Duration>,
) -> Option<Queued> {
    let Some(every) = ping else { return outgoing.recv().await };
    let next = tokio::time::timeout(every, outgoing.recv()).await;
    next.unwrap_or_else(|_| Some((Encoder::new(request::PING, 0).finish(), None)))
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

async fn read_all(
    stream: &mut (impl AsyncRead + Unpin),
    board: &Board,
    failure: &OnceLock<LateFailure>,
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        let mut done = 0;
        while let Some(frame) =
            wire::split_frame(buffer.get(done..).unwrap_or_default()).map_err(|_| malformed())?
        {
            if frame.kind == reply::FAILED {
                let failed = late_failure(&mut Decoder::new(frame.body)).ok_or_else(malformed)?;
                drop(failure.set(failed));
                return Ok(());
            }
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

fn late_failure(body: &mut Decoder<'_>) -> Option<LateFailure> {
    let step = String::from_utf8_lossy(body.bytes()?).into_owned();
    Some(LateFailure { step, errno: i32::try_from(body.u32()?).ok()? })
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
