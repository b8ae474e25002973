//! Takes out of text what must not be seen: credentials, personal data, and what a reader cannot see.
//!
//! It stands between untrusted text and every model, file and listener. It is a last line of defence: what never gets
//! into a process needs no redaction.

mod assignment;
mod entropy;
mod found;
mod known;
mod pem;
mod personal;
mod redactor;
mod token;
mod view;
mod visible;

pub use redactor::{Redactor, contains_secret, redact};
pub(crate) use visible::is_hidden;
pub use visible::visible;
