//! Adds a missing statement.

use std::collections::BTreeSet;

use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::delete::is_simple;
use super::shape::Shape;

/// Statements of the function that are tried elsewhere.
const MAX_COPIES: usize = 30;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    missing_return(site, out);
    let copies = copies(site);
    for block in site.function.blocks() {
        let mut last = None;
        for statement in block.named() {
            before(site, statement, &copies, out);
            last = Some(statement);
        }
        if let Some(last) = last {
            after(site, last, &copies, out);
        }
        if out.is_full() {
            return;
        }
    }
}

/// Simple one-line statements of the function.
fn copies<'s>(site: &Site<'_, 's>) -> Vec<&'s str> {
    let mut seen = BTreeSet::new();
    site.function
        .statements()
        .filter(|statement| is_simple(*statement))
        .map(Node::text)
        .filter(|text| !text.contains('\n') && seen.insert(*text))
        .take(MAX_COPIES)
        .collect()
}

fn missing_return(site: &Site<'_, '_>, out: &mut Sink) {
    let Some(last) = site.function.body().named().last().filter(|_| !site.function.name.is_empty()) else {
        return;
    };
    let has_value = |node: &Node<'_>| node.kind() == "return_statement" && node.named().next().is_some();
    let returns = site.function.nodes().any(|node| has_value(&node));
    if last.kind() == "return_statement" {
        return;
    }
    let base = if returns { 0.8 } else { 1.0 };
    let visible = site.function.variables.iter().rev();
    for variable in visible.filter(|variable| !variable.is_parameter || variable.shape != Shape::Unknown) {
        let title = format!("Return {} at the end", code(variable.name));
        put_after(last, &format!("return {}", variable.name), base, &title, out);
    }
    for value in [site.function.return_shape().empty(), "True", "False", "0", "[]"] {
        let title = format!("Return {} at the end", code(value));
        put_after(last, &format!("return {value}"), base * 0.6, &title, out);
    }
}

fn before(site: &Site<'_, '_>, statement: Node<'_>, copies: &[&str], out: &mut Sink) {
    for copy in copies.iter().filter(|copy| **copy != statement.text()) {
        let title = format!("Do {} before {}", code(copy), code(statement.text()));
        put_before(statement, copy, 0.45, &title, out);
    }
    let assigned = statement.named().next().filter(|node| node.kind() == "augmented_assignment");
    let undefined = site.evidence.missing.filter(|_| {
        site.evidence.trigger == super::super::evidence::Trigger::Name && site.is_focus(statement)
    });
    for name in undefined.into_iter().chain(assigned.and_then(|node| node.child("left")).map(Node::text)) {
        if super::literal::is_identifier(name) {
            for value in ["0", "[]", "\"\"", "None", "{}"] {
                let title = format!("Initialise {}", code(name));
                put_before(statement, &format!("{name} = {value}"), 0.5, &title, out);
            }
        }
    }
}

fn after(site: &Site<'_, '_>, last: Node<'_>, copies: &[&str], out: &mut Sink) {
    if matches!(
        last.kind(),
        "return_statement" | "continue_statement" | "break_statement" | "raise_statement"
    ) {
        return;
    }
    for copy in copies.iter().filter(|copy| **copy != last.text()) {
        let title = format!("Do {} after {}", code(copy), code(last.text()));
        put_after(last, copy, 0.45, &title, out);
    }
    let in_loop = last
        .ancestors()
        .take_while(|node| *node != site.function.node)
        .any(|node| matches!(node.kind(), "for_statement" | "while_statement"));
    if !in_loop {
        return;
    }
    for jump in ["break", "continue"] {
        put_after(last, jump, 0.7, &format!("End with {}", code(jump)), out);
    }
    let visible: Vec<_> = site.function.visible_at(last).collect();
    for variable in &visible {
        match variable.shape {
            Shape::Number => {
                for step in ["+= 1", "-= 1"] {
                    let text = format!("{} {step}", variable.name);
                    put_after(last, &text, 0.7, &format!("Do {} each time", code(&text)), out);
                }
            }
            Shape::List | Shape::Set => {
                let method = if variable.shape == Shape::List { "append" } else { "add" };
                for item in visible.iter().filter(|item| item.name != variable.name && !item.is_parameter) {
                    let text = format!("{}.{method}({})", variable.name, item.name);
                    put_after(
                        last,
                        &text,
                        0.6,
                        &format!("Keep {} in {}", code(item.name), code(variable.name)),
                        out,
                    );
                }
            }
            _ => {}
        }
    }
}

fn put_before(statement: Node<'_>, text: &str, closeness: f64, title: &str, out: &mut Sink) {
    let syntax = statement.syntax();
    let at = syntax.line_start(statement.start());
    let indent = syntax.indent(at);
    if at + indent.len() == statement.start() {
        let line = format!("{indent}{text}{}", syntax.newline());
        out.edit(Family::Insert, statement.line(), at..at, line, closeness, title);
    }
}

fn put_after(statement: Node<'_>, text: &str, closeness: f64, title: &str, out: &mut Sink) {
    let syntax = statement.syntax();
    let start = syntax.line_start(statement.start());
    let indent = syntax.indent(start);
    if start + indent.len() != statement.start() {
        return;
    }
    let at = statement.end();
    let rest = syntax.text().get(at..syntax.line_end(at)).unwrap_or_default();
    if !rest.trim().is_empty() {
        return;
    }
    let line = format!("{}{indent}{text}", syntax.newline());
    out.edit(Family::Insert, statement.last_line(), at..at, line, closeness, title);
}
