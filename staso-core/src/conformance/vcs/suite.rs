//! The whole suite.

use super::asking::{Asking, first_file, name, source};
use super::fixture::VcsFixture;
use super::{following, proposing, reading};
use crate::vcs::{Access, ProposeRequest, VcsError, VcsProvider};

/// Runs every part of the suite, in an order in which none disturbs the next.
///
/// # Panics
/// With a sentence, when the provider breaks its contract.
pub async fn all(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    reading::resolves(provider, fixture).await;
    reading::refuses_what_is_not_there(provider, fixture).await;
    reading::reads_files(provider, fixture).await;
    reading::lists_trees(provider, fixture).await;
    reading::checks_out(provider, fixture).await;
    reading::reads_odd_files(provider, fixture).await;
    refuses_when_cancelled(provider, fixture).await;
    proposing::proposes_once(provider, fixture).await;
    proposing::proposes_once_at_once(provider, fixture).await;
    proposing::carries_every_kind_of_change(provider, fixture).await;
    proposing::leaves_foreign_branches_alone(provider, fixture).await;
    proposing::refuses_bad_changes(provider, fixture).await;
    proposing::refuses_to_change_odd_files(provider, fixture).await;
    reading::notes_what_is_odd(provider, fixture).await;
    following::follows_a_proposal(provider, fixture).await;
    following::finds_its_own_after_a_merge(provider, fixture).await;
    following::finds_conflicts(provider, fixture).await;
    proposing::refuses_archived(provider, fixture).await;
}

/// Nothing is done for a run that was cancelled.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn refuses_when_cancelled(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let (repository, ctx) = (&asking.repository, &asking.ctx);
    let (tip, file) = (fixture.tip(), first_file(fixture));
    let changes = asking.change(&[(file.clone(), "cancelled\n")]).await;
    ctx.cancellation().cancel();
    let source = source(fixture, tip.clone());
    let (base, prefix) = (fixture.default_branch(), name("fix/staso-cancelled"));
    let request = ProposeRequest::new(repository, &base, &prefix, &changes, "c", ctx.run_id());
    let outcomes = [
        ("resolve", provider.resolve(&source, ctx).await.err()),
        ("preflight", provider.preflight(repository, Access::Read, ctx).await.err()),
        ("read_file", provider.read_file(repository, &tip, &file, 1, ctx).await.err()),
        ("list_tree", provider.list_tree(repository, &tip, 1, ctx).await.err()),
        ("checkout", provider.checkout(repository, &tip, ctx).await.err()),
        ("propose", provider.propose(&request, ctx).await.err()),
        ("proposal_status", provider.proposal_status(repository, &prefix, ctx).await.err()),
    ];
    for (method, error) in outcomes {
        assert!(matches!(error, Some(VcsError::Cancelled)), "{method} after cancellation: {error:?}");
    }
    assert_eq!(asking.tip_of("fix/staso-cancelled-1").await, None, "a cancelled run makes no branch");
}
