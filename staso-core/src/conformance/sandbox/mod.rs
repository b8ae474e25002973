//! What every [`Sandbox`](crate::sandbox::Sandbox) must do. Sessions need `sh`, the usual small programs (`flock`,
//! `mkfifo`, `setsid` and `yes` among them) and `python3`.
//!
//! That nothing gets out of a session is for the escape suite of `staso-sandbox`, which brings programs of its own.

mod changes;
mod commands;
mod confinement;
mod ending;
mod files;
mod fixture;
mod limits;
mod output;
mod requests;
mod suite;
mod working;

pub use changes::{changes_are_complete, trees_are_complete};
pub use commands::{commands_behave, commands_run_at_the_same_time};
pub use confinement::{says_what_it_gives, sessions_are_separate, the_host_is_out_of_reach};
pub use ending::{
    a_closed_session_refuses_everything, cancellation_is_quick, daemons_die_with_their_command,
    dropping_a_stream_kills_the_command,
};
pub use files::{files_are_read_and_written, paths_stay_in_the_checkout};
pub use fixture::{FILES, Fixture, LINKS};
pub use limits::{limits_hold, time_is_limited};
pub use output::{output_arrives_whole_and_early, output_is_cut_in_the_middle};
pub use requests::bad_requests_are_refused;
pub use suite::run_all;
