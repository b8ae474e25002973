//! Takes what the host's redactor knows out of what runs keep. Rules know the forms of common credentials only, and parts of
//! third parties may know none.

use serde_json::Value;

use crate::diagnosis::{Diagnosis, RepairHint, Summary, fold};
use crate::id::Digest;
use crate::redaction::Redactor;
use crate::run::RunArtifact;

/// Cleans the texts of a diagnosis. Quotes keep standing for the words as a model is shown them.
pub(super) fn diagnosis(diagnosis: &mut Diagnosis, redactor: &Redactor) {
    let clean = |text: &mut String| *text = redactor.clean(text);
    diagnosis.summary = Summary::new(&redactor.clean(diagnosis.summary.as_str()));
    clean(&mut diagnosis.explanation_md);
    diagnosis.no_fix_reason.iter_mut().for_each(clean);
    diagnosis.escalated_because.iter_mut().for_each(clean);
    diagnosis.caps.iter_mut().for_each(|cap| clean(&mut cap.reason));
    diagnosis.chain.iter_mut().for_each(|step| clean(&mut step.what));
    if let Some(cause) = &mut diagnosis.root_cause {
        cause.agent.iter_mut().for_each(clean);
        clean(&mut cause.category);
    }
    for hypothesis in &mut diagnosis.hypotheses {
        clean(&mut hypothesis.cause);
        clean(&mut hypothesis.category);
        hypothesis.agent.iter_mut().for_each(clean);
        hypothesis.deciding_test.iter_mut().for_each(clean);
    }
    for receipt in &mut diagnosis.receipts {
        clean(&mut receipt.claim);
        if redactor.finds(&receipt.quote) {
            receipt.quote = redactor.clean(&receipt.quote);
            receipt.digest = Digest::of(fold(&receipt.quote));
        }
    }
    for missing in &mut diagnosis.missing {
        clean(&mut missing.what);
        clean(&mut missing.how_to_get);
    }
    if let Some(fix) = &mut diagnosis.suggested_fix {
        clean(&mut fix.description);
        fix.hints.retain(|hint: &RepairHint| holds_none(serde_json::to_value(hint), redactor));
        // A call with something else in the place of a credential is another call.
        fix.oracle = fix.oracle.take().filter(|oracle| holds_none(serde_json::to_value(oracle), redactor));
    }
}

/// Cleans what a run says beside its diagnosis. The diff is cleaned where it is recorded.
pub(super) fn artifact(artifact: &mut RunArtifact, redactor: &Redactor) {
    let clean = |text: &mut String| *text = redactor.clean(text);
    if let Some(found) = &mut artifact.diagnosis {
        diagnosis(found, redactor);
    }
    clean(&mut artifact.outcome.reason);
    artifact.sandbox_disabled.iter_mut().for_each(clean);
    artifact.source.notes.iter_mut().for_each(clean);
    artifact.context.files_skipped.iter_mut().for_each(clean);
    artifact.context.suppressed.iter_mut().for_each(clean);
    if let Some(fix) = &mut artifact.fix {
        clean(&mut fix.title);
        fix.hunks.iter_mut().for_each(|hunk| clean(&mut hunk.why));
    }
    if let Some(proof) = &mut artifact.verification {
        for check in &mut proof.checks {
            clean(&mut check.command);
            clean(&mut check.detail);
        }
        proof.also_passed.iter_mut().for_each(clean);
    }
    if let Some(proposal) = &mut artifact.proposal {
        proposal.warnings.iter_mut().for_each(clean);
    }
}

/// Whether no text of a value holds a credential. What cannot be read is not kept.
fn holds_none(value: serde_json::Result<Value>, redactor: &Redactor) -> bool {
    fn none(value: &Value, redactor: &Redactor) -> bool {
        match value {
            Value::String(text) => !redactor.finds(text),
            Value::Array(values) => values.iter().all(|value| none(value, redactor)),
            Value::Object(object) => {
                object.iter().all(|(key, value)| !redactor.finds(key) && none(value, redactor))
            }
            _ => true,
        }
    }
    value.is_ok_and(|value| none(&value, redactor))
}
