//! Serving a router without an application around it.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests that are under way may take after the end was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until `cancel` is cancelled; requests under way then have five seconds to end.
///
/// Bind the listener to port 0 to get a free one: `listener.local_addr()` tells which.
///
/// # Errors
/// When the listener cannot be served.
pub async fn serve(listener: TcpListener, router: Router, cancel: CancellationToken) -> std::io::Result<()> {
    let server = axum::serve(listener, router).with_graceful_shutdown(cancel.clone().cancelled_owned());
    let too_long = async {
        cancel.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = server.into_future() => ended,
        () = too_long => Ok(()),
    }
}
