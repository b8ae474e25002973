//! Other operators.

use super::super::evidence::Trigger;
use super::super::family::Family;
use super::super::mutation::{Mutation, Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::shape::Shape;
use crate::fix::Replacement;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    for node in site.function.nodes() {
        match node.kind() {
            "binary_operator" => binary(site, node, out),
            "augmented_assignment" => augmented(node, out),
            "comparison_operator" => comparison(site, node, out),
            "boolean_operator" => boolean(node, out),
            "unary_operator" => sign(node, out),
            "assignment" => accumulate(site, node, out),
            _ => {}
        }
        if out.is_full() {
            return;
        }
    }
}

/// Operators that stand for each other, likeliest first.
const ARITHMETIC: [(&str, &[&str]); 12] = [
    ("+", &["-", "*", "/", "//", "%", "**"]),
    ("-", &["+", "*", "/", "//", "%"]),
    ("*", &["+", "**", "/", "//", "-", "%"]),
    ("/", &["//", "*", "%", "-", "+"]),
    ("//", &["/", "%", "*", "-", "+"]),
    ("%", &["//", "/", "*", "-", "+"]),
    ("**", &["*", "//", "+", "-"]),
    ("&", &["|", "^", "and", "-"]),
    ("|", &["&", "^", "or", "-"]),
    ("^", &["&", "|", "**"]),
    ("<<", &[">>"]),
    (">>", &["<<"]),
];

const COMPARISONS: [(&str, &[&str]); 10] = [
    ("==", &["!=", ">=", "<=", "<", ">", "in", "is"]),
    ("!=", &["==", "<", ">", "<=", ">=", "not in"]),
    ("<", &[">", ">=", "!=", "=="]),
    ("<=", &[">=", ">", "==", "!="]),
    (">", &["<", "<=", "!=", "=="]),
    (">=", &["<=", "<", "==", "!="]),
    ("in", &["not in", "=="]),
    ("not in", &["in", "!="]),
    ("is", &["is not", "=="]),
    ("is not", &["is", "!="]),
];

fn others(table: &[(&str, &'static [&'static str])], operator: &str) -> &'static [&'static str] {
    table.iter().find(|(known, _)| *known == operator).map_or(&[], |(_, others)| others)
}

fn swap(token: Node<'_>, others: &[&str], closeness: f64, out: &mut Sink) {
    for (rank, other) in others.iter().enumerate() {
        let rank = f64::from(u32::try_from(rank).unwrap_or(u32::MAX));
        let title = format!("Use {} instead of {}", code(other), code(token.text()));
        out.replace(Family::Operator, token, *other, closeness / (1.0 + rank / 8.0), title);
    }
}

fn binary(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    let Some(token) = node.child("operator") else { return };
    let (Some(left), Some(right)) = (node.child("left"), node.child("right")) else { return };
    let text = |side: Node<'_>| matches!(site.function.shape(side), Shape::Text | Shape::List);
    let divides = matches!(token.text(), "/" | "//" | "%");
    let closeness = match site.evidence.trigger {
        Trigger::Zero if divides => 0.4,
        _ if text(left) || text(right) => 0.4,
        _ => 1.0,
    };
    let broken_whole = token.text() == "/" && site.evidence.is_about_fractions();
    if broken_whole {
        let title = format!("Use {} instead of {}", code("//"), code("/"));
        let why = "A whole number is needed where the failure shows, and this division gives a fraction.";
        out.replace_backed(Family::Operator, token, "//", 1.0, (title, why.to_owned()));
    }
    swap(token, others(&ARITHMETIC, token.text()), closeness, out);
    if !matches!(token.text(), "*" | "&" | "|" | "^") {
        swap_sides(node, left, right, token.text(), out);
    }
}

fn augmented(node: Node<'_>, out: &mut Sink) {
    let Some(token) = node.child("operator") else { return };
    let Some(operator) = token.text().strip_suffix('=') else { return };
    for (rank, other) in others(&ARITHMETIC, operator).iter().enumerate() {
        if *other == "and" || *other == "or" {
            continue;
        }
        let rank = f64::from(u32::try_from(rank).unwrap_or(u32::MAX));
        let changed = format!("{other}=");
        let title = format!("Use {} instead of {}", code(&changed), code(token.text()));
        out.replace(Family::Operator, token, changed, 1.0 / (1.0 + rank / 8.0), title);
    }
    out.replace(Family::Operator, token, "=", 0.8, "Replace the value instead of adding to it");
}

/// `total = x` becomes `total += x`.
fn accumulate(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    let (Some(left), Some(token)) = (node.child("left"), node.token("=")) else { return };
    let assigned_before = site.function.visible_at(left).find(|variable| variable.name == left.text());
    let Some(variable) = assigned_before.filter(|_| left.kind() == "identifier") else { return };
    let closeness = if matches!(variable.shape, Shape::Dict | Shape::Bool) { 0.2 } else { 0.8 };
    for (operator, likelier) in [("+=", 1.0), ("-=", 0.7), ("*=", 0.6)] {
        let title = format!("Change {} instead of replacing it", code(left.text()));
        out.replace(Family::Operator, token, operator, closeness * likelier, title);
    }
}

fn comparison(site: &Site<'_, '_>, node: Node<'_>, out: &mut Sink) {
    let tokens: Vec<Node<'_>> = node.children().filter(|child| child.role() == Some("operators")).collect();
    // Values of kinds that do not fit are as wrong under another operator: those that accept them only hide it.
    let closeness = if site.evidence.trigger == Trigger::Type { 0.15 } else { 1.0 };
    for token in &tokens {
        swap(*token, others(&COMPARISONS, token.text()), closeness, out);
    }
    let sides: Vec<Node<'_>> = node.named().filter(|child| child.role() != Some("operators")).collect();
    if let ([left, right], [token]) = (sides.as_slice(), tokens.as_slice())
        && matches!(token.text(), "in" | "not in")
    {
        swap_sides(node, *left, *right, token.text(), out);
    }
}

fn swap_sides(node: Node<'_>, left: Node<'_>, right: Node<'_>, operator: &str, out: &mut Sink) {
    let between = node.syntax().text().get(left.end()..right.start()).unwrap_or_default();
    let text = format!("{}{between}{}", right.text(), left.text());
    out.replace(Family::Operator, node, text, 0.9, format!("Swap the sides of {}", code(operator)));
}

fn boolean(node: Node<'_>, out: &mut Sink) {
    if let Some(token) = node.child("operator") {
        swap(token, if token.text() == "and" { &["or"] } else { &["and"] }, 1.0, out);
        chain(node, token.text(), out);
    }
}

/// `a and b and c` becomes `a or b or c`.
fn chain(node: Node<'_>, operator: &str, out: &mut Sink) {
    if node.parent().is_some_and(|parent| parent.kind() == "boolean_operator") {
        return;
    }
    let other = if operator == "and" { "or" } else { "and" };
    let same = |node: &Node<'_>| {
        node.kind() == "boolean_operator"
            && node.child("operator").is_some_and(|token| token.text() == operator)
    };
    let nested = std::iter::successors(Some(node), |node| node.child("left").filter(same));
    let tokens: Vec<Node<'_>> = nested.filter_map(|node| node.child("operator")).collect();
    if tokens.len() > 1 {
        let replaced = |token: &Node<'_>| Replacement { range: token.range(), text: other.to_owned() };
        out.push(Mutation {
            family: Family::Operator,
            is_backed: false,
            parts: tokens.iter().map(replaced).collect(),
            line: node.line(),
            closeness: 0.8,
            title: format!("Use {} instead of {} throughout", code(other), code(operator)),
            why: None,
        });
    }
}

fn sign(node: Node<'_>, out: &mut Sink) {
    if let Some(argument) = node.child("argument") {
        out.replace(Family::Operator, node, argument.text(), 0.9, "Drop the sign");
    }
}
