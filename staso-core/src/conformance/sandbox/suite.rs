//! All checks.

use super::{
    Fixture, a_closed_session_refuses_everything, bad_requests_are_refused, cancellation_is_quick,
    changes_are_complete, commands_behave, commands_run_at_the_same_time, daemons_die_with_their_command,
    dropping_a_stream_kills_the_command, files_are_read_and_written, limits_hold,
    output_arrives_whole_and_early, output_is_cut_in_the_middle, paths_stay_in_the_checkout,
    says_what_it_gives, sessions_are_separate, the_host_is_out_of_reach, time_is_limited, trees_are_complete,
};
use crate::run::RunContext;
use crate::sandbox::Sandbox;

/// Runs every check, each in sessions of its own.
///
/// # Panics
/// With a sentence, when the sandbox breaks the contract.
pub async fn run_all(sandbox: &dyn Sandbox, fixture: &Fixture, ctx: &RunContext) {
    says_what_it_gives(sandbox, fixture, ctx).await;
    commands_behave(sandbox, fixture, ctx).await;
    commands_run_at_the_same_time(sandbox, fixture, ctx).await;
    bad_requests_are_refused(sandbox, fixture, ctx).await;
    output_is_cut_in_the_middle(sandbox, fixture, ctx).await;
    output_arrives_whole_and_early(sandbox, fixture, ctx).await;
    time_is_limited(sandbox, fixture, ctx).await;
    limits_hold(sandbox, fixture, ctx).await;
    cancellation_is_quick(sandbox, fixture, ctx).await;
    dropping_a_stream_kills_the_command(sandbox, fixture, ctx).await;
    daemons_die_with_their_command(sandbox, fixture, ctx).await;
    files_are_read_and_written(sandbox, fixture, ctx).await;
    paths_stay_in_the_checkout(sandbox, fixture, ctx).await;
    changes_are_complete(sandbox, fixture, ctx).await;
    trees_are_complete(sandbox, fixture, ctx).await;
    sessions_are_separate(sandbox, fixture, ctx).await;
    the_host_is_out_of_reach(sandbox, fixture, ctx).await;
    a_closed_session_refuses_everything(sandbox, fixture, ctx).await;
}
