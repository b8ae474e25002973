//! What single answers mean. The table of all documented ones is in the tests of the client.

use reqwest::Method;
use reqwest::header::HeaderValue;
use staso_core::vcs::VcsError;

use super::*;

fn repository() -> RepositoryName {
    let url = "https://github.com/acme/support".parse().unwrap();
    RepositoryName { owner: "acme".to_owned(), name: "support".to_owned(), url, id: None }
}

fn answer(status: u16, message: &str) -> ApiAnswer {
    let page = "https://docs.github.com/rest/repos/repos#get-a-repository";
    ApiAnswer::of(status, serde_json::json!({ "message": message, "documentation_url": page }).to_string())
}

fn with(mut answer: ApiAnswer, name: &'static str, value: &str) -> ApiAnswer {
    answer.headers.insert(name, HeaderValue::from_str(value).unwrap());
    answer
}

fn refused(answer: &ApiAnswer) -> VcsError {
    refusal(answer, "opening the pull request", &repository())
}

fn sent(mut answer: ApiAnswer) -> ApiAnswer {
    answer.asked = (Method::POST, "/repos/acme/support/pulls".to_owned());
    answer
}

#[test]
fn case_10_what_is_not_accessible_names_the_permission() {
    let denied = || sent(answer(403, "Resource not accessible by integration"));
    let named = with(denied(), "x-accepted-github-permissions", "pull_requests=write,contents=read");
    for (answer, permission, place) in [
        (named, "pull_requests: write and contents: read", "the app"),
        (denied(), "pull_requests: write", "the app"),
        (
            sent(answer(403, "Resource not accessible by personal access token")),
            "pull_requests: write",
            "the token",
        ),
        (sent(answer(403, "Forbidden")), "pull_requests: write", "the app or token"),
    ] {
        let error = refused(&answer);
        let VcsError::MissingPermission { permission: found, remedy, .. } = &error else { panic!("{error}") };
        assert_eq!(found, permission);
        assert!(remedy.contains(place), "{remedy}");
    }
    let other = answer(
        403,
        "Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled",
    );
    let error = refused(&other);
    assert!(matches!(error, VcsError::PermissionDenied { .. }), "{error}");
    assert!(error.remedy().unwrap().contains("IP allow list"), "{error}");
}

#[test]
fn case_11_single_sign_on_leads_only_to_where_the_repository_is() {
    let url = "https://github.com/orgs/acme/sso?authorization_request=AZSCKtL4U8yX1H3sCQIVnVgmjmon5fWxks5YrqhJgah0b2tlbl9pZM4EuMz4";
    let fallback = "https://github.com/orgs/acme/sso";
    for (header, expected) in [
        (format!("required; url={url}"), Some(url)),
        ("required; url=https://evil.example/orgs/acme/sso".to_owned(), Some(fallback)),
        ("required; url=http://github.com/orgs/acme/sso".to_owned(), Some(fallback)),
        ("required; url=https://github.com@evil.example/".to_owned(), Some(fallback)),
        ("required; url=https://a:b@github.com/".to_owned(), Some(fallback)),
        ("required; url=https://github.com/x)](https://evil.example/y".to_owned(), Some(fallback)),
        ("required; url=https://github.com/ is down, use evil.example".to_owned(), Some(fallback)),
        ("required".to_owned(), Some(fallback)),
        ("partial-results; organizations=21955855".to_owned(), None),
    ] {
        let message = "Resource protected by organization SAML enforcement.";
        let error = refused(&with(answer(403, message), "x-github-sso", &header));
        match (&error, expected) {
            (VcsError::SsoRequired { authorize_url, .. }, Some(expected)) => {
                assert_eq!(authorize_url, expected);
            }
            (VcsError::SsoRequired { .. }, None) => panic!("{header}: {error}"),
            (_, expected) => assert_eq!(expected, None, "{header}: {error}"),
        }
    }
}

#[test]
fn case_22_what_is_blocked_or_gone_is_told_with_the_reason() {
    let blocked = ApiAnswer::of(
        451,
        r#"{"message":"Repository access blocked","block":{"reason":"dmca","created_at":"2013-12-01T00:00:00Z","html_url":"https://github.com/github/dmca"}}"#,
    );
    let forbidden = ApiAnswer { status: 403, ..blocked.clone() };
    let gone = answer(410, "This repository is gone");
    for answer in [blocked, forbidden, gone, ApiAnswer::of(451, "")] {
        let error = refused(&answer);
        assert!(matches!(&error, VcsError::Gone { reason, .. } if !reason.is_empty()), "{error}");
        assert!(!error.is_retryable());
    }
    assert!(matches!(refused(&answer(404, "Not Found")), VcsError::RepositoryNotFound { .. }));
}

/// No Enterprise Server is here to ask, and the official descriptions of 3.17, 3.18 and 3.19 do not differ in what is used:
/// headers and the page named make the answer one of an old server.
#[test]
fn case_58_an_older_server_says_what_it_lacks() {
    let version = "x-github-enterprise-version";
    let unknown = |page: &str| {
        let body = serde_json::json!({ "message": "Not Found", "documentation_url": page });
        ApiAnswer::of(404, body.to_string())
    };
    let docs = "https://docs.github.com/enterprise-server@3.17/rest";
    let error = refused(&with(unknown(docs), version, "3.17.2"));
    let VcsError::FeatureUnavailable { feature, server } = &error else { panic!("{error}") };
    assert_eq!(feature, "opening the pull request");
    assert_eq!(server, "GitHub Enterprise Server 3.17.2 at https://github.com");
    assert!(!error.is_retryable());

    let page = unknown("https://docs.github.com/enterprise-server@3.17/rest/repos/repos#get-a-repository");
    assert!(matches!(refused(&with(page, version, "3.17.2")), VcsError::RepositoryNotFound { .. }));
    assert!(matches!(refused(&unknown("https://docs.github.com/rest")), VcsError::RepositoryNotFound { .. }));
    for (status, message) in [
        (400, "2022-11-28 is not a supported version"),
        (406, "Must accept 'application/json'"),
        (415, "If you would like to help us test this preview, specify a custom media type"),
    ] {
        let error = refused(&answer(status, message));
        assert!(matches!(error, VcsError::FeatureUnavailable { .. }), "{status}: {error}");
    }
}

#[test]
fn states_of_repositories_and_installations_have_errors_of_their_own() {
    let archived = "Repository was archived so is read-only.";
    assert!(matches!(refused(&answer(403, archived)), VcsError::Archived { .. }));
    assert!(matches!(refused(&answer(422, archived)), VcsError::Archived { .. }));
    assert!(matches!(refused(&answer(409, "Git Repository is empty.")), VcsError::Empty { .. }));
    assert!(matches!(refused(&answer(409, "Conflict")), VcsError::Backend { .. }));
    assert!(matches!(refused(&answer(401, "Bad credentials")), VcsError::CredentialRevoked { .. }));
    assert!(matches!(
        refused(&answer(403, "This installation has been suspended")),
        VcsError::Suspended { .. }
    ));
    let disabled = refused(&answer(410, "Issues has been disabled in this repository."));
    assert!(matches!(disabled, VcsError::FeatureUnavailable { .. }), "{disabled}");
    let workflow = "refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml` without `workflows` permission";
    for status in [403, 422] {
        let error = refused(&answer(status, workflow));
        let VcsError::MissingPermission { permission, .. } = &error else { panic!("{error}") };
        assert_eq!(permission, "workflows: write");
    }
    let failed = refused(&sent(answer(422, "Validation Failed")));
    assert!(
        matches!(&failed, VcsError::InvalidChange { reason } if reason.contains("Validation Failed")),
        "{failed}"
    );
    assert!(!failed.is_retryable());
}

#[test]
fn no_token_that_a_server_repeats_reaches_an_error() {
    let token = format!("ghs_{}", "16C7e42F292c6912E7710c838347Ae178B4a");
    for status in [400, 401, 403, 404, 406, 409, 410, 422, 451, 500, 599] {
        let hostile = with(
            answer(status, &format!("\u{1b}]0;x\u{7}Forbidden for {token}\u{202e} archived")),
            "x-github-enterprise-version",
            &token,
        );
        let error = refused(&hostile);
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        let shown = format!("{error} {error:?} {source}");
        assert!(!shown.contains("16C7e42F"), "{shown}");
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
    }
}
