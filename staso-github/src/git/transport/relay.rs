//! The sockets of libgit2: it speaks to servers through this, so that a conversation can be ended from outside.
//!
//! libgit2 waits for servers without a limit. Here one local port stands for one server; when the relay is dropped, its
//! connections are gone, and so is whatever waits for them. Secure connections pass through as they are (`CONNECT`):
//! certificates are checked by libgit2 against the server's own name.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::address::RemoteAddress;

/// Longest head of a `CONNECT` request, in bytes.
const HEAD_BYTES: usize = 8 << 10;

/// A port that leads to one server.
#[derive(Debug)]
pub(super) struct Relay {
    listener: TcpListener,
    host: String,
    port: u16,
    secure: bool,
    /// What libgit2 connects to.
    url: String,
}

impl Relay {
    /// The way to the server of `address`, which is no path of this machine.
    pub(super) async fn open(address: &RemoteAddress) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let secure = address.scheme() == "https";
        let origin = address.origin();
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
                (host, port.parse().map_err(io::Error::other)?)
            }
            _ => (host, if secure { 443 } else { 80 }),
        };
        let path = address.as_str().strip_prefix(origin).unwrap_or_default();
        let local = format!("http://{}", listener.local_addr()?);
        let url = if secure { address.as_str().to_owned() } else { format!("{local}{path}") };
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { listener, host, port, secure, url })
    }

    /// The address for libgit2.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The proxy for libgit2, when it needs one to come here.
    pub(super) fn proxy(&self) -> Option<String> {
        let local = self.listener.local_addr().ok().filter(|_| self.secure)?;
        Some(format!("http://{local}"))
    }

    /// Carries connections until it is dropped.
    pub(super) async fn serve(&self) {
        let mut connections = JoinSet::new();
        loop {
            let Ok((near, _)) = self.listener.accept().await else { return };
            while connections.try_join_next().is_some() {}
            let (host, port, secure) = (self.host.clone(), self.port, self.secure);
            connections.spawn(async move {
                if let Err(error) = carry(near, &host, port, secure).await {
                    tracing::debug!(%error, "a connection to a git server ended");
                }
            });
        }
    }
}

async fn carry(mut near: TcpStream, host: &str, port: u16, secure: bool) -> io::Result<()> {
    if secure {
        head(&mut near).await?;
    }
    let mut far = TcpStream::connect((host, port)).await?;
    if secure {
        near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    }
    copy_bidirectional(&mut near, &mut far).await.map(drop)
}

/// Reads the request for a connection. Wherever it asks to go, it leads to the one server.
async fn head(near: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(near.read_u8().await?);
    }
    Ok(())
}
