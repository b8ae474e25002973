//! Answers that are refusals, cut or very long, while files are read through the API.

use serde_json::{Value, json};
use staso_core::id::CommitId;
use staso_core::vcs::{FileContent, VcsError, VcsProvider as _};
use staso_github::{CodeAccess, GitHub};

use super::world::{BLOB, TREE, World};
use crate::fixture::{GitFixture, path, write};
use crate::peer::choice::Choice;

fn world() -> (World, CommitId) {
    let fixture = GitFixture::new();
    write(&fixture.repository, "vacant", b"");
    let commit = World::commit_all(&fixture);
    let world = World::new(fixture);
    world.serve(&commit);
    (world, commit)
}

async fn read(
    world: &World,
    provider: &GitHub,
    commit: &CommitId,
    at: &str,
) -> Result<FileContent, VcsError> {
    provider.read_file(&world.reference(), commit, &path(at), 1000, &world.ctx).await
}

#[tokio::test]
async fn a_refusal_may_be_longer_than_the_file_that_was_asked_for() {
    let (world, commit) = world();
    let provider = world.provider(CodeAccess::Api);
    let vacant = world.git(&["rev-parse", &format!("{commit}:vacant")]);
    let content = Choice::example().with("/content", "").with("/sha", vacant.as_str());
    let overloaded = Choice::undocumented(502, "Server Error");
    world.api.on_where(BLOB, &[("file_sha", &vacant)], [overloaded, content]);
    let found = read(&world, &provider, &commit, "vacant").await.unwrap();
    assert!(matches!(found, FileContent::Text { text, .. } if text.is_empty()));

    world.api.on(BLOB, [Choice::undocumented(451, "Repository access blocked")]);
    let refused = read(&world, &provider, &commit, "vacant").await.unwrap_err();
    assert!(matches!(refused, VcsError::Gone { .. }), "{refused:?}");
    world.api.on(BLOB, [Choice::undocumented(401, "Bad credentials")]);
    let refused = read(&world, &provider, &commit, "vacant").await.unwrap_err();
    assert!(matches!(refused, VcsError::CredentialRevoked { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_submodule_is_not_entered_even_when_its_commit_is_one_of_the_repository() {
    let fixture = GitFixture::new();
    let id = fixture.tip.clone();
    std::fs::create_dir_all(fixture.repository.join("vendor/lib")).unwrap();
    fixture.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},vendor/lib")]);
    let commit = World::commit_all(&fixture);
    let world = World::new(fixture);
    world.serve(&commit);
    world.serve(&id);
    world.truncate(commit.as_str(), &[("recursive", "1")]);
    let provider = world.provider(CodeAccess::Api);
    assert_eq!(read(&world, &provider, &commit, "vendor/lib").await.unwrap(), FileContent::Submodule);
    let inside = read(&world, &provider, &commit, "vendor/lib/app/agent.py").await;
    assert!(matches!(inside, Err(VcsError::FileNotFound { .. })), "{inside:?}");
}

#[tokio::test]
async fn case_50_what_a_cut_listing_leaves_out_is_not_said_to_be_absent() {
    let (world, commit) = world();
    world.truncate(commit.as_str(), &[]);
    let provider = world.provider(CodeAccess::Api);
    let beyond = read(&world, &provider, &commit, "vacant").await;
    assert!(matches!(&beyond, Err(VcsError::TooLarge { .. })), "{beyond:?}");
}

#[tokio::test]
async fn going_down_to_a_file_has_an_end() {
    let fixture = GitFixture::new();
    let deep = format!("{}file", "d/".repeat(110));
    write(&fixture.repository, &deep, b"x\n");
    let commit = World::commit_all(&fixture);
    let world = World::new(fixture);
    world.serve(&commit);
    world.truncate(commit.as_str(), &[("recursive", "1")]);
    let found = read(&world, &world.provider(CodeAccess::Api), &commit, &deep).await;
    assert!(matches!(found, Err(VcsError::TooLarge { .. })), "{found:?}");
    assert_eq!(world.api.asked_of(TREE).len(), 1);
}

#[tokio::test]
async fn a_listing_that_cannot_be_had_whole_is_not_asked_for_again_and_again() {
    let (world, commit) = world();
    world.truncate(commit.as_str(), &[]);
    let provider = world.provider(CodeAccess::Api);
    let listed = provider.list_tree(&world.reference(), &commit, 1000, &world.ctx).await.unwrap();
    assert!(listed.truncated);
    let asked = world.api.asked_of(TREE).len();
    let again = provider.list_tree(&world.reference(), &commit, 1000, &world.ctx).await.unwrap();
    assert_eq!(again, listed);
    let made = provider.checkout(&world.reference(), &commit, &world.ctx).await;
    assert!(matches!(made, Err(VcsError::TooLarge { .. })), "{made:?}");
    assert_eq!(world.api.asked_of(TREE).len(), asked);
}

/// GitHub lists 7 MB as `git ls-tree` prints them; as JSON that is three times as much.
#[tokio::test]
async fn the_longest_listings_of_github_are_read() {
    let (world, commit) = world();
    let part = "a".repeat(250);
    let directory = [part.as_str(); 14].join("/");
    let entry = |number: usize| -> Vec<(String, Value)> {
        let path = format!("{directory}/{number}");
        vec![("/path".to_owned(), json!(path)), ("/mode".to_owned(), json!("100644"))]
    };
    let entries: Vec<_> = (0..6_000).map(entry).collect();
    let listing = Choice::example().with("/truncated", false).with_entries("/tree", entries);
    world.api.on_where(TREE, &[("tree_sha", commit.as_str())], [listing]);
    let provider = world.provider(CodeAccess::Api);
    let listed = provider.list_tree(&world.reference(), &commit, 10_000, &world.ctx).await.unwrap();
    assert_eq!((listed.entries.len(), listed.truncated), (6_000, false));
}
