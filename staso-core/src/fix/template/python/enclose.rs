//! Puts a condition around a statement.

use std::collections::BTreeSet;

use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::delete::is_simple;
use super::shape::Shape;

const MAX_CONDITIONS: usize = 16;
/// Local names that are compared with each other.
const MAX_COMPARED: usize = 4;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    let mut seen = BTreeSet::new();
    let known: Vec<&str> = site
        .function
        .expressions()
        .filter(|node| matches!(node.kind(), "comparison_operator" | "not_operator"))
        .map(Node::text)
        .filter(|text| text.len() <= 80 && !text.contains('\n') && seen.insert(*text))
        .take(MAX_CONDITIONS)
        .collect();
    for statement in site.function.statements().filter(|statement| is_simple(*statement)) {
        for condition in &known {
            enclose(statement, condition, 0.6, out);
        }
        for (condition, closeness) in tests(site, statement) {
            enclose(statement, &condition, closeness, out);
        }
        if out.is_full() {
            return;
        }
    }
}

/// Whether local names are there, or equal.
fn tests(site: &Site<'_, '_>, statement: Node<'_>) -> Vec<(String, f64)> {
    let names: Vec<_> = site.function.visible_at(statement).collect();
    let mut tests = Vec::new();
    for variable in &names {
        tests.push((variable.name.to_owned(), if variable.shape == Shape::Number { 0.3 } else { 0.5 }));
    }
    let locals: Vec<_> =
        names.iter().filter(|variable| !variable.is_parameter).rev().take(MAX_COMPARED).collect();
    for (index, a) in locals.iter().enumerate() {
        for b in locals.iter().skip(index + 1) {
            let closeness = 0.4 * a.shape.fit(b.shape);
            tests.push((format!("{} == {}", b.name, a.name), closeness));
            tests.push((format!("{} != {}", b.name, a.name), closeness));
        }
    }
    tests
}

fn enclose(statement: Node<'_>, condition: &str, closeness: f64, out: &mut Sink) {
    let syntax = statement.syntax();
    let start = syntax.line_start(statement.start());
    let indent = syntax.indent(start);
    if start + indent.len() != statement.start() || statement.text().contains('\n') {
        return;
    }
    let unit = if indent.starts_with('\t') { "\t" } else { "    " };
    let text = format!("if {condition}:{}{indent}{unit}{}", syntax.newline(), statement.text());
    let title = format!("Do {} only if {}", code(statement.text()), code(condition));
    out.replace(Family::Condition, statement, text, closeness * 0.7, title);
}
