//! Staso for agent applications.
//!
//! Record runs, take in traces, keep them, and turn failed runs into proposed fixes.

pub mod capture;
pub mod export;
pub mod ingest;
pub mod store;
