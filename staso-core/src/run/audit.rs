//! Checks an artifact again, offline and without a model.

use super::{ARTIFACT_SCHEMA_VERSION, RunArtifact, RunEvent, Subject, TranscriptError, verify_transcript};
use crate::code::CodeSnapshot;
use crate::diagnosis::{Evidence, Receipt, ReceiptVerdict, check_receipt};
use crate::guard::GuardViolation;
use crate::redaction::Redactor;
use crate::trace::{Trace, TraceView};

/// What an artifact is held against.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AuditInputs<'a> {
    /// The trace that was diagnosed.
    pub trace: &'a Trace,
    /// Guard rules that fired in it.
    pub violations: &'a [GuardViolation],
    /// The code at the failing commit; without it receipts for files cannot be checked and are reported.
    pub code: Option<&'a CodeSnapshot>,
    /// What took credentials out of the texts that models were shown, when the host has one of its own.
    pub redactor: Option<&'a Redactor>,
    /// The text of `transcript.jsonl`; without it the events are not checked, and receipts for tool calls cannot be and are
    /// reported.
    pub transcript: Option<&'a str>,
}

impl<'a> AuditInputs<'a> {
    /// Only the trace.
    #[must_use]
    pub const fn new(trace: &'a Trace) -> Self {
        Self { trace, violations: &[], code: None, redactor: None, transcript: None }
    }

    /// Adds the code at the failing commit.
    #[must_use]
    pub const fn with_code(mut self, code: &'a CodeSnapshot) -> Self {
        self.code = Some(code);
        self
    }

    /// Adds guard rules that fired.
    #[must_use]
    pub const fn with_violations(mut self, violations: &'a [GuardViolation]) -> Self {
        self.violations = violations;
        self
    }

    /// Knows what the host's redactor put in the place of credentials.
    #[must_use]
    pub const fn with_redactor(mut self, redactor: &'a Redactor) -> Self {
        self.redactor = Some(redactor);
        self
    }

    /// Adds the transcript.
    #[must_use]
    pub const fn with_transcript(mut self, text: &'a str) -> Self {
        self.transcript = Some(text);
        self
    }
}

/// A statement of an artifact that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditFinding {
    /// The artifact is of a version that this code does not know.
    #[error("the artifact has schema version {found}; this version of the engine reads {known}")]
    UnknownVersion {
        /// The artifact's.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The artifact is about another trace, or the trace was changed.
    #[error("the trace is not the one that the artifact is about")]
    OtherTrace,
    /// The verdict on a receipt is not what checking it gives.
    #[error("receipt {receipt} says {stated}, checking it says {found}")]
    Receipt {
        /// Its id.
        receipt: String,
        /// The artifact's verdict.
        stated: String,
        /// What checking gives.
        found: String,
    },
    /// The fix is called verified, but its checks do not say so.
    #[error("the fix is called verified, but {why}")]
    UnsupportedVerdict {
        /// What is missing.
        why: String,
    },
    /// The transcript does not hold together or is of another run.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
}

/// Holds an artifact against its trace, the code and the transcript. An empty result means that every statement that
/// could be checked holds.
#[must_use]
pub fn verify_artifact(artifact: &RunArtifact, inputs: &AuditInputs<'_>) -> Vec<AuditFinding> {
    let mut findings = Vec::new();
    if !(1..=ARTIFACT_SCHEMA_VERSION).contains(&artifact.schema_version) {
        let (found, known) = (artifact.schema_version, ARTIFACT_SCHEMA_VERSION);
        findings.push(AuditFinding::UnknownVersion { found, known });
    }
    let same_id = artifact.subject == Subject::TraceId(inputs.trace.trace_id);
    if !same_id || artifact.trace_digest.as_ref() != Some(&inputs.trace.digest()) {
        findings.push(AuditFinding::OtherTrace);
    }
    let events = match inputs.transcript.map(|text| verify_transcript(text, &artifact.events_digest)) {
        Some(Ok(events)) => events,
        Some(Err(error)) => {
            findings.push(error.into());
            Vec::new()
        }
        None => Vec::new(),
    };
    findings.extend(check_evidence(artifact, inputs, &events));
    findings.extend(check_proof(artifact));
    findings
}

fn check_evidence(
    artifact: &RunArtifact,
    inputs: &AuditInputs<'_>,
    events: &[RunEvent],
) -> Vec<AuditFinding> {
    let view = TraceView::new(inputs.trace);
    let evidence = Evidence::new(&view)
        .with_violations(inputs.violations)
        .with_code(inputs.code)
        .with_events(events)
        .of_run(artifact.run_id)
        .with_redactor(inputs.redactor);
    let receipts = artifact.diagnosis.iter().flat_map(|diagnosis| &diagnosis.receipts);
    let differs = |receipt: &Receipt| {
        let found = check_receipt(receipt, &evidence);
        let agree = matches!(found, ReceiptVerdict::Verified) == receipt.is_verified();
        (!agree).then(|| AuditFinding::Receipt {
            receipt: receipt.id.clone(),
            stated: describe(&receipt.verdict),
            found: describe(&found),
        })
    };
    receipts.filter_map(differs).collect()
}

fn describe(verdict: &ReceiptVerdict) -> String {
    match verdict {
        ReceiptVerdict::Verified => "verified".to_owned(),
        ReceiptVerdict::Rejected { why } => format!("rejected ({why})"),
    }
}

/// A verified fix needs a failure that was reproduced, is gone with the change, and tests that passed with it.
fn check_proof(artifact: &RunArtifact) -> Vec<AuditFinding> {
    let Some(proof) = artifact.verification.as_ref().filter(|proof| proof.verified) else {
        return Vec::new();
    };
    let held = |name: &str, patched: bool| {
        proof
            .checks
            .iter()
            .any(|check| check.name == name && check.patched == patched && check.ok == Some(true))
    };
    let by_tests = !proof.checks.iter().any(|check| check.name == "reproduction");
    let failed_before =
        proof.checks.iter().any(|check| check.name == "tests" && !check.patched && check.ok == Some(false));
    let needs = [
        (artifact.fix.is_some(), "there is no change"),
        (held("reproduction", false) || (by_tests && failed_before), "the failure was not reproduced"),
        (held("reproduction", true) || by_tests, "no reproduction passed with the change"),
        (held("tests", true), "no run of the tests passed with the change"),
    ];
    let unsupported = |why: &str| AuditFinding::UnsupportedVerdict { why: why.to_owned() };
    needs.iter().filter(|(held, _)| !held).map(|(_, why)| unsupported(why)).collect()
}
