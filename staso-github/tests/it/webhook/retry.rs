//! Who may ask for another try, and how.

use staso_core::run::Redirections;
use staso_github::webhook::RetryRequest;

use super::outcome::{APP, TRACE};
use super::payloads::{Changed, official};

fn mark() -> String {
    format!("Text.\n\n<!-- staso:diagnosis={TRACE} -->\n")
}

/// A comment below a proposal. The official example is below an issue, which has no member `pull_request`.
fn below(comment: &str) -> Changed {
    let mut changed = official("issue_comment", "created")
        .with("/issue/body", mark())
        .with("/issue/user/login", APP)
        .with("/comment/body", comment);
    changed.body["issue"]["pull_request"] =
        official("pull_request", "opened").body["pull_request"]["_links"].clone();
    changed
}

fn on_lines(comment: &str) -> Changed {
    let changed = official("pull_request_review_comment", "created").with("/comment/body", comment);
    of_proposal(changed)
}

fn review(comment: &str) -> Changed {
    of_proposal(official("pull_request_review", "submitted").with("/review/body", comment))
}

fn of_proposal(changed: Changed) -> Changed {
    changed
        .with("/pull_request/body", mark())
        .with("/pull_request/user/login", APP)
        .with("/pull_request/head/ref", "fix/staso-1a2b3c4d5e-1")
}

fn asked(changed: &Changed) -> Option<RetryRequest> {
    changed.event().retry_request(APP)
}

#[test]
fn people_ask_below_on_lines_and_in_reviews() {
    for (changed, number) in [(below as fn(&str) -> Changed, 1), (on_lines, 2), (review, 2)] {
        let request = asked(&changed("I think not.\n\n/staso retry the clock is wrong\n")).unwrap();
        assert_eq!((request.number, request.by.as_str()), (number, "Codertocat"));
        assert_eq!(request.diagnosis.to_string(), TRACE);
        assert_eq!(request.guidance, "the clock is wrong");
        assert_eq!(request.repository.full_name, "Codertocat/Hello-World");
        assert!(request.comment_url.starts_with("https://github.com/Codertocat/Hello-World/"));
        assert_eq!(asked(&changed("Nice work")), None);
    }
}

#[test]
fn only_insiders_ask() {
    for (association, may) in [
        ("OWNER", true),
        ("MEMBER", true),
        ("COLLABORATOR", true),
        ("CONTRIBUTOR", false),
        ("FIRST_TIMER", false),
        ("FIRST_TIME_CONTRIBUTOR", false),
        ("MANNEQUIN", false),
        ("NONE", false),
        ("owner", false),
        ("SOMETHING_NEW", false),
    ] {
        let changed = below("/staso retry").with("/comment/author_association", association);
        assert_eq!(asked(&changed).is_some(), may, "{association}");
    }
}

#[test]
fn bots_edits_issues_and_the_pull_requests_of_others_do_not_count() {
    let ignored = [
        below("/staso retry").with("/comment/user/type", "Bot"),
        below("/staso retry").with("/comment/user", serde_json::Value::Null),
        below("/staso retry").with("/action", "edited"),
        below("/staso retry").with("/issue/pull_request", serde_json::Value::Null),
        below("/staso retry").with("/issue/user/login", "mallory"),
        below("/staso retry").with("/issue/body", "no mark"),
        on_lines("/staso retry").with("/pull_request/head/repo/id", 99),
        on_lines("/staso retry").with("/pull_request/user/login", "mallory"),
        review("/staso retry").with("/pull_request/body", "no mark"),
        review("/staso retry").with("/action", "dismissed"),
        official("issue_comment", "created").with("/comment/body", "/staso retry"),
    ];
    for changed in ignored {
        assert_eq!(asked(&changed), None, "{}: {:#}", changed.name, changed.body["comment"]);
    }
}

#[test]
fn what_they_say_is_data_that_a_run_takes() {
    let hostile = format!("/staso retry `$(rm -rf /)` \u{1b}]0;x\u{7}@all \u{202e}{}", "x".repeat(9_000));
    let request = asked(&below(&hostile)).unwrap();
    assert!(request.guidance.starts_with("`$(rm -rf /)` @all x"));
    assert_eq!(request.guidance.chars().count(), 1_000);
    let redirections = Redirections::default();
    redirections.send(request.guidance.clone()).unwrap();
    assert_eq!(redirections.take(), [request.guidance]);
}
