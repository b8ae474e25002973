//! What events make stale.

use staso_github::webhook::{Invalidation, WebhookEvent};

use super::payloads::{Changed, all, official};

fn stale(changed: &Changed) -> (Vec<String>, Option<u64>, Vec<String>) {
    let Invalidation { owners, installation, repositories, .. } = changed.event().invalidation();
    (owners.into_iter().collect(), installation, repositories.into_iter().collect())
}

fn of(
    owners: &[&str],
    installation: Option<u64>,
    repositories: &[&str],
) -> (Vec<String>, Option<u64>, Vec<String>) {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    (owned(owners), installation, owned(repositories))
}

#[test]
fn installations_make_their_account_and_tokens_stale() {
    let hello = "codertocat/hello-world";
    let expected = [
        ("created", of(&["codertocat"], Some(957_387), &[hello])),
        ("deleted", of(&["octocat"], Some(2), &["octocat/hello-world"])),
        ("suspend", of(&["codertocat"], Some(16_598_467), &[])),
        ("unsuspend", of(&["codertocat"], Some(16_598_467), &[])),
        ("new_permissions_accepted", of(&["codertocat"], Some(957_387), &[hello])),
    ];
    for (action, expected) in expected {
        assert_eq!(stale(&official("installation", action)), expected, "{action}");
    }
    let added = stale(&official("installation_repositories", "added"));
    assert_eq!(added, of(&["codertocat"], Some(957_387), &["codertocat/space"]));
    let removed = stale(&official("installation_repositories", "removed"));
    assert_eq!(removed, of(&["octocat"], Some(2), &["octocat/hello-world"]));
}

#[test]
fn a_renamed_account_is_stale_under_both_names() {
    // The project has no example of this event: its parts come from the installation's.
    let example = official("installation", "created");
    let body = serde_json::json!({
        "action": "renamed",
        "target_type": "User",
        "account": example.body["installation"]["account"],
        "changes": { "login": { "from": "OldName" } },
        "installation": { "id": 957_387 },
    });
    let renamed = Changed { name: "installation_target".to_owned(), body };
    assert_eq!(stale(&renamed), of(&["codertocat", "oldname"], Some(957_387), &[]));
}

#[test]
fn repositories_are_stale_under_their_present_and_former_names() {
    let hello = "octocoders/hello-world";
    let renamed = official("repository", "renamed").with("/changes/repository/name/from", "Old-World");
    assert_eq!(stale(&renamed), of(&[], None, &[hello, "octocoders/old-world"]));
    let moved = stale(&official("repository", "transferred"));
    assert_eq!(moved, of(&["octocat", "octocoders"], None, &["octocat/hello-world", hello]));
    for action in ["archived", "unarchived", "deleted", "privatized", "publicized"] {
        let changed = official("repository", "publicized").with("/action", action);
        assert_eq!(stale(&changed), of(&[], None, &["codertocat/hello-world"]), "{action}");
    }
}

#[test]
fn of_edits_only_another_default_branch_counts() {
    let edits = all().iter().find(|event| event.name == "repository").unwrap().examples.iter();
    let mut counted = Vec::new();
    for body in edits.filter(|body| body["action"] == "edited") {
        let edit = Changed { name: "repository".to_owned(), body: body.clone() };
        counted
            .push((body["changes"]["default_branch"].is_object(), !edit.event().invalidation().is_empty()));
    }
    assert_eq!(counted, [(false, false), (true, true)]);
}

#[test]
fn other_events_make_nothing_stale() {
    for (name, action) in
        [("push", ""), ("pull_request", "closed"), ("issue_comment", "created"), ("ping", "")]
    {
        assert!(official(name, action).event().invalidation().is_empty(), "{name}");
    }
    let gone = official("github_app_authorization", "revoked").event();
    assert!(
        matches!(&gone, WebhookEvent::AuthorizationRevoked(account) if account.login == "octocat"),
        "{gone:?}"
    );
}

#[test]
fn a_deleted_tag_has_no_commit_and_no_branch() {
    let WebhookEvent::Push(push) = official("push", "").event() else { panic!() };
    assert_eq!((push.reference.as_str(), push.branch(), push.forced), ("refs/tags/simple-tag", None, false));
    let pushed = official("push", "").with("/ref", "refs/heads/fix/staso-1-1").with("/after", "0".repeat(40));
    let WebhookEvent::Push(push) = pushed.event() else { panic!() };
    assert_eq!((push.branch(), &push.after), (Some("fix/staso-1-1"), &None));
}
