//! Files read with git, which asks GitHub's git server with the token of the API.

use staso_core::vcs::{FileContent, VcsError, VcsProvider as _};
use staso_github::CodeAccess;

use super::world::{TARBALL, TOKEN, World};
use crate::fixture::{GitFixture, path, write};

fn fetches(world: &World) -> usize {
    world.host.seen().iter().filter(|seen| seen.method == "POST" && seen.status == Some(200)).count()
}

#[tokio::test]
async fn both_commits_of_a_run_come_with_one_fetch() {
    let alone = World::new(GitFixture::new());
    let provider = alone.provider(CodeAccess::Git);
    drop(provider.checkout(&alone.reference(), &alone.source.tip, &alone.ctx).await.unwrap());
    let one_fetch = fetches(&alone);
    let world = World::new(GitFixture::new());
    world.compared(&world.source.previous, "ahead");
    let provider = world.provider(CodeAccess::Git);
    let source = world.recorded(&world.source.previous, None);
    let found = provider.resolve(&source, &world.ctx).await.unwrap();
    assert_eq!(fetches(&world), 0, "resolving fetches nothing");
    drop(provider.checkout(&found.repository, &found.commit, &world.ctx).await.unwrap());
    drop(provider.checkout(&found.repository, &found.base_tip, &world.ctx).await.unwrap());
    assert_eq!(fetches(&world), one_fetch);
}

#[tokio::test]
async fn git_asks_with_the_token_and_keeps_none_of_it() {
    let world = World::new(GitFixture::new());
    let provider = world.provider(CodeAccess::Git);
    let at = path("app/agent.py");
    let read =
        provider.read_file(&world.reference(), &world.source.tip, &at, 1000, &world.ctx).await.unwrap();
    assert!(matches!(read, FileContent::Text { .. }), "{read:?}");
    assert!(world.host.seen().iter().any(|seen| seen.authorization.is_some()));
    let found = std::process::Command::new("grep").args(["-r", TOKEN]).arg(world.data()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "no file of the provider's holds the token");
}

#[tokio::test]
async fn case_27_where_the_server_gives_no_commits_by_id_the_archive_serves() {
    let fixture = GitFixture::new();
    for number in 0..12 {
        write(&fixture.repository, &format!("lost/{number}"), format!("{number}\n").as_bytes());
    }
    let lost = World::commit_all(&fixture);
    fixture.git(&["tag", "kept", lost.as_str()]);
    fixture.git(&["reset", "-q", "--hard", fixture.tip.as_str()]);
    let world = World::new(fixture);
    // No branch holds the commit, and the server does not give it out by its id.
    world.git(&["tag", "-d", "kept"]);
    world.host.speak_old_protocol();
    world.serve(&lost);
    world.serve_archive(&lost);
    let provider = world.provider(CodeAccess::Auto);
    let checkout = provider.checkout(&world.reference(), &lost, &world.ctx).await.unwrap();
    assert_eq!(std::fs::read_to_string(checkout.path.join("lost/7")).unwrap(), "7\n");
    assert_eq!(world.api.asked_of(TARBALL).len(), 1, "the archive was needed");
    let at = path("lost/3");
    let read = provider.read_file(&world.reference(), &lost, &at, 1000, &world.ctx).await.unwrap();
    assert!(matches!(read, FileContent::Text { text, .. } if &*text == "3\n"));
    assert_eq!(world.api.asked_of(TARBALL).len(), 1, "and is kept");
}

#[tokio::test]
async fn an_unknown_commit_is_not_found() {
    let world = World::new(GitFixture::new());
    let provider = world.provider(CodeAccess::Git);
    let unknown = crate::fixture::commit_id(&"0123456789".repeat(4));
    let made = provider.checkout(&world.reference(), &unknown, &world.ctx).await;
    assert!(matches!(made, Err(VcsError::CommitNotFound { .. })), "{made:?}");
}

#[tokio::test]
async fn a_companion_that_is_gone_does_not_take_the_commit_with_it() {
    let world = World::new(GitFixture::new());
    let unknown = crate::fixture::commit_id(&"0123456789".repeat(4));
    world.compared(&unknown, "diverged");
    let provider = world.provider(CodeAccess::Git);
    let found = provider.resolve(&world.recorded(&unknown, None), &world.ctx).await.unwrap();
    drop(provider.checkout(&found.repository, &found.base_tip, &world.ctx).await.unwrap());
}
