//! The server that answers with GitHub's own examples holds requests against GitHub's own description.

use serde_json::{Value, json};

use crate::peer::choice::Choice;
use crate::peer::description::Description;
use crate::peer::official::{GraphQl, Official};
use crate::peer::server::{Answer, Reply};

const REPOSITORY: &str = "GET /repos/{owner}/{repo}";
const PULLS: &str = "POST /repos/{owner}/{repo}/pulls";

/// Where official examples contradict the official schemas.
const CONTRADICTIONS: [&str; 13] = [
    r#"GET /meta default /ssh_key_fingerprints/SHA256_DSA: 1234567890 is not of type "string""#,
    r#"GET /meta default /ssh_key_fingerprints/SHA256_ECDSA: 1234567890 is not of type "string""#,
    r#"GET /meta default /ssh_key_fingerprints/SHA256_ED25519: 1234567890 is not of type "string""#,
    r#"GET /meta default /ssh_key_fingerprints/SHA256_RSA: 1234567890 is not of type "string""#,
    r#"GET /repos/{owner}/{repo} default-response /source: "language" is a required property"#,
    r#"GET /repos/{owner}/{repo} default-response : "language" is a required property"#,
    r#"GET /repos/{owner}/{repo}/commits/{ref} default /files/0: "contents_url" is a required property"#,
    r#"GET /repos/{owner}/{repo}/commits/{ref} default /files/0: "sha" is a required property"#,
    r#"GET /repos/{owner}/{repo}/pulls default /0/requested_teams/0: "type" is a required property"#,
    r#"GET /repos/{owner}/{repo}/pulls/{pull_number} default /requested_teams/0: "type" is a required property"#,
    r#"PATCH /repos/{owner}/{repo}/pulls/{pull_number} default /requested_teams/0: "type" is a required property"#,
    r#"POST /repos/{owner}/{repo}/pulls default /requested_teams/0: "type" is a required property"#,
    r#"POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers default /requested_teams/0: "type" is a required property"#,
];

fn client() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    let redirect = reqwest::redirect::Policy::none();
    reqwest::Client::builder().no_proxy().redirect(redirect).build().expect("a client")
}

fn request(method: &str, url: &str) -> reqwest::RequestBuilder {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let request = client().request(method, url).header("accept", "application/vnd.github+json");
    request
        .header("authorization", "Bearer ghs_test")
        .header("user-agent", "test")
        .header("x-github-api-version", "2022-11-28")
}

trait WithJson {
    fn with_json(self, body: &Value) -> Self;
}

impl WithJson for reqwest::RequestBuilder {
    fn with_json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }
}

async fn send(request: reqwest::RequestBuilder) -> (u16, Vec<u8>) {
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.bytes().await.expect("a body").to_vec())
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("JSON")
}

#[test]
fn every_operation_has_its_examples_and_they_fit() {
    let mut contradicted = Vec::new();
    for operation in Description::get().operations() {
        let mut violations = Vec::new();
        if let Some(body) = operation.example_body() {
            operation.body(body.to_string().as_bytes(), &mut violations);
            assert_eq!(violations, Vec::<String>::new(), "{}", operation.name);
        }
        let status = operation.success();
        for media in operation.media(status) {
            let schema = operation.schema(status, media).expect("a schema");
            let examples = operation.examples(status, media);
            assert!(!examples.is_empty(), "{} {media}", operation.name);
            for (name, example) in examples {
                let found = Description::get().violations(schema, &example);
                contradicted
                    .extend(found.into_iter().map(|text| format!("{} {name} {text}", operation.name)));
            }
        }
    }
    contradicted.sort_unstable();
    assert_eq!(contradicted, CONTRADICTIONS, "GitHub contradicts itself, but no more than is known");
}

#[tokio::test]
async fn examples_are_the_answers() {
    let peer = Official::start();
    let url = format!("{}/repos/octocat/Hello-World", peer.url());
    let (status, body) = send(request("GET", &url)).await;
    assert_eq!((status, &json(&body)["full_name"]), (200, &json!("octocat/Hello-World")));
    let (status, body) = send(request("GET", &format!("{url}/contents/a/b%20c.txt?ref=abc"))).await;
    assert_eq!((status, &json(&body)["type"]), (200, &json!("file")));
    let raw = client()
        .get(format!("{url}/contents/README.md"))
        .header("accept", "application/vnd.github.raw+json")
        .header("authorization", "Bearer ghs_test")
        .header("user-agent", "test")
        .header("x-github-api-version", "2022-11-28");
    let (status, body) = send(raw).await;
    assert!(
        status == 200 && String::from_utf8_lossy(&body).contains("[Workout now!]"),
        "the bytes of the file"
    );
    let asked = peer.asked_of("GET /repos/{owner}/{repo}/contents/{path}");
    assert_eq!((asked[0].parameter("path"), asked[0].parameter("ref")), ("a/b c.txt", "abc"));
    let (status, _) = send(
        request("PATCH", &format!("{url}/git/refs/heads/fix/one"))
            .with_json(&json!({"sha": "aa218f56b14c9653891f9e74264a383fa43fefbd"})),
    )
    .await;
    assert_eq!(status, 200);
    let (status, body) = send(request("DELETE", &format!("{}/installation/token", peer.url()))).await;
    assert_eq!((status, body.len()), (204, 0));
    peer.allow_anonymous();
    let anonymous = client().get(&url).header("accept", "application/json").header("user-agent", "test");
    assert_eq!(send(anonymous.header("x-github-api-version", "2022-11-28")).await.0, 200);
}

#[tokio::test]
async fn tests_choose_among_documented_answers() {
    let peer = Official::start();
    let url = format!("{}/repos/octocat/Hello-World", peer.url());
    peer.on(
        REPOSITORY,
        [
            Choice::example()
                .header("etag", "\"one\"")
                .with("/archived", true)
                .with("/default_branch", "trunk"),
            Choice::status(404).message("No Such Thing"),
            Choice::undocumented(451, "Repository access blocked"),
            Choice::fault(Reply::Cut(Answer::new(200, "{\"id\": 12345}"), 4)),
        ],
    );
    let answer = request("GET", &url).send().await.unwrap();
    assert_eq!(answer.headers()["etag"], "\"one\"");
    let body = json(&answer.bytes().await.unwrap());
    assert_eq!((&body["archived"], &body["default_branch"]), (&json!(true), &json!("trunk")));
    let (status, body) = send(request("GET", &url)).await;
    assert_eq!((status, &json(&body)["message"]), (404, &json!("No Such Thing")));
    assert_eq!(send(request("GET", &url)).await.0, 451);
    for _ in 0..2 {
        assert!(request("GET", &url).send().await.unwrap().bytes().await.is_err(), "a cut body");
    }
    peer.on("GET /repos/{owner}/{repo}/pulls", [Choice::empty()]);
    assert_eq!(
        send(request("GET", &format!("{url}/pulls?state=open&head=a:b"))).await,
        (200, b"[]".to_vec())
    );
    peer.on_where(
        "GET /repos/{owner}/{repo}/contents/{path}",
        &[("path", "link")],
        [Choice::example_named("response-if-content-is-a-symlink")],
    );
    assert_eq!(json(&send(request("GET", &format!("{url}/contents/link"))).await.1)["type"], "symlink");
    let entries = ["a", "b", "c"].map(|path| vec![("/path".to_owned(), json!(path))]).to_vec();
    peer.on(
        "GET /repos/{owner}/{repo}/git/trees/{tree_sha}",
        [Choice::example()
            .with_entries("/tree", entries)
            .with_computed(|asked| vec![("/sha".to_owned(), json!(asked.parameter("tree_sha")))])],
    );
    let tree =
        json(&send(request("GET", &format!("{url}/git/trees/{}?recursive=1", "a".repeat(40)))).await.1);
    assert_eq!((tree["tree"].as_array().unwrap().len(), &tree["sha"]), (3, &json!("a".repeat(40))));
    peer.on(PULLS, [Choice::status(422).errors(json!([{"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for octocat:x."}]))]);
    let body = json!({"title": "T", "head": "x", "base": "main", "draft": true});
    let (status, body) = send(request("POST", &format!("{url}/pulls")).with_json(&body)).await;
    assert_eq!((status, &json(&body)["errors"][0]["resource"]), (422, &json!("PullRequest")));
    peer.alias("/repositories/1296269", "/repos/octocat/Hello-World");
    assert_eq!(send(request("GET", &format!("{}/repositories/1296269/pulls", peer.url()))).await.0, 200);
}

#[tokio::test]
async fn what_contradicts_the_description_is_found() {
    let peer = Official::start();
    let url = format!("{}/repos/octocat/Hello-World", peer.url());
    let pull = |body: Value| request("POST", &format!("{url}/pulls")).with_json(&body);
    for (request, expected) in [
        (request("GET", &format!("{}/nothing", peer.url())), "no such operation"),
        (request("PUT", &url), "no such operation"),
        (request("GET", &format!("{url}/pulls?sate=open")), "no query parameter is called sate"),
        (request("GET", &format!("{url}/pulls?state=opened")), "query parameter state"),
        (request("GET", &format!("{url}/pulls?per_page=many")), "query parameter per_page"),
        (pull(json!({"title": "T", "head": "x"})), "\"base\" is a required property"),
        (pull(json!({"title": 1, "head": "x", "base": "main"})), "body/title"),
        (pull(json!({"title": "T", "head": "x", "base": "main", "drafft": true})), "drafft"),
        (request("POST", &format!("{url}/pulls")), "the body is missing"),
        (request("POST", &format!("{url}/pulls")).body("{"), "the body is no JSON"),
        (request("GET", &url).with_json(&json!({})), "a body where none is documented"),
        (request("GET", &format!("{}/app", peer.url())), "a JWT is needed"),
        (client().get(&url), "Authorization is missing"),
        (client().get(&url).header("authorization", "Basic x"), "is not `Bearer`"),
        (client().get(&url).header("authorization", "Bearer a.b.c"), "a JWT is refused"),
        (client().get(&url).header("accept", "text/html"), "Accept is \"text/html\""),
        (client().get(&url), "User-Agent is missing"),
        (client().get(&url), "X-GitHub-Api-Version is None"),
    ] {
        send(request).await;
        let violations = peer.take_violations();
        assert!(violations.iter().any(|text| text.contains(expected)), "{expected}: {violations:?}");
    }
    let permissions = json!({"permissions": {"contents": "write", "pull_request": "write"}});
    send(
        request("POST", &format!("{}/app/installations/1/access_tokens", peer.url()))
            .header("authorization", "Bearer a.b.c")
            .with_json(&permissions),
    )
    .await;
    assert!(
        peer.take_violations().iter().any(|text| text.contains("pull_request")),
        "a permission that is none"
    );
}

#[test]
fn a_success_cannot_be_made_up() {
    let refuses = |make: fn() -> Choice, operation: &'static str| {
        std::panic::catch_unwind(move || Official::start().on(operation, [make()])).is_err()
    };
    assert!(refuses(|| Choice::status(200), REPOSITORY));
    assert!(refuses(|| Choice::fault(Reply::Answer(Answer::new(200, "{}"))), REPOSITORY));
    assert!(refuses(|| Choice::status(429), REPOSITORY), "429 is not documented");
    assert!(refuses(Choice::empty, REPOSITORY), "a repository is no list");
    assert!(refuses(|| Choice::example_named("none"), REPOSITORY));
    assert!(refuses(Choice::example, "GET /nothing"));
}

#[tokio::test]
async fn a_graphql_request_is_held_against_the_schema() {
    let official = Official::start();
    let sha = json!("7638417db6d59f3c431d3e1f261cc637155684cd");
    let data = [("/createCommitOnBranch/commit/oid".to_owned(), sha.clone())];
    official.on_graphql([
        GraphQl::Data(data.clone().into()),
        GraphQl::Refused("STALE_DATA", "Expected branch to point to another commit"),
        GraphQl::Fault(Reply::Answer(Answer::new(502, ""))),
        GraphQl::Data(data.into()),
    ]);
    let document = |field: &str| {
        let call = format!("createCommitOnBranch(input: $input) {{ commit {{ {field} }} }}");
        format!("mutation ($input: CreateCommitOnBranchInput!) {{ {call} }}")
    };
    let input = json!({
        "branch": {"id": "B_1"},
        "expectedHeadOid": sha,
        "message": {"headline": "Fix it"},
    });
    let ask = |field: &str| {
        let body = json!({"query": document(field), "variables": {"input": input}});
        send(request("POST", &format!("{}/graphql", official.url())).with_json(&body))
    };
    let (status, body) = ask("oid").await;
    assert_eq!(
        (status, json(&body)),
        (200, json!({"data": {"createCommitOnBranch": {"commit": {"oid": sha}}}}))
    );
    let (status, body) = ask("oid").await;
    assert_eq!((status, &json(&body)["errors"][0]["type"]), (200, &json!("STALE_DATA")));
    assert_eq!(ask("oid").await.0, 502);
    assert_eq!(official.take_violations(), Vec::<String>::new());
    assert_eq!(ask("oidd").await.0, 400);
    assert_eq!(official.take_violations(), ["POST /graphql: Commit has no field oidd"]);
    assert_eq!(official.asked_of_graphql().len(), 4);
}
