//! From an app to a request.

use super::*;
use crate::credentials::CredentialSource as _;

#[tokio::test]
async fn an_app_asks_with_a_token_for_one_repository() {
    let bench = Bench::new([installed(), made(), branches(), branches()]);
    bench.ask(Access::Read).await.unwrap();
    bench.ask(Access::Read).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, ASK, ASK]);
    let seen = bench.server.requests();
    assert_eq!(claims(&seen[0]), json!({ "iat": 1_468_271_590, "exp": 1_468_271_950, "iss": CLIENT_ID }));
    assert_eq!(
        body(&seen[1]),
        json!({
            "repositories": ["hello-world"],
            "permissions": { "contents": "read", "metadata": "read", "pull_requests": "read" },
        })
    );
    assert_eq!(bearer(&seen[2]), TOKEN);
}

#[tokio::test]
async fn reading_never_makes_a_token_that_can_write() {
    let bench = Bench::new([installed(), made(), branches(), made(), branches()]);
    bench.granted().await.unwrap();
    bench.git_token(Access::Read).await.unwrap();
    bench.ask(Access::Read).await.unwrap();
    let before = bench.server.requests();
    assert!(before.iter().all(|seen| !String::from_utf8_lossy(&seen.body).contains("write")));

    bench.ask(Access::Propose).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, ASK, MINT, ASK]);
    assert_eq!(
        body(&bench.server.requests()[3])["permissions"],
        json!({ "contents": "write", "metadata": "read", "pull_requests": "write" })
    );
}

#[tokio::test]
async fn case_06_a_permission_that_is_not_granted_is_named() {
    let refusal = || refused(422, "The permissions requested are not granted to this installation.").into();
    let bench = Bench::new([installed(), refusal(), installed(), refusal()]);
    let error = bench.ask(Access::Propose).await.unwrap_err();
    let VcsError::MissingPermission { permission, remedy, .. } = &error else { panic!("{error}") };
    assert_eq!(permission, "contents: write");
    assert!(remedy.contains("https://github.com/organizations/github/settings/installations/1"), "{remedy}");
    assert_eq!(bench.asked(), [LOOKUP, MINT, LOOKUP, MINT]);
}

#[tokio::test]
async fn case_06_it_is_known_before_the_run_without_any_token() {
    let bench = Bench::new([installed()]);
    let granted = bench.granted().await.unwrap();
    assert_eq!(granted.missing(Access::Read).as_deref(), Some("pull_requests: read"));
    assert_eq!(granted.missing(Access::Propose).as_deref(), Some("contents: write"));
    assert_eq!(bench.asked(), [LOOKUP]);
}

#[tokio::test]
async fn case_08_git_gets_a_token_that_lasts_five_minutes_and_calls_one_of_a_minute() {
    let bench = Bench::new([installed(), made(), branches(), made()]);
    bench.git_token(Access::Read).await.unwrap();
    bench.clock.pass(seconds(54 * 60));
    bench.git_token(Access::Read).await.unwrap();
    bench.clock.pass(seconds(60));
    bench.ask(Access::Read).await.unwrap();
    // The installation has been believed for less than an hour, and the second token ends when the first one does.
    bench.git_token(Access::Read).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, ASK, MINT]);
}

#[tokio::test]
async fn case_08_a_token_that_cannot_be_replaced_early_still_serves_for_calls() {
    let failure = refused(500, "Server Error");
    let bench = Bench::new([installed(), made(), failure.into(), branches()]);
    bench.git_token(Access::Read).await.unwrap();
    bench.clock.pass(seconds(56 * 60));
    bench.git_token(Access::Read).await.unwrap_err();
    bench.ask(Access::Read).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, MINT, ASK]);
}

#[tokio::test]
async fn case_08_a_call_does_not_take_a_token_of_its_last_minute() {
    let bench = Bench::new([installed(), made(), branches(), made(), branches()]);
    bench.ask(Access::Read).await.unwrap();
    bench.clock.pass(seconds(59 * 60));
    bench.ask(Access::Read).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, ASK, MINT, ASK]);
}

#[tokio::test]
async fn case_08_an_old_token_that_is_refused_is_replaced_once() {
    let bench = Bench::new([
        installed(),
        made(),
        branches(),
        refused(401, "Bad credentials").into(),
        made(),
        branches(),
    ]);
    bench.ask(Access::Read).await.unwrap();
    bench.clock.pass(seconds(1800));
    bench.ask(Access::Read).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, ASK, ASK, MINT, ASK]);
    assert!(bench.clock.waits().is_empty());
}

#[tokio::test]
async fn case_09_a_credential_that_is_revoked_is_said_so() {
    let refusals = std::iter::repeat_with(|| refused(401, "Bad credentials").into());
    let turns = [installed(), made(), branches(), refused(401, "Bad credentials").into(), made()];
    let bench = Bench::new(turns.into_iter().chain(refusals.take(4)));
    bench.ask(Access::Read).await.unwrap();
    bench.clock.pass(seconds(1800));
    let error = bench.ask(Access::Read).await.unwrap_err();
    assert!(matches!(error, VcsError::CredentialRevoked { .. }), "{error}");
    assert!(!error.is_retryable());
    assert_eq!(bench.asked(), [LOOKUP, MINT, ASK, ASK, MINT, ASK, ASK, ASK, ASK]);
}

#[tokio::test]
async fn case_09_a_personal_token_that_is_revoked_is_said_so_at_once() {
    let token = GitHubAuth::Token("github_pat_canary".into());
    let bench = Bench::with(token, [refused(401, "Bad credentials").into()]);
    let error = bench.ask(Access::Propose).await.unwrap_err();
    assert!(matches!(error, VcsError::CredentialRevoked { .. }), "{error}");
    assert_eq!(bearer(&bench.server.requests()[0]), "github_pat_canary");
    assert_eq!(bench.asked(), [ASK]);
}

#[tokio::test]
async fn nobody_asks_without_a_credential_and_is_told_to_bring_one() {
    let bench =
        Bench::with(GitHubAuth::Anonymous, [branches(), refused(401, "Requires authentication").into()]);
    bench.ask(Access::Read).await.unwrap();
    let error = bench.ask(Access::Read).await.unwrap_err();
    assert!(matches!(error, VcsError::PermissionDenied { .. }), "{error}");
    assert!(bench.server.requests().iter().all(|seen| seen.header("authorization").is_none()));
    assert_eq!(bench.granted().await.unwrap().missing(Access::Propose).as_deref(), Some("contents: write"));
    assert!(bench.api.git_credentials(bench.scope(Access::Read), &bench.ctx).await.unwrap().is_none());
}

#[tokio::test]
async fn case_08_git_gets_another_token_when_an_old_one_is_refused() {
    let bench = Bench::new([installed(), made(), made()]);
    let source = bench.api.source(bench.repository.clone());
    let token = source.credentials(Access::Read, &bench.ctx).await.unwrap().unwrap();
    bench.clock.pass(seconds(5));
    assert!(source.refused(&token, &bench.ctx).await);
    source.credentials(Access::Read, &bench.ctx).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, MINT]);
    assert!(bench.clock.waits().is_empty());
}

#[tokio::test]
async fn case_07_git_waits_for_a_fresh_token() {
    let bench = Bench::new([installed(), made(), made()]);
    let source = bench.api.source(bench.repository.clone());
    for _ in 0..4 {
        let token = source.credentials(Access::Propose, &bench.ctx).await.unwrap().unwrap();
        assert!(source.refused(&token, &bench.ctx).await);
    }
    source.credentials(Access::Propose, &bench.ctx).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, MINT]);
    assert_eq!(bench.clock.waits(), [1, 2, 3]);
}

#[tokio::test]
async fn case_09_git_has_no_other_personal_token() {
    let bench = Bench::with(GitHubAuth::Token("github_pat_canary".into()), []);
    let source = bench.api.source(bench.repository.clone());
    let token = source.credentials(Access::Read, &bench.ctx).await.unwrap().unwrap();
    assert!(!source.refused(&token, &bench.ctx).await);
}

#[tokio::test]
async fn a_token_that_has_ended_when_it_arrives_is_used_and_not_kept() {
    let bench = Bench::new([installed(), made(), branches(), made(), branches()]);
    bench.clock.pass(seconds(7200));
    bench.ask(Access::Read).await.unwrap();
    bench.ask(Access::Read).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, ASK, MINT, ASK]);
}
