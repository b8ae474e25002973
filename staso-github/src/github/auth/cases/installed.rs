//! Where the app is installed, and where it is not.

use super::*;

const ORG: &str = "GET /orgs/octocat/installation";
const USER: &str = "GET /users/octocat/installation";
/// The installations in the examples of the webhooks `installation.suspend` and `installation.unsuspend`.
const SUSPENDED: &str = include_str!("../../../../tests/official/auth/installation-suspended.json");
const LIFTED: &str = include_str!("../../../../tests/official/auth/installation-unsuspended.json");

fn body(text: &str) -> Turn {
    Reply::json(200, text).into()
}

#[tokio::test]
async fn case_03_an_app_that_is_not_installed_says_where_to_install_it() {
    let nowhere = || [not_found(), not_found(), not_found()];
    let bench = Bench::new(nowhere().into_iter().chain([ok("integration")]).chain(nowhere()));
    for _ in 0..2 {
        let error = bench.ask(Access::Read).await.unwrap_err();
        let VcsError::NotInstalled { owner, install_url } = &error else { panic!("{error}") };
        assert_eq!(owner, "octocat");
        assert_eq!(install_url, "https://github.com/apps/octoapp/installations/new");
    }
    bench.clock.pass(seconds(60));
    bench.ask(Access::Read).await.unwrap_err();
    assert_eq!(bench.asked(), [LOOKUP, ORG, USER, "GET /app", LOOKUP, ORG, USER]);
}

#[tokio::test]
async fn case_03_without_the_page_of_the_app_the_settings_are_named() {
    let bench = Bench::new([not_found(), not_found(), not_found(), not_found()]);
    let error = bench.ask(Access::Read).await.unwrap_err();
    let VcsError::NotInstalled { install_url, .. } = &error else { panic!("{error}") };
    assert_eq!(install_url, "https://github.com/settings/installations");
}

#[tokio::test]
async fn case_04_a_suspended_installation_is_not_asked_twice() {
    let bench = Bench::new([installed(), refused(403, "This installation has been suspended").into()]);
    let error = bench.ask(Access::Read).await.unwrap_err();
    let VcsError::Suspended { owner, settings_url } = &error else { panic!("{error}") };
    assert_eq!(owner, "octocat");
    assert_eq!(settings_url, "https://github.com/organizations/github/settings/installations/1");
    assert!(!error.is_retryable());
    assert_eq!(bench.asked(), [LOOKUP, MINT]);
}

#[tokio::test]
async fn case_04_a_suspension_is_seen_at_the_lookup_and_when_it_is_lifted() {
    let bench = Bench::new([body(SUSPENDED), body(LIFTED), made(), branches()]);
    for _ in 0..2 {
        let error = bench.ask(Access::Read).await.unwrap_err();
        assert!(matches!(error, VcsError::Suspended { .. }), "{error}");
    }
    bench.clock.pass(seconds(60));
    bench.ask(Access::Read).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, LOOKUP, "POST /app/installations/16598467/access_tokens", ASK]);
}

#[tokio::test]
async fn case_05_a_repository_that_is_not_selected_is_not_missing() {
    for owner in [vec![ok("base-installation")], vec![not_found(), ok("base-installation")]] {
        let bench = Bench::new([not_found()].into_iter().chain(owner));
        let error = bench.ask(Access::Read).await.unwrap_err();
        let VcsError::RepositoryNotGranted { settings_url, .. } = &error else { panic!("{error}") };
        assert_eq!(settings_url, "https://github.com/organizations/github/settings/installations/1");
    }
}

#[tokio::test]
async fn case_05_a_repository_that_is_taken_away_is_not_granted_any_more() {
    let refusal = "There is at least one repository that does not exist or is not accessible to the parent installation.";
    let bench = Bench::new([installed(), refused(422, refusal).into(), not_found(), ok("base-installation")]);
    let error = bench.ask(Access::Read).await.unwrap_err();
    assert!(matches!(error, VcsError::RepositoryNotGranted { .. }), "{error}");
    assert_eq!(bench.asked(), [LOOKUP, MINT, LOOKUP, ORG]);
}

#[tokio::test]
async fn where_all_repositories_are_selected_one_that_is_not_found_is_missing() {
    let bench = Bench::new([not_found(), installed()]);
    let error = bench.ask(Access::Read).await.unwrap_err();
    assert!(matches!(error, VcsError::RepositoryNotFound { .. }), "{error}");
}

#[tokio::test]
async fn an_installation_that_is_gone_is_looked_up_once_more() {
    let bench = Bench::new([installed(), not_found(), installed(), made(), branches()]);
    bench.ask(Access::Read).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, LOOKUP, MINT, ASK]);

    let bench = Bench::new([installed(), not_found(), installed(), not_found()]);
    bench.ask(Access::Read).await.unwrap_err();
    assert_eq!(bench.asked(), [LOOKUP, MINT, LOOKUP, MINT]);
}

#[tokio::test]
async fn an_installation_is_believed_for_an_hour() {
    let bench = Bench::new([body(LIFTED), body(LIFTED)]);
    for passed in [0, 3599, 1] {
        bench.clock.pass(seconds(passed));
        bench.granted().await.unwrap();
    }
    assert_eq!(bench.asked(), [LOOKUP, LOOKUP]);
}

#[tokio::test]
async fn what_a_webhook_says_is_forgotten_is_looked_up_anew() {
    let bench = Bench::new([installed(), made(), installed(), installed(), made()]);
    bench.git_token(Access::Read).await.unwrap();
    bench.api.forget_owner("OctoCat");
    bench.git_token(Access::Read).await.unwrap();
    bench.api.forget_installation(2);
    bench.git_token(Access::Read).await.unwrap();
    bench.api.forget_installation(1);
    bench.git_token(Access::Read).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, LOOKUP, LOOKUP, MINT]);
}

#[tokio::test]
async fn a_permission_that_was_granted_meanwhile_is_noticed_after_a_minute() {
    let bench = Bench::new([installed(), body(LIFTED)]);
    for (passed, missing) in [(0, true), (59, true), (1, false), (3000, false)] {
        bench.clock.pass(seconds(passed));
        assert_eq!(bench.granted().await.unwrap().missing(Access::Propose).is_some(), missing);
    }
    assert_eq!(bench.asked(), [LOOKUP, LOOKUP]);
}

/// The server of `bench` sends a request on to the number of the repository.
fn moved(bench: &Bench, rest: &str) -> Turn {
    let place = format!("{}/repositories/1296269{rest}", bench.server.url());
    refused(301, "Moved Permanently").header("location", place).into()
}

#[tokio::test]
async fn case_20_a_repository_that_went_to_an_owner_without_the_app_is_not_installed() {
    let bench = Bench::new([installed(), made(), branches()]);
    bench.ask(Access::Read).await.unwrap();
    bench.clock.pass(seconds(60));
    for turn in [
        moved(&bench, "/branches"),
        not_found(),
        moved(&bench, "/installation"),
        not_found(),
        ok("integration"),
    ] {
        bench.server.push(turn);
    }
    let error = bench.ask(Access::Read).await.unwrap_err();
    let VcsError::NotInstalled { owner, install_url } = &error else { panic!("{error}") };
    assert_eq!(owner, "the new owner of octocat/Hello-World");
    assert_eq!(install_url, "https://github.com/apps/octoapp/installations/new");
    let by_number = |rest: &str| format!("GET /repositories/1296269/{rest}");
    assert_eq!(
        bench.asked()[3..],
        [ASK, &by_number("branches"), LOOKUP, &by_number("installation"), "GET /app"]
    );
}

#[tokio::test]
async fn case_20_one_that_has_another_name_now_gets_a_token_by_its_number() {
    let bench = Bench::new([]);
    for turn in [moved(&bench, "/installation"), installed(), made(), branches()] {
        bench.server.push(turn);
    }
    bench.ask(Access::Read).await.unwrap();
    assert_eq!(super::body(&bench.server.requests()[2])["repository_ids"], json!([1_296_269]));
}

#[tokio::test]
async fn another_host_does_not_say_which_number_a_repository_has() {
    let elsewhere = ScriptServer::start([installed()]);
    let place = format!("{}/repositories/7/installation", elsewhere.url());
    let away = refused(301, "Moved Permanently").header("location", place);
    let bench = Bench::new([away.into(), made(), branches()]);
    bench.ask(Access::Read).await.unwrap();
    assert_eq!(super::body(&bench.server.requests()[1])["repositories"], json!(["hello-world"]));
}

#[tokio::test]
async fn what_writes_is_bound_to_the_repository_that_was_resolved_and_not_to_its_name() {
    let mut bench = Bench::new([installed(), made(), branches(), made(), branches()]);
    bench.repository.id = Some(1_296_269);
    bench.ask(Access::Read).await.unwrap();
    bench.ask(Access::Propose).await.unwrap();
    let seen = bench.server.requests();
    assert_eq!(super::body(&seen[1])["repositories"], json!(["hello-world"]));
    let written = super::body(&seen[3]);
    assert_eq!((&written["repository_ids"], written.get("repositories")), (&json!([1_296_269]), None));
}

#[tokio::test]
async fn settings_elsewhere_are_not_where_people_are_sent() {
    let description: Value = serde_json::from_str(&example("installation")).unwrap();
    let mut elsewhere = description;
    elsewhere["html_url"] = json!("https://github.com.evil.com/settings");
    let refusal = || refused(403, "This installation has been suspended").into();
    let bench = Bench::new([Reply::json(200, elsewhere.to_string()).into(), refusal()]);
    let error = bench.ask(Access::Read).await.unwrap_err();
    let VcsError::Suspended { settings_url, .. } = &error else { panic!("{error}") };
    assert_eq!(settings_url, "https://github.com/settings/installations");
}
