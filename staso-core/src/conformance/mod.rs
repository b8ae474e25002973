//! Public conformance suites, one per plug trait.
//!
//! Every function takes a plug-in and panics with a sentence when it breaks the trait's contract. Run them from a test
//! of your own crate.

pub mod diagnoser;
pub mod event_sink;
pub mod fixer;
pub mod language_model;
pub mod run_store;
pub mod sandbox;
pub mod test_runner;
pub mod tool;
pub mod trace_store;
pub mod vcs;
