//! What will be refused is found out before any work is spent.

use std::time::Duration;

use staso_core::vcs::{Access, RepositoryRef, VcsError, VcsProvider as _};
use staso_github::{AppCredentials, CodeAccess, GitHubAuth};

use super::world::{REPOSITORY, World};
use crate::fixture::GitFixture;
use crate::peer::choice::Choice;

const INSTALLATION: &str = "GET /repos/{owner}/{repo}/installation";
const KEY: &str = include_str!("../../keys/app-pkcs1.pem");

fn app() -> GitHubAuth {
    GitHubAuth::App(AppCredentials::new("Iv1.ab1112223334445c", KEY.into()))
}

#[tokio::test]
async fn case_21_an_archived_repository_costs_nothing() {
    let world = World::new(GitFixture::new());
    world.api.on(REPOSITORY, [World::description().with("/archived", true)]);
    let found = world.resolve(&world.source.tip, None).await.unwrap();
    assert!(found.repository.archived);
    let before = world.asked().len();
    let provider = world.provider(CodeAccess::Auto);
    let refused = provider.preflight(&found.repository, Access::Propose, &world.ctx).await.unwrap_err();
    assert!(matches!(refused, VcsError::Archived { .. }), "{refused:?}");
    assert_eq!(world.asked().len(), before, "it is known already");
    provider.preflight(&found.repository, Access::Read, &world.ctx).await.unwrap();
}

#[tokio::test]
async fn case_21_what_is_archived_after_it_was_resolved_is_seen_before_the_next_proposal() {
    let world = World::new(GitFixture::new());
    let provider = world.provider(CodeAccess::Auto);
    let found = provider.resolve(&world.recorded(&world.source.tip, None), &world.ctx).await.unwrap();
    world.api.on(REPOSITORY, [World::description().with("/archived", true)]);
    let stale = found.repository;
    let before = world.asked().len();
    provider.preflight(&stale, Access::Propose, &world.ctx).await.unwrap();
    assert_eq!(world.asked().len(), before, "resolving has just looked");
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(1)).await;
    tokio::time::resume();
    let refused = provider.preflight(&stale, Access::Propose, &world.ctx).await.unwrap_err();
    assert!(matches!(refused, VcsError::Archived { .. }), "{refused:?}");
    assert_eq!(world.asked()[before..], [REPOSITORY]);
    let of_another_process = world.provider(CodeAccess::Auto);
    let refused = of_another_process.preflight(&stale, Access::Propose, &world.ctx).await.unwrap_err();
    assert!(matches!(refused, VcsError::Archived { .. }), "{refused:?}");
    assert_eq!(world.asked()[before..], [REPOSITORY, REPOSITORY]);
}

#[tokio::test]
async fn a_token_that_may_not_push_may_read() {
    let world = World::new(GitFixture::new());
    world.api.on(REPOSITORY, [World::description().with("/permissions/push", false)]);
    let provider = world.provider(CodeAccess::Auto);
    provider.preflight(&world.reference(), Access::Read, &world.ctx).await.unwrap();
    let refused = provider.preflight(&world.reference(), Access::Propose, &world.ctx).await.unwrap_err();
    assert!(
        matches!(&refused, VcsError::MissingPermission { permission, .. } if permission == "contents: write"),
        "{refused:?}"
    );
    assert!(refused.remedy().is_some());
}

#[tokio::test]
async fn a_repository_whose_name_another_one_has_now_is_gone() {
    let world = World::new(GitFixture::new());
    let renamed = RepositoryRef { id: "github:7".to_owned(), ..world.reference() };
    let refused = world.provider(CodeAccess::Auto).preflight(&renamed, Access::Propose, &world.ctx).await;
    assert!(matches!(refused, Err(VcsError::Gone { .. })), "{refused:?}");
}

#[tokio::test]
async fn nobody_may_read_what_is_public_and_propose_nothing() {
    let world = World::new(GitFixture::new());
    world.api.allow_anonymous();
    let provider = world.provider_of(GitHubAuth::Anonymous);
    provider.preflight(&world.reference(), Access::Read, &world.ctx).await.unwrap();
    let refused = provider.preflight(&world.reference(), Access::Propose, &world.ctx).await.unwrap_err();
    assert!(matches!(refused, VcsError::MissingPermission { .. }), "{refused:?}");
    assert!(refused.remedy().unwrap().contains("App or a token"), "{refused}");
}

#[tokio::test]
async fn an_app_without_a_permission_is_told_where_to_add_it() {
    let world = World::new(GitFixture::new());
    let page = format!("{}/organizations/github/settings/installations/1", world.host.origin());
    world.api.on(INSTALLATION, [Choice::example().with("/html_url", page.as_str())]);
    let provider = world.provider_of(app());
    let refused = provider.preflight(&world.reference(), Access::Propose, &world.ctx).await.unwrap_err();
    let VcsError::MissingPermission { permission, remedy, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(permission, "contents: write", "the official example may read contents");
    assert!(remedy.contains(&page), "{remedy}");
    assert_eq!(world.asked(), [INSTALLATION], "no token is made to find that out");
}

#[tokio::test]
async fn case_05_a_repository_that_was_not_selected_is_not_said_to_be_absent() {
    let world = World::new(GitFixture::new());
    world.api.on(INSTALLATION, [Choice::status(404)]);
    world
        .api
        .on("GET /orgs/{org}/installation", [Choice::example().with("/repository_selection", "selected")]);
    let provider = world.provider_of(app());
    let refused = provider.resolve(&world.recorded(&world.source.tip, None), &world.ctx).await.unwrap_err();
    let VcsError::RepositoryNotGranted { settings_url, .. } = &refused else { panic!("{refused:?}") };
    assert!(
        settings_url.ends_with("/settings/installations"),
        "the example names another host: {settings_url}"
    );
}

#[tokio::test]
async fn a_cancelled_run_asks_nothing() {
    let world = World::new(GitFixture::new());
    world.ctx.cancellation().cancel();
    let archived = RepositoryRef { archived: true, ..world.reference() };
    let provider = world.provider(CodeAccess::Auto);
    let refused = provider.preflight(&archived, Access::Propose, &world.ctx).await.unwrap_err();
    assert!(matches!(refused, VcsError::Cancelled), "{refused:?}");
    let refused = world.resolve(&world.source.tip, None).await.unwrap_err();
    assert!(matches!(refused, VcsError::Cancelled), "{refused:?}");
    assert_eq!(world.asked(), Vec::<String>::new());
}
