//! Integration tests of the SDK, in one binary.

mod ingest_corpus;
mod ingest_formats;
