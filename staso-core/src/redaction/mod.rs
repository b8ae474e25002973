//! Takes credentials out of text before a model, a file or a listener sees it.

mod pattern;
mod redactor;

pub use pattern::{contains_secret, redact};
pub use redactor::Redactor;
