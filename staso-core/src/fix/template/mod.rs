//! Repair without a model.

/// Repairs mechanical faults on syntax trees.
#[derive(Debug)]
pub struct TemplateFixer;
