//! What every transport promises, run over all of them against real git servers.

mod cases;
mod cli;
mod gate;
#[cfg(feature = "git2-https")]
mod libgit2;
mod secrets;
pub(crate) mod server;
mod stopped;
mod store;

use std::sync::Arc;

use super::{GitTransport, TransportKind, transport};
use crate::limits::GitLimits;

/// A transport with the default limits.
fn of(kind: TransportKind) -> Arc<dyn GitTransport> {
    transport(kind, &GitLimits::default())
}

/// Runs cases over all transports that are compiled in.
macro_rules! over_all {
    ($($case:ident),* $(,)?) => {
        mod git {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::git::transport::TransportKind::Git).await;
            })*
        }

        #[cfg(feature = "git2-https")]
        mod libgit2 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::git::transport::TransportKind::Libgit2).await;
            })*
        }
    };
}
use over_all;
