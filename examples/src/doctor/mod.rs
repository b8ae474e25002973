//! The program `sandbox_doctor`: opens sessions, says what they gave, and how to get what is missing.
//!
//! What works is found by running it. Settings of the machine are read only to explain a refusal.

mod advice;
mod backends;
mod machine;
mod probe;
mod program;
mod report;

pub use advice::{Advice, advice};
pub use machine::{Cgroups, Machine};
pub use probe::{Probe, State, probe};
pub use program::run;
pub use report::{Report, text};
