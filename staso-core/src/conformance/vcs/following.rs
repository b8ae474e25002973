//! What becomes of proposals, and of changes while the repository goes on.

use super::asking::{Asking, must, path, source};
use super::fixture::VcsFixture;
use crate::code::RepoPath;
use crate::vcs::{Proposal, ProposalAction, ProposalState, VcsError, VcsProvider};

/// A proposal is a draft, then merged or closed.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn follows_a_proposal(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let changes = asking.change(&[(path("staso/closed.txt"), "1\n")]).await;
    let closed = must(asking.propose("fix/staso-closed", &changes, "k").await, "a proposal is made");
    let found = must(asking.status(&closed.branch).await, "it is found");
    assert_eq!((found.state, &found.head), (ProposalState::Draft, &closed.head), "an open proposal");
    fixture.delete_branch(&closed.branch).await;
    let found = must(asking.status(&closed.branch).await, "it is still found");
    assert_eq!(found.state, ProposalState::Closed, "a proposal without its branch is closed");
    let mut changes = asking.change(&[(path("staso/merged.txt"), "1\n")]).await;
    changes.draft = false;
    let merged = must(asking.propose("fix/staso-merged", &changes, "k").await, "a proposal is made");
    assert_eq!(merged.state, ProposalState::Open, "no draft was asked for");
    fixture.merge(&merged.head).await;
    let found = must(asking.status(&merged.branch).await, "it is found");
    assert_eq!(found.state, ProposalState::Merged, "its head is in the history of the base");
}

/// A key finds its own branch again after a reviewer worked on it and after it was merged; when it is gone by then,
/// there is nothing to propose.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn finds_its_own_after_a_merge(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let changes = asking.change(&[(path("staso/again.txt"), "1\n")]).await;
    let attempt = || asking.propose("fix/staso-again", &changes, "again");
    let made = must(attempt().await, "a proposal is made");
    let reviewed = fixture.commit_on(&made.branch, &path("staso/again.txt"), "2\n").await;
    let head = reviewed.clone().unwrap_or_else(|| made.head.clone());
    let again = must(attempt().await, "a retry after a review succeeds");
    let expected = Proposal { action: ProposalAction::Reused, head: head.clone(), ..made.clone() };
    assert_eq!(again, expected, "a reviewer's commit on top does not make the branch foreign");
    fixture.merge(&head).await;
    let again = must(attempt().await, "a retry after the merge succeeds");
    let expected =
        Proposal { action: ProposalAction::Reused, state: ProposalState::Merged, head, ..made.clone() };
    assert_eq!(again, expected, "a merged branch is found");
    fixture.delete_branch(&made.branch).await;
    let found = must(asking.status(&made.branch).await, "a merged proposal is found without its branch");
    assert_eq!(found.state, ProposalState::Merged, "a merged proposal stays merged");
    if reviewed.is_none() {
        let again = attempt().await;
        assert!(matches!(again, Err(VcsError::NothingToPropose)), "the base has it already: {again:?}");
    }
}

/// A change that the newest commit of the base does not fit is refused with the files, and a change that it already has
/// is told apart.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn finds_conflicts(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let files: Vec<RepoPath> = fixture.files().into_keys().collect();
    let [moved, still, ..] = files.as_slice() else { panic!("the fixture has two files") };
    let changes = asking.change(&[(moved.clone(), "ours\n"), (still.clone(), "ours, too\n")]).await;
    let elsewhere = asking.change(&[(path("staso/elsewhere.txt"), "1\n")]).await;
    let tip = fixture.commit_on_default(moved, "theirs\n").await;
    match asking.propose("fix/staso-conflict", &changes, "conflict").await {
        Err(VcsError::Conflict { branch, paths }) => {
            assert_eq!(branch, fixture.default_branch(), "a conflict names the branch");
            assert_eq!(paths, std::slice::from_ref(moved), "a conflict names exactly the files that moved");
        }
        other => panic!("a change that does not fit is a conflict, not {other:?}"),
    }
    assert_eq!(asking.tip_of("fix/staso-conflict-1").await, None, "a conflict leaves no branch");
    let made =
        must(asking.propose("fix/staso-moved", &elsewhere, "moved").await, "other files may have moved");
    let moved_on = must(asking.read(&made.head, moved).await, "the head is read");
    let newest = must(asking.read(&tip, moved).await, "the newest commit is read");
    assert_eq!(
        moved_on, newest,
        "the proposal stands on the newest commit, not on the one that it was made for"
    );
    fixture.commit_on_default(moved, "ours\n").await;
    let tip = fixture.commit_on_default(still, "ours, too\n").await;
    let refused = asking.propose("fix/staso-conflict", &changes, "conflict").await;
    assert!(matches!(refused, Err(VcsError::NothingToPropose)), "the base has it already: {refused:?}");
    let found = provider.resolve(&source(fixture, fixture.tip()), &asking.ctx).await;
    assert_eq!(
        must(found, "the old commit resolves").base_tip,
        tip,
        "resolve sees the newest commit of the base"
    );
}
