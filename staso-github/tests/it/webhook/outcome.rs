//! What became of proposals, and whether fixes held.

use std::time::Duration;

use staso_core::diagnosis::CaseLabel;
use staso_github::webhook::{FixStatus, FixWatch, ProposalFate, ProposalOutcome};

use super::payloads::{Changed, at, official};

pub(super) const TRACE: &str = "0198c3b2-7a11-7cc2-9d10-6f1e2a3b4c5d";
const HEAD: &str = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";
pub(super) const BRANCH: &str = "fix/staso-1a2b3c4d5e-1";
pub(super) const APP: &str = "acme-staso[bot]";

/// An official pull request, as a proposal.
pub(super) fn proposal(action: &str) -> Changed {
    official("pull_request", action)
        .with("/pull_request/user/login", APP)
        .with("/pull_request/user/type", "Bot")
        .with("/pull_request/head/ref", BRANCH)
        .with("/pull_request/body", format!("Text.\n\n<!-- staso:diagnosis={TRACE} -->\n"))
}

pub(super) fn merged(changed: Changed) -> Changed {
    changed.with("/pull_request/merged", true).with("/pull_request/merged_at", at(0).to_string())
}

/// An official pull request in the form of GitHub's button to revert number 2.
pub(super) fn revert() -> Changed {
    merged(official("pull_request", "closed"))
        .with("/pull_request/number", 7)
        .with("/pull_request/merged_at", at(24).to_string())
        .with("/pull_request/head/ref", format!("revert-2-{BRANCH}"))
        .with("/pull_request/title", "Revert \"Send the customer's key\"")
        .with("/pull_request/body", "Reverts Codertocat/Hello-World#2")
}

fn outcome(changed: &Changed) -> Option<ProposalOutcome> {
    changed.event().proposal_outcome(APP)
}

fn fate(changed: &Changed) -> Option<ProposalFate> {
    outcome(changed).map(|outcome| outcome.fate)
}

#[test]
fn what_became_of_a_proposal_is_told() {
    let told = outcome(&merged(proposal("closed"))).unwrap();
    assert_eq!((told.repository, told.number), (186_853_002, 2));
    assert_eq!(told.branch.as_ref().unwrap().as_str(), BRANCH);
    assert_eq!(told.diagnosis.unwrap().to_string(), TRACE);
    assert_eq!(told.fingerprint(), Some("1a2b3c4d5e"));
    assert_eq!(told.fate, ProposalFate::Merged { at: at(0), head: HEAD.parse().unwrap() });
    assert_eq!(fate(&proposal("closed")), Some(ProposalFate::ClosedUnmerged));
    assert_eq!(fate(&proposal("reopened")), Some(ProposalFate::Reopened));
    assert_eq!(fate(&proposal("ready_for_review")), Some(ProposalFate::ReadyForReview));
    for silent in ["opened", "synchronize", "labeled", "converted_to_draft"] {
        assert_eq!(fate(&proposal(silent)), None, "{silent}");
    }
}

#[test]
fn only_what_the_app_opened_with_its_mark_in_the_repository_itself_counts() {
    let not_ours = [
        proposal("closed").with("/pull_request/user/login", "mallory"),
        proposal("closed").with("/pull_request/user/login", "acme-staso"),
        proposal("closed").with("/pull_request/user", serde_json::Value::Null),
        proposal("closed").with("/pull_request/head/ref", "fix/other"),
        proposal("closed").with("/pull_request/body", "Text."),
        proposal("closed").with("/pull_request/body", "<!-- staso:diagnosis=me -->"),
        proposal("closed").with("/pull_request/body", serde_json::Value::Null),
        proposal("closed").with("/pull_request/head/repo/id", 99),
        proposal("closed").with("/pull_request/head/repo", serde_json::Value::Null),
    ];
    for changed in not_ours {
        assert_eq!(outcome(&changed), None, "{:#}", changed.body["pull_request"]["head"]);
        assert_eq!(outcome(&merged(changed)), None);
    }
}

#[test]
fn a_merged_revert_in_githubs_form_names_what_it_undoes() {
    let told = outcome(&revert()).unwrap();
    assert_eq!((told.number, told.diagnosis), (2, None));
    assert_eq!(told.branch.as_ref().unwrap().as_str(), BRANCH);
    assert_eq!(told.fate, ProposalFate::Reverted { at: at(24), by: 7 });
    let renamed = outcome(&revert().with("/pull_request/head/ref", "undo")).unwrap();
    assert_eq!((renamed.number, renamed.branch), (2, None));
    let not_reverts = [
        revert().with("/pull_request/merged", false),
        revert().with("/action", "opened"),
        revert().with("/pull_request/head/repo/id", 99),
        revert().with("/pull_request/head/repo", serde_json::Value::Null),
        revert().with("/pull_request/title", "Undo it"),
        revert().with("/pull_request/body", "Reverts evil/Hello-World#2"),
        revert().with("/pull_request/body", "See: Reverts Codertocat/Hello-World#2"),
        revert().with("/pull_request/body", "Reverts Codertocat/Hello-World#two"),
    ];
    for changed in not_reverts {
        assert_eq!(outcome(&changed), None, "{:#}", changed.body["pull_request"]["body"]);
    }
}

fn watch() -> FixWatch {
    FixWatch::begin(&outcome(&merged(proposal("closed"))).unwrap()).unwrap()
}

#[test]
fn a_fix_held_when_nothing_spoke_against_it_for_the_window() {
    let day = 24;
    let mut watch = watch();
    assert_eq!(watch.status(at(14 * day - 1)), FixStatus::Watching { until: at(14 * day) });
    assert_eq!(watch.status(at(14 * day)), FixStatus::Held);
    watch.tell_failure("ffffffffff", at(day));
    watch.tell_failure("1a2b3c4d5e", at(14 * day));
    assert_eq!(watch.status(at(15 * day)), FixStatus::Held, "another failure, and one after the window");
    assert_eq!(watch.status(at(15 * day)).label(), Some(CaseLabel::Right));
    let short = watch.with_window(Duration::from_secs(3_600));
    assert_eq!(short.status(at(1)), FixStatus::Held);
}

#[test]
fn a_revert_or_the_same_failure_breaks_it_whichever_came_first() {
    let mut reverted = watch();
    reverted.tell_outcome(&outcome(&revert()).unwrap());
    reverted.tell_failure("1a2b3c4d5e", at(25));
    assert_eq!(reverted.status(at(1_000)), FixStatus::Reverted { at: at(24), by: 7 });
    let mut failed = watch();
    failed.tell_outcome(&outcome(&revert()).unwrap());
    failed.tell_failure("1a2b3c4d5e", at(23));
    assert_eq!(failed.status(at(1_000)), FixStatus::FailedAgain { at: at(23) });
    assert_eq!(failed.status(at(1_000)).label(), Some(CaseLabel::Wrong));
    let mut at_once = watch();
    at_once.tell_failure("1a2b3c4d5e", at(24));
    assert_eq!(at_once.status(at(24)), FixStatus::FailedAgain { at: at(24) });
    at_once.tell_outcome(&outcome(&revert()).unwrap());
    assert_eq!(at_once.status(at(24)), FixStatus::Reverted { at: at(24), by: 7 });
    let mut other = watch();
    let elsewhere = revert().with("/pull_request/body", "Reverts Codertocat/Hello-World#3");
    other.tell_outcome(&outcome(&elsewhere).unwrap());
    assert_eq!(other.status(at(24)).label(), None);
}

#[test]
fn only_what_was_merged_is_watched() {
    assert_eq!(FixWatch::begin(&outcome(&proposal("closed")).unwrap()), None);
    assert_eq!(FixWatch::begin(&outcome(&revert()).unwrap()), None);
}
