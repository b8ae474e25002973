//! The artifact while it is being written.

use std::collections::BTreeMap;
use std::time::Duration;

use super::clean;
use super::stop::Stop;
use crate::diagnosis::Diagnosis;
use crate::fix::FixCandidate;
use crate::id::Digest;
use crate::redaction::Redactor;
use crate::run::{
    ARTIFACT_SCHEMA_VERSION, BudgetReport, CheckRecord, ContextSummary, EngineInfo, EventKind, FixRecord,
    HunkRecord, OutcomeState, Phase, ProposalRecord, RunArtifact, RunContext, SourceRecord, Subject,
    VerificationRecord,
};
use crate::sandbox::Isolation;

/// Everything known so far. Survives whatever interrupts the run.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) trace_digest: Option<Digest>,
    pub(super) source: SourceRecord,
    pub(super) diagnosis: Option<Diagnosis>,
    pub(super) fix: Option<FixRecord>,
    pub(super) verification: Option<VerificationRecord>,
    pub(super) proposal: Option<ProposalRecord>,
    pub(super) isolation: Option<Isolation>,
    /// The refusal of the switch, when it is off.
    pub(super) sandbox_disabled: Option<String>,
    pub(super) context: ContextSummary,
    redactor: Redactor,
    started_at: crate::trace::Timestamp,
    timings: BTreeMap<String, Duration>,
    current: Option<(Phase, Duration)>,
}

impl Draft {
    /// `redactor` takes out of what is recorded of a change what must not leave with the lines around it.
    pub(super) fn new(redactor: Redactor, ctx: &RunContext) -> Self {
        Self {
            trace_digest: None,
            source: SourceRecord::default(),
            diagnosis: None,
            fix: None,
            verification: None,
            proposal: None,
            isolation: None,
            sandbox_disabled: None,
            context: ContextSummary::default(),
            redactor,
            started_at: ctx.now(),
            timings: BTreeMap::new(),
            current: None,
        }
    }

    /// Ends the phase before and begins this one.
    pub(super) fn enter(&mut self, phase: Phase, ctx: &RunContext) {
        self.leave(ctx);
        self.current = Some((phase, ctx.elapsed()));
        ctx.emit(EventKind::PhaseChanged { phase });
    }

    fn leave(&mut self, ctx: &RunContext) {
        if let Some((phase, since)) = self.current.take() {
            let spent = ctx.elapsed().saturating_sub(since);
            *self.timings.entry(phase.name().to_owned()).or_default() += spent;
        }
    }

    /// Notes the change. It is a suggestion until [`record_proof`](Self::record_proof) says otherwise.
    pub(super) fn record_fix(&mut self, candidate: &FixCandidate, needed_by: Option<&str>) {
        let (added, removed) = candidate.patch.line_counts();
        let hunk = |file: String| HunkRecord {
            file,
            why: candidate.why.clone(),
            needed_by: needed_by.map(str::to_owned),
        };
        self.fix = Some(FixRecord {
            kind: candidate.kind,
            title: candidate.title.clone(),
            files: candidate.patch.paths(),
            added,
            removed,
            diff: self.redactor.clean(&candidate.patch.diff()),
            hunks: candidate.patch.paths().into_iter().map(hunk).collect(),
            author: candidate.author.clone(),
        });
    }

    /// The proof so far; made when first asked for.
    pub(super) fn proof(&mut self) -> &mut VerificationRecord {
        self.verification.get_or_insert_with(|| VerificationRecord {
            verified: false,
            verify_passed: false,
            checks: Vec::new(),
            candidates_tried: 0,
            also_passed: Vec::new(),
        })
    }

    pub(super) fn record_checks(&mut self, checks: Vec<CheckRecord>) {
        self.proof().checks.extend(checks);
    }

    /// Drops what trials of earlier candidates found; what holds without a change stays.
    pub(super) fn forget_trials(&mut self) {
        if let Some(proof) = &mut self.verification {
            proof.checks.retain(|check| !check.patched);
        }
    }

    /// Writes the artifact: the terminal event first, so that the digest covers it.
    pub(super) fn finish(mut self, stop: Stop, subject: RunSubject, ctx: &RunContext) -> RunArtifact {
        self.leave(ctx);
        let unproven = self.verification.as_ref().is_none_or(|proof| !proof.verified);
        if let Some(diagnosis) = self.diagnosis.as_mut().filter(|_| self.fix.is_some() && unproven) {
            diagnosis.cap(0.5, "the fix is not proven by a failure that is gone with it");
        }
        let reason = stop.0.reason.clone();
        ctx.emit(EventKind::BudgetUpdated { used: ctx.budget().used() });
        ctx.emit(match stop.0.state {
            OutcomeState::Cancelled => EventKind::RunCancelled { reason },
            OutcomeState::Failed => EventKind::RunFailed { reason },
            state => EventKind::RunCompleted { outcome: state, reason },
        });
        self.preview(stop, subject, ctx)
    }

    /// The artifact as it would be if the run ended now.
    pub(super) fn preview(&self, Stop(outcome): Stop, subject: RunSubject, ctx: &RunContext) -> RunArtifact {
        let notes = ctx.notes();
        let mut context = self.context.clone();
        context.tools_used.extend(notes.tools);
        context.files_read.extend(notes.files);
        context.files_read.sort();
        context.files_read.dedup();
        let mut artifact = RunArtifact {
            schema_version: ARTIFACT_SCHEMA_VERSION,
            run_id: ctx.run_id(),
            engine: EngineInfo {
                models: notes.models.into_iter().collect(),
                prompts: notes.prompts,
                ..subject.engine
            },
            workspace: subject.workspace,
            subject: Subject::TraceId(subject.trace_id),
            trace_digest: self.trace_digest.clone(),
            started_at: self.started_at,
            source: self.source.clone(),
            outcome,
            diagnosis: self.diagnosis.clone(),
            fix: self.fix.clone(),
            verification: self.verification.clone(),
            proposal: self.proposal.clone(),
            isolation: self.isolation.clone().or(notes.isolation),
            sandbox_disabled: self.sandbox_disabled.clone(),
            budget: BudgetReport {
                used: ctx.budget().used(),
                wall_ms: millis(ctx.elapsed()),
                limits: ctx.budget().limits().clone(),
            },
            timings_ms: self.timings.iter().map(|(phase, spent)| (phase.clone(), millis(*spent))).collect(),
            context,
            events_digest: ctx.events_digest(),
        };
        clean::artifact(&mut artifact, &self.redactor);
        artifact
    }
}

fn millis(spent: Duration) -> u64 {
    u64::try_from(spent.as_millis()).unwrap_or(u64::MAX)
}

/// Who and what the artifact is about.
#[derive(Debug, Clone)]
pub(super) struct RunSubject {
    pub(super) engine: EngineInfo,
    pub(super) workspace: crate::id::WorkspaceId,
    pub(super) trace_id: crate::id::TraceId,
}
