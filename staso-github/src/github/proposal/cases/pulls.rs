//! Pull requests: made once, found again, left alone.

use staso_core::vcs::{ProposalAction, ProposalState, VcsError};

use super::*;
use crate::github::options::GitHubOptions;
use crate::github::proposal::extras;
use crate::github::proposal::marker::marked;
use crate::github::proposal::open::{Opened, Wanted, open};

const OURS: &str = "fix/staso-a-1";

impl Bench {
    async fn open(&self, is_known: bool) -> Result<Opened, VcsError> {
        let (branch, base) = (branch(OURS), branch("main"));
        let wanted = Wanted {
            branch: &branch,
            base: &base,
            title: "Fix it",
            body: "What users saw.",
            draft: true,
            key: "key",
            is_known,
        };
        open(self.target(), wanted, &test_context()).await
    }
}

/// The example of a list, as one pull request of ours with this text.
fn listed(body: &str, values: &[(&str, Value)]) -> Choice {
    let mut entry = vec![
        ("/head/ref".to_owned(), json!(OURS)),
        ("/base/ref".to_owned(), json!("main")),
        ("/body".to_owned(), json!(body)),
        ("/merged_at".to_owned(), Value::Null),
    ];
    entry.extend(values.iter().map(|(at, value)| ((*at).to_owned(), value.clone())));
    Choice::example().with_entries("", vec![entry])
}

fn ours() -> String {
    marked("What users saw.", "key").0
}

#[tokio::test]
async fn a_new_pull_request_is_a_draft_with_our_line_at_its_end() {
    let bench = Bench::new();
    let Opened { pull, action, warnings, .. } = bench.open(false).await.unwrap();
    assert_eq!((action, pull.state(), warnings), (ProposalAction::Created, ProposalState::Draft, vec![]));
    let asked = bench.peer.asked_of(OPEN).remove(0).body.unwrap();
    assert_eq!(
        (&asked["head"], &asked["base"], &asked["draft"]),
        (&json!(OURS), &json!("main"), &json!(true))
    );
    assert_eq!(asked["body"], json!(ours()));
    assert_eq!(bench.peer.asked().len(), 1, "one request is enough");
}

#[tokio::test]
async fn case_15_a_lost_answer_is_read_back_before_anything_is_repeated() {
    for answer in [lost(), Choice::undocumented(502, "Server Error")] {
        let bench = Bench::new();
        bench.peer.on(OPEN, [answer.clone()]);
        bench.peer.on(PULLS, [listed(&ours(), &[])]);
        let opened = bench.open(false).await.unwrap();
        assert_eq!(opened.action, ProposalAction::Created, "it was this run that opened it");
        assert_eq!(bench.count(OPEN), 1, "not asked for twice");

        let bench = Bench::new();
        bench.peer.on(OPEN, [answer, opened_now()]);
        let opened = bench.open(false).await.unwrap();
        assert_eq!((opened.action, bench.count(OPEN)), (ProposalAction::Created, 2), "it was not there");
    }
    let bench = Bench::new();
    bench.peer.on(OPEN, [lost()]);
    let error = bench.open(false).await.unwrap_err();
    assert!(error.is_retryable() && bench.count(OPEN) == 2, "{error}");
}

fn opened_now() -> Choice {
    super::opened()
}

#[tokio::test]
async fn case_32_the_pull_request_that_is_there_is_found_and_kept() {
    let bench = Bench::new();
    bench.peer.on(OPEN, [refused("A pull request already exists for octocat:fix/staso-a-1.")]);
    bench.peer.on(PULLS, [listed(&ours(), &[])]);
    let found = bench.open(false).await.unwrap();
    assert_eq!((found.action, found.is_ours, bench.count(CHANGE)), (ProposalAction::Reused, true, 0));

    let bench = Bench::new();
    let older = marked("What users saw then.", "key").0.replace('\n', "\r\n");
    bench.peer.on(PULLS, [listed(&older, &[])]);
    bench.peer.on(CHANGE, [Choice::example().with("/merged_at", Value::Null)]);
    let found = bench.open(true).await.unwrap();
    assert_eq!(
        (found.action, bench.count(OPEN)),
        (ProposalAction::Updated, 0),
        "looked for before it is made"
    );
    assert_eq!(bench.peer.asked_of(CHANGE).remove(0).body.unwrap(), json!({ "body": ours() }));

    let bench = Bench::new();
    bench.peer.on(PULLS, [listed(&format!("{older}\nLooks good."), &[])]);
    let found = bench.open(true).await.unwrap();
    assert_eq!((found.action, bench.count(CHANGE)), (ProposalAction::Reused, 0), "a human has edited it");
    assert!(found.warnings[0].contains("someone has changed the text"), "{:?}", found.warnings);

    let bench = Bench::new();
    bench.peer.on(PULLS, [listed("By hand.", &[])]);
    let found = bench.open(true).await.unwrap();
    assert_eq!((found.is_ours, bench.count(CHANGE)), (false, 0));
    assert!(found.warnings[0].contains("was not opened for this proposal"), "{:?}", found.warnings);
}

#[tokio::test]
async fn case_32_what_was_closed_or_merged_is_not_opened_again() {
    for (values, state) in [
        (vec![("/state", json!("closed"))], ProposalState::Closed),
        (
            vec![("/state", json!("closed")), ("/merged_at", json!("2011-01-26T19:01:12Z"))],
            ProposalState::Merged,
        ),
    ] {
        let bench = Bench::new();
        bench.peer.on(PULLS, [listed(&marked("Old.", "key").0, &values)]);
        let found = bench.open(true).await.unwrap();
        assert_eq!((found.action, found.pull.state()), (ProposalAction::Reused, state));
        assert_eq!((bench.count(OPEN), bench.count(CHANGE)), (0, 0));
    }
}

#[tokio::test]
async fn case_33_what_the_search_does_not_know_yet_is_found_among_all_open() {
    let bench = Bench::new();
    bench.peer.on(OPEN, [refused("A pull request already exists for octocat:fix/staso-a-1.")]);
    bench.peer.on_where(PULLS, &[("state", "all")], [Choice::empty()]);
    bench.peer.on_where(PULLS, &[("state", "open")], [listed(&ours(), &[])]);
    let found = bench.open(false).await.unwrap();
    assert_eq!((found.action, bench.count(OPEN)), (ProposalAction::Reused, 1));
}

#[tokio::test]
async fn case_33_a_fork_with_a_branch_of_the_same_name_is_not_ours() {
    let bench = Bench::new();
    bench.peer.on(PULLS, [listed(&ours(), &[("/head/repo/full_name", json!("mallory/Hello-World"))])]);
    let made = bench.open(true).await.unwrap();
    assert_eq!(made.action, ProposalAction::Created);
}

#[tokio::test]
async fn case_34_no_commits_between_is_nothing_to_propose() {
    let bench = Bench::new();
    bench.peer.on(OPEN, [refused("No commits between main and fix/staso-a-1")]);
    assert!(matches!(bench.open(false).await, Err(VcsError::NothingToPropose)));
}

#[tokio::test]
async fn case_35_without_drafts_it_is_a_normal_one_with_a_warning() {
    let bench = Bench::new();
    let message = "Draft pull requests are not supported in this repository.";
    bench.peer.on(OPEN, [refused(message), opened_now()]);
    let made = bench.open(false).await.unwrap();
    assert_eq!((made.action, made.pull.state()), (ProposalAction::Created, ProposalState::Open));
    assert!(made.warnings[0].contains("does not offer draft pull requests"), "{:?}", made.warnings);
}

#[tokio::test]
async fn what_else_is_wrong_is_said_in_words() {
    let bench = Bench::new();
    let gone = json!([{"resource": "PullRequest", "field": "base", "code": "invalid"}]);
    bench.peer.on(OPEN, [Choice::status(422).errors(gone)]);
    match bench.open(false).await {
        Err(VcsError::InvalidChange { reason }) => assert_eq!(reason, "the base branch main is gone"),
        other => panic!("{other:?}"),
    }
    let bench = Bench::new();
    bench.peer.on(OPEN, [Choice::status(403)]);
    match bench.open(false).await {
        Err(VcsError::MissingPermission { permission, .. }) => assert_eq!(permission, "pull_requests: write"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn case_38_labels_and_reviewers_that_do_not_work_are_warnings() {
    let bench = Bench::new();
    bench.peer.on(LABELS, [Choice::status(422).message("Validation Failed: label")]);
    let no_collaborator = "Reviews may only be requested from collaborators. ghost is not a collaborator.";
    bench.peer.on(REVIEWERS, [Choice::undocumented(422, no_collaborator), Choice::status(403)]);
    bench.peer.on(PULLS, [listed(&ours(), &[])]);
    let pull = super::super::pull::of_branch(bench.target(), &branch(OURS), &test_context())
        .await
        .unwrap()
        .remove(0);
    let options = GitHubOptions::default()
        .with_labels(["staso", "BUG"])
        .with_reviewers(["ghost"])
        .with_team_reviewers(["agents"]);
    let labels = ["prompt".to_owned()];
    let warnings = extras::add(bench.target(), &pull, &labels, &options, &test_context()).await;
    assert_eq!(
        bench.peer.asked_of(LABELS)[0].body,
        Some(json!({"labels": ["prompt", "staso"]})),
        "`bug` is there"
    );
    assert!(pull.has_reviewers() && bench.count(REVIEWERS) == 0, "the example asks someone already");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("adding labels was refused with status 422"), "{warnings:?}");
}

#[tokio::test]
async fn case_56_a_run_that_is_cancelled_before_it_opens_one_opens_none() {
    let bench = Bench::new();
    let ctx = test_context();
    ctx.cancellation().cancel();
    let (branch, base) = (branch(OURS), branch("main"));
    let wanted = Wanted {
        branch: &branch,
        base: &base,
        title: "t",
        body: "b",
        draft: true,
        key: "key",
        is_known: false,
    };
    let ended = open(bench.target(), wanted, &ctx).await;
    assert!(matches!(ended, Err(VcsError::Cancelled)) && bench.count(OPEN) == 0, "{ended:?}");
}
