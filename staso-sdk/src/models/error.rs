//! Why a model cannot be used as configured.

/// A model cannot be used as configured. Messages say what to set and never repeat a key or an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelConfigError {
    /// A setting has a value that cannot be used.
    #[error("{name} cannot be used: {reason}")]
    Setting {
        /// The environment variable or builder method.
        name: &'static str,
        /// What is wrong, and what it should be.
        reason: String,
    },
    /// A setting is needed and not there.
    #[error("{name} is missing: {reason}")]
    Missing {
        /// The environment variable or builder method.
        name: &'static str,
        /// What it is for.
        reason: String,
    },
    /// Connections of this process cannot be encrypted.
    #[error("TLS cannot be set up: {reason}")]
    Tls {
        /// What failed.
        reason: &'static str,
    },
}

impl ModelConfigError {
    pub(super) fn setting(name: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting { name, reason: reason.into() }
    }

    pub(super) fn missing(name: &'static str, reason: impl Into<String>) -> Self {
        Self::Missing { name, reason: reason.into() }
    }
}
