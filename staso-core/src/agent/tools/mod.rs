//! The tools of Staso's own agents. Each looks at or acts in the session of its scope and nowhere else: no host path is
//! ever opened, not even for reading.
//!
//! Arguments are bounded, answers are at most 16 KB, and what is left out of an answer is said in it.

mod bash;
mod bash_output;
mod checkout_path;
mod clip;
mod edit_file;
mod file_glob;
mod get_spans;
mod list_files;
mod near_paths;
mod problem;
mod read_file;

mod reproduce;
mod run_tests;
mod search;
mod search_code;
mod submit_diagnosis;
mod submit_fix;
mod visible;
mod writable_path;
mod write_file;
mod written_files;

pub use bash::Bash;
pub use edit_file::EditFile;
pub use get_spans::GetSpans;
pub use list_files::ListFiles;
pub use read_file::ReadFile;
pub use reproduce::Reproduce;
pub use run_tests::RunTests;
pub use search_code::SearchCode;
pub use submit_diagnosis::{CleanSource, Submission, SubmitDiagnosis, SubmittedFix};
pub(crate) use submit_fix::{FixSubmission, SubmitFix};
pub use write_file::WriteFile;
pub use written_files::WrittenFiles;

/// Longest answer, in bytes. The agent's loop cuts at 16 KiB; what a tool cuts itself it can describe.
const MAX_REPLY_BYTES: usize = 16_000;
