//! Shifts bounds, indexes and counts by one.

use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::function::is_value;
use super::shape::Shape;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    for node in site.function.nodes() {
        match node.kind() {
            "integer" if is_value(node) => integer(node, out),
            "comparison_operator" => boundary(node, out),
            "slice" => slice(node, out),
            "call" => call(node, out),
            "subscript" => index(node, out),
            "return_statement" | "assignment" | "augmented_assignment" => counted(site, node, out),
            _ => {}
        }
        if out.is_full() {
            return;
        }
    }
}

fn shift(node: Node<'_>, closeness: f64, title: &str, out: &mut Sink) {
    if node.text().contains('\n') {
        return;
    }
    let text = match node.kind() {
        "comparison_operator" | "boolean_operator" | "conditional_expression" | "not_operator" => {
            format!("({})", node.text())
        }
        _ => node.text().to_owned(),
    };
    for (step, likelier) in [("+ 1", 1.0), ("- 1", 0.95)] {
        out.replace(Family::OffByOne, node, format!("{text} {step}"), closeness * likelier, title);
    }
}

fn integer(node: Node<'_>, out: &mut Sink) {
    let Ok(value) = node.text().parse::<i64>() else { return };
    let negative = node.parent().is_some_and(|parent| parent.kind() == "unary_operator");
    let compared = node
        .ancestors()
        .take_while(|node| matches!(node.kind(), "binary_operator" | "comparison_operator"))
        .any(|node| node.kind() == "comparison_operator");
    let closeness = match value.unsigned_abs() {
        // The comparison itself is the likelier fault.
        0..=10 if compared => 0.85,
        0..=10 => 1.0,
        _ => 0.7,
    };
    for next in [value.saturating_add(1), value.saturating_sub(1)] {
        if next == 0 && drop_term(node, closeness, out) {
            continue;
        }
        if next >= 0 || !negative {
            let title = format!("Use {} instead of {}", code(&next.to_string()), code(node.text()));
            out.replace(Family::OffByOne, node, next.to_string(), closeness, title);
        }
    }
}

/// `x + 1` becomes `x` and not `x + 0`.
fn drop_term(node: Node<'_>, closeness: f64, out: &mut Sink) -> bool {
    let Some(sum) = node.parent().filter(|parent| parent.kind() == "binary_operator") else { return false };
    let kept = match (sum.child("operator").map_or("", Node::text), node.role()) {
        ("+" | "-", Some("right")) => sum.child("left").map(|left| (left, left.end()..node.end())),
        ("+", Some("left")) => sum.child("right").map(|right| (right, node.start()..right.start())),
        _ => None,
    };
    let Some((kept, dropped)) = kept else { return false };
    let title = format!("Use {} alone", code(kept.text()));
    out.edit(Family::OffByOne, node.line(), dropped, "", closeness, title);
    true
}

fn boundary(node: Node<'_>, out: &mut Sink) {
    for token in node.children().filter(|child| !child.is_named()) {
        let other = match token.text() {
            "<" => "<=",
            "<=" => "<",
            ">" => ">=",
            ">=" => ">",
            _ => continue,
        };
        let title = format!("Compare with {} instead of {}", code(other), code(token.text()));
        out.replace(Family::OffByOne, token, other, 1.0, title);
    }
    let title = "Shift the compared bound by one";
    for side in
        node.named().filter(|side| !matches!(side.kind(), "integer" | "string" | "none" | "true" | "false"))
    {
        shift(side, 0.6, title, out);
    }
}

fn slice(node: Node<'_>, out: &mut Sink) {
    let title = "Shift the slice by one";
    let colons: Vec<_> = node.children().filter(|child| child.kind() == ":").collect();
    for bound in node.named() {
        if bound.kind() != "integer" {
            shift(bound, 0.9, title, out);
        }
        out.replace(Family::OffByOne, bound, "", 0.5, "Slice without a bound");
    }
    let Some(first) = colons.first() else { return };
    let before = node.named().any(|bound| bound.end() <= first.start());
    let after = node.named().any(|bound| bound.start() >= first.end());
    if !before {
        out.edit(Family::OffByOne, node.line(), first.start()..first.start(), "1", 0.6, title);
    }
    if !after {
        for bound in ["-1", "1"] {
            out.edit(Family::OffByOne, node.line(), first.end()..first.end(), bound, 0.6, title);
        }
    }
}

fn call(node: Node<'_>, out: &mut Sink) {
    let (Some(callee), Some(arguments)) = (node.child("function"), node.child("arguments")) else { return };
    match callee.text() {
        "range" => {
            let bounds: Vec<Node<'_>> = arguments.named().collect();
            for bound in bounds.iter().filter(|bound| bound.kind() != "integer") {
                shift(*bound, 1.0, "Shift the range by one", out);
            }
            if let [only] = bounds.as_slice() {
                out.replace(
                    Family::OffByOne,
                    *only,
                    format!("1, {}", only.text()),
                    0.9,
                    "Begin the range at one",
                );
                let text = format!("1, {} + 1", only.text());
                out.replace(Family::OffByOne, *only, text, 0.8, "Count from one to the bound");
            }
        }
        "len" if is_value(node) => shift(node, 0.9, "Shift the length by one", out),
        "enumerate" if arguments.named().count() == 1 => {
            if let Some(only) = arguments.named().next() {
                out.replace(Family::OffByOne, only, format!("{}, 1", only.text()), 0.6, "Number from one");
            }
        }
        _ => {}
    }
}

fn index(node: Node<'_>, out: &mut Sink) {
    let subscripts = node.children().filter(|child| child.role() == Some("subscript"));
    for subscript in
        subscripts.filter(|child| matches!(child.kind(), "identifier" | "binary_operator" | "call"))
    {
        shift(subscript, 0.9, "Read the neighbouring element", out);
    }
}

/// A count that is returned or stored.
fn counted(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    let value = match node.kind() {
        "return_statement" => node.named().next(),
        _ => node.child("right"),
    };
    let Some(value) = value.filter(|value| value.kind() != "integer") else { return };
    let closeness = match site.function.shape(value) {
        Shape::Number => 0.7,
        Shape::Unknown => 0.35,
        _ => return,
    };
    shift(value, closeness, "Shift the value by one", out);
}
