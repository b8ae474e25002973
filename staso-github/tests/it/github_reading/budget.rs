//! How many requests a run costs.

use staso_core::vcs::{Access, VcsError, VcsProvider as _};
use staso_github::{AppCredentials, CodeAccess, GitHub, GitHubAuth};

use super::world::World;
use crate::fixture::GitFixture;
use crate::peer::choice::Choice;
use crate::peer::git_http::Right;

const KEY: &str = include_str!("../../keys/app-pkcs1.pem");

/// The requests that finding the code and checking it out takes.
async fn requests(world: &World, provider: &GitHub, expected: Result<(), &str>) -> usize {
    let before = world.asked().len();
    let source = world.recorded(&world.source.previous, Some("main"));
    let found = provider.resolve(&source, &world.ctx).await.unwrap();
    match (provider.preflight(&found.repository, Access::Propose, &world.ctx).await, expected) {
        (Ok(()), Ok(())) => {}
        (Err(VcsError::MissingPermission { permission, .. }), Err(expected)) => {
            assert_eq!(permission, expected);
        }
        (other, _) => panic!("{other:?}"),
    }
    drop(provider.checkout(&found.repository, &found.commit, &world.ctx).await.unwrap());
    drop(provider.checkout(&found.repository, &found.base_tip, &world.ctx).await.unwrap());
    world.asked().len() - before
}

#[tokio::test]
async fn a_token_costs_three_requests_and_two_when_the_history_is_known() {
    let world = World::new(GitFixture::new());
    world.compared(&world.source.previous, "ahead");
    let provider = world.provider(CodeAccess::Auto);
    let cold = requests(&world, &provider, Ok(())).await;
    let warm = requests(&world, &provider, Ok(())).await;
    assert_eq!((cold, warm), (3, 2), "{:?}", world.asked());
}

#[tokio::test]
async fn an_app_costs_two_more_when_it_is_cold() {
    let world = World::new(GitFixture::new());
    world.compared(&world.source.previous, "ahead");
    let token = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";
    world.host.accept(token, Right::Read);
    let minted = Choice::example().with("/token", token).with("/expires_at", "2100-01-01T00:00:00Z");
    world.api.on("POST /app/installations/{installation_id}/access_tokens", [minted]);
    let app = AppCredentials::new("Iv1.ab1112223334445c", KEY.into());
    let provider = world.provider_of(GitHubAuth::App(app));
    // The official example of an installation may only read, which costs no request to find out.
    let cold = requests(&world, &provider, Err("contents: write")).await;
    let warm = requests(&world, &provider, Err("contents: write")).await;
    assert_eq!((cold, warm), (5, 2), "{:?}", world.asked());
}
