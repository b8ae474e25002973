//! Integration tests of the SDK, in one binary.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails here")]

#[cfg(feature = "ingest")]
mod ingest_corpus;
#[cfg(feature = "ingest")]
mod ingest_formats;
#[cfg(feature = "server")]
mod ingest_http;
#[cfg(feature = "sqlite")]
mod ingest_properties;
#[cfg(feature = "ingest")]
mod store_run_directory;
#[cfg(feature = "sqlite")]
mod store_sqlite;

#[cfg(feature = "capture")]
mod capture_delivery;
#[cfg(feature = "capture")]
mod capture_fixture;
#[cfg(feature = "git-detect")]
mod capture_platforms;
#[cfg(feature = "capture")]
mod capture_policy;
#[cfg(feature = "capture")]
mod capture_process;
#[cfg(feature = "git-detect")]
mod capture_source;
#[cfg(feature = "capture")]
mod capture_spans;
#[cfg(feature = "ingest")]
mod child;
#[cfg(all(feature = "capture", feature = "heal", feature = "server"))]
mod end_to_end;
#[cfg(feature = "ingest")]
mod ingest_memory;
#[cfg(feature = "llm")]
mod models;
#[cfg(all(feature = "capture", feature = "sqlite"))]
mod store_killed;
