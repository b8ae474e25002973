//! A project's own tests: which command runs them ([`detect`]), what it printed ([`parse`]), what several runs say together
//! ([`repeat`]), and the [`DetectedTests`] plug-in that does all of it. Works with sessions of any backend.

mod detect;
mod parse;
mod repeat;
mod runner;

pub use parse::{ParsedTests, parse_test_output};
pub use runner::DetectedTests;
