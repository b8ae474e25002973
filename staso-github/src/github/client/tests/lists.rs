//! Kept answers and pages.

use super::super::pages::Pages;
use super::*;
use crate::peer::recorded::Recorded;

fn tagged(tag: &str) -> Reply {
    said(200).header("etag", tag)
}

#[tokio::test]
async fn an_answer_that_has_not_changed_is_not_sent_again() {
    let unchanged = Reply::new(304).header("etag", "\"1\"").header("x-ratelimit-remaining", "4999");
    let unchanged = unchanged.header("link", "<a>; rel=\"prev\"").header("link", "<b>; rel=\"next\"");
    let server = ScriptServer::start([tagged("\"1\""), unchanged]);
    let client = client(&server, options());
    let (ctx, _) = context();
    let first = send(&client, &get(), &ctx).await.unwrap();
    let again = send(&client, &get(), &ctx).await.unwrap();
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("x-ratelimit-remaining"), Some("4999"));
    assert_eq!(again.headers.get_all("link").iter().count(), 2);
    let tags: Vec<_> =
        server.requests().iter().map(|seen| seen.header("if-none-match").map(str::to_owned)).collect();
    assert_eq!(tags, [None, Some("\"1\"".to_owned())]);
    let counted = client.statistics();
    assert_eq!((counted.api_requests, counted.cache_hits), (2, 1));
}

#[tokio::test]
async fn answers_are_kept_for_one_account_address_and_representation() {
    let server = ScriptServer::start(vec![tagged("\"1\""); 6]);
    let client = client(&server, options());
    let (ctx, _) = context();
    let bearer = SecretString::from("a-token");
    let other = Caller { bearer: Some(&bearer), account: "other" };
    send(&client, &get(), &ctx).await.unwrap();
    client.send(&get(), other, &ctx).await.unwrap();
    send(&client, &get().with_query("ref", "main"), &ctx).await.unwrap();
    send(&client, &get().with_accept("application/vnd.github.raw+json"), &ctx).await.unwrap();
    send(&client, &ApiRequest { method: Method::HEAD, ..get() }, &ctx).await.unwrap();
    send(&client, &ApiRequest { path: "/repos/acme/support".to_owned(), ..post() }, &ctx).await.unwrap();
    assert!(server.requests().iter().all(|seen| seen.header("if-none-match").is_none()));
}

#[tokio::test]
async fn a_kept_answer_is_no_way_around_the_limit_of_a_request() {
    let server = ScriptServer::start([tagged("\"1\""), Reply::new(304)]);
    let client = client(&server, options());
    let (ctx, _) = context();
    send(&client, &get(), &ctx).await.unwrap();
    let result = send(&client, &get().with_max_bytes(10), &ctx).await;
    assert!(matches!(result, Err(SendError::TooLarge { max_bytes: 10 })), "{result:?}");
}

#[tokio::test]
async fn cut_answers_and_what_is_gone_are_not_kept() {
    let cut = Reply::json(200, "{\"id\":").header("etag", "\"cut\"");
    let server = ScriptServer::start([cut, tagged("\"1\""), said(404), said(200)]);
    let client = client(&server, options());
    let (ctx, _) = context();
    for _ in 0..3 {
        send(&client, &get(), &ctx).await.unwrap();
    }
    let tags: Vec<_> =
        server.requests().iter().map(|seen| seen.header("if-none-match").map(str::to_owned)).collect();
    assert_eq!(tags, [None, None, Some("\"1\"".to_owned()), None]);
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_an_answer_without_a_body() {
    let server = ScriptServer::start([Reply::new(304)]);
    let (ctx, _) = context();
    let answer = send(&client(&server, options()), &get(), &ctx).await.unwrap();
    assert_eq!((answer.status, answer.is_success()), (304, false));
}

/// A page whose items nobody looks at, and the address of the next one.
fn page(next: Option<String>) -> Reply {
    let link = next.map(|next| format!("<{next}>; rel=\"next\", <{next}>; rel=\"last\""));
    let reply = Reply::json(200, "[1,2]");
    match link {
        Some(link) => reply.header("link", link),
        None => reply,
    }
}

/// How many items there are in at most so many pages, and whether there are more.
async fn list(url: &str, first: ApiRequest, max_pages: usize) -> (usize, bool) {
    let (client, api) = (client_of(url, options()), url.parse().unwrap());
    let (ctx, _) = context();
    let mut pages = Pages::new(first, max_pages);
    let mut items = 0;
    while let Some(request) = pages.request() {
        let answer = send(&client, &request, &ctx).await.unwrap();
        items += answer.json::<Vec<serde_json::Value>>("listing").unwrap().len();
        pages.turn(&request, &answer, &api);
    }
    (items, pages.is_cut())
}

fn pulls() -> ApiRequest {
    ApiRequest::get("listing", "/repos/acme/support/pulls").with_query("per_page", "2")
}

#[tokio::test]
async fn case_51_pages_are_followed_to_the_last() {
    let server = ScriptServer::start(Vec::<Turn>::new());
    for next in [Some(2), Some(3), None] {
        let next = next.map(|n| format!("{}/repositories/1000/pulls?per_page=2&page={n}", server.url()));
        server.push(page(next));
    }
    assert_eq!(list(&server.url(), pulls(), 10).await, (6, false));
    let paths: Vec<String> = server.requests().into_iter().map(|seen| seen.path).collect();
    let expected = [
        "/repos/acme/support/pulls?per_page=2",
        "/repositories/1000/pulls?per_page=2&page=2",
        "/repositories/1000/pulls?per_page=2&page=3",
    ];
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn case_51_recorded_pages_of_issues_are_followed_to_the_last() {
    let recorded = Recorded::start("paginate-issues");
    let path = "/repos/octokit-fixture-org/paginate-issues/issues";
    let first = ApiRequest::get("listing issues", path).with_query("per_page", "3");
    assert_eq!(list(&recorded.url(), first, 10).await, (13, false));
    assert_eq!(recorded.left(), Vec::<String>::new());
}

#[tokio::test]
async fn case_51_a_next_page_on_another_host_is_not_asked_for() {
    let elsewhere = ScriptServer::start([page(None)]);
    for next in
        [format!("{}/repos/acme/support/pulls?page=2", elsewhere.url()), "https://evil.example/".to_owned()]
    {
        let server = ScriptServer::start([page(Some(next))]);
        assert_eq!(list(&server.url(), pulls(), 10).await, (2, true));
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn case_51_an_endless_list_is_cut_and_says_so() {
    let server = ScriptServer::start(Vec::<Turn>::new());
    for _ in 0..5 {
        server.push(page(Some(format!("{}/repos/acme/support/pulls?page=1", server.url()))));
    }
    assert_eq!(list(&server.url(), pulls(), 3).await, (6, true));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn requests_say_what_github_wants_to_know() {
    let server = ScriptServer::start(vec![said(200); 3]);
    let (ctx, _) = context();
    send(&client(&server, options()), &get(), &ctx).await.unwrap();
    send(&client(&server, options().without_api_version()), &get(), &ctx).await.unwrap();
    let query = ApiRequest::graphql("asking", "query { viewer { login } }", json!({ "n": 1 }), Repeat::Safe);
    send(&client(&server, options()), &query, &ctx).await.unwrap();
    let requests = server.requests();
    let [first, second, third] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(first.header("authorization"), Some("Bearer a-token"));
    assert_eq!(first.header("accept"), Some("application/vnd.github+json"));
    assert_eq!(first.header("x-github-api-version"), Some("2022-11-28"));
    assert!(first.header("user-agent").is_some_and(|agent| agent.starts_with("staso-rust/")));
    assert_eq!(second.header("x-github-api-version"), None);
    assert_eq!((third.method.as_str(), third.path.as_str()), ("POST", "/graphql"));
    let body: serde_json::Value = serde_json::from_slice(&third.body).unwrap();
    assert_eq!(body, json!({ "query": "query { viewer { login } }", "variables": { "n": 1 } }));
}

#[tokio::test]
async fn no_path_leads_out_of_the_api() {
    let server = ScriptServer::start(Vec::<Turn>::new());
    let base = format!("{}/api/v3", server.url());
    let endpoints = GitHubEndpoints::new(&base, &base, &server.url()).unwrap();
    let client = Client::new(&endpoints, options()).unwrap();
    let (ctx, _) = context();
    for path in ["/../../login", "@evil.example/", ":1@evil.example/x", "/\\..\\..\\login", ".evil.example/"]
    {
        let result = send(&client, &ApiRequest::get("reading", path), &ctx).await;
        assert!(matches!(result, Err(SendError::BadAnswer { .. })), "{path}: {result:?}");
    }
    assert!(server.requests().is_empty());
}
