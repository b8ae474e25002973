//! Tries candidates until one passes, several at a time, each in a session of its own.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;

use super::stop::Flow;
use crate::fix::FixCandidate;
use crate::run::{EventKind, RunContext};
use crate::verify::{Trial, VerifyLimits};

/// What a search came to. The answer does not depend on how many candidates were tried at a time.
#[derive(Debug)]
pub(super) struct Found<'c> {
    /// The best candidate that passed.
    pub(super) winner: Option<&'c FixCandidate>,
    /// Candidates close behind it that pass as well, best first.
    pub(super) rivals: Vec<&'c FixCandidate>,
    /// The best candidate that makes the failure go away, but breaks tests or has none.
    pub(super) silencer: Option<(&'c FixCandidate, Trial)>,
    /// How many were tried.
    pub(super) tried: usize,
    /// Whether time ran out before all were tried.
    pub(super) out_of_time: bool,
}

/// Shared by the lanes of one search.
#[derive(Debug)]
struct Progress {
    next: AtomicUsize,
    best: AtomicUsize,
    tried: AtomicUsize,
}

/// Candidates tried behind the first one that passes, to see whether the proof could have chosen another.
const RIVALS_TRIED: usize = 6;

/// One lane's answer: the candidates that make the failure go away, with their number.
type Silencers<'c> = Vec<(usize, &'c FixCandidate, Trial)>;

/// Tries the candidates in order. `silence_is_enough` ends the search at the first one that makes the failure go away.
pub(super) async fn search<'c, F, T>(
    candidates: &'c [FixCandidate],
    limits: &VerifyLimits,
    silence_is_enough: bool,
    ctx: &RunContext,
    attempt: F,
) -> Flow<Found<'c>>
where
    F: Fn(&'c FixCandidate) -> T,
    T: Future<Output = Flow<Trial>>,
{
    let candidates = candidates.get(..limits.max_trials.min(candidates.len())).unwrap_or(candidates);
    let deadline = ctx.elapsed() + limits.trials_timeout;
    let progress = Progress {
        next: AtomicUsize::new(0),
        best: AtomicUsize::new(usize::MAX),
        tried: AtomicUsize::new(0),
    };
    let lanes = (0..limits.parallel_trials.max(1))
        .map(|_| lane(candidates, deadline, silence_is_enough, &progress, ctx, &attempt));
    let mut silencers: Silencers<'c> = try_join_all(lanes).await?.into_iter().flatten().collect();
    silencers.sort_by_key(|(at, ..)| *at);
    let tried = progress.tried.load(Ordering::Relaxed);
    let mut passed = silencers.iter().filter(|(.., trial)| trial.passed).map(|(_, candidate, _)| *candidate);
    let winner = passed.next();
    let rivals = passed.collect();
    let first = silencers.into_iter().next();
    Ok(Found {
        winner,
        rivals,
        silencer: first.map(|(_, candidate, trial)| (candidate, trial)).filter(|_| winner.is_none()),
        tried,
        out_of_time: winner.is_none() && tried < candidates.len() && ctx.elapsed() >= deadline,
    })
}

/// Takes the next candidate until one well before it has passed.
async fn lane<'c, F, T>(
    candidates: &'c [FixCandidate],
    deadline: Duration,
    silence_is_enough: bool,
    progress: &Progress,
    ctx: &RunContext,
    attempt: &F,
) -> Flow<Silencers<'c>>
where
    F: Fn(&'c FixCandidate) -> T,
    T: Future<Output = Flow<Trial>>,
{
    let mut silencers = Vec::new();
    while ctx.elapsed() < deadline {
        let at = progress.next.fetch_add(1, Ordering::Relaxed);
        let reach = if silence_is_enough { 0 } else { RIVALS_TRIED };
        let last = progress.best.load(Ordering::Relaxed).saturating_add(reach);
        let Some(candidate) = candidates.get(at).filter(|_| at <= last) else { break };
        ctx.emit(EventKind::PatchUpdated { files: candidate.patch.paths(), why: candidate.why.clone() });
        let trial = attempt(candidate).await?;
        progress.tried.fetch_add(1, Ordering::Relaxed);
        if trial.passed || (trial.gone && silence_is_enough) {
            progress.best.fetch_min(at, Ordering::Relaxed);
        }
        if trial.gone {
            silencers.push((at, candidate, trial));
        }
    }
    Ok(silencers)
}
