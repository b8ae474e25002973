//! Escapes braces in a template that stands in the program.

use super::super::evidence::Trigger;
use super::super::mutation::Sink;
use super::super::placeholder::{escape_braces, is_plain_name};
use super::super::prompt::braces;
use super::Site;
use crate::fix::Replacement;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    let Some(name) = site.evidence.missing.filter(|name| !name.is_empty()) else { return };
    if !matches!(site.evidence.trigger, Trigger::Template | Trigger::Key) {
        return;
    }
    let closeness = if is_plain_name(name) { 0.3 } else { 1.0 };
    let root = site.function.syntax().root();
    let is_template = |text: &str| text.contains('{') && text.contains(name);
    for node in root.subtree().filter(|node| node.kind() == "string" && is_template(node.text())) {
        if node.text().starts_with(['f', 'F']) {
            continue;
        }
        let mut parts = escape_braces(node.text(), name, &site.evidence.available);
        for Replacement { range, .. } in &mut parts {
            *range = range.start + node.start()..range.end + node.start();
        }
        if !parts.is_empty() {
            out.push(braces(site.line_of(node), parts, closeness));
        }
    }
}
