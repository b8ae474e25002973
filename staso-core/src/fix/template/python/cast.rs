//! Conversions for values of kinds that do not fit together.

use super::super::evidence::Trigger;
use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::shape::Shape;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    if !matches!(site.evidence.trigger, Trigger::Type | Trigger::Key | Trigger::Other) {
        return;
    }
    let message = site.evidence.message;
    for node in site.function.expressions().filter(|node| site.is_focus(*node)) {
        let Some(parent) = node.parent() else { continue };
        let used = matches!(
            (parent.kind(), node.role()),
            ("binary_operator", Some("left" | "right"))
                | ("comparison_operator" | "argument_list" | "pair" | "keyword_argument", _)
                | ("subscript" | "augmented_assignment" | "for_statement", Some("subscript" | "right"))
                | ("attribute", Some("object"))
        );
        let is_module = node.kind() == "identifier"
            && node.role() == Some("object")
            && !site.function.visible_at(node).any(|variable| variable.name == node.text());
        if used && !is_module {
            convert(site, node, message, out);
        }
        if out.is_full() {
            return;
        }
    }
}

/// Conversions and the words of an error that ask for them.
const CASTS: [(&str, &[&str]); 6] = [
    ("str", &["must be str", "not \"int\"", "expected str", "str instance", "to str", "and 'str'"]),
    ("int", &["'str' and 'int'", "'int' and 'str'", "as an integer", "must be integers", "'float' object"]),
    ("float", &["'str' and 'float'", "'float' and 'str'", "Decimal"]),
    ("list", &["to list", "not subscriptable", "dict_", "object is not reversible"]),
    ("tuple", &["unhashable type: 'list'", "to tuple"]),
    ("json.loads", &["indices must be integers", "'str' object has no attribute"]),
];

fn convert(site: &Site<'_, '_>, node: Node<'_>, message: &str, out: &mut Sink) {
    let shape = site.function.shape(node);
    for (cast, words) in CASTS {
        let asked = words.iter().any(|word| message.contains(word));
        let done = node.child("function").is_some_and(|callee| callee.text() == cast);
        let already = match cast {
            "str" => shape == Shape::Text,
            "int" | "float" => shape == Shape::Number,
            _ => false,
        };
        let importable = cast != "json.loads" || site.function.syntax().text().contains("import json");
        if done || already || !importable || (cast == "json.loads" && !asked) {
            continue;
        }
        let closeness = if asked { 1.0 } else { 0.4 };
        let title = format!("Convert {} with {}", code(node.text()), code(cast));
        out.replace(Family::Cast, node, format!("{cast}({})", node.text()), closeness, title);
    }
}
