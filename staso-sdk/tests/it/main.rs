//! Integration tests of the SDK, in one binary.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails here")]

mod ingest_corpus;
mod ingest_formats;
mod store_run_directory;
mod store_sqlite;
