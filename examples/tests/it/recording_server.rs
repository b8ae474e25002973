//! An ingest that keeps every request as it came. Plain sockets, so that nothing tidies up what arrives.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

/// What the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The exact acknowledgement.
    Accept,
    /// The first request of all gets a 503, the others are accepted.
    FailOnce,
    /// An acknowledgement that says a span was dropped.
    DropASpan,
}

/// The server. Its thread ends with the process.
#[derive(Debug)]
pub(crate) struct RecordingServer {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl RecordingServer {
    pub(crate) fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), answer, &kept);
            }
        });
        Self { url, requests }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: Answer, kept: &Mutex<Vec<Request>>) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = read(&mut stream);
    let traces = request.body["traces"].as_array().map_or(0, Vec::len);
    let dropped = i32::from(answer == Answer::DropASpan);
    let receipt = json!({
        "accepted": traces, "rejected": 0, "spans_dropped": dropped, "receipt_id": request.header("idempotency-key"),
    });
    let mut kept = kept.lock().unwrap();
    let fail = answer == Answer::FailOnce && kept.is_empty();
    kept.push(request);
    drop(kept);
    let (status, body) =
        if fail { ("503 Service Unavailable", String::new()) } else { ("202 Accepted", receipt.to_string()) };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
}

fn read(stream: &mut TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        match header.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    let mut request = Request { line: line.trim_end().to_owned(), headers, body: Value::Null };
    let length: usize = request.header("content-length").parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request.body = serde_json::from_slice(&body).unwrap();
    request
}
