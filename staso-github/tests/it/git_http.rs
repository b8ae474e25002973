//! The git server of the tests serves git.

use std::fs;
use std::path::Path;

use crate::fixture::{GitFixture, git, try_git, write};
use crate::peer::fault::{Fault, FaultProxy, Plan};
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
    assert!(server.seen().iter().all(|seen| seen.protocol.as_deref() != Some("")));
    assert!(fs::read_to_string(bare.join("config")).unwrap().contains("receivepack"));
}

#[test]
fn commits_are_given_out_by_id_as_the_settings_say() {
    let (fixture, server) = (GitFixture::new(), GitHttp::start());
    server.host("acme/support", &fixture.repository);
    let fetch = |name: &str, version: &str| {
        let into = fixture.root().join(name);
        git(fixture.root(), &["init", "-q", "--bare", &into.to_string_lossy()]);
        let arguments = ["-c", version, "fetch", "-q", "--depth=1"];
        let url = server.url("acme/support");
        try_git(&into, &[&arguments[..], &[&url, fixture.previous.as_str()]].concat())
    };
    assert!(fetch("new", "protocol.version=2").0, "version 2 gives out everything");
    server.speak_old_protocol();
    let (fetched, complaint) = fetch("refused", "protocol.version=2");
    assert!(
        !fetched && complaint.contains("Server does not allow request for unadvertised object"),
        "{complaint}"
    );
    server.configure("acme/support", "uploadpack.allowReachableSHA1InWant", "true");
    assert!(fetch("reachable", "protocol.version=0").0);
    let seen = server.seen();
    assert!(seen.iter().any(|seen| seen.protocol.as_deref() == Some("version=2")));
    assert!(seen.iter().any(|seen| seen.target.contains("/info/refs?service=git-upload-pack")));
}

#[test]
fn the_way_to_git_breaks_too() {
    let (fixture, server) = (GitFixture::new(), GitHttp::start());
    let bare = server.host("acme/support", &fixture.repository);
    let proxy = FaultProxy::start(&server.origin());
    let url = format!("{}/acme/support.git", proxy.url());
    let push = |branch: &str, buffer: &str| {
        let target = format!("HEAD:refs/heads/{branch}");
        try_git(
            &fixture.repository,
            &["-c", &format!("http.postBuffer={buffer}"), "push", "-q", &url, &target],
        )
    };
    write(&fixture.repository, "large", &(0..300_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    fixture.git(&["add", "large"]);
    fixture.git(&["commit", "-qm", "large"]);
    proxy.inject(Plan::new(Fault::RefuseChunked).times(9));
    let (pushed, complaint) = push("small-buffer", "65536");
    assert!(!pushed && complaint.contains("411"), "{complaint}");
    let (pushed, complaint) = push("large-buffer", "16777216");
    assert!(pushed, "{complaint}");
    assert!(server.seen().iter().all(|seen| !seen.chunked));
    proxy.clear();
    proxy.inject(Plan::new(Fault::Lose).to("POST", "git-receive-pack"));
    let (pushed, _) = push("lost", "16777216");
    assert!(!pushed);
    assert_eq!(git(&bare, &["rev-parse", "lost"]), fixture.git(&["rev-parse", "HEAD"]), "it was carried out");
    proxy.clear();
    // libcurl sends a request again when a connection that it had used before ends without a byte.
    proxy.inject(Plan::new(Fault::Drop).to("POST", "git-receive-pack").times(9));
    assert!(!push("dropped", "16777216").0);
    assert!(!try_git(&bare, &["rev-parse", "--verify", "-q", "dropped"]).0);
    server.redirect("acme/old", "http://127.0.0.1:9/acme/support.git");
    let (listed, _) =
        try_git(fixture.root(), &["-c", "http.followRedirects=false", "ls-remote", &server.url("acme/old")]);
    assert!(!listed);
    assert!(server.seen().iter().any(|seen| seen.status == Some(301)));
}

fn head(bare: &Path) -> String {
    fs::read_to_string(bare.join("HEAD")).unwrap()
}
