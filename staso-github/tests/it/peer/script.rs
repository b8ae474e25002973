//! An HTTP/1.1 server that answers a list of turns, one a request, and keeps what it was asked.
//!
//! It knows nothing of any API: bodies come from the test. It is for faults, official examples and recorded answers, and
//! never for made-up successes.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// Longest request line or header line, in bytes.
const MAX_LINE: u64 = 64 << 10;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Turn {
    Answer(Reply),
    /// Waits for [`ScriptServer::release`] before it answers.
    Held(Reply),
    /// Reads the request and closes the connection.
    CloseBeforeAnswer,
    /// Announces the whole body, sends so many bytes of it, and closes.
    CloseMidBody(Reply, usize),
    /// Reads the request and says nothing until the server is dropped.
    NeverAnswer,
    /// Sends the body in pieces of so many bytes, with a pause before each.
    SlowBody(Reply, usize, Duration),
    /// Sends these bytes, whatever they are, and closes.
    Raw(Vec<u8>),
}

/// An answer. `content-length` is added.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// By lower-case name; of repeated headers the last.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// The server. Answers from its own threads, until it is dropped.
#[derive(Debug)]
pub(crate) struct ScriptServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    requests: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    turns: VecDeque<Turn>,
    seen: Vec<Seen>,
    connections: Vec<TcpStream>,
    in_flight: usize,
    most_in_flight: usize,
    released: bool,
    over: bool,
}

impl Reply {
    /// A status without a body.
    pub(crate) const fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A status with JSON text.
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status).header("content-type", "application/json; charset=utf-8").body(body)
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !matches!(self.status, 204 | 304) {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head + "\r\n"
    }
}

impl From<Reply> for Turn {
    fn from(reply: Reply) -> Self {
        Self::Answer(reply)
    }
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

impl ScriptServer {
    /// Listens on a free port and answers with `turns`, in the order in which requests come in. A request after the last
    /// turn gets status 418.
    pub(crate) fn start(turns: impl IntoIterator<Item = impl Into<Turn>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let turns = turns.into_iter().map(Into::into).collect();
        let shared = Arc::new(Shared {
            state: Mutex::new(State { turns, ..State::default() }),
            changed: Condvar::new(),
            requests: watch::Sender::new(0),
        });
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&of_thread);
                if shared.keep(&connection).is_err() {
                    return;
                }
                std::thread::spawn(move || shared.serve(&connection));
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:port`, without a slash.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a turn.
    pub(crate) fn push(&self, turn: impl Into<Turn>) {
        self.shared.state().turns.push_back(turn.into());
    }

    /// What came in so far.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// Waits until so many requests have come in.
    pub(crate) async fn seen(&self, requests: usize) {
        let mut count = self.shared.requests.subscribe();
        count.wait_for(|count| *count >= requests).await.expect("the server runs");
    }

    /// Turns that no request has taken.
    pub(crate) fn turns_left(&self) -> usize {
        self.shared.state().turns.len()
    }

    /// The largest number of requests that were being answered at one time.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.shared.state().most_in_flight
    }

    /// Lets all held answers go, also later ones.
    pub(crate) fn release(&self) {
        self.shared.state().released = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for ScriptServer {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.over = true;
        for connection in &state.connections {
            drop(connection.shutdown(Shutdown::Both));
        }
        drop(state);
        self.shared.changed.notify_all();
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a connection, so that it is closed with the server.
    fn keep(&self, connection: &TcpStream) -> Result<()> {
        let mut state = self.state();
        if state.over {
            return Err(ErrorKind::NotConnected.into());
        }
        state.connections.push(connection.try_clone()?);
        Ok(())
    }

    fn serve(&self, connection: &TcpStream) {
        let mut reader = BufReader::new(connection);
        while let Ok(Some(seen)) = read_request(&mut reader) {
            let head_only = seen.method == "HEAD";
            let turn = self.take(seen);
            let done = self.answer(connection, turn, head_only);
            self.state().in_flight -= 1;
            if done.is_err() {
                break;
            }
        }
        drop(connection.shutdown(Shutdown::Both));
    }

    fn take(&self, seen: Seen) -> Turn {
        let mut state = self.state();
        let count = state.seen.len() + 1;
        state.seen.push(seen);
        state.in_flight += 1;
        state.most_in_flight = state.most_in_flight.max(state.in_flight);
        let turn = state.turns.pop_front();
        drop(state);
        self.requests.send_replace(count);
        turn.unwrap_or_else(|| Reply::new(418).body("the script is over").into())
    }

    /// An error ends the connection.
    fn answer(&self, mut out: &TcpStream, turn: Turn, head_only: bool) -> Result<()> {
        let body_of = |reply: &Reply| if head_only { Vec::new() } else { reply.body.clone() };
        match turn {
            Turn::Answer(reply) => out.write_all(&[reply.head().into_bytes(), body_of(&reply)].concat()),
            Turn::Held(reply) => {
                self.wait(|state| state.released);
                out.write_all(&[reply.head().into_bytes(), body_of(&reply)].concat())
            }
            Turn::CloseBeforeAnswer => Err(ErrorKind::ConnectionAborted.into()),
            Turn::CloseMidBody(reply, sent) => {
                let part = reply.body.get(..sent).unwrap_or(&reply.body);
                out.write_all(&[reply.head().as_bytes(), part].concat())?;
                Err(ErrorKind::ConnectionAborted.into())
            }
            Turn::NeverAnswer => {
                self.wait(|_| false);
                Err(ErrorKind::ConnectionAborted.into())
            }
            Turn::SlowBody(reply, bytes, pause) => {
                out.write_all(reply.head().as_bytes())?;
                for piece in reply.body.chunks(bytes.max(1)) {
                    std::thread::sleep(pause);
                    out.write_all(piece)?;
                }
                Ok(())
            }
            Turn::Raw(bytes) => {
                out.write_all(&bytes)?;
                Err(ErrorKind::ConnectionAborted.into())
            }
        }
    }

    /// Waits until `ready`, or until the server is dropped.
    fn wait(&self, ready: impl Fn(&State) -> bool) {
        let waited = self.changed.wait_while(self.state(), |state| !state.over && !ready(state));
        drop(waited);
    }
}

/// The next request of a connection; `None` at its end.
fn read_request(reader: &mut BufReader<&TcpStream>) -> Result<Option<Seen>> {
    let first = read_line(reader)?;
    let mut parts = first.split(' ');
    let (Some(method), Some(path)) = (parts.next(), parts.next()) else { return Ok(None) };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(ErrorKind::InvalidData)?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let body = if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
        read_chunks(reader)?
    } else {
        let length = headers.get("content-length").map_or(Ok(0), |value| value.parse::<usize>());
        read_bytes(reader, length.map_err(Error::other)?)?
    };
    Ok(Some(Seen { method, path, headers, body }))
}

fn read_line(reader: &mut BufReader<&TcpStream>) -> Result<String> {
    let mut line = String::new();
    reader.take(MAX_LINE).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn read_bytes(reader: &mut BufReader<&TcpStream>, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_chunks(reader: &mut BufReader<&TcpStream>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(&read_line(reader)?, 16).map_err(Error::other)?;
        body.extend(read_bytes(reader, length)?);
        read_line(reader)?;
        if length == 0 {
            return Ok(body);
        }
    }
}
