//! The store of commits, over all transports.

use std::fs;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use staso_core::run::RunContext;
use staso_core::testing::test_context;
use staso_core::vcs::{Access, VcsError};

use super::gate::Fault;
use super::server::{Server, branch, child_of};
use super::{of, over_all};
use crate::credentials::{CredentialSource, GitCredentials, NoCredentials};
use crate::git::transport::{Pushed, TransportKind, transport};
use crate::limits::GitLimits;
use crate::peer::git_http::Right;

over_all! {
    case_08_each_operation_has_a_fresh_token,
    case_27_branches_are_followed_where_commits_are_not_given_out,
    what_is_here_is_not_fetched_again,
    many_who_want_a_commit_fetch_it_once,
    what_a_killed_fetch_left_does_not_stop_the_next,
    a_repository_that_is_too_large_is_not_kept_on_fetching,
}

/// Gives another token each time, which replaces the one before.
#[derive(Debug)]
struct Minted<'a> {
    server: &'a Server,
    given: Mutex<Vec<(Access, String)>>,
    refused: Mutex<Vec<String>>,
}

#[async_trait]
impl CredentialSource for Minted<'static> {
    async fn credentials(&self, access: Access, _: &RunContext) -> Result<Option<GitCredentials>, VcsError> {
        let mut given = self.given.lock().unwrap();
        let token = format!("ghs_number{}", given.len());
        if let Some((_, before)) = given.last() {
            self.server.http.revoke(before);
        }
        // The second is no good.
        if given.len() != 1 {
            let right = if access == Access::Read { Right::Read } else { Right::Write };
            self.server.http.accept(&token, right);
        }
        given.push((access, token.clone()));
        Ok(Some(GitCredentials::token(token.into())))
    }

    async fn refused(&self, credentials: &GitCredentials, _: &RunContext) -> bool {
        self.refused.lock().unwrap().push(credentials.password.expose_secret().to_owned());
        true
    }
}

async fn case_08_each_operation_has_a_fresh_token(kind: TransportKind) {
    let server: &'static Server = Box::leak(Box::new(Server::new()));
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    server.http.accept("ghs_other", Right::Read);
    let source = Minted { server, given: Mutex::default(), refused: Mutex::default() };
    let (store, ctx, tip) =
        (server.store(server.http_address(), of(kind)), test_context(), server.tip("main").unwrap());
    store.list(&[], &source, &ctx).await.unwrap();
    store.ensure(std::slice::from_ref(&tip), &source, &ctx).await.unwrap();
    let fix = child_of(&store, &tip, "fixed\n");
    assert_eq!(store.push(&fix, &branch("fix/staso-a-1"), &source, &ctx).await.unwrap(), Pushed::Created);
    let asked: Vec<Access> = source.given.lock().unwrap().iter().map(|(access, _)| *access).collect();
    assert_eq!(asked, [Access::Read, Access::Read, Access::Read, Access::Propose]);
    assert_eq!(*source.refused.lock().unwrap(), ["ghs_number1"], "asked for another once");
}

async fn case_27_branches_are_followed_where_commits_are_not_given_out(kind: TransportKind) {
    let server = Server::new();
    let first = server.tip("main").unwrap();
    for number in 0..60 {
        server.commit_unpushed(&format!("later{number}"));
    }
    server.commit("main", "last", "text\n");
    let lost = server.commit("main", "lost", "text\n");
    server.push_away();
    let gate = server.gate(Fault::OldProtocol);
    let (store, ctx) = (server.store(gate.address(), of(kind)), test_context());
    store.ensure(std::slice::from_ref(&first), &NoCredentials, &ctx).await.unwrap();
    let fix = child_of(&store, &first, "fixed\n");
    let pushed = store.push(&fix, &branch("fix/staso-a-1"), &NoCredentials, &ctx).await.unwrap();
    assert_eq!(pushed, Pushed::Created);
    // A branch is replaced by one below its name.
    server.commit("topic", "topic", "text\n");
    store.ensure(std::slice::from_ref(&lost), &NoCredentials, &ctx).await.unwrap_err();
    server.remove_branch("topic");
    server.commit("topic/below", "below", "text\n");
    let error = store.ensure(std::slice::from_ref(&lost), &NoCredentials, &ctx).await.unwrap_err();
    assert!(matches!(error, VcsError::FeatureUnavailable { .. }), "an archive may help: {error:?}");
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    store.ensure(&[lost], &NoCredentials, &ctx).await.unwrap();
    server.assert_sound();
}

async fn what_is_here_is_not_fetched_again(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let (store, ctx, tip) =
        (server.store(server.http_address(), of(kind)), test_context(), server.tip("main").unwrap());
    store.ensure(std::slice::from_ref(&tip), &NoCredentials, &ctx).await.unwrap();
    let asked = server.http.seen().len();
    store.ensure(&[tip.clone(), tip], &NoCredentials, &ctx).await.unwrap();
    store.ensure(&[], &NoCredentials, &ctx).await.unwrap();
    assert_eq!(server.http.seen().len(), asked);
}

async fn many_who_want_a_commit_fetch_it_once(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let (store, tip) = (Arc::new(server.store(server.http_address(), of(kind))), server.tip("main").unwrap());
    let mut fetches = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (store, tip) = (store.clone(), tip.clone());
        fetches.spawn(async move { store.ensure(&[tip], &NoCredentials, &test_context()).await });
    }
    fetches.join_all().await.into_iter().collect::<Result<Vec<()>, _>>().unwrap();
    let listed = server.http.seen().iter().filter(|seen| seen.method == "GET").count();
    assert_eq!(listed, 1);
}

async fn what_a_killed_fetch_left_does_not_stop_the_next(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let (store, ctx, tip) =
        (server.store(server.http_address(), of(kind)), test_context(), server.tip("main").unwrap());
    store.ensure(std::slice::from_ref(&tip), &NoCredentials, &ctx).await.unwrap();
    let newer = server.commit("main", "newer", "text\n");
    let leftovers = [
        "shallow.lock",
        "packed-refs.lock",
        "config.lock",
        "HEAD.lock",
        "objects/pack/tmp_pack_x",
        "objects/pack/pack_git2_x",
        "objects/pack/pack-12.keep",
    ];
    let kept = format!("refs/staso/commits/{newer}.lock");
    for leftover in leftovers.into_iter().chain([kept.as_str()]) {
        fs::write(store.directory().join(leftover), "half").unwrap();
    }
    store.ensure(&[newer], &NoCredentials, &ctx).await.unwrap();
    for leftover in leftovers {
        assert!(!store.directory().join(leftover).exists(), "{leftover}");
    }
}

async fn a_repository_that_is_too_large_is_not_kept_on_fetching(kind: TransportKind) {
    let server = Server::new();
    server.configure("uploadpack.allowAnySHA1InWant", "true");
    let tip = server.tip("main").unwrap();
    let limits = GitLimits::default().with_mirror_bytes(10).with_fetch(Duration::from_secs(60));
    let store = server.store_within(server.http_address(), transport(kind, &limits), limits);
    let error = store.ensure(&[tip], &NoCredentials, &test_context()).await.unwrap_err();
    assert!(matches!(error, VcsError::TooLarge { .. }), "{error:?}");
}
