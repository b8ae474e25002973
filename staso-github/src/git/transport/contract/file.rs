//! Over repositories of this machine.

use std::sync::Arc;

use staso_core::testing::test_context;
use staso_core::vcs::VcsError;

use super::server::{Server, branch, child_of, commit_id};
use crate::credentials::NoCredentials;
use crate::git::transport::{CliTransport, GitTransport, Pushed};
use crate::limits::GitLimits;

fn cli() -> Arc<dyn GitTransport> {
    Arc::new(CliTransport::new(GitLimits::default()))
}

#[tokio::test]
async fn commits_are_fetched_listed_and_pushed() {
    let server = Server::new();
    let store = server.store(server.file_address(), cli());
    let (tip, ctx) = (server.tip("main").unwrap(), test_context());
    let listed = store.list(&[], &NoCredentials, &ctx).await.unwrap();
    assert_eq!(listed.head, Some(branch("main")));
    assert_eq!(listed.branches.into_iter().collect::<Vec<_>>(), [(branch("main"), tip.clone())]);
    store.ensure(std::slice::from_ref(&tip), &NoCredentials, &ctx).await.unwrap();
    let fix = child_of(&store, &tip, "fixed\n");
    let name = branch("fix/staso-a-1");
    assert_eq!(store.push(&fix, &name, &NoCredentials, &ctx).await.unwrap(), Pushed::Created);
    assert_eq!(server.tip("fix/staso-a-1"), Some(fix.clone()));
    assert_eq!(store.push(&fix, &name, &NoCredentials, &ctx).await.unwrap(), Pushed::Taken);
    let forward = child_of(&store, &fix, "more\n");
    assert_eq!(store.push(&forward, &name, &NoCredentials, &ctx).await.unwrap(), Pushed::Taken);
    assert_eq!(server.tip("fix/staso-a-1"), Some(fix.clone()), "not even forward");
    let listed = store.list(&["fix/staso-a-".to_owned()], &NoCredentials, &ctx).await.unwrap();
    assert_eq!(listed.branches.into_iter().collect::<Vec<_>>(), [(name, fix)]);
    assert_eq!(listed.head, Some(branch("main")));
}

#[tokio::test]
async fn case_25_a_commit_that_the_server_does_not_have() {
    let server = Server::new();
    let store = server.store(server.file_address(), cli());
    let (tip, unknown) = (server.tip("main").unwrap(), commit_id(&"12".repeat(20)));
    let error = store.ensure(&[tip, unknown.clone()], &NoCredentials, &test_context()).await.unwrap_err();
    assert!(matches!(&error, VcsError::CommitNotFound { commit, .. } if *commit == unknown), "{error:?}");
}
