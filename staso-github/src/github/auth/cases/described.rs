//! Requests as the description of the API wants them: the peer refuses any other.

use super::*;
use crate::peer::choice::Choice;
use crate::peer::official::Official;

const REPOSITORY: &str = "GET /repos/{owner}/{repo}/installation";

fn bench(official: &Official) -> Bench {
    let mut bench = Bench::new([]);
    let auth = GitHubAuth::App(AppCredentials::new(CLIENT_ID, PKCS1.into()));
    bench.api = api_at(&official.url(), auth);
    bench
}

fn operations(official: &Official) -> Vec<String> {
    official.asked().into_iter().map(|asked| asked.operation).collect()
}

#[tokio::test]
async fn tokens_are_made_as_described() {
    let official = Official::start();
    let bench = bench(&official);
    bench.git_token(Access::Read).await.unwrap();
    bench.git_token(Access::Propose).await.unwrap();
    let mint = "POST /app/installations/{installation_id}/access_tokens";
    assert_eq!(operations(&official), [REPOSITORY, mint, mint]);
}

#[tokio::test]
async fn an_installation_is_looked_for_as_described() {
    let official = Official::start();
    let owners = ["GET /orgs/{org}/installation", "GET /users/{username}/installation"];
    for operation in [REPOSITORY].into_iter().chain(owners) {
        official.on(operation, [Choice::undocumented(404, "Not Found")]);
    }
    let error = bench(&official).ask(Access::Read).await.unwrap_err();
    assert!(matches!(error, VcsError::NotInstalled { .. }), "{error}");
    assert_eq!(operations(&official), [REPOSITORY, owners[0], owners[1], "GET /app"]);
}
