//! What a dry run shows is what a real one sends.

use std::sync::{Arc, Mutex};

use super::whole::Whole;
use super::*;
use crate::github::proposal::{ProposalPreview, Show};
use staso_core::vcs::VcsError;

/// The repository, and what is shown.
fn shown() -> (Whole, Arc<Mutex<Vec<ProposalPreview>>>) {
    let mut whole = Whole::new();
    let previews = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&previews);
    whole.parts.show =
        Some(Show(Arc::new(move |preview: &ProposalPreview| into.lock().unwrap().push(preview.clone()))));
    whole.parts.options = whole.parts.options.clone().with_labels(["staso"]);
    (whole, previews)
}

#[tokio::test]
async fn a_dry_run_shows_what_is_then_sent_and_sends_nothing() {
    let (mut whole, previews) = shown();
    let changes = whole.changes("def run():\n    return 2\n");
    let ended = whole.propose(&changes).await;
    assert!(matches!(ended, Err(VcsError::DryRun)), "{ended:?}");
    whole.assert_untouched();
    assert_eq!(whole.bench.count(LABELS), 0);
    let preview = previews.lock().unwrap().remove(0);
    let commit = preview.commit.as_ref().unwrap();
    assert_eq!((&commit.parent, commit.pushed), (&whole.tip, true));
    assert_eq!(commit.edits, changes.edits);
    let text = preview.to_string();
    assert!(text.contains("git push: the new branch fix/staso-a-1") && text.contains("~ tool.py"), "{text}");

    whole.parts.show = None;
    let made = whole.propose(&changes).await.unwrap();
    assert_eq!(made.branch, preview.branch);
    let message = whole.git_says(&["log", "-1", "--format=%B", made.branch.as_str()]);
    // The run's id differs from attempt to attempt.
    let without_run = |text: &str| {
        let lines = text.trim_end().lines().filter(|line| !line.starts_with("Staso-Run: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_run(&message), without_run(&commit.message));
    let [open, labels] = &preview.requests[..] else { panic!("{:?}", preview.requests) };
    let sent = whole.bench.peer.asked_of(OPEN).remove(0);
    assert_eq!(sent.body.as_ref(), Some(&open.body));
    assert_eq!((open.method, open.path.as_str()), ("POST", "/repos/octocat/Hello-World/pulls"));
    let sent = whole.bench.peer.asked_of(LABELS).remove(0);
    assert_eq!(sent.body.as_ref(), Some(&labels.body));
    assert_eq!(labels.path, "/repos/octocat/Hello-World/issues/{number}/labels");
}

#[tokio::test]
async fn a_dry_run_finds_what_stands_in_the_way_and_the_branch_that_is_there() {
    let (mut whole, previews) = shown();
    let stale = whole.carrying(vec![edit("tool.py", Some(FILE), "x\n")]);
    let ended = whole.propose(&stale).await;
    assert!(matches!(ended, Err(VcsError::Conflict { .. })), "{ended:?}");
    assert!(previews.lock().unwrap().is_empty());
    let changes = whole.changes("def run():\n    return 2\n");
    let show = whole.parts.show.take();
    whole.propose(&changes).await.unwrap();
    whole.parts.show = show;
    let ended = whole.propose(&changes).await;
    assert!(matches!(ended, Err(VcsError::DryRun)), "{ended:?}");
    let preview = previews.lock().unwrap().remove(0);
    assert_eq!((preview.branch.as_str(), &preview.commit), ("fix/staso-a-1", &None));
    assert!(preview.to_string().contains("is there already and would be reused"));
}
