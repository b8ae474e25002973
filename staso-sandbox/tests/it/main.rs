//! The crate through its public API, on this machine's kernel.
#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod agent_fixer;
mod bad_input;
mod closed_way;
mod conformance;
#[cfg(feature = "container")]
mod container;
#[cfg(all(feature = "escape-suite", target_os = "linux"))]
mod escape;
mod flood;
mod host;
mod layers;
mod lifecycle;
mod mutants;
mod neighbours;
mod project_tests;
mod scratch;
mod tiers;
mod toolchains;
mod tools;
mod tools_memory;
