//! Less of an expression.

use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::function::is_value;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    for node in site.function.nodes() {
        match node.kind() {
            "binary_operator" => {
                sides(node, 0.9, out);
                regroup(site, node, out);
            }
            "boolean_operator" => sides(node, 1.0, out),
            "conditional_expression" => branches(node, out),
            "call" if is_value(node) => unwrap(node, out),
            "subscript" if is_value(node) => whole(node, out),
            "list_comprehension"
            | "set_comprehension"
            | "generator_expression"
            | "dictionary_comprehension" => {
                unfiltered(node, out);
            }
            "if_statement" => without_else(node, out),
            "list" | "tuple" | "set" | "dictionary" => without_element(node, out),
            _ => {}
        }
        if out.is_full() {
            return;
        }
    }
}

fn keep(node: Node<'_>, kept: Node<'_>, closeness: f64, out: &mut Sink) {
    let title = format!("Use only {}", code(kept.text()));
    out.replace(Family::Reduce, node, kept.text(), closeness, title);
}

fn sides(node: Node<'_>, closeness: f64, out: &mut Sink) {
    for side in [node.child("left"), node.child("right")].into_iter().flatten() {
        keep(node, side, closeness, out);
    }
    let inner = std::iter::successors(node.child("left"), |inner| {
        inner.child("left").filter(|_| inner.kind() == node.kind())
    });
    for part in inner.skip(1).take(3) {
        keep(node, part, closeness * 0.7, out);
    }
}

/// `[a, b]` becomes `[a]`.
fn without_element(node: Node<'_>, out: &mut Sink) {
    let elements: Vec<Node<'_>> = node.named().take(MAX_ELEMENTS).collect();
    for pair in elements.windows(2) {
        let [first, second] = pair else { continue };
        let title = |element: &Node<'_>| format!("Leave {} out", code(element.text()));
        out.edit(Family::Reduce, first.line(), first.start()..second.start(), "", 0.5, title(first));
        if elements.last() == Some(second) {
            out.edit(Family::Reduce, second.line(), first.end()..second.end(), "", 0.6, title(second));
        }
    }
}

const MAX_ELEMENTS: usize = 12;

fn branches(node: Node<'_>, out: &mut Sink) {
    let parts: Vec<Node<'_>> = node.named().collect();
    if let [yes, _, no] = parts.as_slice() {
        keep(node, *yes, 0.8, out);
        keep(node, *no, 0.8, out);
    }
}

/// `f(x)` becomes `x`, and `x.f()` too.
fn unwrap(call: Node<'_>, out: &mut Sink) {
    let (Some(callee), Some(list)) = (call.child("function"), call.child("arguments")) else { return };
    if callee.kind() == "attribute"
        && let Some(object) = callee.child("object")
    {
        keep(call, object, 0.6, out);
    }
    if list.kind() == "argument_list" {
        for argument in list.named().take(3).filter(|argument| argument.kind() != "keyword_argument") {
            keep(call, argument, 0.8, out);
        }
    }
}

fn whole(node: Node<'_>, out: &mut Sink) {
    if let Some(value) = node.child("value") {
        let sliced = node.child("subscript").is_some_and(|subscript| subscript.kind() == "slice");
        keep(node, value, if sliced { 0.9 } else { 0.5 }, out);
    }
}

fn unfiltered(node: Node<'_>, out: &mut Sink) {
    let text = node.syntax().text();
    for clause in node.named().filter(|child| child.kind() == "if_clause") {
        let before = text.get(..clause.start()).map_or(clause.start(), |head| head.trim_end().len());
        let title = format!("Keep what {} leaves out", code(clause.text()));
        out.edit(Family::Reduce, clause.line(), before..clause.end(), "", 0.8, title);
    }
}

fn without_else(node: Node<'_>, out: &mut Sink) {
    let text = node.syntax().text();
    for clause in node.named().filter(|child| matches!(child.kind(), "else_clause" | "elif_clause")) {
        let before = text.get(..clause.start()).map_or(clause.start(), |head| head.trim_end().len());
        let title = format!("Drop the branch {}", code(clause.text()));
        out.edit(Family::Reduce, clause.line(), before..clause.end(), "", 0.5, title);
    }
}

/// `a * (b + c)` becomes `a * b + c`, and `a + b * c` becomes `(a + b) * c`.
fn regroup(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    let title = "Group the operands differently";
    let (Some(left), Some(right)) = (node.child("left"), node.child("right")) else {
        return;
    };
    for side in [left, right].into_iter().filter(|side| side.kind() == "parenthesized_expression") {
        if let Some(inner) = side.named().next() {
            out.replace(Family::Reduce, side, inner.text(), 0.7, title);
        }
    }
    let text = site.function.syntax().text();
    let slice = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let leftmost = std::iter::successors(right.child("left"), |inner| inner.child("left"));
    for inner in leftmost.take(if right.kind() == "binary_operator" { 3 } else { 0 }) {
        let changed = format!("({}){}", slice(node.start(), inner.end()), slice(inner.end(), node.end()));
        out.replace(Family::Reduce, node, changed, 0.6, title);
    }
    if left.kind() == "binary_operator"
        && let Some(inner) = left.child("right")
    {
        let changed =
            format!("{}({})", slice(left.start(), inner.start()), slice(inner.start(), right.end()));
        out.replace(Family::Reduce, node, changed, 0.6, title);
    }
}
