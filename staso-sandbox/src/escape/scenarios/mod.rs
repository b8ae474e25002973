//! Rows that take more than single attempts: what the host does counts as well, or what is left afterwards.

mod ends;
mod git;
mod output;
mod paths;
mod processes;
mod sessions;
mod tree;

use super::runner::Run;
use super::verdict::Verdict;

/// Which scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scenario {
    ReadThroughLink,
    SwapRace,
    DotDot,
    Absolute,
    GitHooks,
    GitMonitor,
    LowerUnchanged,
    FillCheckout,
    Traps,
    KillHostProcess,
    KillFirst,
    DaemonsAfterExec,
    DaemonsAfterClose,
    KillHelper,
    KillHost,
    Stubborn,
    HeldPipe,
    Busy,
    Cancel,
    Flood,
    OutputAfterClose,
    OddBytes,
    Leftovers,
    NoNamespaces,
    Neighbours,
    LeakyHost,
}

/// Plays a scenario.
pub(super) async fn run(run: &Run<'_>, scenario: Scenario) -> Verdict {
    let judged = match scenario {
        Scenario::ReadThroughLink => paths::read_through_link(run).await,
        Scenario::SwapRace => paths::swap_race(run).await,
        Scenario::DotDot => paths::dot_dot(run).await,
        Scenario::Absolute => paths::absolute(run).await,
        Scenario::GitHooks => git::hooks(run).await,
        Scenario::GitMonitor => git::monitor(run).await,
        Scenario::LowerUnchanged => tree::lower_unchanged(run).await,
        Scenario::FillCheckout => tree::fill_checkout(run).await,
        Scenario::Traps => tree::traps(run).await,
        Scenario::KillHostProcess => processes::kill_host_process(run).await,
        Scenario::KillFirst => processes::kill_first(run).await,
        Scenario::DaemonsAfterExec => processes::daemons_after_exec(run).await,
        Scenario::HeldPipe => processes::held_pipe(run).await,
        Scenario::Stubborn => processes::stubborn(run).await,
        Scenario::Busy => processes::busy(run).await,
        Scenario::DaemonsAfterClose => ends::daemons_after_close(run).await,
        Scenario::KillHelper => ends::kill_helper(run).await,
        Scenario::KillHost => ends::kill_host(run).await,
        Scenario::Cancel => ends::cancel(run).await,
        Scenario::Flood => output::flood(run).await,
        Scenario::OutputAfterClose => output::after_close(run).await,
        Scenario::OddBytes => output::odd_bytes(run).await,
        Scenario::Leftovers => sessions::leftovers(run).await,
        Scenario::NoNamespaces => sessions::no_namespaces(run).await,
        Scenario::Neighbours => sessions::neighbours(run).await,
        Scenario::LeakyHost => sessions::leaky_host(run).await,
    };
    judged.unwrap_or_else(|verdict| verdict)
}
