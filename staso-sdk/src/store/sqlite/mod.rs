//! Traces and artifacts in one SQLite file.
//!
//! A trace is kept as it arrived: one segment a part, merged when it is read. Beside it stand narrow span rows, which
//! answer listings without reading segments. One thread writes; whatever waits while it commits goes into the next
//! transaction together.

mod error;
mod read;
mod readers;
mod schema;
mod segment;
mod store;
mod write;
mod writer;

pub use store::SqliteStore;
