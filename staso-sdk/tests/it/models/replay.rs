//! A server on this machine that answers the n-th request with the n-th answer, whatever is asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens after the last byte of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The answer ends as it should.
    Proper,
    /// The connection is lost.
    Lost,
    /// Nothing happens any more.
    Silent,
}

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// The body is sent in pieces of this many bytes.
    pub(super) piece: usize,
    pub(super) ending: Ending,
}

impl Answer {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into(), piece: usize::MAX, ending: Ending::Proper }
    }

    pub(super) fn json(status: u16, body: &str) -> Self {
        Self::new(status, "application/json", body)
    }

    pub(super) fn stream(body: &str) -> Self {
        Self::new(200, "text/event-stream", body)
    }

    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn in_pieces(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    pub(super) fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug)]
pub(super) struct Replay {
    pub(super) base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    answers: usize,
    server: JoinHandle<()>,
}

impl Replay {
    pub(super) async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let count = answers.len();
        let log = Arc::clone(&asked);
        let server = tokio::spawn(async move {
            let mut answers = answers.into_iter();
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read(&mut stream).await;
                log.lock().unwrap().push(request);
                let extra = Answer::json(418, r#"{"error":{"code":"one_request_too_many"}}"#);
                let answer = answers.next().unwrap_or(extra);
                send(&mut stream, &answer).await;
                if answer.ending == Ending::Silent {
                    silent.push(stream);
                }
            }
        });
        Self { base, asked, answers: count, server }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The requests; fails when there was not one for each answer.
    pub(super) fn finish(self) -> Vec<Asked> {
        self.server.abort();
        let asked = self.asked();
        assert_eq!(asked.len(), self.answers, "requests and answers do not match");
        asked
    }
}

async fn read(stream: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    let mut buffer = [0_u8; 4096];
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the client left in the middle of its request");
        bytes.extend_from_slice(&buffer[..read]);
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.expect("a length").1.parse().unwrap();
    let mut body = bytes.split_off(head + 4);
    while body.len() < length {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the client left in the middle of its request");
        body.extend_from_slice(&buffer[..read]);
    }
    Asked { line, headers, body: serde_json::from_slice(&body).expect("a body of JSON") }
}

/// The client may leave at any time, so that failures to write are no failures of the test.
async fn send(stream: &mut TcpStream, answer: &Answer) {
    let headers: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let status = answer.status;
    let head =
        format!("HTTP/1.1 {status} X\r\n{headers}connection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    drop(stream.set_nodelay(true));
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    for piece in answer.body.chunks(answer.piece) {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        if stream.write_all(&chunk).await.is_err() {
            return;
        }
    }
    if answer.ending == Ending::Proper {
        drop(stream.write_all(b"0\r\n\r\n").await);
        drop(stream.shutdown().await);
        // Waits for the client to leave, so that nothing is cut off by a reset.
        drop(tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0_u8; 1])).await);
    }
}
