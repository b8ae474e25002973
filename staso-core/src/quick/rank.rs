//! Orders findings by cause and effect.

use super::finding::Finding;
use super::input::RuleInput;
use super::rule::Rule;
use super::rules::REGISTRY;
use crate::diagnosis::{Calibrator, Causality};
use crate::id::SpanId;
use crate::trace::Span;

/// The most explanations that a diagnosis lists.
const MAX_HYPOTHESES: usize = 12;
/// A weaker finding does not make others its consequences.
const LEAST_CAUSE: f64 = 0.4;
/// What is left of the score of a finding that another one explains.
const CONSEQUENCE: f64 = 0.4;
/// What is left of the score of an error after which the same step succeeded.
const RECOVERED: f64 = 0.3;
/// What is left of the score of an error that did not itself end the run.
const SURVIVED: f64 = 0.9;

/// A finding with its place among the others.
#[derive(Debug)]
pub(super) struct Ranked {
    pub(super) rule: &'static Rule,
    pub(super) finding: Finding,
    /// After calibration and ranking.
    pub(super) score: f64,
    /// Before both.
    pub(super) raw: f64,
    /// Labelled cases behind the calibration.
    pub(super) support: u32,
    pub(super) causality: Causality,
    order: usize,
}

/// Calibrates, discounts consequences and sorts, best first.
pub(super) fn rank(
    input: &RuleInput<'_>,
    findings: Vec<(usize, Finding)>,
    calibrator: &Calibrator,
) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = without_generic(findings)
        .into_iter()
        .filter_map(|(order, finding)| score(input, order, finding, calibrator))
        .collect();
    discount_consequences(input, &mut ranked);
    ranked.sort_by(|a, b| {
        let by_time = || position(input, a).cmp(&position(input, b));
        b.score
            .total_cmp(&a.score)
            .then_with(by_time)
            .then(a.order.cmp(&b.order))
            .then_with(|| a.finding.cause.cmp(&b.finding.cause))
    });
    without_repetition(&mut ranked);
    ranked.truncate(MAX_HYPOTHESES);
    ranked
}

/// Keeps one of several findings that say the same: a retry repeats its error.
fn without_repetition(ranked: &mut Vec<Ranked>) {
    let mut seen: Vec<(&'static str, String, Option<SpanId>)> = Vec::new();
    ranked.retain(|entry| {
        let place = entry.finding.failure.is_none().then_some(entry.finding.span);
        let key = (entry.rule.id, entry.finding.cause.clone(), place);
        let new = !seen.contains(&key);
        if new {
            seen.push(key);
        }
        new
    });
}

fn position(input: &RuleInput<'_>, ranked: &Ranked) -> Option<usize> {
    input.trace.position(ranked.finding.span)
}

/// Leaves out findings that only say where, when another rule says what.
fn without_generic(findings: Vec<(usize, Finding)>) -> Vec<(usize, Finding)> {
    let generic = |order: usize| REGISTRY.get(order).is_some_and(|rule| rule.generic);
    let explained: Vec<usize> = findings
        .iter()
        .filter(|(order, finding)| !generic(*order) && finding.strength >= 0.5)
        .filter_map(|(_, finding)| finding.failure)
        .collect();
    findings
        .into_iter()
        .filter(|(order, finding)| {
            !generic(*order) || !finding.failure.is_some_and(|at| explained.contains(&at))
        })
        .collect()
}

fn score(input: &RuleInput<'_>, order: usize, finding: Finding, calibrator: &Calibrator) -> Option<Ranked> {
    let rule = REGISTRY.get(order)?;
    let calibration = calibrator.calibrate(rule.id, finding.strength);
    let relevance = match finding.failure.and_then(|at| input.failures.get(at)) {
        Some(failure) if failure.recovered => RECOVERED,
        Some(failure) if !failure.ended_run && input.run_failed() => SURVIVED,
        _ => 1.0,
    };
    Some(Ranked {
        rule,
        score: calibration.confidence.value() * relevance,
        raw: finding.strength,
        support: calibration.support,
        causality: Causality::Primary,
        order,
        finding,
    })
}

fn discount_consequences(input: &RuleInput<'_>, ranked: &mut [Ranked]) {
    let consequences: Vec<usize> = (0..ranked.len())
        .filter(|&at| {
            let Some(later) = ranked.get(at) else { return false };
            ranked.iter().any(|earlier| is_consequence(input, earlier, later))
        })
        .collect();
    for at in consequences {
        if let Some(entry) = ranked.get_mut(at) {
            entry.score *= CONSEQUENCE;
            entry.causality = Causality::Secondary;
        }
    }
}

/// Whether `later` follows from `earlier`.
fn is_consequence(input: &RuleInput<'_>, earlier: &Ranked, later: &Ranked) -> bool {
    if earlier.score < LEAST_CAUSE || !earlier.rule.explains.covers(later.rule.id) {
        return false;
    }
    let same_failure = earlier.finding.failure.is_some() && earlier.finding.failure == later.finding.failure;
    if same_failure {
        return earlier.order < later.order;
    }
    match (input.trace.span(earlier.finding.span), input.trace.span(later.finding.span)) {
        (Some(first), Some(second)) if first.span_id == second.span_id => earlier.order < later.order,
        (Some(first), Some(second)) => precedes(input, first, second),
        _ => false,
    }
}

/// Whether the first step was over or inside when the second one went wrong.
fn precedes(input: &RuleInput<'_>, first: &Span, second: &Span) -> bool {
    let inside = |inner: &Span, outer: &Span| {
        let (inner, outer) = (input.trace.position(inner.span_id), input.trace.position(outer.span_id));
        inner.zip(outer).is_some_and(|(inner, outer)| input.tree.is_inside(inner, outer))
    };
    inside(first, second)
        || (!inside(second, first) && first.start <= second.start && first.end() <= second.end())
}
