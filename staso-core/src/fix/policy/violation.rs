//! The [`PolicyViolation`].

/// A change that the policy refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy rule {rule} refuses the change: {reason}")]
pub struct PolicyViolation {
    /// The rule's lasting name.
    pub rule: &'static str,
    /// What it objects to. Never repeats a credential.
    pub reason: String,
}

impl PolicyViolation {
    pub(super) fn new(rule: &'static str, reason: impl Into<String>) -> Self {
        Self { rule, reason: reason.into() }
    }
}
