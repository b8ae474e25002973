//! From an app to a request.

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn an_app_asks_with_a_token_for_one_repository() {
    let bench = Bench::new([ok(INSTALLATION), made(TOKEN), ok("[]"), ok("[]")]);
    assert_eq!(bench.ask(Access::Read).await.unwrap(), 200);
    assert_eq!(bench.ask(Access::Read).await.unwrap(), 200);
    assert_eq!(
        bench.asked(),
        [
            "GET /repos/octocat/Hello-World/installation",
            "POST /app/installations/1/access_tokens",
            "GET /repos/octocat/Hello-World/branches",
            "GET /repos/octocat/Hello-World/branches",
        ]
    );
    let seen = bench.server.requests();
    assert_eq!(
        claims(&seen[0]),
        json!({ "iat": 1_468_271_590, "exp": 1_468_271_950, "iss": "Iv1.ab1112223334445c" })
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&seen[1].body).unwrap(),
        json!({
            "repositories": ["hello-world"],
            "permissions": { "contents": "read", "metadata": "read", "pull_requests": "read" },
        })
    );
    assert_eq!(bearer(&seen[2]), SECRET);
}
