//! How sure a model's diagnosis is: settled by code from the evidence that held.

use super::settle::Verdict;
use crate::diagnosis::{Diagnosis, Locator, Receipt};
use crate::id::SpanId;
use crate::trace::{CapturedState, TraceView};

/// The name and version of the formula, as the artifact records it.
///
/// The confidence is the smallest of the model's own number and every limit that applies; each limit that lowered it is
/// named among the caps of the diagnosis.
///
/// | what is known | limit |
/// |---|---|
/// | share of citations that hold | 0.9 × verified / all |
/// | lines of a file that the fix changes, and the blamed or a failed step (or a violation) are cited | 0.75 |
/// | only lines of a file that the fix changes | 0.65 |
/// | only the blamed or a failed step | 0.5 |
/// | other steps and files only | 0.4 |
/// | tool output only: a command prints what it is told to | 0.35 |
/// | no lines of code cited, without a sandbox | 0.45 |
/// | the rules blame another step, with evidence | 0.65 |
/// | something of the blamed step was switched off; was cut | 0.6; 0.7 |
/// | the run came from a changed working tree | 0.6 |
///
/// The limits are starting points: no labelled case stands behind them, so they are low: models name causes that sound right
/// and are not, with citations that hold.
pub const CONFIDENCE_FORMULA: &str = "agent-evidence@1";

const CITATIONS: f64 = 0.9;
const CODE_AND_TRACE: f64 = 0.75;
const CODE_ONLY: f64 = 0.65;
const TRACE_ONLY: f64 = 0.5;
const UNRELATED: f64 = 0.4;
const TOOLS_ONLY: f64 = 0.35;
const NO_CODE_IN_TRIAGE: f64 = 0.45;
const DISAGREEMENT: f64 = 0.65;
const SUPPRESSED: f64 = 0.6;
const CUT: f64 = 0.7;
const DIRTY: f64 = 0.6;

/// Lowers the confidence of a diagnosis, which is the model's own number, to what its evidence allows.
pub(super) fn settle(diagnosis: &mut Diagnosis, verdict: &Verdict<'_>, blamed: SpanId) {
    let receipts = &verdict.submission.receipts;
    let held: Vec<&Receipt> = receipts.iter().filter(|receipt| receipt.is_verified()).collect();
    let share = CITATIONS * ratio(held.len(), receipts.len());
    diagnosis.cap(share, format!("{} of {} citations hold", held.len(), receipts.len()));
    let (limit, reason) = kinds(verdict, &held, blamed);
    diagnosis.cap(limit, reason);
    let cites_code = held.iter().any(|receipt| matches!(receipt.locator, Locator::File { .. }));
    if !verdict.in_sandbox && !cites_code {
        diagnosis.cap(NO_CODE_IN_TRIAGE, "no line of the code is cited, and nothing was run");
    }
    if let Some(rival) = verdict.rival(blamed) {
        diagnosis.cap(DISAGREEMENT, format!("the rules blame another step: {}", rival.cause));
    }
    missing(diagnosis, verdict.request.trace, blamed);
}

fn kinds(verdict: &Verdict<'_>, held: &[&Receipt], blamed: SpanId) -> (f64, &'static str) {
    let trace = verdict.request.trace;
    let to_change = |receipt: &&Receipt| match &receipt.locator {
        Locator::File { path, .. } => verdict.submission.fix.target_files.contains(path),
        _ => false,
    };
    let of_failure = |receipt: &&Receipt| match &receipt.locator {
        Locator::Span { span_id, .. } => {
            *span_id == blamed || trace.span(*span_id).is_some_and(crate::trace::Span::is_failed)
        }
        Locator::Violation { .. } => true,
        _ => false,
    };
    let code = held.iter().copied().any(|receipt| to_change(&receipt));
    let steps = held.iter().copied().any(|receipt| of_failure(&receipt));
    let other = held.iter().any(|receipt| !matches!(receipt.locator, Locator::Tool { .. }));
    match (code, steps, other) {
        (true, true, _) => (CODE_AND_TRACE, "code and trace are cited; no test decided yet"),
        (true, false, _) => (CODE_ONLY, "no step of the failure is cited"),
        (false, true, _) => (TRACE_ONLY, "no line of a file to change is cited"),
        (false, false, true) => (UNRELATED, "neither the failure nor a file to change is cited"),
        (false, false, false) => (TOOLS_ONLY, "only the output of commands is cited"),
    }
}

fn missing(diagnosis: &mut Diagnosis, trace: &TraceView<'_>, blamed: SpanId) {
    if trace.trace().source.dirty == Some(true) {
        diagnosis.cap(DIRTY, "the run came from a working tree that differed from the commit");
    }
    let Some(span) = trace.span(blamed) else { return };
    let message = span.error.as_ref().map(|error| error.message.state());
    let parts = [
        ("input", Some(span.input.state())),
        ("output", Some(span.output.state())),
        ("error message", message),
    ];
    for (name, state) in parts {
        match state {
            Some(CapturedState::Suppressed) => {
                diagnosis.cap(SUPPRESSED, format!("the {name} of the blamed step was switched off"));
            }
            Some(CapturedState::Truncated) => {
                diagnosis.cap(CUT, format!("the {name} of the blamed step was cut by a limit"));
            }
            _ => {}
        }
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}
