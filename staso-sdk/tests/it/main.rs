//! Integration tests of the SDK, in one binary.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails here")]

mod ingest_corpus;
mod ingest_formats;
#[cfg(feature = "server")]
mod ingest_http;
#[cfg(feature = "sqlite")]
mod ingest_properties;
mod store_run_directory;
#[cfg(feature = "sqlite")]
mod store_sqlite;
