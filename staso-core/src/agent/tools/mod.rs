//! The tools of Staso's own agents. Each looks at or acts in the session of its scope and nowhere else: no host path is
//! ever opened, not even for reading. [`GetSpans`] and [`SubmitDiagnosis`] hold the trace and need no session.
//!
//! Arguments are bounded, answers are at most 16 KB, and what is left out of an answer is said in it.

mod bash;
mod bash_output;
mod checkout_path;
mod clip;
mod file_glob;
mod get_spans;
mod list_files;
mod near_paths;
mod problem;
mod read_file;
mod search;
mod search_code;
mod submit_diagnosis;
mod visible;

pub use bash::Bash;
pub use get_spans::GetSpans;
pub use list_files::ListFiles;
pub use read_file::ReadFile;
pub use search_code::SearchCode;
pub use submit_diagnosis::{CleanSource, Submission, SubmitDiagnosis, SubmittedFix};

/// Longest answer, in bytes. The agent's loop cuts at 16 KiB; what a tool cuts itself it can describe.
const MAX_REPLY_BYTES: usize = 16_000;
