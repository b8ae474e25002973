//! An HTTP/1.1 server on the loopback interface, on a thread of its own: tests with paused time or one thread can use it.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use async_trait::async_trait;
use axum::body::{Body, Bytes, to_bytes};
use futures_util::StreamExt as _;
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Longest body of a request, in bytes.
const BODY_BYTES: usize = 256 << 20;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) method: Method,
    /// As sent, percent-encoded.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Without a length, in chunks.
    pub(crate) chunked: bool,
}

impl Exchange {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Path and query.
    pub(crate) fn target(&self) -> String {
        self.query.as_ref().map_or_else(|| self.path.clone(), |query| format!("{}?{query}", self.path))
    }
}

/// What goes back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Answer(Answer),
    /// The head promises the whole body, which ends after some bytes, and the connection with it.
    Cut(Answer, usize),
    /// The connection ends without a byte.
    Dropped,
}

/// A whole answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into() }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        self.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
        self
    }
}

/// Who answers.
#[async_trait]
pub(crate) trait Handler: Send + Sync + 'static {
    async fn answer(&self, request: Exchange) -> Reply;
}

/// A running server. Dropping it ends its connections.
pub(crate) struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    pub(crate) fn start(handler: Arc<dyn Handler>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("a bound socket");
        let (stop, stopped) = oneshot::channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, handler, counter) => {}
                }
            });
            runtime.shutdown_background();
        });
        Self { address, connections, stop: Some(stop), thread: Some(thread) }
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often someone connected.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn accept(listener: TcpListener, handler: Arc<dyn Handler>, connections: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        drop(tokio::spawn(serve(stream, handler.clone())));
    }
}

async fn serve(stream: TcpStream, handler: Arc<dyn Handler>) {
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let handler = handler.clone();
        async move {
            let exchange = read(request).await?;
            response(handler.answer(exchange).await)
        }
    });
    // A client that goes away is no failure of a server.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn read(request: Request<hyper::body::Incoming>) -> Result<Exchange, io::Error> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), BODY_BYTES).await.map_err(io::Error::other)?;
    Ok(Exchange {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        chunked: head.headers.contains_key(TRANSFER_ENCODING),
        headers: head.headers,
        body,
    })
}

fn response(reply: Reply) -> Result<Response<Body>, io::Error> {
    let (mut answer, cut) = match reply {
        Reply::Answer(answer) => (answer, None),
        Reply::Cut(answer, bytes) => (answer, Some(bytes)),
        Reply::Dropped => return Err(io::Error::other("dropped on purpose")),
    };
    let body = match cut {
        None => Body::from(answer.body),
        Some(bytes) => {
            answer.headers.insert(CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
            let start = answer.body.slice(..bytes.min(answer.body.len()));
            let broken = async {
                // The body waits once, which lets the start of it go out.
                tokio::task::yield_now().await;
                Err(io::Error::other("cut on purpose"))
            };
            let start = futures_util::stream::iter([Ok(start)]);
            Body::from_stream(start.chain(futures_util::stream::once(broken)))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status).map_err(io::Error::other)?;
    *response.headers_mut() = answer.headers;
    Ok(response)
}
