//! Where libgit2 differs.

use staso_core::testing::test_context;
use staso_core::vcs::VcsError;

use super::gate::Fault;
use super::of;
use super::server::{Server, branch, child_of};
use crate::credentials::NoCredentials;
use crate::git::transport::{Pushed, TransportKind};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_52_a_proxy_that_takes_no_chunks_is_named() {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let (tip, ctx) = (server.tip("main").unwrap(), test_context());
    let gate = server.gate(Fault::NoChunks);
    let store = server.store(gate.address(), of(TransportKind::Libgit2));
    store.ensure(std::slice::from_ref(&tip), &NoCredentials, &ctx).await.unwrap();
    let fix = child_of(&store, &tip, "fixed\n");
    let error = store.push(&fix, &branch("fix/staso-a-1"), &NoCredentials, &ctx).await.unwrap_err();
    assert!(matches!(&error, VcsError::BadAnswer { reason, .. } if reason.contains("411")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_26_a_commit_on_one_that_was_pushed_away_brings_it_back() {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let lost = server.push_away();
    let (store, ctx) = (server.store(server.http_address(), of(TransportKind::Libgit2)), test_context());
    store.ensure(std::slice::from_ref(&lost), &NoCredentials, &ctx).await.unwrap();
    let fix = child_of(&store, &lost, "fixed\n");
    // It does not say where its history ends, and the server has the rest of it.
    let pushed = store.push(&fix, &branch("fix/staso-a-1"), &NoCredentials, &ctx).await.unwrap();
    assert_eq!((pushed, server.tip("fix/staso-a-1")), (Pushed::Created, Some(fix)));
    server.assert_sound();
}
