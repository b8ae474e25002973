//! Handles `None`, empty and zero values before they are used.

use super::super::evidence::Trigger;
use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::fields::may_be_none;
use super::function::{atom, statement_of};
use super::shape::Shape;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    match site.evidence.trigger {
        Trigger::Result => guard_parameters(site, out),
        Trigger::Name | Trigger::Arguments | Trigger::Template | Trigger::Environment => {}
        // Without a line there is no value that is known to be missing.
        _ if site.focus.is_none() && site.evidence.trigger == Trigger::Nothing => {}
        _ => {
            for node in site.function.expressions().filter(|node| site.is_focus(*node)) {
                if let Some((value, need)) = needed(node) {
                    guard_value(site, value, need, out);
                } else if is_argument(node) && may_be_none(site, node) {
                    guard_argument(site, node, out);
                }
                if out.is_full() {
                    return;
                }
            }
            guard_divisors(site, out);
        }
    }
}

/// The value that an expression cannot do without, and what it would have to be.
fn needed(node: Node<'_>) -> Option<(Node<'_>, Shape)> {
    let parent = node.parent()?;
    let need = match (parent.kind(), node.role()?) {
        ("attribute", "object") => match parent.child("attribute")?.text() {
            "get" | "items" | "keys" | "values" => Shape::Dict,
            "append" | "extend" | "sort" | "pop" => Shape::List,
            "strip" | "lower" | "upper" | "split" | "replace" | "startswith" | "format" => Shape::Text,
            _ => Shape::Unknown,
        },
        ("subscript", "value") => match parent.child("subscript")?.kind() {
            "string" => Shape::Dict,
            "integer" | "slice" | "unary_operator" => Shape::List,
            _ => Shape::Unknown,
        },
        ("for_statement" | "for_in_clause", "right") => Shape::List,
        ("binary_operator", "left" | "right") => Shape::Number,
        _ => return None,
    };
    matches!(node.kind(), "identifier" | "attribute" | "subscript" | "call").then_some((node, need))
}

fn is_argument(node: Node<'_>) -> bool {
    matches!(node.kind(), "identifier" | "subscript")
        && node.parent().is_some_and(|parent| parent.kind() == "argument_list")
}

/// The data says that an argument may be missing: leave before it is passed on.
fn guard_argument(site: &Site<'_, '_>, value: Node<'_>, out: &mut Sink) {
    let statement = statement_of(value);
    let test = format!("if {} is None:", value.text());
    let title = format!("Handle a missing {}", code(value.text()));
    let before = out.len();
    for (exit, closeness) in exits(site, statement) {
        insert_before(site, statement, &format!("{test}{{}}{exit}"), closeness, &title, out);
    }
    out.back(
        before,
        &format!("The repository's data has no value for {} in some objects.", code(value.text())),
    );
}

fn guard_value(site: &Site<'_, '_>, value: Node<'_>, need: Shape, out: &mut Sink) {
    let empty = matches!(site.evidence.trigger, Trigger::Index);
    let text = value.text();
    let statement = statement_of(value);
    let test = if empty { format!("if not {text}:") } else { format!("if {text} is None:") };
    if value.kind() != "call" && !text.contains('\n') {
        let title = format!("Handle a missing {}", code(text));
        for (exit, closeness) in exits(site, statement) {
            insert_before(site, statement, &format!("{test}{{}}{exit}"), closeness, &title, out);
        }
        whole_value(value, &format!("{text} is not None"), text, out);
    }
    let title = format!("Use an empty value when {} is missing", code(text));
    let is_loop = value.parent().is_some_and(|parent| parent.kind().starts_with("for_"));
    if need != Shape::Unknown && !empty {
        let default = need.empty();
        let inside = format!("{} or {default}", atom(value));
        let changed = if is_loop { inside } else { format!("({inside})") };
        let keyed = value.parent().is_some_and(|parent| parent.kind() == "subscript");
        let closeness = match (is_loop, keyed) {
            (true, _) => 0.95,
            (_, true) => 0.35,
            _ => 0.75,
        };
        out.replace(Family::Guard, value, changed, closeness, &title);
        if value.kind() == "identifier" {
            let closeness = if keyed { 0.35 } else { 0.8 };
            default_at_assignment(site, value, (default, closeness), &title, out);
        }
    }
}

/// `x = load()` becomes `x = load() or {}`.
fn default_at_assignment(
    site: &Site<'_, '_>,
    value: Node<'_>,
    (default, closeness): (&str, f64),
    title: &str,
    out: &mut Sink,
) {
    let assigned = site.function.nodes().filter(|node| {
        node.kind() == "assignment"
            && node.start() < value.start()
            && node.child("left").is_some_and(|left| left.text() == value.text())
    });
    if let Some(right) = assigned.last().and_then(|node| node.child("right")) {
        out.replace(Family::Guard, right, format!("{} or {default}", atom(right)), closeness, title);
    }
}

/// `y = x.name` becomes `y = x.name if x is not None else None`.
fn whole_value(value: Node<'_>, test: &str, name: &str, out: &mut Sink) {
    let roles = ["assignment", "return_statement", "keyword_argument", "pair"];
    let is_whole = |node: &Node<'_>| node.parent().is_some_and(|parent| roles.contains(&parent.kind()));
    let Some(whole) = value.ancestors().take(6).find(is_whole) else { return };
    if whole.role() == Some("left") || whole.text().contains('\n') {
        return;
    }
    let text = format!("{} if {test} else None", atom(whole));
    out.replace(
        Family::Guard,
        whole,
        text,
        0.6,
        format!("Leave out what needs {} when it is missing", code(name)),
    );
}

/// Ways to leave before a statement, likeliest first.
fn exits(site: &Site<'_, '_>, statement: Node<'_>) -> Vec<(String, f64)> {
    let in_loop = statement
        .ancestors()
        .take_while(|node| *node != site.function.node)
        .any(|node| matches!(node.kind(), "for_statement" | "while_statement"));
    let mut exits = Vec::new();
    if in_loop {
        exits.push(("continue".to_owned(), 0.9));
    }
    if !site.function.name.is_empty() {
        let early = early_returns(site, statement);
        let general = if early.is_empty() { 1.0 } else { 0.5 };
        exits.extend(early);
        let others = returns(site.function.return_shape()).into_iter();
        exits.extend(others.map(|(exit, closeness)| (exit, closeness * general)));
    }
    exits
}

/// What the function returns elsewhere before its end, nearest first.
fn early_returns(site: &Site<'_, '_>, statement: Node<'_>) -> Vec<(String, f64)> {
    let is_early = |node: &Node<'_>| {
        node.kind() == "return_statement"
            && node.end() < statement.start()
            && node.range().len() <= MAX_RETURN_BYTES
            && !node.text().contains('\n')
            && node.named().next().is_some_and(|value| !is_plain(value))
    };
    let found: Vec<Node<'_>> = site.function.nodes().filter(is_early).collect();
    let mut exits: Vec<(String, f64)> = Vec::new();
    for node in found.into_iter().rev().take(MAX_RETURNS) {
        if exits.iter().all(|(known, _)| known != node.text()) {
            exits.push((node.text().to_owned(), 0.9));
        }
    }
    exits
}

/// Values that [`returns`] has too.
fn is_plain(value: Node<'_>) -> bool {
    matches!(value.kind(), "none" | "true" | "false" | "integer" | "string") || value.named().next().is_none()
}

const MAX_RETURN_BYTES: usize = 160;
const MAX_RETURNS: usize = 3;

fn returns(shape: Shape) -> Vec<(String, f64)> {
    let fitting = shape.empty();
    let others = ["None", "0", "False", "\"\"", "[]", "{}"];
    let mut all = vec![(format!("return {fitting}"), 0.85)];
    for (index, other) in others.into_iter().filter(|other| *other != fitting).enumerate() {
        let known = shape != Shape::Unknown;
        let base = if other == "None" {
            0.7
        } else if known {
            0.2
        } else {
            0.45
        };
        all.push((format!("return {other}"), base - 0.01 * f64::from(u32::try_from(index).unwrap_or(0))));
    }
    all
}

/// Inserts `if …:` with one statement, `{}` standing for the line break and the deeper indent.
fn insert_before(
    site: &Site<'_, '_>,
    statement: Node<'_>,
    guard: &str,
    closeness: f64,
    title: &str,
    out: &mut Sink,
) {
    let syntax = site.function.syntax();
    let at = syntax.line_start(statement.start());
    let indent = syntax.indent(at);
    if at + indent.len() != statement.start() {
        return;
    }
    let newline = syntax.newline();
    let body = guard.replacen("{}", &format!("{newline}{indent}{}", unit(syntax.indent(at))), 1);
    let text = format!("{indent}{body}{newline}");
    out.edit(Family::Guard, statement.line(), at..at, text, closeness, title);
}

/// One step of indentation in the manner of the file.
fn unit(indent: &str) -> &'static str {
    if indent.starts_with('\t') { "\t" } else { "    " }
}

/// The first statement of the function returns early for an empty argument.
fn guard_parameters(site: &Site<'_, '_>, out: &mut Sink) {
    let Some(first) = site.function.statements().next() else { return };
    for parameter in site.function.variables.iter().filter(|variable| variable.is_parameter).take(4) {
        let title = format!("Handle an empty {}", code(parameter.name));
        let tests: &[&str] = match parameter.shape {
            Shape::Number => &["{} == 0", "{} < 0", "{} <= 1"],
            _ => &["not {}"],
        };
        for (exit, closeness) in returns(site.function.return_shape()).into_iter().take(4) {
            for test in tests {
                let test = test.replacen("{}", parameter.name, 1);
                insert_before(site, first, &format!("if {test}:{{}}{exit}"), closeness * 0.7, &title, out);
            }
        }
    }
}

/// `a / b` gets a divisor that is never zero.
fn guard_divisors(site: &Site<'_, '_>, out: &mut Sink) {
    if site.evidence.trigger != Trigger::Zero {
        return;
    }
    let divisions = site.function.expressions().filter(|node| {
        node.kind() == "binary_operator"
            && site.is_focus(*node)
            && node.child("operator").is_some_and(|operator| matches!(operator.text(), "/" | "//" | "%"))
    });
    for node in divisions {
        let Some(divisor) = node.child("right") else { continue };
        let inner = if divisor.kind() == "parenthesized_expression" {
            divisor.named().next().unwrap_or(divisor)
        } else {
            divisor
        };
        let title = format!("Handle {} being zero", code(inner.text()));
        let whole = format!("({} if {} else 0)", node.text(), divisor.text());
        out.replace(Family::Guard, node, whole, 1.0, &title);
        out.replace(Family::Guard, divisor, format!("({} or 1)", divisor.text()), 0.6, &title);
        out.replace(Family::Guard, divisor, format!("max(1, {})", inner.text()), 0.5, &title);
        let statement = statement_of(node);
        for (exit, closeness) in exits(site, statement) {
            let guard = format!("if not {}:{{}}{exit}", divisor.text());
            insert_before(site, statement, &guard, closeness, &title, out);
        }
    }
}
