//! The [`Redactor`].

use super::{contains_secret, redact};

/// Takes credentials out of text. The same text always comes out the same, so that citations of it can be checked again.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Redactor {}

impl Redactor {
    /// The text without what must not leave.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        redact(text)
    }

    /// Whether the text holds something that must not leave.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        contains_secret(text)
    }
}
