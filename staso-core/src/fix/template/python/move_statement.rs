//! Moves a statement one block out or in, or past its neighbour.

use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::syntax::{Node, Syntax};
use super::Site;
use super::delete::is_simple;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    for block in site.function.blocks() {
        let statements: Vec<Node<'_>> = block.named().collect();
        if let [.., _, last] = statements.as_slice() {
            outwards(block, *last, out);
        }
        for pair in statements.windows(2) {
            if let [first, second] = pair {
                inwards(*first, *second, out);
                swap(site, *first, *second, out);
            }
        }
        if out.is_full() {
            return;
        }
    }
}

fn lines_of(syntax: &Syntax, node: Node<'_>) -> std::ops::Range<usize> {
    syntax.line_start(node.start())..syntax.line_end(node.end())
}

/// The lines of a statement with another indent; `None` when it shares its line with something.
fn reindented(node: Node<'_>, from: &str, to: &str) -> Option<String> {
    let syntax = node.syntax();
    let range = lines_of(syntax, node);
    if range.start + syntax.indent(node.start()).len() != node.start() {
        return None;
    }
    let lines = syntax.text().get(range)?.split_inclusive('\n');
    Some(
        lines
            .map(|line| line.strip_prefix(from).map_or_else(|| line.to_owned(), |rest| format!("{to}{rest}")))
            .collect(),
    )
}

/// The last statement of a block leaves it.
fn outwards(block: Node<'_>, last: Node<'_>, out: &mut Sink) {
    let syntax = block.syntax();
    let Some(owner) = block.parent().filter(|owner| owner.kind() != "function_definition") else { return };
    let (inner, outer) = (syntax.indent(last.start()), syntax.indent(owner.start()));
    if let Some(lines) = reindented(last, inner, outer) {
        let title = format!("Do {} after the block", code(last.text()));
        out.edit(Family::Move, last.line(), lines_of(syntax, last), lines, 1.0, title);
    }
}

/// A statement after a block joins it.
fn inwards(compound: Node<'_>, next: Node<'_>, out: &mut Sink) {
    let syntax = compound.syntax();
    let bodies = compound.subtree().filter(|node| node.kind() == "block" && node.end() == compound.end());
    for body in bodies.take(4) {
        let (outer, inner) = (syntax.indent(next.start()), syntax.indent(body.start()));
        if inner.len() <= outer.len() {
            continue;
        }
        if let Some(lines) = reindented(next, outer, inner) {
            let title = format!("Do {} inside the block", code(next.text()));
            out.edit(Family::Move, next.line(), lines_of(syntax, next), lines, 0.8, title);
        }
    }
}

fn swap(site: &Site<'_, '_>, first: Node<'_>, second: Node<'_>, out: &mut Sink) {
    let syntax = site.function.syntax();
    let (a, b) = (lines_of(syntax, first), lines_of(syntax, second));
    let text = |range: std::ops::Range<usize>| syntax.text().get(range).unwrap_or_default();
    if a.end > b.start || !text(b.clone()).ends_with('\n') {
        return;
    }
    let swapped = format!("{}{}{}", text(b.clone()), text(a.end..b.start), text(a.clone()));
    let closeness = if is_simple(first) && is_simple(second) { 0.6 } else { 0.4 };
    let title = format!("Do {} first", code(second.text()));
    out.edit(Family::Move, first.line(), a.start..b.end, swapped, closeness, title);
}
