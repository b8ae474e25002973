//! An expression of the same function in place of another: most repairs use what the code already has (the
//! redundancy assumption of GenProg and its successors).

use std::collections::BTreeSet;

use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::function::atom;
use super::shape::Shape;

/// Expressions that are tried elsewhere.
const MAX_INGREDIENTS: usize = 24;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    let known = ingredients(site);
    for node in site.function.expressions() {
        let whole = matches!(node.kind(), "identifier" | "call" | "subscript" | "attribute" | "integer");
        let callee = matches!(node.role(), Some("function" | "object"));
        if !whole || callee || node.text().contains('\n') {
            continue;
        }
        let shape = site.function.shape(node);
        for (other, other_shape) in &known {
            if node.text().contains(*other) || other.contains(node.text()) && node.kind() == "integer" {
                continue;
            }
            let alike = if node.kind() == first_kind(other) { 1.0 } else { 0.6 };
            let title = format!("Use {} instead of {}", code(other), code(node.text()));
            out.replace(Family::Operand, node, *other, 0.55 * alike * shape.fit(*other_shape), title);
        }
        lengths(site, node, shape, out);
        if out.is_full() {
            return;
        }
    }
}

/// `len(x)` for the collections in scope.
fn lengths(site: &Site<'_, '_>, node: Node<'_>, shape: Shape, out: &mut Sink) {
    if !matches!(shape, Shape::Number | Shape::Unknown) {
        return;
    }
    for variable in site.function.visible_at(node) {
        if matches!(variable.shape, Shape::List | Shape::Text | Shape::Dict | Shape::Set) {
            let text = format!("len({})", variable.name);
            let title = format!("Use {} instead of {}", code(&text), code(node.text()));
            out.replace(Family::Operand, node, text, 0.45 * shape.fit(Shape::Number), title);
        }
    }
}

fn first_kind(text: &str) -> &'static str {
    match text.chars().next_back() {
        Some(')') => "call",
        Some(']') => "subscript",
        _ => "attribute",
    }
}

/// Calls, elements and attributes of the function, each once.
fn ingredients<'s>(site: &Site<'_, 's>) -> Vec<(&'s str, Shape)> {
    let mut seen = BTreeSet::new();
    site.function
        .expressions()
        .filter(|node| matches!(node.kind(), "call" | "subscript" | "attribute"))
        .filter(|node| {
            node.role() != Some("function") && node.text().len() <= 48 && !node.text().contains('\n')
        })
        .filter(|node| atom(*node) == node.text() && seen.insert(node.text()))
        .map(|node| (node.text(), site.function.shape(node)))
        .take(MAX_INGREDIENTS)
        .collect()
}
