//! More of an expression.

use std::collections::BTreeSet;

use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::function::{atom, is_expression};
use super::shape::Shape;

/// Conditions that are tried beside one condition.
const MAX_CONDITIONS: usize = 24;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    let known = known_conditions(site);
    for node in site.function.nodes() {
        match node.kind() {
            "if_statement" | "elif_clause" | "while_statement" => {
                if let Some(condition) = node.child("condition") {
                    strengthen(site, condition, &known, 1.0, out);
                }
            }
            "if_clause" => {
                if let Some(condition) = node.named().next() {
                    strengthen(site, condition, &known, 0.8, out);
                }
            }
            "return_statement" => {
                if let Some(value) = node.named().next() {
                    result(site, value, &known, out);
                }
            }
            "assignment" | "augmented_assignment" => {
                if let Some(value) = node.child("right") {
                    calculate(site, value, 0.8, out);
                }
            }
            "comparison_operator" => {
                for side in node.named().filter(|side| !matches!(side.kind(), "string" | "integer" | "float"))
                {
                    if is_expression(side) {
                        calculate(site, side, 0.3, out);
                    }
                }
            }
            "for_statement" => {
                if let Some(value) = node.child("right") {
                    part(site, value, 0.5, out);
                }
            }
            "argument_list" => {
                for value in node.named().filter(|value| matches!(value.kind(), "identifier" | "subscript")) {
                    calculate(site, value, 0.4, out);
                    part(site, value, 0.4, out);
                }
            }
            _ => {}
        }
        if out.is_full() {
            return;
        }
    }
}

/// Conditions that the function has elsewhere.
fn known_conditions<'s>(site: &Site<'_, 's>) -> Vec<&'s str> {
    let mut seen = BTreeSet::new();
    site.function
        .expressions()
        .filter(|node| matches!(node.kind(), "comparison_operator" | "not_operator"))
        .map(Node::text)
        .filter(|text| text.len() <= 80 && seen.insert(*text))
        .take(MAX_CONDITIONS)
        .collect()
}

fn strengthen(site: &Site<'_, '_>, condition: Node<'_>, known: &[&str], closeness: f64, out: &mut Sink) {
    let inside = if condition.kind() == "boolean_operator" || condition.kind() == "conditional_expression" {
        format!("({})", condition.text())
    } else {
        condition.text().to_owned()
    };
    let mut others: Vec<(String, f64)> = known
        .iter()
        .filter(|other| !condition.text().contains(**other))
        .map(|other| ((*other).to_owned(), 0.8))
        .collect();
    for variable in site.function.visible_at(condition) {
        let name = variable.name;
        let tests: &[&str] = match variable.shape {
            Shape::Number => &["{} > 0", "{} != 0", "{} > 1", "{} == 0"],
            Shape::Unknown => &["{}", "not {}", "{} is not None"],
            _ => &["{}", "not {}"],
        };
        others.extend(tests.iter().map(|test| (test.replacen("{}", name, 1), 0.6)));
    }
    for (other, likely) in others {
        let title = format!("Also check {}", code(&other));
        out.replace(Family::Extend, condition, format!("{inside} and {other}"), closeness * likely, &title);
        let title = format!("Accept {} too", code(&other));
        out.replace(
            Family::Extend,
            condition,
            format!("{inside} or {other}"),
            closeness * likely * 0.9,
            &title,
        );
    }
}

fn result(site: &Site<'_, '_>, value: Node<'_>, known: &[&str], out: &mut Sink) {
    calculate(site, value, 1.0, out);
    part(site, value, 0.5, out);
    let truth = ["comparison_operator", "boolean_operator", "not_operator", "call"];
    if truth.contains(&value.kind()) && site.function.return_shape() == Shape::Bool {
        strengthen(site, value, known, 0.8, out);
    }
}

/// `a` becomes `a + b`, for the names and small numbers in scope.
fn calculate(site: &Site<'_, '_>, value: Node<'_>, closeness: f64, out: &mut Sink) {
    let shape = site.function.shape(value);
    let boolean = matches!(
        value.kind(),
        "comparison_operator" | "boolean_operator" | "not_operator" | "true" | "false"
    );
    if boolean || value.text().contains('\n') || matches!(shape, Shape::Dict | Shape::Nothing) {
        return;
    }
    let numeric = matches!(shape, Shape::Number | Shape::Unknown);
    let text = match value.kind() {
        "conditional_expression" => format!("({})", value.text()),
        _ => value.text().to_owned(),
    };
    let operators: &[(&str, f64)] = if numeric {
        &[("+", 1.0), ("-", 0.8), ("*", 0.8), ("//", 0.5), ("/", 0.5), ("%", 0.4)]
    } else {
        &[("+", 1.0)]
    };
    let mut operands: Vec<(&str, f64)> = site
        .function
        .visible_at(value)
        .filter(|other| shape.fit(other.shape) > 0.5)
        .map(|other| (other.name, shape.fit(other.shape)))
        .collect();
    if numeric {
        operands.push(("2", 0.7));
        operands.extend(
            site.function.numbers.iter().filter(|number| **number != "2").map(|number| (*number, 0.5)),
        );
    }
    for (operand, fit) in operands {
        for (operator, likely) in operators {
            let product = !matches!(*operator, "+" | "-");
            let left = if product { atom(value) } else { text.clone() };
            let title = format!("Apply {} too", code(&format!("{operator} {operand}")));
            out.replace(
                Family::Extend,
                value,
                format!("{left} {operator} {operand}"),
                closeness * likely * fit * 0.8,
                &title,
            );
            if !numeric {
                out.replace(
                    Family::Extend,
                    value,
                    format!("{operand} {operator} {text}"),
                    closeness * likely * fit * 0.8,
                    &title,
                );
            }
        }
    }
}

/// A part of a sequence.
fn part(site: &Site<'_, '_>, value: Node<'_>, closeness: f64, out: &mut Sink) {
    if matches!(value.kind(), "identifier" | "attribute" | "call" | "subscript" | "list_comprehension") {
        let fixed = ["[1:]", "[:-1]", "[0]", "[-1]"].map(str::to_owned);
        let numbers = site.function.visible_at(value).filter(|other| other.shape == Shape::Number);
        let named = numbers.flat_map(|other| {
            [format!("[{}:]", other.name), format!("[:{}]", other.name), format!("[{}]", other.name)]
        });
        for slice in fixed.into_iter().chain(named) {
            let title = format!("Use only {} of it", code(&slice));
            out.replace(Family::Extend, value, format!("{}{slice}", value.text()), closeness, title);
        }
    }
}
