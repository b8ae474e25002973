//! Quick diagnosis: deterministic rules over a trace and the code at its commit.
//!
//! [`QuickDiagnoser`] runs every rule of a fixed registry, ranks what they find by cause and effect, and cites words of
//! the trace and lines of the code for each claim. The same input gives the same bytes, on any machine and in any
//! thread order. It asks no model and runs nothing; what it cannot settle it hands on with a reason.

mod assemble;
mod attribution;
mod diagnoser;
mod document;
mod failure;
mod finding;
mod frames;
mod functions;
#[cfg(feature = "agent-tools")]
mod handover;
mod input;
mod language_model;
mod missing;
mod names;
mod oracle;
mod pattern;
mod quote;
mod rank;
mod rule;
mod rules;
mod schema;
mod settings;
mod signal;
mod stack;
mod tree;

#[cfg(feature = "agent-tools")]
pub(crate) use handover::{failing_frames, frame_at, recorded_oracle};

pub use diagnoser::{QuickDiagnoser, calibrator_id, rules_digest};
