//! The peer itself: git and API of one repository agree, and it lies where it is said to.

use axum::body::Body;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::fixture::{GitFixture, git, try_git, write};
use crate::peer::ask::ask;
use crate::peer::emulate::Emulate;
use crate::peer::environment::say;
use crate::peer::fault::FaultProxy;
use crate::peer::git_http::GitHttp;

#[tokio::test(flavor = "multi_thread")]
async fn git_and_api_have_the_same_ids() {
    let Some(emulate) = Emulate::repository("trunk").await else { return };
    let (fixture, server) = (GitFixture::new(), GitHttp::start());
    fixture.git(&["branch", "-m", "main", "trunk"]);
    let bare = server.host(&emulate.full_name(), &fixture.repository);
    let api = FaultProxy::start(emulate.url());
    emulate.in_step(&server, &api).await;
    let (status, answer) = emulate.get("/git/ref/heads/trunk").await;
    assert_eq!((status, answer["object"]["sha"].as_str()), (200, Some(fixture.tip.as_str())));
    write(&fixture.repository, "new/deep/file", b"\0binary\xff");
    std::os::unix::fs::symlink("new", fixture.repository.join("link")).unwrap();
    fixture.git(&["add", "-A"]);
    fixture.git(&["commit", "-qm", "third\n\nWith a body, and \u{fc}n\u{ef}code."]);
    let url = server.url(&emulate.full_name());
    let push = |what: &'static str| {
        let (repository, url) = (fixture.repository.clone(), url.clone());
        tokio::task::spawn_blocking(move || git(&repository, &["push", "-q", "-f", &url, what]))
    };
    push("HEAD:refs/heads/fix/one").await.unwrap();
    let tip = fixture.git(&["rev-parse", "HEAD"]);
    let (_, commit) = emulate.get("/commits/fix/one").await;
    assert_eq!(commit["sha"], *tip);
    let (_, tree) = emulate.get(&format!("/git/trees/{tip}?recursive=1")).await;
    let modes: Vec<_> =
        tree["tree"].as_array().unwrap().iter().map(|entry| entry["mode"].as_str().unwrap()).collect();
    assert!(modes.contains(&"120000") && modes.contains(&"100755"), "{modes:?}");
    push("HEAD~1:refs/heads/fix/one").await.unwrap();
    assert_eq!(emulate.get("/git/ref/heads/fix/one").await.1["object"]["sha"], fixture.tip.as_str());
    push(":refs/heads/fix/one").await.unwrap();
    assert_eq!(emulate.get("/git/ref/heads/fix/one").await.0, 404);
    let post = async |kind: &str, body: serde_json::Value| {
        let path = format!("/repos/{}/git/{kind}", emulate.full_name());
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", emulate.admin());
        headers.insert("authorization", HeaderValue::from_str(&bearer).unwrap());
        let host = api.url().replace("http://", "");
        let made = ask(&host, &Method::POST, &path, headers, Body::from(body.to_string())).await.unwrap();
        assert_eq!(made.status, 201, "{made:?}");
        serde_json::from_slice::<serde_json::Value>(&made.body).unwrap()["sha"].clone()
    };
    let blob = post("blobs", json!({"content": "AGJpbv8=", "encoding": "base64"})).await;
    let entries = json!([
        {"path": "by api/\u{fc}", "mode": "100755", "type": "blob", "sha": blob},
        {"path": "by api/link", "mode": "120000", "type": "blob", "content": "to"},
    ]);
    let base = fixture.git(&["rev-parse", &format!("{}^{{tree}}", fixture.tip)]);
    let tree = post("trees", json!({"base_tree": base, "tree": entries})).await;
    let commit = json!({"message": "By API\n\nBody.", "tree": tree, "parents": [fixture.tip.as_str()]});
    let commit = post("commits", commit).await;
    let (found, _) = try_git(&bare, &["cat-file", "-e", commit.as_str().unwrap()]);
    assert!(!found, "nobody sees a commit that no branch has");
    post("refs", json!({"ref": "refs/heads/fix/two", "sha": commit})).await;
    assert_eq!(git(&bare, &["rev-parse", "refs/heads/fix/two"]), commit.as_str().unwrap());
    assert_eq!(git(&bare, &["show", "--no-patch", "--format=%B", "fix/two"]), "By API\n\nBody.");
    assert_eq!(git(&bare, &["rev-parse", "fix/two:by api/\u{fc}"]), blob.as_str().unwrap());
    git(&bare, &["fsck", "--full", "--strict"]);
    say("RAN: git and emulate have the same ids");
}

/// Where it lies, so that nobody trusts it there. What is no longer so is good news: the row of its table goes.
#[tokio::test(flavor = "multi_thread")]
async fn emulate_lies_where_it_is_said_to() {
    let Some(emulate) = Emulate::repository("main").await else { return };
    let fixture = GitFixture::bare();
    emulate.follow(&fixture.repository).await;
    let repository = format!("/repos/{}", emulate.full_name());
    let pulls = format!("{repository}/pulls");
    let admin = emulate.admin().to_owned();
    let pull = |head: &str, body: String| json!({"title": "T", "head": head, "base": "main", "body": body});
    fixture.git(&["branch", "fix/one", fixture.previous.as_str()]);
    emulate.follow(&fixture.repository).await;
    let post = async |path: &str, body: serde_json::Value| {
        emulate.send(&Method::POST, path, Some(&body), &admin).await.0
    };
    assert_eq!(post(&pulls, pull("fix/one", String::new())).await, 201);
    assert_eq!(post(&pulls, pull("fix/one", "x".repeat(70_000))).await, 201, "a second one, and too long");
    assert_eq!(post(&pulls, pull("nothing", String::new())).await, 201, "of a branch that is not there");
    assert_eq!(emulate.get("/git/ref/heads/nothing").await.0, 200, "which is there now");
    for path in ["/rules/branches/main", "/tarball/main"] {
        assert_eq!(emulate.get(path).await.0, 404, "{path}");
    }
    assert_eq!(emulate.send(&Method::DELETE, "/installation/token", None, &admin).await.0, 404);
    let (status, answer) = emulate.send(&Method::GET, &repository, None, "ghs_unknown").await;
    assert_eq!(
        (status, &answer["permissions"]["admin"]),
        (200, &json!(true)),
        "an unknown token of a private one"
    );
    say("RAN: emulate lies where it is said to");
}
