//! Servers that send requests on.

use super::*;
use crate::peer::recorded::Recorded;

/// GitHub's answer for a repository that has another name now.
const MOVED: &str = r#"{"message":"Moved Permanently","url":"https://api.github.com/repositories/1000","documentation_url":"https://docs.github.com/v3/#http-redirects"}"#;

fn to(status: u16, location: impl Into<String>) -> Reply {
    Reply::json(status, MOVED).header("location", location)
}

#[tokio::test]
async fn case_18_a_renamed_repository_is_followed_with_the_same_verb_and_body() {
    let patch = ApiRequest { method: Method::PATCH, ..post() };
    for (status, request, verb) in [
        (301, get(), "GET"),
        (302, get(), "GET"),
        (307, patch.clone(), "PATCH"),
        (301, patch.clone(), "PATCH"),
        (302, post(), "POST"),
        (308, post(), "POST"),
    ] {
        let server = ScriptServer::start(Vec::<Turn>::new());
        server.push(to(status, format!("{}/repositories/1000?x=1", server.url())));
        server.push(said(200));
        let (ctx, _) = context();
        let answer = send(&client(&server, options()), &request, &ctx).await.unwrap();
        assert_eq!(answer.moved_to.as_deref(), Some("/repositories/1000"));
        let requests = server.requests();
        let [before, after] = requests.as_slice() else { panic!("{requests:?}") };
        assert_eq!((after.method.as_str(), after.path.as_str()), (verb, "/repositories/1000?x=1"));
        assert_eq!(
            (&before.body, before.header("authorization")),
            (&after.body, after.header("authorization"))
        );
        assert_eq!(after.body.is_empty(), request.body.is_none());
    }
}

#[tokio::test]
async fn case_18_what_github_answered_after_a_renaming_is_followed() {
    let recorded = Recorded::start("rename-repository");
    recorded.skip(1);
    let client = client_of(&recorded.url(), options());
    let (ctx, _) = context();
    let path = "/repos/octokit-fixture-org/rename-repository";
    let read = ApiRequest::get("resolving", path);
    let change = json!({ "name": "rename-repository-newname", "description": "test description" });
    let write = ApiRequest::send("changing", Method::PATCH, path, change, Repeat::Safe);
    for request in [read, write] {
        let answer = send(&client, &request, &ctx).await.unwrap();
        assert_eq!((answer.status, answer.moved_to.as_deref()), (200, Some("/repositories/1000")));
        let body: serde_json::Value = answer.json("resolving").unwrap();
        assert_eq!(body["full_name"], "octokit-fixture-org/rename-repository-newname");
    }
    assert_eq!(recorded.left(), Vec::<String>::new());
}

#[tokio::test]
async fn an_archive_as_github_redirects_to_it_arrives_as_bytes() {
    let recorded = Recorded::start("get-archive");
    let client = client_of(&recorded.url(), options());
    let path = "/repos/octokit-fixture-org/get-archive/tarball/main";
    let request = ApiRequest::get("downloading", path).with_accept("application/vnd.github.raw");
    let answer = send(&client, &request, &context().0).await.unwrap();
    assert!(answer.is_success() && !answer.body.is_empty());
    assert!(answer.moved_to.is_some_and(|place| place.contains("/legacy.tar.gz/")));
}

#[tokio::test]
async fn see_other_is_read_without_the_body() {
    let server = ScriptServer::start([to(303, "/elsewhere"), said(200)]);
    let (ctx, _) = context();
    send(&client(&server, options()), &post(), &ctx).await.unwrap();
    let requests = server.requests();
    let after = requests.last().unwrap();
    assert_eq!((after.method.as_str(), after.body.len()), ("GET", 0));
}

#[tokio::test]
async fn case_19_another_host_never_sees_the_credential() {
    let elsewhere = ScriptServer::start(Vec::<Turn>::new());
    let server = ScriptServer::start([to(302, format!("{}/archive?token=abc", elsewhere.url()))]);
    elsewhere.push(to(302, format!("{}/back", server.url())));
    server.push(said(200));
    let (ctx, _) = context();
    let answer = send(&client(&server, options()), &get(), &ctx).await.unwrap();
    assert_eq!(answer.moved_to.as_deref(), Some("/back"));
    let sent = |server: &ScriptServer| -> Vec<bool> {
        server.requests().iter().map(|seen| seen.header("authorization").is_some()).collect()
    };
    assert_eq!(sent(&elsewhere), [false]);
    assert_eq!(sent(&server), [true, false], "a host in between cannot choose where it goes");
}

#[tokio::test]
async fn case_19_a_refusal_by_another_host_is_not_one_of_the_credential() {
    let elsewhere = ScriptServer::start([said(401)]);
    let server = ScriptServer::start([to(302, format!("{}/archive", elsewhere.url()))]);
    let (ctx, _) = context();
    let result = send(&client(&server, options()), &get(), &ctx).await;
    assert!(matches!(result, Err(SendError::BadAnswer { .. })), "{result:?}");
}

#[tokio::test]
async fn the_place_on_another_host_is_told_without_its_query() {
    let elsewhere = ScriptServer::start([said(200)]);
    let server = ScriptServer::start([to(302, format!("{}/archive?token=abc", elsewhere.url()))]);
    let (ctx, _) = context();
    let answer = send(&client(&server, options()), &get(), &ctx).await.unwrap();
    assert_eq!(answer.moved_to, Some(format!("{}/archive", elsewhere.url())));
}

#[tokio::test]
async fn case_19_unsafe_redirects_are_refused() {
    let elsewhere = ScriptServer::start([said(200)]);
    for (location, request) in [
        ("http://example.com/".to_owned(), get()),
        ("ftp://127.0.0.1/".to_owned(), get()),
        ("file:///etc/passwd".to_owned(), get()),
        ("http://user:pw@127.0.0.1/".to_owned(), get()),
        ("http://[".to_owned(), get()),
        (format!("{}/", elsewhere.url()), post()),
    ] {
        let server = ScriptServer::start([to(307, location.clone())]);
        let (ctx, _) = context();
        let result = send(&client(&server, options()), &request, &ctx).await;
        assert!(matches!(result, Err(SendError::BadAnswer { .. })), "{location}: {result:?}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn the_fourth_redirect_and_one_to_nowhere_are_bad_answers() {
    let (ctx, _) = context();
    let server = ScriptServer::start(vec![to(301, "/again"); 9]);
    let result = send(&client(&server, options()), &get(), &ctx).await;
    assert!(matches!(result, Err(SendError::BadAnswer { .. })), "{result:?}");
    assert_eq!(server.requests().len(), 4);
    let server = ScriptServer::start([Reply::json(301, MOVED)]);
    let result = send(&client(&server, options()), &get(), &ctx).await;
    assert!(matches!(result, Err(SendError::BadAnswer { .. })), "{result:?}");
}

#[tokio::test]
async fn a_path_is_asked_for_as_it_is_or_not_at_all() {
    let server = ScriptServer::start(Vec::<Turn>::new());
    let client = client(&server, options());
    let (ctx, _) = context();
    for rest in ["../../../user", "%2e%2e/x", "..", "a/./b", "a\\..\\b", "x#", "x y"] {
        let request = ApiRequest::get("reading a tree", format!("/repos/acme/support/git/trees/{rest}"));
        let result = send(&client, &request, &ctx).await;
        assert!(matches!(result, Err(SendError::BadAnswer { .. })), "{rest}: {result:?}");
    }
    assert_eq!(server.requests().len(), 0);
}
