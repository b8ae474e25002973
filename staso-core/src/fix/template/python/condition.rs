//! Turns conditions around, and swaps what two branches give.

use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::function::atom;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    for node in site.function.nodes() {
        match node.kind() {
            "if_statement" | "elif_clause" | "while_statement" => {
                if let Some(condition) = node.child("condition") {
                    negate(condition, 1.0, out);
                    constant(condition, out);
                }
                if node.kind() == "elif_clause" {
                    make_if(node, out);
                }
            }
            "if_clause" => {
                if let Some(condition) = node.named().next() {
                    negate(condition, 0.9, out);
                }
            }
            "boolean_operator" => {
                for side in node.named() {
                    negate(side, 0.6, out);
                }
            }
            "not_operator" => drop_not(node, out),
            "conditional_expression" => choose(node, out),
            "return_statement" => {
                let negatable = ["comparison_operator", "boolean_operator", "call", "identifier"];
                if let Some(value) = node.named().next().filter(|value| negatable.contains(&value.kind())) {
                    negate(value, 0.5, out);
                }
            }
            _ => {}
        }
        if out.is_full() {
            return;
        }
    }
}

fn negate(condition: Node<'_>, closeness: f64, out: &mut Sink) {
    if condition.kind() != "not_operator" {
        let title = format!("Turn {} around", code(condition.text()));
        out.replace(Family::Condition, condition, format!("not {}", atom(condition)), closeness, title);
    }
}

fn drop_not(node: Node<'_>, out: &mut Sink) {
    if let Some(argument) = node.child("argument") {
        let title = format!("Turn {} around", code(node.text()));
        out.replace(Family::Condition, node, argument.text(), 1.0, title);
    }
}

fn constant(condition: Node<'_>, out: &mut Sink) {
    for (value, title) in [("True", "Always take the branch"), ("False", "Never take the branch")] {
        out.replace(Family::Condition, condition, value, 0.2, title);
    }
}

fn make_if(clause: Node<'_>, out: &mut Sink) {
    if let Some(token) = clause.token("elif") {
        out.replace(Family::Condition, token, "if", 0.6, "Check the condition on its own");
    }
}

fn choose(node: Node<'_>, out: &mut Sink) {
    let parts: Vec<Node<'_>> = node.named().collect();
    let [yes, condition, no] = parts.as_slice() else { return };
    let swapped = format!("{} if {} else {}", no.text(), condition.text(), yes.text());
    out.replace(Family::Condition, node, swapped, 0.9, format!("Turn {} around", code(condition.text())));
}
