//! Repair without a model: single small edits, made from syntax trees, the hints of a diagnosis and nothing else.
//!
//! [`TemplateFixer`] reads the hints, finds the functions they point at and lets every family of edits propose changes
//! there. Candidates are ranked by distance from the failing line, by what such failures usually need, by closeness to
//! the evidence and by size. Nothing is run here; whether a candidate is a fix is settled by
//! [`verify`](crate::verify).
//!
//! A programming language is one implementation of `Language`; Python is the only one so far. Settings and prompt files
//! are edited as text, whatever the program is written in.

mod affinity;
mod check;
mod documented;
mod evidence;
mod family;
mod fixer;
mod language;
mod locate;
mod mutation;
mod placeholder;
mod pool;
mod prompt;
mod python;
mod records;
mod setting;
mod spelling;
mod syntax;

#[cfg(feature = "agent-tools")]
pub(crate) use check::syntax_errors;
pub use fixer::TemplateFixer;
