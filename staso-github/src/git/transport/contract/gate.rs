//! A proxy with a fault, between a client and a git server. It passes on what the server says, or breaks it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::address::RemoteAddress;

/// What goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The server learns of no newer protocol than the first.
    OldProtocol,
    /// Requests without a length are refused.
    NoChunks,
    /// Every request is answered like this.
    Answer(String),
    /// Of the answer to a request for this, so many bytes arrive, and then nothing.
    StallAnswer(&'static str, usize),
    /// Of a request for this, so many bytes of the body arrive, and then nothing.
    StallRequest(&'static str, usize),
}

/// The proxy. It answers from its own threads.
#[derive(Debug)]
pub(crate) struct Gate {
    port: u16,
    stalled: Arc<Mutex<Receiver<()>>>,
}

impl Gate {
    pub(crate) fn start(origin: &str, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, stalled) = mpsc::channel();
        let far = origin.trim_start_matches("http://").to_owned();
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let (far, fault, sender) = (far.clone(), fault.clone(), sender.clone());
                std::thread::spawn(move || drop(carry(&near, &far, &fault, &sender)));
            }
        });
        Self { port, stalled: Arc::new(Mutex::new(stalled)) }
    }

    pub(crate) fn address(&self) -> RemoteAddress {
        format!("http://127.0.0.1:{}/acme/support.git", self.port).parse().unwrap()
    }

    /// Waits until a conversation stands still.
    pub(crate) async fn stalled(&self) {
        let stalled = self.stalled.clone();
        let wait = move || stalled.lock().unwrap().recv_timeout(Duration::from_secs(60));
        tokio::task::spawn_blocking(wait).await.unwrap().unwrap();
    }
}

/// One request of one connection.
fn carry(mut near: &TcpStream, far: &str, fault: &Fault, stalled: &Sender<()>) -> std::io::Result<()> {
    let mut reader = BufReader::new(near.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let asked = head.lines().next().unwrap_or_default().to_owned();
    let refusal = match fault {
        Fault::Answer(answer) => Some(answer.clone()),
        Fault::NoChunks if head.to_ascii_lowercase().contains("transfer-encoding: chunked") => {
            Some("HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\n\r\n".to_owned())
        }
        _ => None,
    };
    if let Some(refusal) = refusal {
        near.write_all(refusal.as_bytes())?;
        near.shutdown(Shutdown::Write)?;
        // What the client still sends is read, or it would not see the answer.
        return std::io::copy(&mut reader, &mut std::io::sink()).map(drop);
    }
    if matches!(fault, Fault::OldProtocol) {
        head = head.replace("version=2", "version=0");
    }
    let mut server = TcpStream::connect(far)?;
    server.write_all(head.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes())?;
    let answers = {
        let (mut server, near, fault, stalled) =
            (server.try_clone()?, near.try_clone()?, fault.clone(), stalled.clone());
        let asked = asked.clone();
        std::thread::spawn(move || answer(&mut server, &near, &asked, &fault, &stalled))
    };
    if let Fault::StallRequest(what, bytes) = fault
        && asked.contains(what)
    {
        std::io::copy(&mut (&mut reader).take(u64::try_from(*bytes).unwrap()), &mut server)?;
        stalled.send(()).unwrap_or_default();
        std::io::copy(&mut reader, &mut std::io::sink())?;
        return server.shutdown(Shutdown::Both);
    }
    drop(std::io::copy(&mut reader, &mut server));
    drop(server.shutdown(Shutdown::Write));
    drop(answers.join());
    Ok(())
}

fn answer(server: &mut TcpStream, mut near: &TcpStream, asked: &str, fault: &Fault, stalled: &Sender<()>) {
    if let Fault::StallAnswer(what, bytes) = fault
        && asked.contains(what)
    {
        drop(std::io::copy(&mut server.take(u64::try_from(*bytes).unwrap()), &mut near));
        let mut next = [0];
        // The server has answered when there is more, or when that was all.
        drop(server.read(&mut next));
        stalled.send(()).unwrap_or_default();
        return;
    }
    drop(std::io::copy(server, &mut near));
    drop(near.shutdown(Shutdown::Write));
}
