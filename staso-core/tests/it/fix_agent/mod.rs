//! The agent that mends code, and its tools.

mod conformance;
mod edit_file;
mod ending;
mod fixer;
mod prompts;
mod rules;
mod run_tests;
mod world;
mod write_file;
