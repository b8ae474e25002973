//! What a sender says it cut or withheld, beside the categories of its capture policy.

use std::collections::BTreeSet;

use serde_json::Value;

use super::attributes::Attributes;

pub(super) use crate::marks::{ERROR_MESSAGE, ERROR_STACK, INPUT, OUTPUT, TOOL_DEFINITIONS};

/// Names of fields, taken out of the lists of attributes that stay.
#[derive(Debug, Default)]
pub(super) struct Marks {
    cut: BTreeSet<&'static str>,
    suppressed: BTreeSet<&'static str>,
}

impl Marks {
    pub(super) fn take(attributes: &mut Attributes) -> Self {
        Self {
            cut: take_names(attributes, crate::marks::TRUNCATED),
            suppressed: take_names(attributes, crate::marks::SUPPRESSED),
        }
    }

    pub(super) fn is_cut(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.cut.contains(name))
    }

    pub(super) fn is_suppressed(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.suppressed.contains(name))
    }
}

fn take_names(attributes: &mut Attributes, list: &str) -> BTreeSet<&'static str> {
    let mut taken = BTreeSet::new();
    let Some(Value::Array(names)) = attributes.0.get_mut(list) else { return taken };
    let fields = [INPUT, OUTPUT, TOOL_DEFINITIONS, ERROR_MESSAGE, ERROR_STACK].concat();
    names.retain(|name| match fields.iter().find(|field| name.as_str() == Some(field)) {
        Some(field) => !taken.insert(*field),
        None => true,
    });
    if names.is_empty() {
        attributes.0.remove(list);
    }
    taken
}
