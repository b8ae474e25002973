//! What of a diagnosis that was not taken stays.

use crate::diagnosis::{Diagnosis, Hypothesis, HypothesisState, Receipt};
use crate::run::{EventKind, RunContext};

/// Refused citations of another diagnosis that are kept.
const MAX_RECEIPTS: usize = 20;

/// Keeps the refused citations of `other` beside the explanation that they were to support. They cost the confidence of the
/// diagnosis that cited them, not of `taken`.
pub(super) fn keep_refused(taken: &mut Diagnosis, other: &Diagnosis, ctx: &RunContext) {
    let known = |taken: &Diagnosis, refused: &Receipt| {
        taken.receipts.iter().any(|receipt| {
            receipt.quote == refused.quote
                && receipt.locator == refused.locator
                && receipt.claim == refused.claim
        })
    };
    let refused = other.receipts.iter().filter(|receipt| !receipt.is_verified());
    for receipt in refused.take(MAX_RECEIPTS) {
        if known(taken, receipt) {
            continue;
        }
        let for_hypothesis = hypothesis_in(taken, other, &receipt.for_hypothesis);
        let id = unused("r", taken.receipts.len(), |id| taken.receipts.iter().any(|known| known.id == id));
        ctx.emit(EventKind::ReceiptChecked { receipt: id.clone(), verified: false });
        taken.receipts.push(Receipt { id, for_hypothesis, ..receipt.clone() });
    }
}

/// The name, in `taken`, of an explanation of `other`; it is added last when it is not there.
fn hypothesis_in(taken: &mut Diagnosis, other: &Diagnosis, id: &str) -> String {
    let Some(old) = other.hypotheses.iter().find(|hypothesis| hypothesis.id == id) else {
        return unused("h", taken.hypotheses.len(), |id| names(taken, id));
    };
    let same = |new: &&Hypothesis| new.span_id == old.span_id && new.category == old.category;
    if let Some(new) = taken.hypotheses.iter().find(same) {
        return new.id.clone();
    }
    let id = unused("h", taken.hypotheses.len(), |id| names(taken, id));
    let last = taken.hypotheses.last().map(|last| last.score);
    let score = last.filter(|last| *last < old.score).unwrap_or(old.score);
    let state = HypothesisState::Inconclusive;
    taken.hypotheses.push(Hypothesis { id: id.clone(), score, state, ..old.clone() });
    id
}

fn names(diagnosis: &Diagnosis, hypothesis: &str) -> bool {
    diagnosis.hypotheses.iter().any(|known| known.id == hypothesis)
        || diagnosis.receipts.iter().any(|receipt| receipt.for_hypothesis == hypothesis)
}

/// The first name that is not taken, counting on from `count`.
fn unused(prefix: &str, count: usize, is_taken: impl Fn(&str) -> bool) -> String {
    let mut number = count + 1;
    loop {
        let name = format!("{prefix}{number}");
        if !is_taken(&name) {
            return name;
        }
        number += 1;
    }
}
