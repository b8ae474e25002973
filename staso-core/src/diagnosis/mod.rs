//! What a run found out, and how sure it is: [`Diagnosis`], its [`Receipt`]s and the [`Diagnoser`] plug trait.

mod calibrator;
mod citation;
mod confidence;
mod diagnoser;
#[expect(clippy::module_inception, reason = "the module's noun is its type")]
mod diagnosis;
mod provenance;
mod receipt;
mod repair;

pub use crate::redaction::{contains_secret, redact};
pub use calibrator::{Calibration, Calibrator, CaseLabel};
pub use citation::Citation;
pub use confidence::{Confidence, ConfidenceCap};
pub use diagnoser::{DiagnoseError, DiagnoseRequest, Diagnoser, Unfinished};
pub use diagnosis::{
    Causality, ChainStep, Depth, DetectionTiming, Diagnosis, FixKind, Hypothesis, HypothesisState,
    MissingEvidence, Propagation, RootCause, SuggestedFix, Summary,
};
pub(crate) use provenance::fold;
pub use provenance::{Evidence, check_against, check_receipt, check_receipts, cited_files};
pub use receipt::{Locator, Receipt, ReceiptKind, ReceiptMatch, ReceiptVerdict};
pub use repair::{FailureOracle, FrameRef, RecordedCall, RepairHint};
