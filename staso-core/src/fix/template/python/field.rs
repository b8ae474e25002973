//! Reads a field of an object where the object itself stands.

use super::super::affinity::coverage;
use super::super::evidence::Trigger;
use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::records::Kind;
use super::super::syntax::Node;
use super::Site;
use super::function::statement_of;
use super::literal::quoted;

/// Fields that are tried for one expression.
const MAX_FIELDS: usize = 8;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    let about_objects = site.evidence.message.contains("dict");
    if site.evidence.trigger != Trigger::Type || !about_objects {
        return;
    }
    for node in site.function.expressions().filter(|node| site.is_focus(*node)) {
        let Some(parent) = node.parent() else { continue };
        let used = matches!(
            (parent.kind(), node.role()),
            ("binary_operator", Some("left" | "right"))
                | ("augmented_assignment", Some("right"))
                | ("comparison_operator" | "argument_list" | "keyword_argument" | "return_statement", _)
        );
        if used && matches!(node.kind(), "identifier" | "attribute") {
            fields(site, node, out);
        }
    }
}

fn fields(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    let known = site.known_of(node.text(), None);
    let around = names_around(node);
    let numeric = node.parent().is_some_and(|parent| parent.kind() == "binary_operator");
    let mut rated: Vec<(&str, f64)> = known
        .keys()
        .into_iter()
        .map(|key| {
            let fits = !numeric || known.records.is_empty() || known.holds(key, Kind::Number);
            let spare = if statement_of(node).text().contains(&quoted(key)) { 0.8 } else { 1.0 };
            (key, spare * if fits { 0.6 + 0.4 * coverage(key, &around) } else { 0.2 })
        })
        .collect();
    rated.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    for (key, closeness) in rated.into_iter().take(MAX_FIELDS) {
        let title = format!("Read {} of {}", code(key), code(node.text()));
        let why =
            format!("{} is an object with {}, and a plain value is needed.", code(node.text()), code(key));
        let text = format!("{}[{}]", node.text(), quoted(key));
        out.replace_backed(Family::Operand, node, text, closeness, (title, why));
    }
}

/// What the result is called and what stands on the other side.
fn names_around<'s>(node: Node<'s>) -> Vec<&'s str> {
    let statement = statement_of(node);
    let assignment = statement.named().next().filter(|inner| inner.kind() == "assignment");
    let target = assignment.and_then(|assignment| assignment.child("left"));
    let siblings = node.parent().into_iter().flat_map(Node::named).filter(|side| *side != node);
    let names = target
        .into_iter()
        .chain(siblings)
        .flat_map(|side| side.subtree().filter(|inner| inner.kind() == "identifier").map(Node::text).take(4));
    names.collect()
}
