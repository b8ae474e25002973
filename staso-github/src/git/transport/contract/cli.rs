//! What the git program alone can do, or has to be told.

use staso_core::testing::test_context;
use staso_core::vcs::VcsError;

use super::gate::Fault;
use super::of;
use super::server::{Server, branch, child_of};
use crate::credentials::NoCredentials;
use crate::git::transport::{Pushed, TransportKind};

/// Text that does not compress.
fn noise(bytes: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut letters = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from_u32(0x100 + u32::try_from(state % 0x500).unwrap()).unwrap()
    });
    letters.by_ref().take(bytes / 2).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_26_a_commit_that_was_pushed_away_is_fetched() {
    let server = Server::new();
    let lost = server.push_away();
    let store = server.store(server.http_address(), of(TransportKind::Git));
    store.ensure(std::slice::from_ref(&lost), &NoCredentials, &test_context()).await.unwrap();
    let kept =
        store.work("reading", &test_context(), move |repository, _| repository.commit(&lost).map(drop)).await;
    kept.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_26_a_commit_stands_on_one_that_was_pushed_away() {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let lost = server.push_away();
    let (store, ctx) = (server.store(server.http_address(), of(TransportKind::Git)), test_context());
    store.ensure(std::slice::from_ref(&lost), &NoCredentials, &ctx).await.unwrap();
    let fix = child_of(&store, &lost, "fixed\n");
    let error = store.push(&fix, &branch("fix/staso-a-1"), &NoCredentials, &ctx).await.unwrap_err();
    assert!(matches!(&error, VcsError::CommitNotFound { commit, .. } if *commit == lost), "{error:?}");
    assert_eq!(server.tip("fix/staso-a-1"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_52_a_proposal_is_sent_in_one_piece() {
    let server = Server::new();
    let (tip, ctx) = (server.tip("main").unwrap(), test_context());
    let gate = server.gate(Fault::NoChunks);
    let store = server.store(gate.address(), of(TransportKind::Git));
    store.ensure(std::slice::from_ref(&tip), &NoCredentials, &ctx).await.unwrap();
    let fix = child_of(&store, &tip, &noise(7 << 20));
    let pushed = store.push(&fix, &branch("fix/staso-a-1"), &NoCredentials, &ctx).await.unwrap();
    assert_eq!((pushed, server.tip("fix/staso-a-1")), (Pushed::Created, Some(fix)));
    let large = child_of(&store, &tip, &noise(24 << 20));
    let error = store.push(&large, &branch("fix/staso-b-1"), &NoCredentials, &ctx).await.unwrap_err();
    assert!(matches!(&error, VcsError::BadAnswer { reason, .. } if reason.contains("411")), "{error:?}");
}
