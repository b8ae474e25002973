//! One run from trace to terminal state.

use super::draft::{Draft, RunSubject};
use super::healer::Parts;
use super::inquiry::{Finding, Inquiry, exhausted};
use super::preload::preload;
use super::publish::{Ready, publish};
use super::repair::Repair;
use super::stop::{Flow, Stop, with_causes};
use super::{HealRequest, StoppingPoint};
use crate::code::CodeSnapshot;
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
        let mut draft = Draft::new(self.parts.redactor.clone(), ctx);
        let switch = self.parts.policy.sandboxes.check(&self.request.workspace);
        draft.sandbox_disabled = switch.err().map(|refused| refused.to_string());
        let stop = match ctx.bounded(ctx.remaining(), self.steps(&mut draft)).await {
            Ok(Ok(ready)) => publish(self.parts, &ready, self.subject(), &mut draft, ctx).await,
            Ok(Err(stop)) => stop,
            Err(interrupted) => interrupted.into(),
        };
        let artifact = draft.finish(stop, self.subject(), ctx);
        if let Err(error) = self.parts.runs.put(&artifact).await {
            tracing::error!(run_id = %ctx.run_id(), error = %ctx.redactor().clean(&with_causes(&error)), "the artifact could not be kept");
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
        let finding =
            Inquiry { parts: self.parts, request: self.request, trace: &view, source: source.as_ref(), ctx }
                .run(draft)
                .await?;
        self.settle_diagnosis(&finding)?;
        let source = source?;
        let fix = Repair {
            parts: self.parts,
            request: self.request,
            source: &source,
            diagnosis: &finding.diagnosis,
            ctx,
        }
        .run(draft)
        .await?;
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

    /// Whether the diagnosis carries a fix.
    fn settle_diagnosis(&self, Finding { diagnosis, cut_short, refused }: &Finding) -> Flow<()> {
        let stop = |state, code, reason: String| {
            let too_little = state == OutcomeState::NotEnoughEvidence;
            Err(match (cut_short, refused) {
                (Some(why), _) if too_little => exhausted(why),
                (None, Some(why)) if too_little => Stop::new(state, code, format!("{reason}; {why}")),
                _ => Stop::new(state, code, reason),
            })
        };
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
