//! Other literals.

use super::super::evidence::Trigger;
use super::super::family::Family;
use super::super::mutation::{Mutation, Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::function::is_value;
use super::literal::{like, plain_value};
use super::shape::Shape;
use crate::fix::Replacement;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    for node in site.function.nodes().filter(|node| is_value(*node)) {
        match node.kind() {
            "integer" | "float" => number(site, node, out),
            "string" => text(site, node, out),
            "true" => put(node, "False", 1.0, out),
            "false" => put(node, "True", 1.0, out),
            "none" => empty(site, node, out),
            "list" | "dictionary" | "call" => collection(node, out),
            _ => {}
        }
        if let Some(value) = node.parent().filter(|parent| parent.kind() == "return_statement").map(|_| node)
        {
            returned(site, value, out);
        }
        if out.is_full() {
            return;
        }
    }
    invert_answers(site, out);
    for node in site.function.nodes().filter(|node| node.kind() == "return_statement") {
        if node.named().next().is_none() {
            let at = node.end()..node.end();
            let value = site.function.return_shape().empty();
            let title = format!("Return {}", code(value));
            out.edit(Family::Constant, node.line(), at, format!(" {value}"), 0.7, title);
        }
    }
}

/// Every `return True` becomes `return False` and the other way round.
fn invert_answers(site: &Site<'_, '_>, out: &mut Sink) {
    let returns = site.function.nodes().filter(|node| node.kind() == "return_statement");
    let answers: Vec<Node<'_>> = returns
        .filter_map(|node| node.named().next())
        .filter(|node| matches!(node.kind(), "true" | "false"))
        .collect();
    let Some(first) = answers.first().filter(|_| answers.len() > 1) else { return };
    let flipped = |node: &Node<'_>| {
        let text = if node.kind() == "true" { "False" } else { "True" };
        Replacement { range: node.range(), text: text.to_owned() }
    };
    out.push(Mutation {
        family: Family::Constant,
        is_backed: false,
        parts: answers.iter().map(flipped).collect(),
        line: first.line(),
        closeness: 0.8,
        title: "Answer the other way round".to_owned(),
        why: None,
    });
}

fn put(node: Node<'_>, value: &str, closeness: f64, out: &mut Sink) {
    let title = format!("Use {} instead of {}", code(value), code(node.text()));
    out.replace(Family::Constant, node, value, closeness, title);
}

fn number(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    // A sum with nothing is written without it.
    let in_sum = node.parent().is_some_and(|parent| {
        parent.child("operator").is_some_and(|operator| matches!(operator.text(), "+" | "-"))
    });
    let zero = if in_sum { 0.3 } else { 1.0 };
    for (value, closeness) in [("0", zero), ("1", 1.0), ("2", 0.8), ("-1", 0.6), ("10", 0.4), ("3", 0.4)] {
        put(node, value, closeness, out);
    }
    for other in &site.function.numbers {
        put(node, other, 0.7, out);
    }
    let text = node.text();
    put(node, &format!("-{text}"), 0.4, out);
    match text.split_once('.') {
        Some((whole, _)) => put(node, whole, 0.4, out),
        None => {
            for changed in [format!("{text}0"), format!("{text}.0")] {
                put(node, &changed, 0.2, out);
            }
            if let Ok(value) = text.parse::<i64>() {
                put(node, &value.saturating_mul(2).to_string(), 0.3, out);
            }
        }
    }
}

fn text(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    for other in site.function.strings.iter().filter(|other| **other != node.text()) {
        put(node, other, 0.6, out);
    }
    let Some(value) = plain_value(node) else { return };
    let spaced = format!("{value} ");
    let mut variants = vec![(String::new(), 0.7), (" ".to_owned(), 0.6), (spaced, 0.3)];
    for (changed, closeness) in [
        (value.trim().to_owned(), 0.8),
        (value.to_lowercase(), 0.5),
        (value.to_uppercase(), 0.4),
        (value.chars().skip(1).collect(), 0.4),
        (value.chars().take(value.chars().count().saturating_sub(1)).collect(), 0.5),
        (mirrored(value), 0.6),
        (value.chars().rev().collect(), 0.2),
        ("\n".to_owned(), 0.3),
        (",".to_owned(), 0.2),
        (", ".to_owned(), 0.2),
        ("0".to_owned(), 0.2),
    ] {
        variants.push((changed, closeness));
    }
    for (changed, closeness) in variants {
        if let Some(literal) = like(node, &changed) {
            put(node, &literal, closeness, out);
        }
    }
}

/// The other one of a pair of signs: `<` for `>`.
fn mirrored(value: &str) -> String {
    const PAIRS: [(char, char); 6] =
        [('<', '>'), ('(', ')'), ('[', ']'), ('{', '}'), ('+', '-'), ('/', '\\')];
    let other = |c: char| {
        let pair = PAIRS.iter().find(|(a, b)| *a == c || *b == c);
        pair.map_or(c, |(a, b)| if *a == c { *b } else { *a })
    };
    value.chars().map(other).collect()
}

fn empty(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    let fitting = site.function.return_shape().empty();
    for value in ["0", "False", "\"\"", "[]", "{}", "True", "1"] {
        put(node, value, if value == fitting { 1.0 } else { 0.6 }, out);
    }
}

fn collection(node: Node<'_>, out: &mut Sink) {
    let others: &[&str] = match node.text() {
        "[]" => &["{}", "set()", "None", "[[]]", "[0]", "[1]"],
        "{}" => &["[]", "set()", "None"],
        "set()" => &["[]", "{}"],
        "list()" => &["set()", "dict()"],
        "dict()" => &["list()", "set()"],
        _ => &[],
    };
    for other in others {
        put(node, other, 0.4, out);
    }
}

/// Another fixed result. Where an exception is raised, a result that no longer asks for anything only hides it.
fn returned(site: &Site<'_, '_>, value: Node<'_>, out: &mut Sink) {
    let fixed = matches!(value.kind(), "integer" | "float" | "string" | "true" | "false" | "none");
    let closeness = if fixed || site.evidence.trigger == Trigger::Result { 0.5 } else { 0.1 };
    let shape = site.function.return_shape();
    let results: &[&str] = match shape {
        Shape::Bool => &["True", "False"],
        Shape::Number => &["0", "1", "-1", "None"],
        Shape::Text => &["\"\"", "None"],
        Shape::List => &["[]", "None"],
        Shape::Dict => &["{}", "None"],
        _ => &["None", "0", "[]", "False", "True", "\"\""],
    };
    for result in results {
        put(value, result, closeness, out);
    }
}
