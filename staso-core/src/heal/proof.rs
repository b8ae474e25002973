//! Proves a candidate: reproduce at the failing commit, search, confirm in a fresh session, then once more at the tip
//! of the branch that the fix is for.

use std::time::Duration;

use super::HealRequest;
use super::draft::Draft;
use super::healer::Parts;
use super::preload::preload_paths;
use super::run::Source;
use super::search::{Found, search};
use super::stop::{Flow, Stop};
use crate::diagnosis::{Diagnosis, FailureOracle, RepairHint};
use crate::fix::{FixCandidate, Patch};
use crate::id::CommitId;
use crate::run::{CheckRecord, CheckSubject, EventKind, OutcomeState, Phase, RunContext};
use crate::sandbox::{Sandbox, SandboxError, SandboxSession, SandboxSpec};
use crate::vcs::{Checkout, VcsError, VcsProvider};
use crate::verify::{Baseline, Reproduction, TestBench, TestCommand, TestReport, TestRunner, Trial};

/// A candidate that holds at the failing commit and at the tip of the base branch.
#[derive(Debug)]
pub(super) struct ProvenFix {
    pub(super) candidate: FixCandidate,
    /// The same change as it applies to the tip of the base branch.
    pub(super) at_tip: Patch,
}

/// Everything that proving needs.
#[derive(Debug)]
pub(super) struct Proof<'p> {
    parts: &'p Parts,
    request: &'p HealRequest,
    source: &'p Source,
    diagnosis: &'p Diagnosis,
    ctx: &'p RunContext,
}

/// The failing commit, ready to try candidates at.
#[derive(Debug)]
pub(super) struct Bed<'p> {
    ground: Ground<'p>,
    pub(super) checkout: Checkout,
    baseline: Baseline,
    /// How the failure was made to happen again, or why it could not be.
    reproduction: Result<Reproduction, Stop>,
}

impl<'p> Bed<'p> {
    /// How the failure was made to happen again.
    pub(super) fn reproduction(&self) -> Option<&Reproduction> {
        self.reproduction.as_ref().ok()
    }

    /// How the project's tests are run.
    pub(super) fn tests(&self) -> Option<(&'p dyn TestRunner, &TestCommand)> {
        self.ground.tests.as_ref().map(|(runner, command)| (*runner, command))
    }
}

/// A tree to run in, and how.
#[derive(Debug)]
struct Ground<'p> {
    sandbox: &'p dyn Sandbox,
    vcs: &'p dyn VcsProvider,
    tests: Option<(&'p dyn TestRunner, TestCommand)>,
}

impl<'p> Proof<'p> {
    pub(super) const fn new(
        parts: &'p Parts,
        request: &'p HealRequest,
        source: &'p Source,
        diagnosis: &'p Diagnosis,
        ctx: &'p RunContext,
    ) -> Self {
        Self { parts, request, source, diagnosis, ctx }
    }

    /// Makes the failure happen again. That it does not is no end yet: a change may still be suggested.
    pub(super) async fn prepare(&self, draft: &mut Draft) -> Flow<Bed<'p>> {
        draft.enter(Phase::Reproduce, self.ctx);
        let ground = self.ground()?;
        let resolved = &self.source.resolved;
        let checkout = ground.vcs.checkout(&resolved.repository, &resolved.commit, self.ctx).await?;
        let (reproduction, baseline) = self.reproduce(&ground, &checkout, draft).await?;
        Ok(Bed { ground, checkout, baseline, reproduction })
    }

    /// Proves the best candidate that can be proven, as long as `time` lasts.
    pub(super) async fn prove(
        &self,
        bed: &Bed<'p>,
        candidates: &[FixCandidate],
        time: Duration,
        draft: &mut Draft,
    ) -> Flow<ProvenFix> {
        let ctx = self.ctx;
        let Bed { ground, checkout, baseline, reproduction } = bed;
        let reproduction = reproduction.as_ref().map_err(Clone::clone)?;
        draft.enter(Phase::Verify, ctx);
        let winner = self.search(bed, candidates, reproduction, time, draft).await?;
        draft.record_fix(winner, Some("reproduction"));
        ctx.emit(EventKind::PatchUpdated { files: winner.patch.paths(), why: winner.why.clone() });
        self.confirm(ground, checkout, &winner.patch, reproduction, baseline, draft).await?;
        let at_tip = self.confirm_at_tip(ground, winner, reproduction, draft).await?;
        let proof = draft.proof();
        proof.verified = true;
        proof.verify_passed = true;
        Ok(ProvenFix { candidate: winner.clone(), at_tip })
    }

    fn ground(&self) -> Flow<Ground<'p>> {
        self.parts.policy.sandboxes.check(&self.request.workspace)?;
        let (Some(sandbox), Some(vcs)) = (&self.parts.sandbox, &self.parts.vcs) else {
            let reason = "no sandbox is configured, so the change is only a suggestion; give the healer a sandbox to prove fixes";
            return Err(Stop::rejected("no_sandbox", reason));
        };
        let tests = self.parts.tests.as_deref().and_then(|runner| {
            let command = self.request.test_command.clone().or_else(|| runner.detect(&self.source.code))?;
            Some((runner, command))
        });
        Ok(Ground { sandbox: &**sandbox, vcs: &**vcs, tests })
    }

    /// Opens a session and notes what confines it.
    async fn open(
        &self,
        ground: &Ground<'_>,
        checkout: &Checkout,
        draft: &mut Draft,
    ) -> Flow<Box<dyn SandboxSession>> {
        let session = self.session(ground, checkout).await?;
        draft.isolation = Some(session.isolation().clone());
        Ok(session)
    }

    async fn session(&self, ground: &Ground<'_>, checkout: &Checkout) -> Flow<Box<dyn SandboxSession>> {
        let policy = &self.parts.policy;
        let spec = SandboxSpec::new(&checkout.path)
            .with_limits(policy.sandbox.clone())
            .with_min_tier(policy.min_tier)
            .with_env("PYTHONDONTWRITEBYTECODE", "1")
            .with_env("PYTHONHASHSEED", "0");
        Ok(ground.sandbox.open(&spec, self.ctx).await?)
    }

    fn bench<'s>(
        &'s self,
        ground: &'s Ground<'_>,
        session: &'s dyn SandboxSession,
        at: CheckSubject,
    ) -> TestBench<'s> {
        let tests = ground.tests.as_ref().map(|(runner, command)| (*runner, command));
        TestBench::new(session, tests, &self.parts.policy.verify, at)
    }

    async fn reproduce(
        &self,
        ground: &Ground<'_>,
        checkout: &Checkout,
        draft: &mut Draft,
    ) -> Flow<(Result<Reproduction, Stop>, Baseline)> {
        let session = self.open(ground, checkout, draft).await?;
        let bench = self.bench(ground, &*session, CheckSubject::FailingCommit);
        let mut reproduction = None;
        let mut tried = Vec::new();
        if let Some(oracle) = self.oracle() {
            let (found, checks) = bench.reproduce(oracle, self.ctx).await?;
            tried.clone_from(&checks);
            draft.record_checks(checks);
            reproduction = found;
        }
        let (baseline, check) = bench.baseline(self.ctx).await?;
        draft.record_checks(vec![check]);
        close(session).await;
        if let Baseline::Ran(report) = &baseline {
            self.judge_baseline(report, reproduction.is_some())?;
            if reproduction.is_none() && !report.passed() && self.tests_show_the_failure(report) {
                reproduction = Some(Reproduction::Tests);
            }
        }
        let reproduction = reproduction.ok_or_else(|| self.not_reproduced(&tried, &baseline));
        Ok((reproduction, baseline))
    }

    /// Refuses tests that can prove nothing.
    fn judge_baseline(&self, report: &TestReport, reproduced: bool) -> Flow<()> {
        let command = &report.command;
        if report.exit.timed_out {
            let limit_ms = self.parts.policy.verify.test_timeout.as_millis();
            return Err(Stop::rejected(
                "tests_never_end",
                format!(
                    "the project's tests (`{command}`) did not end within {limit_ms} ms at the failing commit, so no change can be proven; name a test command that ends, or raise the time limit for tests"
                ),
            ));
        }
        if let Some(code @ (126 | 127)) = report.exit.code.filter(|_| report.tests.is_empty()) {
            return Err(Stop::rejected(
                "test_command_not_found",
                format!(
                    "the test command (`{command}`) cannot be run inside the sandbox: exit code {code}; name a command that is installed on this machine or lies in the repository"
                ),
            ));
        }
        let mute = !report.passed() && report.tests.is_empty();
        if reproduced && mute && !self.tests_show_the_failure(report) {
            return Err(already_failing(
                report,
                "and do not name their cases, so it cannot be shown that a change breaks nothing",
            ));
        }
        Ok(())
    }

    fn oracle(&self) -> Option<&'p FailureOracle> {
        self.diagnosis.suggested_fix.as_ref().and_then(|fix| fix.oracle.as_ref())
    }

    /// Whether tests that already fail are the failure of the trace: the host named the command, or their output
    /// names the exception or the innermost function.
    fn tests_show_the_failure(&self, report: &TestReport) -> bool {
        if self.request.test_command.is_some() {
            return true;
        }
        let Some(fix) = &self.diagnosis.suggested_fix else { return false };
        let raised = match &fix.oracle {
            Some(FailureOracle::Raises { exception, .. }) => Some(exception.as_str()),
            _ => None,
        };
        let words = fix.hints.iter().flat_map(RepairHint::words).chain(raised);
        words.into_iter().any(|word| names(&report.tail, word))
    }

    fn not_reproduced(&self, tried: &[CheckRecord], baseline: &Baseline) -> Stop {
        let stop = |code, reason| Stop::new(OutcomeState::NotReproduced, code, reason);
        let calls: Vec<_> =
            tried.iter().map(|check| format!("`{}` {}", check.command, check.detail)).collect();
        let failing = match baseline {
            Baseline::Ran(report) if !report.passed() => {
                return stop(
                    "tests_already_fail",
                    format!(
                        "the project's tests (`{}`) already fail at the failing commit, for another reason than the trace shows; nothing reproduces the failure itself",
                        report.command
                    ),
                );
            }
            Baseline::Ran(_) => "the project's own tests pass",
            Baseline::NoTests => "there is no test command",
        };
        if self.source.dirty {
            let reason = "the run came from a working tree with changes that are in no commit, and the recorded commit does not show the failure; commit the changes and record a new run";
            return stop("dirty_revision", reason.to_owned());
        }
        if calls.is_empty() {
            let reason = format!(
                "the trace holds no call that could be made again, and {failing}; the change is a suggestion"
            );
            return stop("nothing_to_replay", reason);
        }
        stop(
            "not_reproduced",
            format!(
                "the failure did not happen again at the failing commit: {}; {failing}",
                calls.join("; ")
            ),
        )
    }

    /// Tries the candidates, each in a session where nothing else has run.
    async fn search<'c>(
        &self,
        bed: &Bed<'p>,
        candidates: &'c [FixCandidate],
        reproduction: &Reproduction,
        time: Duration,
        draft: &mut Draft,
    ) -> Flow<&'c FixCandidate> {
        let Bed { ground, checkout, baseline, .. } = bed;
        let quiet = &self.ctx.muted();
        let attempt = async |candidate: &'c FixCandidate| {
            let session = self.session(ground, checkout).await?;
            let bench = self.bench(ground, &*session, CheckSubject::FailingCommit);
            let trial = bench.try_patch(&candidate.patch, reproduction, baseline, quiet).await?;
            close(session).await;
            Ok(trial)
        };
        let without_tests = *baseline == Baseline::NoTests;
        let limits = &self.parts.policy.verify.clone().with_trials_timeout(time);
        let found = search(candidates, limits, without_tests, self.ctx, attempt).await?;
        draft.proof().candidates_tried += u64::try_from(found.tried).unwrap_or(u64::MAX);
        match found {
            Found { winner: Some(winner), rivals, .. } => {
                let brief = |rival: &FixCandidate| format!("{}: {}", rival.author, rival.title);
                draft.proof().also_passed = rivals.into_iter().map(brief).collect();
                Ok(winner)
            }
            Found { silencer: Some((candidate, trial)), tried, .. } => {
                Err(unproven(candidate, trial, baseline, tried, draft))
            }
            Found { tried, out_of_time, .. } => {
                draft.fix = None;
                let (code, why) = if out_of_time {
                    ("trials_timed_out", "before the time for trials was over")
                } else {
                    ("no_candidate_passed", "and there are no others to try")
                };
                let reason =
                    format!("none of the {tried} changes that were tried makes the failure go away, {why}");
                Err(Stop::rejected(code, reason))
            }
        }
    }

    /// The whole proof once more where no other candidate has run.
    async fn confirm(
        &self,
        ground: &Ground<'_>,
        checkout: &Checkout,
        patch: &Patch,
        reproduction: &Reproduction,
        baseline: &Baseline,
        draft: &mut Draft,
    ) -> Flow<()> {
        let session = self.open(ground, checkout, draft).await?;
        let bench = self.bench(ground, &*session, CheckSubject::FailingCommit);
        let trial = bench.try_patch(patch, reproduction, baseline, self.ctx).await?;
        close(session).await;
        draft.record_checks(trial.checks);
        if trial.passed {
            return Ok(());
        }
        Err(Stop::rejected(
            "not_confirmed",
            "the change passed once but not again in a fresh session, so it is only a suggestion",
        ))
    }

    /// The second half of the two-commit proof. When the failing commit is the tip there is nothing more to show.
    async fn confirm_at_tip(
        &self,
        ground: &Ground<'_>,
        winner: &FixCandidate,
        reproduction: &Reproduction,
        draft: &mut Draft,
    ) -> Flow<Patch> {
        let resolved = &self.source.resolved;
        if resolved.base_tip == resolved.commit {
            return Ok(winner.patch.clone());
        }
        let checkout = ground.vcs.checkout(&resolved.repository, &resolved.base_tip, self.ctx).await?;
        let session = self.open(ground, &checkout, draft).await?;
        let bench = self.bench(ground, &*session, CheckSubject::BaseTip);
        let again = match reproduction {
            Reproduction::Call { oracle, .. } => {
                let (again, checks) = bench.reproduce(oracle, self.ctx).await?;
                draft.record_checks(checks);
                again
            }
            Reproduction::Tests => Some(Reproduction::Tests),
        };
        let (baseline, check) = bench.baseline(self.ctx).await?;
        draft.record_checks(vec![check]);
        let tests_pass = matches!(&baseline, Baseline::Ran(report) if report.passed());
        let fixed = again.is_none() || (matches!(reproduction, Reproduction::Tests) && tests_pass);
        let Some(again) = again.filter(|_| !fixed) else {
            close(session).await;
            let reason = format!(
                "the failure does not happen any more at {}, the tip of {}; deploy that, and nothing needs to be changed",
                resolved.base_tip, resolved.base_branch
            );
            return Err(Stop::new(OutcomeState::NoCodeFix, "already_fixed", reason));
        };
        let patch = self.rebase(ground.vcs, &resolved.base_tip, &winner.patch).await?;
        let trial = bench.try_patch(&patch, &again, &baseline, self.ctx).await?;
        close(session).await;
        draft.record_checks(trial.checks);
        if trial.passed {
            return Ok(patch);
        }
        let reason = format!(
            "the change holds at the failing commit but not at {}, the tip of {}; record a run at that tip to get a fix for it",
            resolved.base_tip, resolved.base_branch
        );
        Err(Stop::rejected("fails_at_base_tip", reason))
    }

    async fn rebase(&self, vcs: &dyn VcsProvider, tip: &CommitId, patch: &Patch) -> Flow<Patch> {
        let paths: Vec<_> = patch.files().map(|(path, _)| path.clone()).collect();
        let repository = &self.source.resolved.repository;
        let max_bytes = self.parts.policy.preload.max_file_bytes;
        let code = preload_paths(vcs, repository, tip, &paths, max_bytes, self.ctx).await?;
        patch.rebase(&code).map_err(|_| {
            VcsError::Conflict { branch: self.source.resolved.base_branch.clone(), paths }.into()
        })
    }
}

/// Why tests prove nothing that fail before and after a change.
fn already_failing(report: &TestReport, detail: &str) -> Stop {
    Stop::rejected(
        "tests_already_fail",
        format!(
            "the project's tests (`{}`) already fail at the failing commit {detail}; repair them, or name a test command that passes",
            report.command
        ),
    )
}

/// Whether the output holds the word, whole. Short words say too little, and words of a trace are a stranger's choice.
fn names(output: &str, word: &str) -> bool {
    let word = word.rsplit('.').next().unwrap_or(word);
    word.len() >= 4 && output.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word)
}

/// Keeps a change that silences the failure but is not proven, as a suggestion.
fn unproven(
    candidate: &FixCandidate,
    trial: Trial,
    baseline: &Baseline,
    tried: usize,
    draft: &mut Draft,
) -> Stop {
    draft.record_fix(candidate, Some("reproduction"));
    draft.record_checks(trial.checks);
    match baseline {
        Baseline::NoTests => Stop::rejected(
            "no_test_command",
            "the change makes the failure go away, but the repository has no tests that could show that nothing else breaks; name a test command to have it proven",
        ),
        Baseline::Ran(report) if !report.passed() => already_failing(
            report,
            "and still do with every change that makes the recorded failure go away, so the one shown is only a suggestion",
        ),
        Baseline::Ran(_) => Stop::rejected(
            "tests_fail_with_fix",
            format!(
                "of the {tried} changes that were tried, some make the failure go away, but then tests fail that passed before; the change shown is only a suggestion"
            ),
        ),
    }
}

/// Closing only tidies up; what it cannot tidy dies with the session's helper.
async fn close(session: Box<dyn SandboxSession>) {
    match session.close().await {
        Ok(()) | Err(SandboxError::Closed) => {}
        Err(error) => tracing::warn!(%error, "a sandbox session did not close cleanly"),
    }
}
