//! Quick diagnosis: deterministic rules over trace and preloaded code.

#[derive(Debug)]
/// Placeholder.
pub struct QuickDiagnoser;
