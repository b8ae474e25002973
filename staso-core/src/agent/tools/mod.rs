//! The tools of Staso's own agents, one a file. All of them work inside the sandbox session.

mod edit_file;
mod repo_path;
mod reproduce;
mod run_tests;
mod submit_fix;
mod write_file;
mod written_files;

pub use edit_file::EditFile;
pub use reproduce::Reproduce;
pub use run_tests::RunTests;
pub(crate) use submit_fix::{Submission, SubmitFix};
pub use write_file::WriteFile;
pub use written_files::WrittenFiles;
