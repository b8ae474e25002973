//! The public suite on every kind of local repository, and on remote ones over files and HTTP.

use std::sync::Arc;

use secrecy::SecretString;

use staso_core::conformance::vcs;
use staso_core::vcs::VcsProvider;

use staso_github::{CompareLink, GitCredentials, GitRemote};

use crate::fixture::{GitFixture, url_of};
use crate::peer::git_http::{GitHttp, Right};

#[tokio::test]
async fn a_bare_repository_conforms() {
    let fixture = GitFixture::bare().with_odd_files();
    vcs::all(&fixture.provider(), &fixture).await;
    fixture.assert_sound();
}

#[tokio::test]
async fn a_clone_conforms_and_keeps_its_working_tree() {
    let fixture = GitFixture::new().with_odd_files();
    std::fs::write(fixture.repository.join("app/tools.py"), "half-done work\n").unwrap();
    fixture.git(&["add", "app/tools.py"]);
    let index = std::fs::read(fixture.repository.join(".git/index")).unwrap();
    let provider: Arc<dyn VcsProvider> = Arc::new(fixture.provider());
    vcs::all(&*provider, &fixture).await;
    let text = std::fs::read_to_string(fixture.repository.join("app/tools.py")).unwrap();
    assert_eq!(text, "half-done work\n", "the working tree is nobody's business");
    assert_eq!(std::fs::read(fixture.repository.join(".git/index")).unwrap(), index, "nor is the index");
    assert_eq!(fixture.git(&["symbolic-ref", "HEAD"]), "refs/heads/main", "nor the current branch");
    fixture.assert_sound();
}

#[tokio::test]
async fn a_linked_working_tree_conforms() {
    let mut fixture = GitFixture::new();
    let linked = fixture.root().join("linked");
    fixture.git(&["checkout", "-q", "--detach"]);
    fixture.git(&["worktree", "add", "-q", &linked.to_string_lossy(), "main"]);
    fixture.repository.clone_from(&linked);
    let fixture = fixture.recorded_as(url_of(&linked).as_str());
    vcs::all(&fixture.provider(), &fixture).await;
}

#[tokio::test]
async fn a_clone_that_stands_for_a_remote_address_conforms() {
    let fixture = GitFixture::new().recorded_as("https://github.com/acme/support");
    let url = "git@github.com:acme/support.git".parse().unwrap();
    vcs::all(&fixture.provider().with_repository(url, &fixture.repository), &fixture).await;
}

#[tokio::test]
async fn a_remote_over_files_conforms() {
    let fixture = GitFixture::bare().with_odd_files().recorded_as("https://git.acme.com/acme/support");
    let address = url_of(&fixture.repository).as_str().parse().unwrap();
    let provider =
        GitRemote::new(fixture.data(), "https://git.acme.com/acme/support".parse().unwrap(), address);
    vcs::all(&provider, &fixture).await;
    fixture.assert_sound();
}

#[tokio::test]
async fn a_remote_over_http_with_credentials_conforms() {
    let server = GitHttp::start();
    let mut fixture = GitFixture::new().with_odd_files().recorded_as("https://git.acme.com/acme/support");
    fixture.repository = server.host("acme/support", &fixture.repository);
    server.accept("ghs_writer", Right::Write);
    let recorded = "https://git.acme.com/acme/support".parse().unwrap();
    let token = GitCredentials::token(SecretString::from("ghs_writer"));
    let provider = GitRemote::new(fixture.data(), recorded, server.url("acme/support").parse().unwrap())
        .with_credentials(Arc::new(token))
        .with_compare_link(CompareLink::GitHub);
    vcs::all(&provider, &fixture).await;
    fixture.assert_sound();
    assert!(
        server.seen().iter().all(|seen| seen.authorization.is_some()),
        "no request without the credentials"
    );
}
