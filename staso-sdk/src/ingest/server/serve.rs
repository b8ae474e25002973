//! Serving a router without an application around it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long requests that are under way may take after the end was asked for.
const GRACE: Duration = Duration::from_secs(5);
/// Longest time for the head of a request to arrive, and longest rest between two requests of a connection.
const HEAD_WAIT: Duration = Duration::from_secs(15);
/// Connections at the same time; others wait until the operating system refuses them.
const MAX_CONNECTIONS: usize = 1_024;
/// The rest after the operating system refused a connection, for example because there are too many open files.
const ACCEPT_REST: Duration = Duration::from_millis(200);

/// Serves HTTP/1.1 until `cancel` is cancelled; requests under way then have five seconds to end.
///
/// At most 1,024 connections at a time; the head of a request must arrive within 15 seconds. Bind the listener to port 0
/// to get a free one: `listener.local_addr()` tells which.
///
/// # Errors
/// None at present: a connection that breaks ends alone, and a listener that fails is asked again.
pub async fn serve(listener: TcpListener, router: Router, cancel: CancellationToken) -> io::Result<()> {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut open = JoinSet::new();
    while let Some(next) = cancel.run_until_cancelled(accept(&listener, &slots)).await {
        match next {
            Ok((stream, slot)) => {
                let served = connection(stream, router.clone(), cancel.clone());
                open.spawn(async move {
                    served.await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::debug!(connections = open.len(), "connections were cut at the end");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    Ok((listener.accept().await?.0, slot))
}

async fn connection(stream: TcpStream, router: Router, cancel: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = cancel.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
