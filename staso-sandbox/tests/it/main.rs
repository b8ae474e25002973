//! The crate through its public API, on this machine's kernel.

mod smoke;
