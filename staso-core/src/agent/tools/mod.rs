//! The tools of Staso's own agents, one a file.

mod get_spans;
mod submit_diagnosis;

pub use get_spans::GetSpans;
pub use submit_diagnosis::{CleanSource, Submission, SubmitDiagnosis, SubmittedFix};
