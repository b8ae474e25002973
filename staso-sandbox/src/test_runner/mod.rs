//! A project's own tests: which command runs them ([`detect`]), what it printed ([`parse`]), and the [`DetectedTests`]
//! plug-in that does both. Works with sessions of any backend.

mod detect;
mod parse;
mod runner;

pub use parse::{ParsedTests, parse_test_output};
pub use runner::DetectedTests;
