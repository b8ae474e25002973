//! Reads a key that is not always there with a default.

use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::function::is_value;
use super::literal::plain_value;
use super::shape::Shape;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    let Some(used) = site.evidence.missing else { return };
    for node in site.function.nodes().filter(|node| node.kind() == "subscript") {
        let (Some(data), Some(key)) = (node.child("value"), node.child("subscript")) else { continue };
        let named = plain_value(key) == Some(used);
        if data.text().ends_with("environ")
            || !is_value(node)
            || !(named || key.kind() == "identifier")
            || !site.is_focus(node)
        {
            continue;
        }
        let known = site.known_of(data.text(), Some(used));
        let certainty = match named {
            false => 0.5,
            // The data speaks: it has the key only sometimes, or never.
            true if known.is_optional(used) => 1.5,
            true if !known.records.is_empty() => 0.3,
            true => 1.0,
        };
        let (data, key_text) = (data.text(), key.text());
        let shape = shape_of_use(node);
        for (default, closeness) in defaults(shape, takes_none(node)) {
            let call = match default {
                "None" => format!("{data}.get({key_text})"),
                _ => format!("{data}.get({key_text}, {default})"),
            };
            let title = format!("Do without {} when it is missing", code(key_text));
            out.replace(Family::MissingDefault, node, call, closeness * certainty, title);
        }
    }
}

/// `None` moves the failure to where the value is used, unless that place asks whether there is one.
fn defaults(shape: Shape, takes_none: bool) -> Vec<(&'static str, f64)> {
    let fitting = shape.empty();
    let none = if takes_none { 1.0 } else { 0.6 };
    let mut all = vec![(fitting, if fitting == "None" { none } else { 1.0 })];
    for other in ["None", "\"\"", "0", "[]", "{}"] {
        if other != fitting {
            all.push((other, if other == "None" { 0.8 * none } else { 0.3 }));
        }
    }
    all
}

/// Whether the value is only tested, or has something else to fall back on.
fn takes_none(node: Node<'_>) -> bool {
    node.parent().is_some_and(|parent| match parent.kind() {
        "boolean_operator" | "not_operator" => true,
        "comparison_operator" => parent.named().any(|side| side.kind() == "none"),
        "if_statement" | "elif_clause" | "while_statement" => node.role() == Some("condition"),
        _ => false,
    })
}

/// What the value has to be for what is done with it.
fn shape_of_use(node: Node<'_>) -> Shape {
    let Some(parent) = node.parent() else { return Shape::Unknown };
    match parent.kind() {
        "for_statement" | "for_in_clause" => Shape::List,
        "subscript" => Shape::Dict,
        "attribute" => match parent.child("attribute").map_or("", Node::text) {
            "get" | "items" | "keys" | "values" => Shape::Dict,
            "append" | "extend" => Shape::List,
            _ => Shape::Text,
        },
        "binary_operator" => {
            let text = parent.named().any(|side| side.kind() == "string");
            if text { Shape::Text } else { Shape::Number }
        }
        "augmented_assignment" => Shape::Number,
        "interpolation" => Shape::Text,
        _ => Shape::Unknown,
    }
}
