//! Asks the fixers one after the other until a change is proven.

use std::time::Duration;

use super::draft::Draft;
use super::healer::Parts;
use super::proof::{Bed, Proof, ProvenFix};
use super::run::Source;
use super::stop::{Flow, Stop};
use super::{HealRequest, StoppingPoint};
use crate::diagnosis::{Diagnosis, FixKind};
use crate::fix::kind::writes_code;
use crate::fix::{FixCandidate, FixError, FixRequest, Fixer};
use crate::run::{EventKind, FixRecord, OutcomeState, Phase, RunContext};

/// The search for a change.
#[derive(Debug)]
pub(super) struct Repair<'r> {
    pub(super) parts: &'r Parts,
    pub(super) request: &'r HealRequest,
    pub(super) source: &'r Source,
    pub(super) diagnosis: &'r Diagnosis,
    pub(super) ctx: &'r RunContext,
}

/// The best that came of the fixers so far.
#[derive(Debug, Default)]
struct Best {
    stop: Option<(Rank, Stop)>,
    suggestion: Option<(Rank, FixRecord)>,
}

/// How far a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    NoChange,
    Refused,
    Untried,
    Silences,
}

impl<'r> Repair<'r> {
    pub(super) async fn run(&self, draft: &mut Draft) -> Flow<ProvenFix> {
        if self.diagnosis.suggested_fix.as_ref().is_some_and(|fix| fix.kind == FixKind::Code) {
            self.code_may_be_changed()?;
        }
        let proof = Proof::new(self.parts, self.request, self.source, self.diagnosis, self.ctx);
        let mut bed = None;
        let mut best = Best::default();
        for (at, fixer) in self.parts.fixers.iter().enumerate() {
            // The first fixer is cheap and tells whether there is anything to prove; the others learn what was found.
            if at > 0 && bed.is_none() && self.request.until > StoppingPoint::Propose {
                bed = Some(proof.prepare(draft).await?);
            }
            draft.enter(Phase::Fix, self.ctx);
            let mut offered = self.offered(&**fixer, bed.as_ref()).await;
            if bed.is_none() && self.may_want_a_checkout(&offered) {
                bed = Some(proof.prepare(draft).await?);
                draft.enter(Phase::Fix, self.ctx);
                offered = self.offered(&**fixer, bed.as_ref()).await;
            }
            let candidates = match offered {
                Ok(candidates) => candidates,
                Err(stop) if stop.allows_another_fixer() => {
                    best.note(Rank::of(&stop), stop, draft);
                    continue;
                }
                Err(stop) => return Err(stop),
            };
            self.show(candidates.first(), draft);
            if self.request.until == StoppingPoint::Propose {
                return Err(Stop::completed(
                    "fix_proposed",
                    "a change is proposed; nothing was run, as the stopping point asks",
                ));
            }
            let bed = match &mut bed {
                Some(bed) => bed,
                none => none.insert(proof.prepare(draft).await?),
            };
            draft.forget_trials();
            let is_last = at + 1 == self.parts.fixers.len();
            match proof.prove(bed, &candidates, self.trial_time(is_last), draft).await {
                Ok(fix) => return Ok(fix),
                Err(stop) if stop.allows_another_fixer() => best.note(Rank::of(&stop), stop, draft),
                Err(stop) => return Err(stop),
            }
        }
        Err(best.into_stop(draft))
    }

    /// Without a sandbox nothing could ever show that a changed program works.
    fn code_may_be_changed(&self) -> Flow<()> {
        Ok(self.parts.policy.sandboxes.check(&self.request.workspace)?)
    }

    /// Whether the host allows the change.
    fn is_allowed(&self, candidate: &FixCandidate) -> Flow<()> {
        let policy = &self.parts.policy.paths;
        policy
            .check_with(&candidate.patch, &self.parts.redactor)
            .map_err(|violation| Stop::rejected("policy_denied", violation.to_string()))?;
        // By its files: a fixer may call it what it likes.
        if candidate.kind == FixKind::Code || writes_code(&candidate.patch) {
            self.code_may_be_changed()?;
        }
        Ok(())
    }

    /// Whether a fixer had nothing to offer that may have something in a sandbox.
    fn may_want_a_checkout(&self, offered: &Flow<Vec<FixCandidate>>) -> bool {
        let nothing = matches!(offered, Err(stop) if Rank::of(stop) == Rank::NoChange);
        nothing && self.parts.sandbox.is_some() && self.request.until > StoppingPoint::Propose
    }

    /// The time for the trials of one fixer's candidates: as long as others wait, a quarter of what is allowed.
    fn trial_time(&self, is_last: bool) -> Duration {
        let all = self.parts.policy.verify.trials_timeout;
        if is_last { all } else { all / 4 }
    }

    /// Time that fixers leave for the proof of what they made.
    fn reserve(&self) -> Duration {
        let limits = &self.parts.policy.verify;
        (limits.test_timeout * 2 + limits.call_timeout * 2).min(self.ctx.remaining() / 3)
    }

    fn show(&self, candidate: Option<&FixCandidate>, draft: &mut Draft) {
        if let Some(candidate) = candidate {
            draft.record_fix(candidate, None);
            let files = candidate.patch.paths();
            self.ctx.emit(EventKind::PatchUpdated { files, why: candidate.why.clone() });
        }
    }

    /// Candidates of one fixer, best first, without those that the policy refuses. Never empty.
    async fn offered(&self, fixer: &dyn Fixer, bed: Option<&Bed<'_>>) -> Flow<Vec<FixCandidate>> {
        let request = FixRequest::new(self.diagnosis, &self.source.code)
            .with_max_candidates(self.parts.policy.verify.max_trials)
            .with_checkout(bed.map(|bed| &bed.checkout), bed.and_then(Bed::tests))
            .with_reproduction(bed.and_then(Bed::reproduction))
            .with_time(Some(self.ctx.remaining().saturating_sub(self.reserve())));
        let mut candidates = match fixer.propose(&request, self.ctx).await {
            Ok(candidates) => candidates,
            Err(FixError::Cancelled) => return Err(Stop::cancelled()),
            Err(error) => return Err(error.into()),
        };
        let mut refused = None;
        candidates.retain(|candidate| match self.is_allowed(candidate) {
            Ok(()) => true,
            Err(stop) => {
                refused = refused.take().or(Some(stop));
                false
            }
        });
        match (candidates.is_empty(), refused) {
            (false, _) => Ok(candidates),
            (true, Some(stop)) => Err(stop),
            (true, None) => Err(Stop::rejected(
                "no_candidate",
                "no fixer has a change to offer for this cause; the diagnosis says what to do by hand",
            )),
        }
    }
}

impl Rank {
    fn of(stop: &Stop) -> Self {
        match (stop.0.state, stop.0.code.as_str()) {
            (OutcomeState::NotReproduced, _) => Self::Untried,
            (_, "no_candidate" | "nothing_made" | "unsupported_language" | "fixer_failed") => Self::NoChange,
            (_, "policy_denied" | "sandbox_disabled" | "no_candidate_passed" | "trials_timed_out") => {
                Self::Refused
            }
            _ => Self::Silences,
        }
    }
}

impl Best {
    /// Keeps what came furthest; of equals the later, which knew more.
    fn note(&mut self, rank: Rank, stop: Stop, draft: &mut Draft) {
        if let Some(fix) = draft.fix.take().filter(|_| rank >= Rank::Untried)
            && self.suggestion.as_ref().is_none_or(|(before, _)| rank >= *before)
        {
            self.suggestion = Some((rank, fix));
        }
        if self.stop.as_ref().is_none_or(|(before, _)| rank > *before || rank >= Rank::Untried) {
            self.stop = Some((rank, stop));
        }
    }

    fn into_stop(self, draft: &mut Draft) -> Stop {
        draft.fix = self.suggestion.map(|(_, fix)| fix);
        self.stop.map_or_else(
            || {
                Stop::rejected(
                    "no_candidate",
                    "no fixer is configured; the diagnosis says what to do by hand",
                )
            },
            |(_, stop)| stop,
        )
    }
}
