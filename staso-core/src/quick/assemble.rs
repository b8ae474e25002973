//! Turns ranked findings into a [`Diagnosis`].

use super::failure::{Failure, clip};
use super::finding::Remedy;
use super::input::RuleInput;
use super::missing;
use super::quote;
use super::rank::Ranked;
use super::rules::REGISTRY;
use crate::diagnosis::{
    Calibrator, Causality, ChainStep, Confidence, Depth, DetectionTiming, DiagnoseRequest, Diagnosis,
    FixKind, Hypothesis, HypothesisState, Propagation, Receipt, RepairHint, RootCause, SuggestedFix, Summary,
    check_receipts, contains_secret, redact,
};
use crate::id::SpanId;
use crate::run::RunContext;
use crate::trace::Span;

/// Receipts for the first explanation, and for each other.
const RECEIPTS: (usize, usize) = (6, 2);
/// Receipts altogether.
const MAX_RECEIPTS: usize = 24;
/// Below this confidence a deeper search is asked for.
const ESCALATE_BELOW: f64 = 0.6;
/// With a rival closer than this a deeper search is asked for.
const ESCALATE_MARGIN: f64 = 0.15;
/// Citations never make anything surer than this.
const CITATION_LIMIT: f64 = 0.9;
const MAX_EXPLANATION_CHARS: usize = 8_000;
const MAX_CHAIN: usize = 5;

/// The diagnosis that the findings support.
pub(super) fn diagnosis(
    input: &RuleInput<'_>,
    request: &DiagnoseRequest<'_>,
    ranked: &[Ranked],
    calibrator: &Calibrator,
    ctx: &RunContext,
) -> Diagnosis {
    let mut receipts = receipts(input, ranked);
    check_receipts(&mut receipts, request.trace, request.violations, request.code, ctx);
    let mut diagnosis = without_cause(input, calibrator, ranked, receipts);
    match ranked.first() {
        Some(top) if cited(&diagnosis, "h1") => with_cause(&mut diagnosis, input, top),
        Some(_) => {
            diagnosis.escalated_because = Some("no citation supports the best explanation".to_owned());
        }
        None => {}
    }
    if let Some(top) = ranked.first().filter(|_| diagnosis.root_cause.is_some()) {
        missing::cap(&mut diagnosis, input, top);
        diagnosis.escalated_because = escalation(&diagnosis);
    }
    diagnosis
}

fn cited(diagnosis: &Diagnosis, hypothesis: &str) -> bool {
    diagnosis.receipts.iter().any(|receipt| receipt.is_verified() && receipt.for_hypothesis == hypothesis)
}

fn receipts(input: &RuleInput<'_>, ranked: &[Ranked]) -> Vec<Receipt> {
    let mut receipts: Vec<Receipt> = Vec::new();
    for (at, entry) in ranked.iter().enumerate() {
        let hypothesis = format!("h{}", at + 1);
        let limit = if at == 0 { RECEIPTS.0 } else { RECEIPTS.1 };
        let mut made = 0;
        for evidence in &entry.finding.evidence {
            let id = format!("r{}", receipts.len() + 1);
            let found = quote::receipt(input, evidence, id, &hypothesis);
            let known = |new: &Receipt| {
                receipts.iter().any(|old| {
                    old.locator == new.locator
                        && old.quote == new.quote
                        && old.for_hypothesis == new.for_hypothesis
                })
            };
            if made < limit
                && receipts.len() < MAX_RECEIPTS
                && let Some(receipt) = found.filter(|receipt| !known(receipt))
            {
                receipts.push(receipt);
                made += 1;
            }
        }
    }
    receipts
}

/// Everything that does not depend on a cause having been found.
fn without_cause(
    input: &RuleInput<'_>,
    calibrator: &Calibrator,
    ranked: &[Ranked],
    receipts: Vec<Receipt>,
) -> Diagnosis {
    let propagation =
        if input.run_failed() { Propagation::TaskTermination } else { Propagation::QualityDegradation };
    Diagnosis {
        trace_id: input.trace.trace().trace_id,
        summary: Summary::new(&nothing_found(input)),
        explanation_md: looked_at(input),
        suggested_fix: None,
        no_fix_reason: None,
        confidence: Confidence::ZERO,
        raw_score: 0.0,
        calibrator: calibrator.id.clone(),
        caps: Vec::new(),
        support: 0,
        depth: Depth::Quick,
        escalated_because: Some("no known failure pattern fits".to_owned()),
        root_cause: None,
        chain: Vec::new(),
        propagation,
        detection_timing: DetectionTiming::SilentUndetected,
        hypotheses: ranked.iter().enumerate().map(|(at, entry)| hypothesis(input, at, entry)).collect(),
        receipts,
        missing: missing::list(input),
    }
}

fn nothing_found(input: &RuleInput<'_>) -> String {
    match input.failures.iter().find(|failure| failure.ended_run).or(input.failures.first()) {
        Some(failure) => redact(&format!(
            "No cause found: `{}` failed with {}",
            clip(&failure.span.name, 60),
            failure.title()
        )),
        None => "No cause found: no step of this run reports an error".to_owned(),
    }
}

fn looked_at(input: &RuleInput<'_>) -> String {
    let mut text = format!(
        "Looked at {} steps, {} errors and {} guard violations with {} rules",
        input.facts.len(),
        input.failures.len(),
        input.violations.len(),
        REGISTRY.len()
    );
    match &input.code {
        Some(code) => text.push_str(&format!(
            ", and at {} files of commit `{}`.\n",
            code.snapshot.files().count(),
            code.snapshot.commit().as_str().get(..12).unwrap_or_default()
        )),
        None => text.push_str("; the code at the failing commit was not there.\n"),
    }
    for failure in input.failures.iter().take(5) {
        text.push_str(&format!("\n- `{}`: {}", clip(&failure.span.name, 60), redact(&failure.title())));
    }
    text
}

fn hypothesis(input: &RuleInput<'_>, at: usize, entry: &Ranked) -> Hypothesis {
    let finding = &entry.finding;
    Hypothesis {
        id: format!("h{}", at + 1),
        span_id: finding.span,
        agent: input.trace.span(finding.span).and_then(|span| input.agent(span)),
        category: entry.rule.id.to_owned(),
        cause: Summary::new(&redact(&finding.cause)).into(),
        score: Confidence::new(entry.score),
        state: HypothesisState::Inconclusive,
        deciding_test: finding.deciding_test.as_deref().map(redact),
    }
}

fn with_cause(diagnosis: &mut Diagnosis, input: &RuleInput<'_>, top: &Ranked) {
    let finding = &top.finding;
    let failure = finding.failure.and_then(|at| input.failures.get(at));
    diagnosis.summary = Summary::new(&redact(&finding.cause));
    diagnosis.raw_score = top.raw;
    diagnosis.support = top.support;
    diagnosis.confidence = Confidence::new(top.score);
    diagnosis.root_cause = Some(RootCause {
        span_id: finding.span,
        agent: input.trace.span(finding.span).and_then(|span| input.agent(span)),
        category: top.rule.id.to_owned(),
        causality: Causality::Primary,
    });
    match &finding.remedy {
        Remedy::Change(fix) => diagnosis.suggested_fix = Some(clean(fix)),
        Remedy::Nothing(why) => diagnosis.no_fix_reason = Some(redact(why)),
    }
    diagnosis.chain = chain(input, top, failure);
    (diagnosis.propagation, diagnosis.detection_timing) = course(input, top, failure);
    diagnosis.explanation_md = explanation(diagnosis, top);
    let (verified, total) = diagnosis.verified_receipts();
    let share = Confidence::new(CITATION_LIMIT * ratio(verified, total)).value();
    diagnosis.cap(share, format!("{verified} of {total} citations hold"));
    if let Some((limit, why)) = finding.limit {
        diagnosis.cap(limit, why);
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}

/// Without credentials, which may stand in recorded messages and in files.
fn clean(fix: &SuggestedFix) -> SuggestedFix {
    let mut fix = fix.clone();
    fix.description = redact(&fix.description);
    fix.hints.retain(|hint| serde_json::to_string(hint).is_ok_and(|text| !contains_secret(&text)));
    for hint in &mut fix.hints {
        if let RepairHint::Exception { message, .. } = hint {
            *message = clip(message, 500);
        }
    }
    fix.oracle =
        fix.oracle.filter(|oracle| serde_json::to_string(oracle).is_ok_and(|text| !contains_secret(&text)));
    fix
}

/// From the origin through the error to the end of the run.
fn chain(input: &RuleInput<'_>, top: &Ranked, failure: Option<&Failure<'_>>) -> Vec<ChainStep> {
    let mut steps = vec![step(top.finding.span, &top.finding.cause, true)];
    let failure = failure.or_else(|| input.failures.iter().find(|failure| failure.ended_run));
    if let Some(failure) = failure {
        if failure.span.span_id != top.finding.span {
            let what = format!("`{}` failed with {}", clip(&failure.span.name, 60), failure.title());
            steps.push(step(failure.span.span_id, &what, false));
        }
        for carrier in &failure.carriers {
            let name = input.trace.span(*carrier).map(|span| clip(&span.name, 60)).unwrap_or_default();
            steps.push(step(*carrier, &format!("`{name}` passed the error on"), false));
        }
    }
    if let Some(root) = input.trace.root().filter(|root| root.is_failed()) {
        steps.retain(|step| step.span_id != root.span_id || step.origin);
        steps.truncate(MAX_CHAIN - 1);
        if steps.iter().all(|step| step.span_id != root.span_id) {
            steps.push(step(root.span_id, &end_of(input, root), false));
        }
    }
    steps.truncate(MAX_CHAIN);
    steps
}

/// How the whole run ended, in the words of its own error where it has one.
fn end_of(input: &RuleInput<'_>, root: &Span) -> String {
    let own = input.failures.iter().find(|failure| failure.span.span_id == root.span_id);
    let carried = || input.failures.iter().find(|failure| failure.carriers.contains(&root.span_id));
    match own.or_else(carried) {
        Some(failure) => format!("The run `{}` failed with {}", clip(&root.name, 60), failure.title()),
        None => "The run ended as failed".to_owned(),
    }
}

fn step(span_id: SpanId, what: &str, origin: bool) -> ChainStep {
    ChainStep { span_id, what: Summary::new(&redact(what)).into(), origin }
}

fn course(
    input: &RuleInput<'_>,
    top: &Ranked,
    failure: Option<&Failure<'_>>,
) -> (Propagation, DetectionTiming) {
    let noticed = failure.or_else(|| input.failures.iter().find(|failure| failure.ended_run));
    let is_root = |id: SpanId| input.trace.root().is_some_and(|root| root.span_id == id);
    let timing = match noticed {
        Some(failure) if failure.soft => DetectionTiming::SilentUndetected,
        Some(failure) if failure.span.span_id == top.finding.span => DetectionTiming::Immediately,
        Some(failure) if is_root(failure.span.span_id) => DetectionTiming::OnlyAtTaskEnd,
        Some(_) => DetectionTiming::SeveralStepsLater,
        None if input.run_failed() => DetectionTiming::OnlyAtTaskEnd,
        None => DetectionTiming::SilentUndetected,
    };
    let propagation = match (failure, input.run_failed()) {
        (Some(failure), _) if failure.recovered => Propagation::NoPropagation,
        (_, false) => Propagation::QualityDegradation,
        (None, true) if noticed.is_none_or(|failure| is_root(failure.span.span_id)) => {
            Propagation::IncorrectPath
        }
        (_, true) => Propagation::TaskTermination,
    };
    (propagation, timing)
}

fn explanation(diagnosis: &Diagnosis, top: &Ranked) -> String {
    let mut text = format!("{}\n", redact(&top.finding.cause));
    if let Some(detail) = &top.finding.detail {
        text.push_str(&format!("\n{}\n", redact(detail)));
    }
    if let Some(fix) = &diagnosis.suggested_fix {
        let kind = match fix.kind {
            FixKind::Prompt => "prompt",
            FixKind::Code => "code",
            FixKind::Config => "configuration",
        };
        text.push_str(&format!("\nSuggested fix ({kind}): {}\n", fix.description));
    }
    if let Some(why) = &diagnosis.no_fix_reason {
        text.push_str(&format!("\nNo code fix: {why}\n"));
    }
    clip_text(text)
}

fn clip_text(text: String) -> String {
    if text.chars().count() <= MAX_EXPLANATION_CHARS {
        text
    } else {
        text.chars().take(MAX_EXPLANATION_CHARS).collect()
    }
}

fn escalation(diagnosis: &Diagnosis) -> Option<String> {
    let top = diagnosis.confidence.value();
    if top < ESCALATE_BELOW {
        return Some(format!("the confidence {} is below {ESCALATE_BELOW:.2}", diagnosis.confidence));
    }
    let mut scores = diagnosis.hypotheses.iter().map(|hypothesis| hypothesis.score.value());
    let (first, second) = (scores.next()?, scores.next()?);
    (first - second < ESCALATE_MARGIN)
        .then(|| format!("two explanations are close: {first:.2} and {second:.2}"))
}
