//! The public suite on every kind of local repository.

use std::sync::Arc;

use staso_core::conformance::vcs;
use staso_core::vcs::VcsProvider;

use crate::fixture::{GitFixture, url_of};

#[tokio::test]
async fn a_bare_repository_conforms() {
    let fixture = GitFixture::bare();
    vcs::all(&fixture.provider(), &fixture).await;
    fixture.assert_sound();
}

#[tokio::test]
async fn a_clone_conforms_and_keeps_its_working_tree() {
    let fixture = GitFixture::new();
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
