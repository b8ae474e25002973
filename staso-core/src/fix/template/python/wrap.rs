//! Puts a call around an expression.

use super::super::family::Family;
use super::super::mutation::{Mutation, Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::function::{atom, is_expression};
use super::shape::Shape;
use crate::fix::Replacement;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    for node in site.function.expressions() {
        let Some(weight) = place_weight(node) else { continue };
        let shape = site.function.shape(node);
        for (wrap, for_shapes, closeness) in WRAPS {
            let fits = if shape == Shape::Unknown {
                0.7
            } else if for_shapes.contains(&shape) {
                1.0
            } else {
                continue;
            };
            let inner = if wrap.ends_with("{}") || wrap.starts_with("{}") {
                atom(node)
            } else {
                node.text().to_owned()
            };
            let text = wrap.replacen("{}", &inner, 1);
            let title = format!("Apply {} to {}", code(&wrap.replacen("{}", "", 1)), code(node.text()));
            out.replace(Family::Wrap, node, text, closeness * fits * weight, title);
        }
        own_functions(site, node, weight, out);
        if out.is_full() {
            return;
        }
    }
    for node in site.function.expressions().filter(|node| node.kind() == "comparison_operator") {
        both_sides(node, out);
    }
}

/// Functions that the file defines or the function calls by name.
fn own_functions(site: &Site<'_, '_>, node: Node<'_>, weight: f64, out: &mut Sink) {
    if !matches!(node.kind(), "identifier" | "call" | "subscript" | "attribute") {
        return;
    }
    for name in site.function.definitions.iter().filter(|name| **name != site.function.name) {
        let title = format!("Apply {} to {}", code(name), code(node.text()));
        out.replace(Family::Wrap, node, format!("{name}({})", node.text()), 0.4 * weight, title);
    }
}

/// Both sides of a comparison normalised in the same way.
fn both_sides(node: Node<'_>, out: &mut Sink) {
    let sides: Vec<Node<'_>> = node.named().filter(|side| is_expression(*side)).collect();
    let [left, right] = sides.as_slice() else { return };
    let plain = |side: &Node<'_>| matches!(side.kind(), "identifier" | "attribute" | "subscript" | "call");
    if !plain(left) || !plain(right) {
        return;
    }
    let wraps =
        ["{}.lower()", "{}.strip()", "str({})", "int({})", "set({})", "sorted({})", "len({})", "abs({})"];
    for wrap in wraps {
        let part =
            |side: &Node<'_>| Replacement { range: side.range(), text: wrap.replacen("{}", side.text(), 1) };
        out.push(Mutation {
            family: Family::Wrap,
            is_backed: false,
            parts: vec![part(left), part(right)],
            line: node.line(),
            closeness: 0.7,
            title: format!("Compare after {}", code(&wrap.replacen("{}", "", 1))),
            why: None,
        });
    }
}

const NUMBERS: &[Shape] = &[Shape::Number];
const TEXTS: &[Shape] = &[Shape::Text];
const MANY: &[Shape] = &[Shape::List, Shape::Set, Shape::Dict, Shape::Text];
const LISTS: &[Shape] = &[Shape::List, Shape::Set, Shape::Dict];

/// What to put around a value of which shapes, and how likely it is.
const WRAPS: [(&str, &[Shape], f64); 22] = [
    ("abs({})", NUMBERS, 1.0),
    ("len({})", MANY, 1.0),
    ("sorted({})", LISTS, 0.9),
    ("set({})", LISTS, 0.8),
    ("str({})", NUMBERS, 0.8),
    ("int({})", NUMBERS, 0.8),
    ("{}.lower()", TEXTS, 0.8),
    ("list({})", MANY, 0.7),
    ("round({})", NUMBERS, 0.6),
    ("{}.strip()", TEXTS, 0.7),
    ("{}.upper()", TEXTS, 0.5),
    ("sum({})", LISTS, 0.5),
    ("max({})", LISTS, 0.4),
    ("min({})", LISTS, 0.4),
    ("float({})", NUMBERS, 0.4),
    ("-{}", NUMBERS, 0.5),
    ("{}.split()", TEXTS, 0.4),
    ("\"\".join({})", LISTS, 0.3),
    ("{}[::-1]", MANY, 0.5),
    ("bool({})", NUMBERS, 0.2),
    ("round({}, 2)", NUMBERS, 0.3),
    ("tuple({})", LISTS, 0.4),
];

/// Where such calls are usually missing; `None` where they never are.
fn place_weight(node: Node<'_>) -> Option<f64> {
    if matches!(node.kind(), "true" | "false" | "none" | "integer" | "float") || node.text().contains('\n') {
        return None;
    }
    let literal = matches!(node.kind(), "string" | "list" | "dictionary" | "set" | "tuple");
    let parent = node.parent()?;
    let weight = match (parent.kind(), node.role()) {
        ("return_statement", _) | ("assignment" | "augmented_assignment", Some("right")) => 1.0,
        ("comparison_operator", _) | ("binary_operator", Some("left" | "right")) => 0.9,
        ("argument_list" | "keyword_argument", _) | ("for_statement" | "for_in_clause", Some("right")) => 0.9,
        ("subscript", Some("subscript")) | ("pair", _) => 0.6,
        (
            "boolean_operator"
            | "list_comprehension"
            | "generator_expression"
            | "conditional_expression"
            | "list"
            | "tuple"
            | "interpolation",
            _,
        ) => 0.6,
        ("attribute", Some("object")) | ("subscript", Some("value")) => 0.4,
        _ => return None,
    };
    Some(if literal { weight * 0.3 } else { weight })
}
