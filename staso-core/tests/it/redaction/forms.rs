//! Credentials that tell by their form or by what announces them.

use proptest::prelude::*;
use staso_core::redaction::{Redactor, contains_secret, redact};

/// Put together here, so that no scanner takes this file for a leak.
fn tokens() -> Vec<String> {
    let mixed = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    let upper = "IOSFODNN7EXAMPLE";
    let mut all: Vec<String> = [
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "glpat-",
        "glrt-",
        "sk-",
        "sk-proj-",
        "sk-ant-api03-",
        "sk-or-v1-",
        "hf_",
        "gsk_",
        "xai-",
        "pplx-",
        "r8_",
        "xoxb-",
        "xoxp-",
        "xapp-",
        "sk_live_",
        "sk_test_",
        "rk_live_",
        "whsec_",
        "AIza",
        "GOCSPX-",
        "dop_v1_",
        "npm_",
        "pypi-",
        "dckr_pat_",
        "shpat_",
        "lin_api_",
        "ya29.",
        "hvs.",
    ]
    .iter()
    .map(|prefix| format!("{prefix}{mixed}"))
    .collect();
    all.extend(["AKIA", "ASIA"].iter().map(|prefix| format!("{prefix}{upper}")));
    all.push(format!("SG.{mixed}.{mixed}"));
    all.push(format!("abc8Q~{}", mixed.get(..34).unwrap()));
    all.push(format!("eyJ{mixed}.eyJ{mixed}.{mixed}"));
    for label in ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"] {
        all.push(format!("-----BEGIN {label}-----\n{mixed}\n-----END {label}-----"));
    }
    all
}

#[test]
fn every_issuers_tokens_are_found_and_masked() {
    for token in tokens() {
        for (before, after) in
            [("key é: ", "; next"), ("", ""), ("{\"k\":\"", "\"}"), ("a\\n", " b"), ("x=%22", "%22")]
        {
            let text = format!("{before}{token}{after}");
            assert!(contains_secret(&text), "{text}");
            assert_eq!(redact(&text), format!("{before}[secret]{after}"));
        }
        let half = token.len() / 2;
        let hidden = format!("{}\u{200b}{}", token.get(..half).unwrap(), token.get(half..).unwrap());
        assert_eq!(redact(&hidden), "[secret]");
    }
    assert_eq!(redact("-----BEGIN PRIVATE KEY-----\nMIIcut off"), "[secret]");
}

#[test]
fn what_a_name_announces_is_masked() {
    let random = "q7Rw9zK2mX4v";
    for (text, clean) in [
        ("postgres://app:RANDOM@db:5432/x", "postgres://app:[secret]@db:5432/x"),
        ("amqps://u:p@ss:RANDOM@mq", "amqps://u:[secret]@mq"),
        ("Authorization: Bearer RANDOM", "Authorization: Bearer [secret]"),
        ("{\"authorization\": \"Basic RANDOM==\"}", "{\"authorization\": \"Basic [secret]\"}"),
        ("authorization=RANDOM", "authorization=[secret]"),
        ("-H 'bearer RANDOMRANDOM'", "-H 'bearer [secret]'"),
        ("password=RANDOM&x=1", "password=[secret]&x=1"),
        ("DB_PASSWORD='RANDOM'", "DB_PASSWORD='[secret]'"),
        ("{\\\"api_key\\\": \\\"RANDOM\\\"}", "{\\\"api_key\\\": \\\"[secret]\\\"}"),
        ("{\"clientSecret\":\"RANDOM\"}", "{\"clientSecret\":\"[secret]\"}"),
        ("x-api-key: RANDOM", "x-api-key: [secret]"),
        ("api_key: str = \"RANDOM\"", "api_key: str = \"[secret]\""),
        ("AccountKey=RANDOMRANDOM==;End", "AccountKey=[secret];End"),
        ("https://x.blob/y?sv=1&sig=RANDOM%3D", "https://x.blob/y?sv=1&sig=[secret]"),
        ("os.environ['TOKEN'] = 'RANDOM'", "os.environ['TOKEN'] = '[secret]'"),
    ] {
        assert_eq!(redact(&text.replace("RANDOM", random)), clean);
    }
}

#[test]
fn a_redactor_never_shows_what_it_knows() {
    let redactor = Redactor::default().with_known_secret("DEPLOY_KEY", "correct-horse-battery");
    let shown = format!("{redactor:?} {redactor:#?}");
    assert!(shown.contains("DEPLOY_KEY") && !shown.contains("horse"), "{shown}");
}

/// Pieces of text that meet in unlucky ways.
fn pieces() -> impl Strategy<Value = String> {
    let mut pieces = tokens();
    pieces.extend(
        [
            "password=",
            "token: ",
            "://u:",
            "@",
            "[secret]",
            "[",
            "]",
            "Bearer ",
            "authorization: ",
            "eyJ",
            "ghp_",
            "sk-",
            "-----BEGIN ",
            "PRIVATE KEY-----",
            "\u{200b}",
            "é",
            " ",
            "\n",
            "a",
            "7",
            "Z",
            ".",
            "\"",
            "+4915112345678",
            "a@example.org",
            "4111 1111 1111 1111",
            "horse-staple-99",
            "horse",
            "-staple",
            "%",
            "\\n",
        ]
        .map(str::to_owned),
    );
    prop::collection::vec(prop::sample::select(pieces), 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn what_was_cleaned_is_clean(text in pieces(), other in "\\PC{0,40}") {
        for redactor in [
            Redactor::default(),
            Redactor::default().with_known_secret("K", "horse-staple-99").with_personal_data(),
        ] {
            for text in [&text, &other] {
                let clean = redactor.clean(text);
                prop_assert!(!redactor.finds(&clean), "{clean:?}");
                prop_assert_eq!(redactor.clean(&clean), clean.clone());
                prop_assert_eq!(redactor.finds(text), clean != *text);
            }
        }
    }
}
