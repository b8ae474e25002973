//! What is refused, and with which status.

use std::time::Duration;

use secrecy::SecretString;
use staso_github::webhook::{Delivery, WebhookError, WebhookHeaders, WebhookReceiver};

use super::payloads::{SECRET, at, official, receive, receiver, sign};

fn headers<const N: usize>(pairs: [(&str, &str); N]) -> WebhookHeaders {
    let named = [("X-GitHub-Event", "ping"), ("X-GitHub-Delivery", "1")];
    WebhookHeaders::from_pairs(named.into_iter().chain(pairs))
}

fn refusal(pairs: &[(&str, &str)], body: &[u8]) -> WebhookError {
    let named = [("X-GitHub-Event", "ping"), ("X-GitHub-Delivery", "1")];
    let headers = WebhookHeaders::from_pairs(named.iter().chain(pairs).copied());
    receiver().receive(&headers, body, at(0)).unwrap_err()
}

#[test]
fn case_57_githubs_own_vector_is_accepted() {
    // From GitHub's page "Validating webhook deliveries".
    let body = b"Hello, World!";
    let published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let error = refusal(&[("X-Hub-Signature-256", published)], body);
    assert!(
        matches!(error, WebhookError::Malformed { .. }),
        "the signature fits; the body is no JSON: {error}"
    );
    let error = refusal(&[("X-Hub-Signature-256", published)], b"Hello, World");
    assert_eq!((error.status(), error), (401, WebhookError::BadSignature));
}

#[test]
fn case_57_an_absent_or_bad_signature_is_401() {
    assert_eq!(refusal(&[], b"{}"), WebhookError::Unsigned);
    let good = sign(SECRET, b"{}");
    let digits = good.strip_prefix("sha256=").unwrap();
    let flipped = format!("sha256={}{}", if digits.starts_with('0') { '1' } else { '0' }, &digits[1..]);
    let short = &good[..good.len() - 2];
    let long = format!("{good}00");
    let sha1 = format!("sha1={digits}");
    let other = sign("It's another secret", b"{}");
    for bad in
        [flipped.as_str(), short, &long, &sha1, digits, "sha256=", "sha256=zz", &other, &"é".repeat(64)]
    {
        let error = refusal(&[("X-Hub-Signature-256", bad)], b"{}");
        assert_eq!(error.status(), 401, "{bad}: {error}");
    }
    let twice = refusal(&[("X-Hub-Signature-256", &good), ("x-hub-signature-256", &good)], b"{}");
    assert_eq!(twice, WebhookError::Unsigned);
}

#[test]
fn case_57_sha1_alone_is_401() {
    let error = refusal(&[("X-Hub-Signature", "sha1=d03207e4b030cf234e3447bac4d93add4c6643d8")], b"{}");
    assert_eq!((error.status(), error), (401, WebhookError::Sha1Only));
}

#[test]
fn case_57_too_long_a_body_is_413_before_anything_else() {
    let receiver = receiver().with_max_bytes(10);
    let error = receiver.receive(&WebhookHeaders::default(), &[b' '; 11], at(0)).unwrap_err();
    assert_eq!((error.status(), error), (413, WebhookError::TooLarge { bytes: 11, limit: 10 }));
}

#[test]
fn case_57_a_replay_is_ignored() {
    let receiver = receiver();
    let body = official("ping", "").body.to_string();
    let first = receive(&receiver, "ping", "72d3162e", body.as_bytes(), 0).unwrap();
    assert!(matches!(first, Delivery::Event { id, .. } if id == "72d3162e"));
    let replayed = |id: &str| Delivery::Replayed { id: id.to_owned() };
    assert_eq!(receive(&receiver, "ping", "72d3162e", body.as_bytes(), 71), Ok(replayed("72d3162e")));
    assert_eq!(receive(&receiver, "ping", "72d3162e", b"{}", 71), Ok(replayed("72d3162e")));
    // Neither the id nor the name of the event is signed.
    assert_eq!(receive(&receiver, "meta", "made-up", body.as_bytes(), 71), Ok(replayed("made-up")));
}

#[test]
fn case_57_an_id_counts_only_after_its_signature() {
    let receiver = receiver();
    let forged = headers([("X-Hub-Signature-256", &sign("guessed", b"{}"))]);
    assert_eq!(receiver.receive(&forged, b"{}", at(0)).unwrap_err().status(), 401);
    assert!(matches!(receive(&receiver, "ping", "1", b"{}", 0), Ok(Delivery::Event { .. })));
}

#[test]
fn the_window_is_bounded_by_number_and_age() {
    let receiver = receiver().with_replay_window(2, Duration::from_secs(3_600));
    let is_new = |id: &str, hours| {
        let body = format!("{{\"zen\":\"{id}\"}}");
        matches!(receive(&receiver, "ping", id, body.as_bytes(), hours), Ok(Delivery::Event { .. }))
    };
    assert!(is_new("a", 0) && is_new("b", 0) && !is_new("a", 1), "an hour is inside of the window");
    assert!(is_new("c", 1) && is_new("a", 1), "the oldest of three is forgotten");
    assert!(!is_new("c", 2) && is_new("c", 3), "what is older than an hour is forgotten");
}

#[test]
fn a_delivery_that_could_not_be_handled_counts_again() {
    let receiver = receiver();
    for _ in 0..2 {
        assert!(matches!(receive(&receiver, "ping", "1", b"{}", 0), Ok(Delivery::Event { .. })));
        receiver.forget("1");
    }
}

#[test]
fn during_rotation_both_secrets_count() {
    let secrets = ["new secret\n", "old secret"].map(SecretString::from);
    let receiver = WebhookReceiver::new(secrets).unwrap();
    let status = |secret: &str, body: &[u8]| {
        let headers = WebhookHeaders::from_pairs([
            ("X-GitHub-Event", "ping"),
            ("X-GitHub-Delivery", "1"),
            ("X-Hub-Signature-256", &sign(secret, body)),
        ]);
        receiver.receive(&headers, body, at(0)).map_or_else(|error| error.status(), |_| 200)
    };
    assert_eq!(
        ["new secret", "old secret", "older secret"].map(|secret| status(secret, b"{}")),
        [200, 200, 401]
    );
    assert!(!format!("{receiver:?}").contains("new secret"));
}

#[test]
fn without_a_secret_there_is_no_receiver() {
    assert!(WebhookReceiver::new([]).is_err());
    for blank in ["", "\n", "   "] {
        assert!(WebhookReceiver::new(["good", blank].map(SecretString::from)).is_err());
    }
}

#[test]
fn missing_headers_and_forms_are_named() {
    let signature = sign(SECRET, b"{}");
    let answer = |pairs: &[(&str, &str)]| {
        let signed = [("X-Hub-Signature-256", signature.as_str())];
        let headers = WebhookHeaders::from_pairs(signed.iter().chain(pairs).copied());
        let error = receiver().receive(&headers, b"{}", at(0)).unwrap_err();
        (error.status(), error.to_string())
    };
    let form = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    let named = [("X-GitHub-Event", "ping"), ("X-GitHub-Delivery", "1"), form];
    let missing = |name: &str| (400, format!("the header {name} is missing or cannot be used"));
    assert_eq!(answer(&[]), missing("X-GitHub-Event"));
    assert_eq!(answer(&named[..1]), missing("X-GitHub-Delivery"));
    let json = "the body is a form; set the webhook's content type to application/json";
    assert_eq!(answer(&named), (415, json.to_owned()));
}
