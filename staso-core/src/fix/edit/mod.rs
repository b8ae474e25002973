//! Replacing a stretch of a text file that somebody quotes from memory.
//!
//! The quote is looked for on a ladder of ever looser comparisons, but it must stand there exactly as often as expected,
//! and nothing outside of it is touched. Reading and writing files is the work of the tools.

mod ladder;
mod nearest;
mod newlines;
mod quote;
mod syntax;

pub(crate) use ladder::{EditProblem, EditedText, Rung, TextEdit};
pub(crate) use nearest::Window;
pub(crate) use syntax::new_syntax_error;
