//! Converts a value as the file already converts values of that name.

use std::collections::BTreeSet;

use super::super::affinity::shares_word;
use super::super::evidence::Trigger;
use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::literal::plain_value;

/// Conversions that are tried for one expression.
const MAX_CALLS: usize = 6;
/// Functions that give something else than a converted value.
const NO_CONVERSIONS: [&str; 12] =
    ["len", "print", "isinstance", "type", "repr", "enumerate", "range", "sum", "any", "all", "min", "max"];

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    if !matches!(site.evidence.trigger, Trigger::Type | Trigger::Other) {
        return;
    }
    let known: Vec<Conversion<'_>> =
        site.function.syntax().root().subtree().filter_map(conversion).take(MAX_KNOWN).collect();
    for node in site.function.expressions().filter(|node| site.is_focus(*node)) {
        let Some(parent) = node.parent() else { continue };
        let used = matches!(
            (parent.kind(), node.role()),
            ("binary_operator", Some("left" | "right"))
                | ("comparison_operator" | "argument_list" | "keyword_argument" | "augmented_assignment", _)
        );
        if used && matches!(node.kind(), "identifier" | "attribute" | "subscript") {
            convert(node, &known, out);
        }
    }
}

/// Calls that are remembered of a file.
const MAX_KNOWN: usize = 400;

/// `callee(value)`, or `value.callee()`.
#[derive(Debug, Clone, Copy)]
struct Conversion<'s> {
    callee: &'s str,
    value: Node<'s>,
    is_method: bool,
}

fn conversion(call: Node<'_>) -> Option<Conversion<'_>> {
    let callee = call.child("function").filter(|_| call.kind() == "call")?;
    let list = call.child("arguments").filter(|list| list.kind() == "argument_list")?;
    let mut arguments = list.named();
    let plain = |node: &Node<'_>| matches!(node.kind(), "identifier" | "attribute" | "subscript");
    match (arguments.next(), arguments.next()) {
        (Some(value), None)
            if plain(&value) && plain(&callee) && !NO_CONVERSIONS.contains(&callee.text()) =>
        {
            Some(Conversion { callee: callee.text(), value, is_method: false })
        }
        (None, None) => {
            let (value, name) = (callee.child("object")?, callee.child("attribute")?);
            plain(&value).then_some(Conversion { callee: name.text(), value, is_method: true })
        }
        _ => None,
    }
}

fn convert(node: Node<'_>, known: &[Conversion<'_>], out: &mut Sink) {
    let inside = node.ancestors().find(|outer| outer.kind() == "call").and_then(conversion);
    let mut seen = BTreeSet::new();
    let mut rated: Vec<(Conversion<'_>, f64)> = Vec::new();
    for other in known.iter().filter(|other| other.value != node) {
        let same = other.value.text() == node.text();
        let akin = shares_word(last_name(other.value), last_name(node));
        let repeats = inside.is_some_and(|outer| outer.value == node && outer.callee == other.callee);
        if (same || akin) && !repeats && seen.insert((other.callee, other.is_method, same)) {
            let likely = if same { 1.0 } else { 0.6 };
            rated.push((*other, if other.is_method { likely * 0.7 } else { likely }));
        }
    }
    rated.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (other, closeness) in rated.into_iter().take(MAX_CALLS) {
        let text = if other.is_method {
            format!("{}.{}()", node.text(), other.callee)
        } else {
            format!("{}({})", other.callee, node.text())
        };
        let title = format!("Convert {} with {}", code(node.text()), code(other.callee));
        let why =
            format!("The file applies {} to {} elsewhere.", code(other.callee), code(other.value.text()));
        out.replace_backed(Family::Cast, node, text, closeness, (title, why));
    }
}

/// `x` of `x`, `a.x` and `a["x"]`.
fn last_name(node: Node<'_>) -> &str {
    match node.kind() {
        "attribute" => node.child("attribute").map_or("", Node::text),
        "subscript" => node.child("subscript").and_then(plain_value).unwrap_or(""),
        _ => node.text(),
    }
}
