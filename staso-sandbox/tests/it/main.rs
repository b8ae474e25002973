//! The crate through its public API, on this machine's kernel.

mod conformance;
mod escape;
mod host;
mod lifecycle;
