//! Whether a value was recorded, and if not, why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value that the capture policy, a limit or the sender may have withheld.
///
/// The three ways of missing are different evidence: `Suppressed` can be switched on, `Truncated` was there,
/// `Absent` was never sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", content = "value", rename_all = "snake_case")]
pub enum Captured<T> {
    /// The whole value.
    Present(T),
    /// Switched off by the capture policy of the application.
    Suppressed,
    /// Cut by a limit; what is left is the beginning.
    Truncated(T),
    /// The sender never had it.
    #[default]
    Absent,
}

/// A [`Captured`] without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CapturedState {
    /// The whole value is there.
    Present,
    /// Switched off by the capture policy.
    Suppressed,
    /// Cut by a limit.
    Truncated,
    /// Never sent.
    Absent,
}

impl<T> Captured<T> {
    /// The value, whole or cut.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Present(value) | Self::Truncated(value) => Some(value),
            Self::Suppressed | Self::Absent => None,
        }
    }

    /// The value, only when it is whole.
    pub const fn complete(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            _ => None,
        }
    }

    /// How much of the value is there.
    pub const fn state(&self) -> CapturedState {
        match self {
            Self::Present(_) => CapturedState::Present,
            Self::Suppressed => CapturedState::Suppressed,
            Self::Truncated(_) => CapturedState::Truncated,
            Self::Absent => CapturedState::Absent,
        }
    }

    /// Applies a function to the value, whole or cut.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Captured<U> {
        match self {
            Self::Present(value) => Captured::Present(f(value)),
            Self::Truncated(value) => Captured::Truncated(f(value)),
            Self::Suppressed => Captured::Suppressed,
            Self::Absent => Captured::Absent,
        }
    }
}
