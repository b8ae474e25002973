//! Leaves a statement out.

use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::Node;
use super::Site;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    for statement in site.function.statements() {
        let simple = is_simple(statement);
        let closeness = match statement.kind() {
            "return_statement" | "raise_statement" => 0.6,
            _ if simple => 1.0,
            _ => 0.5,
        };
        let title = format!("Leave out {}", code(statement.text()));
        let syntax = site.function.syntax();
        let alone = statement.parent().is_none_or(|block| block.named().count() == 1);
        let own_lines = syntax.line_start(statement.start()) + syntax.indent(statement.start()).len()
            == statement.start();
        if alone || !own_lines {
            out.replace(Family::Delete, statement, "pass", closeness, title);
        } else {
            let range = syntax.line_start(statement.start())..syntax.line_end(statement.end());
            out.edit(Family::Delete, statement.line(), range, "", closeness, title);
        }
        if !simple {
            unwrap(site, statement, out);
        }
    }
}

/// Whether the statement holds no other statements.
pub(super) fn is_simple(statement: Node<'_>) -> bool {
    matches!(
        statement.kind(),
        "expression_statement"
            | "return_statement"
            | "raise_statement"
            | "continue_statement"
            | "break_statement"
            | "pass_statement"
            | "assert_statement"
            | "delete_statement"
    )
}

/// `if c:` with a body becomes the body alone.
fn unwrap(site: &Site<'_, '_>, statement: Node<'_>, out: &mut Sink) {
    if statement.kind() != "if_statement" || statement.child("alternative").is_some() {
        return;
    }
    let Some(body) = statement.child("consequence") else { return };
    let syntax = site.function.syntax();
    let outer = syntax.indent(statement.start());
    let from = syntax.line_start(statement.start());
    let first = syntax.line_start(body.start());
    let to = syntax.line_end(body.end());
    let Some(text) = syntax.text().get(first..to).filter(|_| first > from) else { return };
    let inner = syntax.indent(body.start());
    let lines: String = text
        .split_inclusive('\n')
        .map(|line| line.strip_prefix(inner).map_or_else(|| line.to_owned(), |rest| format!("{outer}{rest}")))
        .collect();
    let title = "Do it whatever the condition is";
    out.edit(Family::Delete, statement.line(), from..to, lines, 0.6, title);
}
