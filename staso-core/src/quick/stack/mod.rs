//! Stack traces of several languages, as they are printed, also in the middle of other text.
//!
//! The parsers accept any text and never fail: what they do not know is left out.

mod go;
mod java;
mod node;
mod python;
mod rust;
mod trace;

pub(super) use trace::{Frame, StackTrace, class_of, parse};
use trace::{MAX_FRAMES, MAX_TRACES, exception_line, path_and_line};

#[cfg(test)]
mod tests;
