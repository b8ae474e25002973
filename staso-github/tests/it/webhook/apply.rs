//! The provider forgets what events make stale.

use std::sync::Arc;

use staso_core::id::{BranchName, RunId};
use staso_core::run::RunContext;
use staso_core::testing::TestClock;
use staso_core::vcs::{Access, RepositoryRef, VcsProvider as _};
use staso_github::{AppCredentials, GitHub, GitHubAuth, GitHubEndpoints};

use super::payloads::{Changed, official};
use crate::peer::description::Description;
use crate::peer::script::{Reply, ScriptServer, Turn};

const KEY: &str = include_str!("../../keys/app-pkcs1.pem");

/// How often a provider looks up the installation of octocat/Hello-World: before and after it hears of an event.
async fn lookups(event: Option<&Changed>) -> (usize, usize) {
    let operation = Description::get().operation("GET /repos/{owner}/{repo}/installation");
    let (_, installation) = operation.examples(200, "application/json").remove(0);
    let answer = || Turn::Answer(Reply::json(200, installation.to_string()));
    let server = ScriptServer::start([(); 4].map(|()| answer()));
    let url = server.url();
    let endpoints = GitHubEndpoints::new(&url, &format!("{url}/graphql"), "https://github.com").unwrap();
    let data = tempfile::tempdir().unwrap();
    let app = AppCredentials::new("Iv1.ab1112223334445c", KEY.into());
    let provider = GitHub::new(data.path(), GitHubAuth::App(app)).unwrap().with_endpoints(endpoints).unwrap();
    let repository = RepositoryRef {
        id: "1296269".to_owned(),
        url: "https://github.com/octocat/Hello-World".parse().unwrap(),
        default_branch: BranchName::new("main").unwrap(),
        archived: false,
    };
    let ctx = RunContext::new(RunId::from_bytes([7; 16]), Arc::new(TestClock::default()));
    let count = || server.requests().iter().filter(|seen| seen.path.ends_with("/installation")).count();
    let mut counts = [0; 2];
    for counted in &mut counts {
        // Whether the example grants enough does not matter here.
        for _ in 0..2 {
            drop(provider.preflight(&repository, Access::Read, &ctx).await);
        }
        *counted = count();
        if let Some(event) = event {
            provider.clone().apply(&event.event());
        }
    }
    (counts[0], counts[1])
}

#[tokio::test]
async fn an_installation_is_looked_up_again_after_it_changed() {
    assert_eq!(lookups(None).await, (1, 1), "it is remembered");
    let of_owner = official("installation", "deleted");
    let of_id = official("installation", "suspend").with("/installation/id", 1);
    let of_repository = official("repository", "transferred");
    for event in [of_owner, of_id, of_repository] {
        assert_eq!(lookups(Some(&event)).await, (1, 2), "{}", event.name);
    }
    let of_others = official("installation", "suspend");
    assert_eq!(lookups(Some(&of_others)).await, (1, 1));
}
