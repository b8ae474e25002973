//! Conversations that are ended in the middle: by the run, by the clock.

use std::fs;
use std::time::{Duration, Instant};

use staso_core::run::RunContext;
use staso_core::testing::test_context;
use staso_core::vcs::VcsError;

use super::gate::{Fault, Gate};
use super::server::{Server, branch, child_of};
use super::{of, over_all};
use crate::address::RemoteAddress;
use crate::credentials::NoCredentials;
use crate::git::transport::{Pushed, TransportKind, transport};
use crate::limits::GitLimits;

over_all! {
    a_list_that_is_cancelled,
    a_fetch_that_is_cancelled,
    case_56_a_push_that_is_cancelled_on_its_way_there,
    case_56_a_push_that_is_cancelled_on_its_way_back,
    a_server_that_says_nothing_meets_the_time_limit,
}

/// Whether a process has this text among its arguments.
fn is_running(text: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .any(|arguments| String::from_utf8_lossy(&arguments).contains(text))
}

/// Cancels the run when the conversation stands still, and sees that it ends at once and leaves no process.
async fn cancelled_at_the_stall<T>(
    gate: &Gate,
    ctx: &RunContext,
    call: impl Future<Output = Result<T, VcsError>>,
) -> Result<T, VcsError> {
    let cancelled = async {
        gate.stalled().await;
        ctx.cancellation().cancel();
        Instant::now()
    };
    let (result, cancelled) = tokio::join!(call, cancelled);
    assert!(cancelled.elapsed() < Duration::from_secs(2), "{:?}", cancelled.elapsed());
    let address: RemoteAddress = gate.address();
    let deadline = Instant::now() + Duration::from_secs(5);
    while is_running(address.as_str()) {
        assert!(Instant::now() < deadline, "git and its children are gone");
        tokio::task::yield_now().await;
    }
    result
}

async fn a_list_that_is_cancelled(kind: TransportKind) {
    let (server, ctx) = (Server::new(), test_context());
    let gate = server.gate(Fault::StallAnswer("info/refs", 10));
    let store = server.store(gate.address(), of(kind));
    let error = cancelled_at_the_stall(&gate, &ctx, store.list(&[], &NoCredentials, &ctx)).await.unwrap_err();
    assert!(matches!(error, VcsError::Cancelled), "{error:?}");
}

async fn a_fetch_that_is_cancelled(kind: TransportKind) {
    let (server, ctx) = (Server::new(), test_context());
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let tip = server.tip("main").unwrap();
    let gate = server.gate(Fault::StallAnswer("POST /acme/support.git/git-upload-pack", 400));
    let store = server.store(gate.address(), of(kind));
    let wanted = [tip.clone()];
    let error =
        cancelled_at_the_stall(&gate, &ctx, store.ensure(&wanted, &NoCredentials, &ctx)).await.unwrap_err();
    assert!(matches!(error, VcsError::Cancelled), "{error:?}");
    let store = server.store(server.http_address(), of(kind));
    store.ensure(&[tip], &NoCredentials, &test_context()).await.unwrap();
}

async fn case_56_a_push_that_is_cancelled_on_its_way_there(kind: TransportKind) {
    let (server, ctx) = (Server::new(), test_context());
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let tip = server.tip("main").unwrap();
    let gate = server.gate(Fault::StallRequest("POST /acme/support.git/git-receive-pack", 100));
    let store = server.store(gate.address(), of(kind));
    store.ensure(std::slice::from_ref(&tip), &NoCredentials, &ctx).await.unwrap();
    let (fix, name) = (child_of(&store, &tip, "fixed\n"), branch("fix/staso-a-1"));
    let error = cancelled_at_the_stall(&gate, &ctx, store.push(&fix, &name, &NoCredentials, &ctx)).await;
    assert!(matches!(error, Err(VcsError::Cancelled)), "{error:?}");
    assert_eq!(server.tip("fix/staso-a-1"), None);
    let store = server.store(server.http_address(), of(kind));
    assert_eq!(store.push(&fix, &name, &NoCredentials, &test_context()).await.unwrap(), Pushed::Created);
}

async fn case_56_a_push_that_is_cancelled_on_its_way_back(kind: TransportKind) {
    let (server, ctx) = (Server::new(), test_context());
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let tip = server.tip("main").unwrap();
    let gate = server.gate(Fault::StallAnswer("POST /acme/support.git/git-receive-pack", 0));
    let store = server.store(gate.address(), of(kind));
    store.ensure(std::slice::from_ref(&tip), &NoCredentials, &ctx).await.unwrap();
    let (fix, name) = (child_of(&store, &tip, "fixed\n"), branch("fix/staso-a-1"));
    let error = cancelled_at_the_stall(&gate, &ctx, store.push(&fix, &name, &NoCredentials, &ctx)).await;
    assert!(matches!(error, Err(VcsError::Cancelled)), "{error:?}");
    assert_eq!(server.tip("fix/staso-a-1"), Some(fix), "the whole branch");
    server.assert_sound();
}

async fn a_server_that_says_nothing_meets_the_time_limit(kind: TransportKind) {
    let server = Server::new();
    let gate = server.gate(Fault::StallAnswer("info/refs", 0));
    let limits = GitLimits::default().with_fetch(Duration::from_millis(500));
    let store = server.store_within(gate.address(), transport(kind, &limits), limits);
    let error = store.list(&[], &NoCredentials, &test_context()).await.unwrap_err();
    assert!(matches!(error, VcsError::Timeout { .. }), "{error:?}");
}
