//! Quick diagnosis: deterministic rules over trace and preloaded code.

#[derive(Debug)]
/// Placeholder.
pub struct QuickDiagnoser;

/// Placeholder.
pub fn rules_digest() -> crate::id::Digest {
    crate::id::Digest::of("")
}
/// Placeholder.
pub fn calibrator_id() -> String {
    String::new()
}
