//! One HTTP request over a connection of its own.

use axum::body::{Body, to_bytes};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::server::Answer;

/// Longest body of an answer, in bytes.
const BODY_BYTES: usize = 256 << 20;

/// What the server at `host:port` answers; nothing when it cannot be reached or breaks off.
pub(crate) async fn ask(
    host: &str,
    method: &Method,
    target: &str,
    headers: HeaderMap,
    body: Body,
) -> Option<Answer> {
    let stream = TcpStream::connect(host).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    drop(tokio::spawn(connection));
    let mut request = Request::new(body);
    *request.method_mut() = method.clone();
    *request.uri_mut() = target.parse().ok()?;
    *request.headers_mut() = headers;
    request.headers_mut().insert("host", HeaderValue::from_str(host).ok()?);
    let (head, body) = sender.send_request(request).await.ok()?.into_parts();
    let body = to_bytes(Body::new(body), BODY_BYTES).await.ok()?;
    Some(Answer { status: head.status.as_u16(), headers: head.headers, body })
}
