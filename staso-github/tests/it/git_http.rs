//! The git server of the tests serves git.

use std::fs;
use std::path::Path;

use crate::fixture::{GitFixture, git, try_git, write};
use crate::peer::git_http::{GitHttp, Right};

fn basic(token: &str) -> String {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
    format!("http.extraHeader=Authorization: Basic {pair}")
}

#[test]
fn a_clone_and_a_push_go_over_http() {
    let (fixture, server) = (GitFixture::new(), GitHttp::start());
    let bare = server.host("acme/support", &fixture.repository);
    git(fixture.root(), &["clone", "-q", &server.url("acme/support"), "clone"]);
    let clone = fixture.root().join("clone");
    write(&clone, "new.txt", &vec![b'x'; 3 << 20]);
    git(&clone, &["add", "new.txt"]);
    git(&clone, &["commit", "-qm", "third"]);
    git(&clone, &["push", "-q", "origin", "HEAD:refs/heads/fix/one"]);
    assert_eq!(git(&bare, &["rev-parse", "fix/one"]), git(&clone, &["rev-parse", "HEAD"]));
    let without_suffix = format!("{}/acme/support", server.origin());
    assert!(git(fixture.root(), &["ls-remote", &without_suffix]).contains("refs/heads/fix/one"));
    assert!(server.seen().iter().any(|seen| seen.method == "POST" && seen.status == Some(200)));
    assert!(!try_git(fixture.root(), &["ls-remote", &server.url("acme/none")]).0);
}

#[test]
fn tokens_open_the_door() {
    let (fixture, server) = (GitFixture::new(), GitHttp::start());
    server.host("acme/support", &fixture.repository);
    server.accept("ghs_reader", Right::Read);
    server.accept("ghs_writer", Right::Write);
    let url = server.url("acme/support");
    let list = |token: Option<&str>| match token {
        Some(token) => try_git(fixture.root(), &["-c", &basic(token), "ls-remote", &url]),
        None => try_git(fixture.root(), &["-c", "core.askPass=false", "ls-remote", &url]),
    };
    let push = |token: &str| {
        try_git(&fixture.repository, &["-c", &basic(token), "push", &url, "HEAD:refs/heads/fix/two"])
    };
    assert!(list(Some("ghs_reader")).0);
    assert!(!list(Some("ghs_other")).0);
    assert!(!list(None).0);
    let (pushed, complaint) = push("ghs_reader");
    assert!(!pushed && complaint.contains("403"), "{complaint}");
    assert!(push("ghs_writer").0);
    server.revoke("ghs_writer");
    assert!(!push("ghs_writer").0);
    assert!(server.seen().iter().any(|seen| seen.authorization.is_none() && seen.status == Some(401)));
}

#[test]
fn hooks_and_settings_are_those_of_git() {
    let (fixture, server) = (GitFixture::new(), GitHttp::start());
    let bare = server.host("acme/support", &fixture.repository);
    server
        .reject_pushes("acme/support", &["error: GH013: Repository rule violations found for refs/heads/x."]);
    let url = server.url("acme/support");
    let (pushed, complaint) = try_git(&fixture.repository, &["push", &url, "HEAD:refs/heads/x"]);
    assert!(!pushed && complaint.contains("remote: error: GH013"), "{complaint}");
    git(&bare, &["update-ref", "refs/heads/main", fixture.previous.as_str()]);
    let empty = server.host_empty("acme/empty", "trunk");
    assert_eq!(head(&empty), "ref: refs/heads/trunk\n");
    server.configure("acme/support", "protocol.version", "0");
    assert!(fs::read_to_string(bare.join("config")).unwrap().contains("[protocol]"));
}

fn head(bare: &Path) -> String {
    fs::read_to_string(bare.join("HEAD")).unwrap()
}
