//! Every official payload is read, whole or broken.

use std::collections::BTreeMap;

use proptest::prelude::*;
use staso_github::webhook::{WebhookError, WebhookEvent};

use super::payloads::{all, event, official};

#[test]
fn case_57_all_329_official_payloads_are_read() {
    let (mut payloads, mut typed) = (0, BTreeMap::new());
    for example in all() {
        for payload in &example.examples {
            payloads += 1;
            let read = event(&example.name, payload.to_string().as_bytes());
            let read = read.unwrap_or_else(|error| panic!("{}: {error}: {payload:#}", example.name));
            let action = payload["action"].as_str();
            if let WebhookEvent::Other { event, action: other } = read {
                assert_eq!((event.as_str(), other.as_deref()), (example.name.as_str(), action));
            } else {
                *typed.entry(example.name.as_str()).or_insert(0) += 1;
            }
        }
    }
    assert_eq!((all().len(), payloads), (58, 329));
    let expected = [
        ("github_app_authorization", 2),
        ("installation", 7),
        ("installation_repositories", 3),
        ("issue_comment", 5),
        ("ping", 4),
        ("pull_request", 19),
        ("pull_request_review", 3),
        ("pull_request_review_comment", 3),
        ("push", 7),
        ("repository", 11),
    ];
    assert_eq!(typed, BTreeMap::from(expected));
}

#[test]
fn case_57_an_unknown_event_or_action_is_named() {
    let name = |event: &str, action: Option<&str>| WebhookEvent::Other {
        event: event.to_owned(),
        action: action.map(str::to_owned),
    };
    assert_eq!(event("brand_new", b"{}"), Ok(name("brand_new", None)));
    assert_eq!(event("brand_new", br#"{"action":"made"}"#), Ok(name("brand_new", Some("made"))));
    let unknown = official("pull_request", "opened").with("/action", "beautified");
    assert_eq!(unknown.event(), name("pull_request", Some("beautified")));
}

#[test]
fn case_57_a_payload_under_the_name_of_another_event_is_malformed() {
    let payload = official("installation", "created").body.to_string();
    let refused = event("repository", payload.replace("\"created\"", "\"deleted\"").as_bytes()).unwrap_err();
    assert_eq!(refused.status(), 400);
    let payload = official("pull_request_review_comment", "created").body.to_string();
    assert_eq!(event("issue_comment", payload.as_bytes()).unwrap_err().status(), 400);
}

#[test]
fn case_57_malformed_json_is_refused_without_being_repeated() {
    for body in ["", "null", "[]", "{", "\u{feff}{}", r#"{"action":1}"#] {
        assert_eq!(event("installation", body.as_bytes()).unwrap_err().status(), 400, "{body:?}");
    }
    let secret = official("pull_request", "opened").with("/pull_request/number", "canary-1234");
    let error = event("pull_request", secret.body.to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, WebhookError::Malformed { .. }));
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[test]
fn texts_are_bounded() {
    let long = official("pull_request", "opened").with("/pull_request/body", "ä".repeat(200_000));
    let WebhookEvent::PullRequest(read) = long.event() else { panic!() };
    assert_eq!(read.pull_request.body.len(), 256 << 10);
    let long = official("pull_request", "opened").with("/pull_request/head/ref", "a".repeat(2_000));
    assert_eq!(event("pull_request", long.body.to_string().as_bytes()).unwrap_err().status(), 400);
}

#[test]
fn a_cut_payload_is_refused() {
    for example in all() {
        let body = example.examples[0].to_string();
        for at in (0..body.len()).step_by(997).filter(|at| body.is_char_boundary(*at)) {
            assert_eq!(event(&example.name, &body.as_bytes()[..at]).unwrap_err().status(), 400);
        }
    }
}

/// Reads a payload and everything that follows from it.
fn digest(name: &str, body: &[u8]) {
    if let Ok(read) = event(name, body) {
        drop((read.invalidation(), read.proposal_outcome("octocat"), read.retry_request("octocat")));
    }
}

fn names() -> impl Strategy<Value = String> {
    let known: Vec<String> = all().iter().map(|example| example.name.clone()).collect();
    prop_oneof![proptest::sample::select(known), "[a-z_]{1,12}"]
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let keys = proptest::sample::select(vec![
        "action",
        "installation",
        "account",
        "id",
        "login",
        "repository",
        "pull_request",
        "head",
        "base",
        "ref",
        "sha",
        "repo",
        "comment",
        "issue",
        "body",
        "user",
        "changes",
        "owner",
        "from",
        "name",
        "sender",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        proptest::sample::select(vec!["created", "edited", "closed", "renamed", "0000"]).prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::vec((keys.clone(), inner), 0..8).prop_map(|pairs| {
                serde_json::Value::Object(
                    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(name in names(), body in any::<Vec<u8>>()) {
        digest(&name, &body);
    }

    #[test]
    fn no_json_makes_it_panic(name in names(), body in json()) {
        digest(&name, body.to_string().as_bytes());
    }

    #[test]
    fn no_change_of_an_official_payload_makes_it_panic(
        which in any::<proptest::sample::Index>(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let example = which.get(all());
        let mut body = example.examples[0].to_string().into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        digest(&example.name, &body);
        digest(&example.name, &body[..at]);
    }

    #[test]
    fn no_comment_makes_it_panic(comment in "(/staso retry|[`~]{3}|<!--|-->|>|\n|\\PC|\u{1b}){0,40}") {
        let changed = official("issue_comment", "created").with("/comment/body", comment);
        digest("issue_comment", changed.body.to_string().as_bytes());
    }
}
