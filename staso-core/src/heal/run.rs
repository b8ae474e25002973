//! One run from trace to terminal state.

use super::draft::{Draft, RunSubject};
use super::healer::Parts;
use super::preload::preload;
use super::proof::Proof;
use super::publish::{Ready, publish};
use super::stop::{Flow, Stop, with_causes};
use super::{HealRequest, StoppingPoint};
use crate::code::CodeSnapshot;
use crate::diagnosis::{DiagnoseRequest, Diagnoser, Diagnosis, MissingEvidence, check_receipts};
use crate::fix::{FixCandidate, FixError, FixRequest};
use crate::run::{EventKind, OutcomeState, Phase, RunArtifact, RunContext};
use crate::trace::{CapturedState, SourceRevision, Trace, TraceView};
use crate::vcs::{Access, ResolvedSource, VcsError};

/// A run with everything it was given.
#[derive(Debug)]
pub(super) struct HealRun<'r> {
    parts: &'r Parts,
    request: &'r HealRequest,
    ctx: RunContext,
}

/// The repository at the failing commit.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) resolved: ResolvedSource,
    pub(super) code: CodeSnapshot,
    /// Whether the run came from a working tree that differed from the commit.
    pub(super) dirty: bool,
}

impl<'r> HealRun<'r> {
    pub(super) const fn new(parts: &'r Parts, request: &'r HealRequest, ctx: RunContext) -> Self {
        Self { parts, request, ctx }
    }

    /// Runs to the end and keeps the artifact.
    pub(super) async fn run(self) -> RunArtifact {
        let ctx = &self.ctx;
        ctx.emit(EventKind::RunStarted { subject: self.request.trace_id.to_string() });
        let mut draft = Draft::new(ctx);
        let stop = match ctx.bounded(ctx.remaining(), self.steps(&mut draft)).await {
            Ok(Ok(ready)) => publish(self.parts, &ready, self.subject(), &mut draft, ctx).await,
            Ok(Err(stop)) => stop,
            Err(interrupted) => interrupted.into(),
        };
        let artifact = draft.finish(stop, self.subject(), ctx);
        if let Err(error) = self.parts.runs.put(&artifact).await {
            tracing::error!(run_id = %ctx.run_id(), error = %with_causes(&error), "the artifact could not be kept");
        }
        artifact
    }

    fn subject(&self) -> RunSubject {
        RunSubject {
            engine: self.parts.engine(),
            workspace: self.request.workspace.clone(),
            trace_id: self.request.trace_id,
        }
    }

    async fn steps(&self, draft: &mut Draft) -> Flow<Ready> {
        let ctx = &self.ctx;
        draft.enter(Phase::Load, ctx);
        let trace = self.parts.traces.get(&self.request.workspace, self.request.trace_id, ctx).await?;
        let view = TraceView::new(&trace);
        describe_trace(&trace, draft);

        draft.enter(Phase::Resolve, ctx);
        let source = self.source(&view, draft).await?;
        let code = source.as_ref().ok().map(|source| &source.code);
        let diagnosis = self.diagnose(&view, code, source.as_ref().err(), draft).await?;
        self.settle_diagnosis(&diagnosis)?;
        let source = source?;

        draft.enter(Phase::Fix, ctx);
        let candidates = self.candidates(&diagnosis, &source).await?;
        if let Some(best) = candidates.first() {
            draft.record_fix(best, None);
            ctx.emit(EventKind::PatchUpdated { files: best.patch.paths(), why: best.why.clone() });
        }
        if self.request.until == StoppingPoint::Propose {
            return Err(Stop::completed(
                "fix_proposed",
                "a change is proposed; nothing was run, as the stopping point asks",
            ));
        }
        let fix =
            Proof::new(self.parts, self.request, &source, &diagnosis, ctx).run(&candidates, draft).await?;
        if self.request.until == StoppingPoint::Verify {
            return Err(Stop::completed(
                "verified_fix",
                "the fix is proven; nothing was published, as the stopping point asks",
            ));
        }
        Ok(Ready { source, fix })
    }

    /// The repository and the code at the failing commit. That there is none is an answer too: rules can do without.
    async fn source(&self, trace: &TraceView<'_>, draft: &mut Draft) -> Flow<Result<Source, Stop>> {
        let ctx = &self.ctx;
        let mut revision = trace.trace().source.clone();
        if self.request.repository.is_some() {
            revision.repository_url.clone_from(&self.request.repository);
        }
        record_revision(&revision, draft);
        let Some(vcs) = &self.parts.vcs else {
            let missing =
                "no repository provider is configured; give the healer one to read code and propose fixes";
            return Ok(Err(Stop::new(OutcomeState::Failed, "no_repository", missing)));
        };
        let resolved = match vcs.resolve(&revision, ctx).await {
            Ok(resolved) => resolved,
            Err(VcsError::Cancelled) => return Err(Stop::cancelled()),
            Err(error) => return Ok(Err(error.into())),
        };
        draft.source.base_tip = Some(resolved.base_tip.clone());
        draft.source.commit = Some(resolved.commit.clone());
        draft.source.notes.clone_from(&resolved.notes);
        let access =
            if self.request.until == StoppingPoint::Publish { Access::Propose } else { Access::Read };
        vcs.preflight(&resolved.repository, access, ctx).await?;
        let limits = &self.parts.policy.preload;
        let code = preload(&**vcs, &resolved.repository, &resolved.commit, trace, limits, ctx).await?;
        draft.context.files_read = code.files().map(|(path, _)| path.to_string()).collect();
        draft.context.files_skipped =
            code.skipped().iter().map(|file| format!("{}: {}", file.path, file.why)).collect();
        Ok(Ok(Source { resolved, code, dirty: revision.dirty == Some(true) }))
    }

    async fn diagnose(
        &self,
        trace: &TraceView<'_>,
        code: Option<&CodeSnapshot>,
        no_code: Option<&Stop>,
        draft: &mut Draft,
    ) -> Flow<Diagnosis> {
        draft.enter(Phase::Quick, &self.ctx);
        let mut diagnosis = self.ask(&*self.parts.quick, trace, code).await?;
        let unsure = diagnosis.confidence.value() < self.parts.policy.escalate_below;
        if let (Some(deep), true, true) =
            (&self.parts.deep, unsure, self.request.until >= StoppingPoint::Verify)
        {
            draft.enter(Phase::Deep, &self.ctx);
            diagnosis = self.ask(&**deep, trace, code).await?;
        }
        if let Some(Stop(outcome)) = no_code {
            diagnosis.missing.push(MissingEvidence {
                what: "the code at the failing commit".to_owned(),
                how_to_get: outcome.reason.clone(),
            });
        }
        self.ctx.emit(EventKind::DiagnosisReady {
            summary: diagnosis.summary.to_string(),
            confidence: diagnosis.confidence.value(),
        });
        draft.diagnosis = Some(diagnosis.clone());
        Ok(diagnosis)
    }

    /// Asks one diagnoser and checks every citation of its answer.
    async fn ask(
        &self,
        diagnoser: &dyn Diagnoser,
        trace: &TraceView<'_>,
        code: Option<&CodeSnapshot>,
    ) -> Flow<Diagnosis> {
        let request = DiagnoseRequest::new(trace).with_code(code);
        let mut diagnosis = diagnoser.diagnose(&request, &self.ctx).await?;
        check_receipts(&mut diagnosis.receipts, trace, request.violations, code, &self.ctx);
        let (verified, all) = diagnosis.verified_receipts();
        if verified < all {
            let share = ratio(verified, all);
            diagnosis.cap(0.9 * share, format!("{} of {all} receipts do not hold", all - verified));
        }
        Ok(diagnosis)
    }

    /// Whether the diagnosis carries a fix.
    fn settle_diagnosis(&self, diagnosis: &Diagnosis) -> Flow<()> {
        let stop = |state, code, reason: String| Err(Stop::new(state, code, reason));
        let unsupported = diagnosis.root_cause.is_none() || diagnosis.verified_receipts().0 == 0;
        if unsupported {
            return stop(OutcomeState::NotEnoughEvidence, "no_cause_found", diagnosis.summary.to_string());
        }
        if let Some(reason) = &diagnosis.no_fix_reason {
            return stop(OutcomeState::NoCodeFix, "no_code_fix", reason.clone());
        }
        let confidence = diagnosis.confidence;
        if confidence.value() < self.parts.policy.min_fix_confidence {
            let limit = self.parts.policy.min_fix_confidence;
            let reason = format!(
                "the best explanation has a confidence of {confidence}, below the {limit:.2} that acting on it needs"
            );
            return stop(OutcomeState::NotEnoughEvidence, "low_confidence", reason);
        }
        if self.request.until == StoppingPoint::Diagnose {
            return Err(Stop::completed(
                "diagnosed",
                "the cause is named; the run stops here, as the stopping point asks",
            ));
        }
        if diagnosis.suggested_fix.is_none() {
            let reason = "the cause is named, but it tells no change to make".to_owned();
            return stop(OutcomeState::NotEnoughEvidence, "no_fix_suggested", reason);
        }
        Ok(())
    }

    /// Candidates of all fixers, best first, without those that the policy refuses.
    async fn candidates(&self, diagnosis: &Diagnosis, source: &Source) -> Flow<Vec<FixCandidate>> {
        let request =
            FixRequest::new(diagnosis, &source.code).with_max_candidates(self.parts.policy.verify.max_trials);
        let mut candidates = Vec::new();
        let mut problem = None;
        for fixer in &self.parts.fixers {
            match fixer.propose(&request, &self.ctx).await {
                Ok(more) => candidates.extend(more),
                Err(FixError::Cancelled) => return Err(Stop::cancelled()),
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        let mut refused = None;
        candidates.retain(|candidate: &FixCandidate| match self.parts.policy.paths.check(&candidate.patch) {
            Ok(()) => true,
            Err(violation) => {
                refused = refused.take().or(Some(violation));
                false
            }
        });
        match (candidates.is_empty(), refused, problem) {
            (false, ..) => Ok(candidates),
            (true, Some(violation), _) => Err(Stop::rejected("policy_denied", violation.to_string())),
            (true, None, Some(error)) => Err(error.into()),
            (true, None, None) => Err(Stop::rejected(
                "no_candidate",
                "no fixer has a change to offer for this cause; the diagnosis says what to do by hand",
            )),
        }
    }
}

fn describe_trace(trace: &Trace, draft: &mut Draft) {
    draft.trace_digest = Some(trace.digest());
    draft.context.spans_read = trace.spans().len();
    let mut suppressed = std::collections::BTreeSet::new();
    for span in trace.spans() {
        for (what, state) in [("input", span.input.state()), ("output", span.output.state())] {
            if state == CapturedState::Suppressed {
                suppressed.insert(format!("{what} of span {}", span.span_id));
            }
        }
    }
    draft.context.suppressed = suppressed.into_iter().take(100).collect();
}

fn record_revision(revision: &SourceRevision, draft: &mut Draft) {
    draft.source.repository_url.clone_from(&revision.repository_url);
    draft.source.branch.clone_from(&revision.branch);
    draft.source.commit.clone_from(&revision.commit);
    draft.source.dirty = revision.dirty;
}

fn ratio(part: usize, whole: usize) -> f64 {
    let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    number(part) / number(whole).max(1.0)
}
