//! The code of a repository at one commit, as far as it was read before rules ran.
//!
//! Everything here is data. Reading it from a repository is the work of a [`VcsProvider`](crate::vcs::VcsProvider).

mod path;
mod snapshot;
mod test_file;

pub use path::{InvalidPath, RepoPath};
pub use snapshot::{CodeSnapshot, ListedFile, SkippedFile, SourceFile};
pub(crate) use test_file::is_test_file;
