//! From an accepted submission to a diagnosis. What the model said is kept where code can stand for it.

use std::collections::BTreeMap;

use super::confidence::{self, CONFIDENCE_FORMULA};
use super::course;
use crate::agent::tools::Submission;
use crate::code::CodeSnapshot;
use crate::diagnosis::{
    Causality, Confidence, Depth, DetectionTiming, DiagnoseRequest, Diagnosis, FixKind, FrameRef, Hypothesis,
    HypothesisState, Locator, Propagation, Receipt, RepairHint, RootCause, SuggestedFix, Summary,
};
use crate::id::SpanId;
use crate::quick;
use crate::redaction::Redactor;
use crate::trace::legible;

/// Below this confidence a deeper search is asked for.
const ESCALATE_BELOW: f64 = 0.6;
/// Explanations kept beside the model's.
const MAX_RIVALS: usize = 8;
/// Receipts of the rules that are kept.
const MAX_OLD_RECEIPTS: usize = 12;

/// A submission with everything that it is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict<'a> {
    pub(super) request: &'a DiagnoseRequest<'a>,
    pub(super) submission: &'a Submission,
    /// The code that the citations were checked against.
    pub(super) code: Option<&'a CodeSnapshot>,
    pub(super) in_sandbox: bool,
    pub(super) depth: Depth,
    pub(super) redactor: &'a Redactor,
}

impl Verdict<'_> {
    /// The diagnosis that the evidence allows.
    pub(super) fn diagnosis(&self) -> Diagnosis {
        let submission = self.submission;
        let held = submission.receipts.iter().any(Receipt::is_verified);
        let mut diagnosis = self.without_cause();
        match submission.span_id {
            Some(blamed) if held => self.with_cause(&mut diagnosis, blamed),
            _ => {
                let why = if held {
                    "the step that it blames is not in the trace"
                } else {
                    "none of its citations holds"
                };
                let claimed = submission.summary.as_str();
                diagnosis.summary =
                    Summary::new(&format!("No cause is supported: {why}. Claimed: {claimed}"));
                diagnosis.escalated_because = Some(format!("the model named a cause, but {why}"));
            }
        }
        self.keep_rivals(&mut diagnosis);
        if diagnosis.root_cause.is_none() {
            self.keep_claim(&mut diagnosis);
        }
        diagnosis
    }

    /// What the model said without support stands last, with its citations.
    fn keep_claim(&self, diagnosis: &mut Diagnosis) {
        let id = format!("h{}", diagnosis.hypotheses.len() + 1);
        for receipt in diagnosis.receipts.iter_mut().take(self.submission.receipts.len()) {
            receipt.for_hypothesis.clone_from(&id);
        }
        // Without a step of the trace there is still the root that it can only be about.
        let span = self.submission.span_id.or_else(|| self.request.trace.root().map(|root| root.span_id));
        diagnosis.hypotheses.extend(span.map(|span_id| self.hypothesis(id, span_id, Confidence::ZERO)));
    }

    fn hypothesis(&self, id: String, span_id: SpanId, score: Confidence) -> Hypothesis {
        Hypothesis {
            id,
            span_id,
            agent: self.agent(span_id),
            category: self.submission.category.clone(),
            cause: self.submission.summary.to_string(),
            score,
            state: HypothesisState::Inconclusive,
            deciding_test: None,
        }
    }

    /// The best explanation of the rules, when it is supported and blames another step for something else.
    pub(super) fn rival(&self, blamed: SpanId) -> Option<&Hypothesis> {
        let prior = self.request.prior?;
        let cause = prior.root_cause.as_ref()?;
        let differs = cause.span_id != blamed && cause.category != self.submission.category;
        prior.hypotheses.first().filter(|first| differs && first.span_id == cause.span_id)
    }

    fn without_cause(&self) -> Diagnosis {
        let submission = self.submission;
        let prior = self.request.prior;
        Diagnosis {
            trace_id: self.request.trace.trace().trace_id,
            summary: submission.summary.clone(),
            explanation_md: submission.explanation_md.clone(),
            suggested_fix: None,
            no_fix_reason: None,
            confidence: Confidence::ZERO,
            raw_score: submission.confidence,
            calibrator: CONFIDENCE_FORMULA.to_owned(),
            caps: Vec::new(),
            support: 0,
            depth: self.depth,
            escalated_because: prior.and_then(|prior| prior.escalated_because.clone()),
            root_cause: None,
            chain: Vec::new(),
            propagation: prior.map_or(Propagation::QualityDegradation, |prior| prior.propagation),
            detection_timing: prior.map_or(DetectionTiming::SilentUndetected, |prior| prior.detection_timing),
            hypotheses: Vec::new(),
            receipts: submission.receipts.clone(),
            missing: prior.map(|prior| prior.missing.clone()).unwrap_or_default(),
        }
    }

    fn with_cause(&self, diagnosis: &mut Diagnosis, blamed: SpanId) {
        let submission = self.submission;
        diagnosis.confidence = Confidence::new(submission.confidence);
        confidence::settle(diagnosis, self, blamed);
        let course = course::follow(self.request.trace, blamed, submission.summary.as_str(), self.redactor);
        (diagnosis.chain, diagnosis.propagation, diagnosis.detection_timing) =
            (course.chain, course.propagation, course.timing);
        diagnosis.root_cause = Some(RootCause {
            span_id: blamed,
            agent: self.agent(blamed),
            category: submission.category.clone(),
            causality: Causality::Primary,
        });
        let first = self.hypothesis("h1".to_owned(), blamed, diagnosis.confidence);
        diagnosis.hypotheses.push(first);
        match submission.fix.kind.filter(|_| self.no_fix_reason(blamed).is_none()) {
            Some(kind) => diagnosis.suggested_fix = Some(self.fix(kind, blamed)),
            None => {
                let own = || submission.fix.description.clone();
                diagnosis.no_fix_reason = Some(self.no_fix_reason(blamed).unwrap_or_else(own));
            }
        }
        if self.depth == Depth::Quick && diagnosis.confidence.value() < ESCALATE_BELOW {
            let confidence = diagnosis.confidence;
            diagnosis.escalated_because =
                Some(format!("the confidence {confidence} is below {ESCALATE_BELOW:.2}"));
        }
    }

    /// The agent of a step, or of the nearest enclosing step that names one.
    fn agent(&self, blamed: SpanId) -> Option<String> {
        let trace = self.request.trace;
        let span = trace.span(blamed)?;
        let steps = std::iter::once(span).chain(trace.ancestors(span));
        let name = steps.filter_map(|step| step.agent.name.as_deref()).find(|name| !name.is_empty())?;
        Some(legible(name, self.redactor))
    }

    /// Whether the rules found the same cause.
    fn agrees(&self, blamed: SpanId) -> bool {
        let cause = self.request.prior.and_then(|prior| prior.root_cause.as_ref());
        cause.is_some_and(|cause| cause.span_id == blamed && cause.category == self.submission.category)
    }

    /// What the rules know to be outside of the repository stays there.
    fn no_fix_reason(&self, blamed: SpanId) -> Option<String> {
        self.request.prior.filter(|_| self.agrees(blamed)).and_then(|prior| prior.no_fix_reason.clone())
    }

    fn fix(&self, kind: FixKind, blamed: SpanId) -> SuggestedFix {
        let fix = &self.submission.fix;
        let prior = self.request.prior.and_then(|prior| prior.suggested_fix.as_ref());
        let same_step = self
            .request
            .prior
            .and_then(|prior| prior.root_cause.as_ref())
            .is_some_and(|cause| cause.span_id == blamed);
        let mut hints: Vec<RepairHint> =
            prior.filter(|_| same_step).map(|prior| prior.hints.clone()).unwrap_or_default();
        let frames = self.frames();
        if !frames.is_empty() {
            hints.push(RepairHint::WrongResult { frames });
        }
        let oracle = prior
            .and_then(|prior| prior.oracle.clone())
            .or_else(|| quick::recorded_oracle(self.request, blamed))
            .filter(|oracle| serde_json::to_string(oracle).is_ok_and(|text| !self.redactor.finds(&text)));
        let description = if fix.description.trim().is_empty() {
            self.submission.summary.to_string()
        } else {
            fix.description.clone()
        };
        SuggestedFix {
            kind,
            description,
            target_files: fix.target_files.iter().map(ToString::to_string).collect(),
            hints,
            oracle,
        }
    }

    /// The lines that verified receipts cite, those in files to change first.
    fn frames(&self) -> Vec<FrameRef> {
        let Some(code) = self.code else { return Vec::new() };
        let mut frames: Vec<FrameRef> = Vec::new();
        for receipt in self.submission.receipts.iter().filter(|receipt| receipt.is_verified()) {
            if let Locator::File { path, first_line, .. } = &receipt.locator {
                let frame = quick::frame_at(code, path, *first_line);
                if !frames.contains(&frame) {
                    frames.push(frame);
                }
            }
        }
        frames.sort_by_key(|frame| !self.submission.fix.target_files.contains(&frame.path));
        frames
    }

    /// Keeps the explanations of the rules behind the model's, none scored above it, with their receipts.
    fn keep_rivals(&self, diagnosis: &mut Diagnosis) {
        let Some(prior) = self.request.prior else { return };
        let mut names: BTreeMap<&str, String> = BTreeMap::new();
        let ceiling = diagnosis.hypotheses.first().map(|first| first.score);
        let own = diagnosis.hypotheses.first().map(|first| (first.span_id, first.category.clone()));
        for old in prior.hypotheses.iter().take(MAX_RIVALS) {
            if own.as_ref().is_some_and(|(span, category)| *span == old.span_id && *category == old.category)
            {
                names.insert(&old.id, "h1".to_owned());
                continue;
            }
            let id = format!("h{}", diagnosis.hypotheses.len() + 1);
            names.insert(&old.id, id.clone());
            let score = ceiling.filter(|limit| old.score > *limit).unwrap_or(old.score);
            diagnosis.hypotheses.push(Hypothesis { id, score, ..old.clone() });
        }
        let verified = prior.receipts.iter().filter(|receipt| receipt.is_verified());
        for old in verified.take(MAX_OLD_RECEIPTS) {
            let Some(name) = names.get(old.for_hypothesis.as_str()) else { continue };
            let known = |new: &Receipt| new.locator == old.locator && new.quote == old.quote;
            if diagnosis.receipts.iter().any(known) {
                continue;
            }
            let id = format!("r{}", diagnosis.receipts.len() + 1);
            diagnosis.receipts.push(Receipt { id, for_hypothesis: name.clone(), ..old.clone() });
        }
    }
}
