//! The agent as bytes.

/// The program, built by `build.rs` for Linux; empty when it could not be built.
pub(crate) static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/helper"));
