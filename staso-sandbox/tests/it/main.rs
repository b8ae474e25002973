//! The crate through its public API, on this machine's kernel.
#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod agent_fixer;
mod conformance;
#[cfg(feature = "container")]
mod container;
mod escape;
mod host;
mod lifecycle;
mod project_tests;
mod scratch;
mod tools;
mod tools_memory;
