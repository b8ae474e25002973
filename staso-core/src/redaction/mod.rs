//! Takes out of text what must not be seen: credentials, personal data, and what a reader cannot see.
//!
//! It stands between untrusted text and every model, file and listener.

mod pattern;
mod redactor;
mod visible;

pub use pattern::{contains_secret, redact};
pub use redactor::Redactor;
pub(crate) use visible::is_hidden;
pub use visible::visible;
