//! Keeping traces and what runs leave behind.
//!
//! [`SqliteStore`] is the embedded default: one file, no server. [`RunDirectory`] writes the files of one run where a
//! person can read them.

mod run_directory;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use run_directory::{RunDirectory, RunDirectoryError};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
