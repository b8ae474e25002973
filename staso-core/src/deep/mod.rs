//! Diagnosis by a model: [`TriageDiagnoser`] looks at the same evidence as the rules did, [`DeepDiagnoser`] reads and runs the
//! code at the failing commit in a sandbox.
//!
//! Both only propose. Every citation is checked by code ([`SubmitDiagnosis`](crate::agent::tools::SubmitDiagnosis)), and
//! code settles the confidence from what held ([`CONFIDENCE_FORMULA`]). Nothing here changes a file or publishes anything.

mod agent;
mod clean;
mod confidence;
mod course;
mod data;
mod diagnoser;
mod excerpt;
mod files;
mod findings;
mod instructions;
mod opening;
mod settle;
mod triage;

pub use confidence::CONFIDENCE_FORMULA;
pub use diagnoser::DeepDiagnoser;
pub use triage::TriageDiagnoser;
