//! The core through its public API.

mod vcs;
