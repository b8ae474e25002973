//! One possible fix.

use super::Patch;
use crate::diagnosis::FixKind;

/// One possible fix, not yet proven.
#[derive(Debug, Clone, PartialEq)]
pub struct FixCandidate {
    /// The change.
    pub patch: Patch,
    /// What kind of file it changes.
    pub kind: FixKind,
    /// What made it, e.g. `template:wrong-key`.
    pub author: String,
    /// Imperative title that names the behaviour, ≤ 72 characters.
    pub title: String,
    /// Why this change, in one sentence.
    pub why: String,
    /// How promising it is, from 0 to 1; candidates are tried in falling order.
    pub score: f64,
}
