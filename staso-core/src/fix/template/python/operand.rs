//! Another variable or attribute in scope.

use super::super::evidence::Trigger;
use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::spelling::likeness;
use super::super::syntax::Node;
use super::Site;
use super::function::is_value;
use super::literal::{is_identifier, plain_value};
use super::shape::Shape;

const MAX_ATTRIBUTES: usize = 8;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    for node in site.function.nodes() {
        match (node.kind(), node.role()) {
            ("identifier", Some("attribute")) => attribute(site, node, out),
            ("identifier", role) if is_value(node) && role != Some("function") => variable(site, node, out),
            ("identifier", Some("left")) => target(site, node, out),
            ("subscript", _) => element(site, node, out),
            ("integer" | "float", _) if is_value(node) => named_number(site, node, out),
            _ => {}
        }
        if out.is_full() {
            return;
        }
    }
}

fn title(new: &str, old: &str) -> String {
    format!("Use {} instead of {}", code(new), code(old))
}

fn variable(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    let used = node.text();
    let shape = site.function.shape(node);
    let undefined = site.evidence.trigger == Trigger::Name && site.evidence.missing == Some(used);
    if undefined {
        for name in site.evidence.available.iter().filter(|name| is_identifier(name)) {
            out.replace(Family::Operand, node, *name, 1.0, title(name, used));
        }
        for name in site.function.definitions.iter().filter(|name| likeness(used, name) > 0.4) {
            out.replace(Family::Operand, node, *name, likeness(used, name), title(name, used));
        }
    }
    // Modules, and names of the file, are seldom mistaken for a variable.
    let is_variable = site.function.visible_at(node).any(|variable| variable.name == used);
    let known = if is_variable || undefined { 1.0 } else { 0.4 };
    for other in site.function.visible_at(node).filter(|other| other.name != used) {
        let fit = if undefined {
            (0.6 + 0.4 * likeness(used, other.name)) * read_alike(site, node, other.name)
        } else {
            shape.fit(other.shape)
        };
        let near = 0.8 + 0.2 * likeness(used, other.name);
        if let Some(key) = key_in_doubt(site, node, undefined).filter(|key| has_key(site, other.name, key)) {
            let why = format!("Objects called {} have {}.", code(other.name), code(key));
            let reason = (title(other.name, used), why);
            out.replace_backed(Family::Operand, node, other.name, 0.9 * near, reason);
            continue;
        }
        out.replace(Family::Operand, node, other.name, fit * near * known, title(other.name, used));
    }
    if shape == Shape::Number && !undefined {
        for number in site.function.numbers.iter().copied().chain(["0", "1"]) {
            out.replace(Family::Operand, node, number, 0.35, title(number, used));
        }
    }
}

/// The key that the object in question lacks, or that is read from an undefined name.
fn key_in_doubt<'s>(site: &Site<'_, '_>, node: Node<'s>, undefined: bool) -> Option<&'s str> {
    let read = node.parent().filter(|parent| parent.kind() == "subscript" && node.role() == Some("value"))?;
    let key = read.child("subscript").and_then(plain_value)?;
    let lacks = site.evidence.trigger == Trigger::Key && site.evidence.missing == Some(key);
    ((undefined || lacks) && site.is_focus(node)).then_some(key)
}

/// Where a key is read from an undefined name, objects whose keys the file reads come first.
fn read_alike(site: &Site<'_, '_>, node: Node<'_>, other: &str) -> f64 {
    let keyed = key_in_doubt(site, node, true).is_some();
    if keyed && !site.function.keys.contains_key(other) { 0.7 } else { 1.0 }
}

fn has_key(site: &Site<'_, '_>, object: &str, key: &str) -> bool {
    let known = site.known_of(object, None);
    known.read.contains(key) || known.has(key)
}

fn target(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    let is_assigned =
        node.parent().is_some_and(|parent| matches!(parent.kind(), "assignment" | "augmented_assignment"));
    if !is_assigned {
        return;
    }
    for other in site.function.visible_at(node).filter(|other| other.name != node.text()) {
        let fit = site.function.shape(node).fit(other.shape);
        let title = format!("Store in {} instead of {}", code(other.name), code(node.text()));
        out.replace(Family::Operand, node, other.name, fit * 0.5, title);
    }
}

/// Attributes of the file, those of the same object first.
fn attribute(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    let Some(access) = node.parent() else { return };
    let object = access.child("object").map_or("", Node::text);
    let is_called = access.role() == Some("function");
    let mut tried: Vec<&str> = vec![node.text()];
    for other in site.function.attributes.iter().filter(|other| other.is_called == is_called) {
        let (same, near) = (other.object == object, likeness(other.name, node.text()));
        if tried.contains(&other.name) || (!same && near < 0.5) {
            continue;
        }
        tried.push(other.name);
        let base = if same { 0.7 } else { 0.4 };
        out.replace(Family::Operand, node, other.name, base + 0.3 * near, title(other.name, node.text()));
        if tried.len() > MAX_ATTRIBUTES {
            break;
        }
    }
}

/// `pair[0]` and `pair[-1]` for the first and last element.
fn element(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    let Some(subscript) = node.child("subscript") else { return };
    if matches!(subscript.kind(), "integer" | "identifier" | "unary_operator" | "binary_operator") {
        for index in ["0", "-1"] {
            let title = title(index, subscript.text());
            out.replace(Family::Operand, subscript, index, 0.4, title);
        }
    }
    if subscript.kind() == "integer" {
        for other in site.function.visible_at(node).filter(|other| other.shape == Shape::Number) {
            out.replace(Family::Operand, subscript, other.name, 0.4, title(other.name, subscript.text()));
        }
    }
}

/// A variable in place of a number.
fn named_number(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    for other in site.function.visible_at(node) {
        let fit = Shape::Number.fit(other.shape);
        out.replace(Family::Operand, node, other.name, fit * 0.5, title(other.name, node.text()));
    }
}
