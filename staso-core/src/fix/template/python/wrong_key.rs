//! Reads a key or attribute that the data has in place of one that it has not.

use super::super::family::Family;
use super::super::mutation::{Mutation, Sink, code};
use super::super::spelling::likeness;
use super::super::syntax::Node;
use super::Site;
use super::literal::{is_identifier, like, plain_value};
use crate::fix::Replacement;

/// Keys that are tried.
const MAX_KEYS: usize = 12;
/// Similar names that are compared.
const MAX_NEAR: usize = 200;
/// Names further from the missing one are not tried unless the evidence names them.
const LEAST_LIKENESS: f64 = 0.35;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    let Some(used) = site.evidence.missing else { return };
    let uses = uses(site, used);
    for (rank, (key, given)) in replacements(site, used).into_iter().enumerate() {
        let position = 1.0 / (1.0 + f64::from(u32::try_from(rank).unwrap_or(u32::MAX)) / 8.0);
        let closeness =
            position * if given { 0.6 + 0.4 * likeness(used, key) } else { 0.7 * likeness(used, key) };
        let edits: Vec<_> = uses.iter().filter_map(|node| rewrite(site, *node, key)).collect();
        for edit in &edits {
            push(out, (used, key, given), vec![edit.clone()], closeness);
        }
        if edits.len() > 1 {
            push(out, (used, key, given), edits, closeness * 0.99);
        }
    }
}

fn push(
    out: &mut Sink,
    (used, key, given): (&str, &str, bool),
    edits: Vec<(u32, Replacement)>,
    closeness: f64,
) {
    let Some(line) = edits.first().map(|(line, _)| *line) else { return };
    out.push(Mutation {
        family: Family::WrongKey,
        line,
        closeness,
        title: format!("Read {} where the code reads {}", code(key), code(used)),
        why: given
            .then(|| format!("The data that reaches this line has {} and not {}.", code(key), code(used))),
        parts: edits.into_iter().map(|(_, part)| part).collect(),
    });
}

fn rewrite(site: &Site<'_, '_>, node: Node<'_>, key: &str) -> Option<(u32, Replacement)> {
    let text = if node.kind() == "string" {
        like(node, key)?
    } else {
        is_identifier(key).then(|| key.to_owned())?
    };
    Some((site.line_of(node), Replacement { range: node.range(), text }))
}

/// Where the function uses the key: as a string, as an attribute, or through a constant of the file.
fn uses<'s>(site: &Site<'_, 's>, used: &str) -> Vec<Node<'s>> {
    let body = site.function.body();
    let is_use = |node: &Node<'_>| match node.kind() {
        "string" => plain_value(*node) == Some(used),
        "identifier" => node.role() == Some("attribute") && node.text() == used,
        _ => false,
    };
    let mut found: Vec<Node<'s>> = body.subtree().filter(is_use).collect();
    if found.is_empty() {
        let root = site.function.syntax().root();
        found.extend(root.named().filter_map(|node| constant_with(node, used)).take(2));
    }
    found.truncate(MAX_KEYS);
    found
}

fn constant_with<'s>(statement: Node<'s>, value: &str) -> Option<Node<'s>> {
    let assignment = statement.named().next().filter(|node| node.kind() == "assignment")?;
    assignment.child("right").filter(|right| plain_value(*right) == Some(value))
}

/// Keys to try with whether the evidence names them; without any in the evidence, similar ones of the file.
fn replacements<'a>(site: &'a Site<'_, '_>, used: &str) -> Vec<(&'a str, bool)> {
    let given: Vec<_> = site.evidence.available.iter().map(|key| (*key, true)).collect();
    if !given.is_empty() {
        return given.into_iter().take(MAX_KEYS).collect();
    }
    let mut near: Vec<&str> = Vec::new();
    for node in site.function.syntax().root().subtree() {
        let name = match node.kind() {
            "string" => plain_value(node),
            "identifier" if node.role() == Some("attribute") => Some(node.text()),
            _ => None,
        };
        let Some(name) = name.filter(|name| *name != used && name.len() <= 64) else { continue };
        if near.len() < MAX_NEAR && !near.contains(&name) && likeness(used, name) >= LEAST_LIKENESS {
            near.push(name);
        }
    }
    near.sort_by(|a, b| likeness(used, b).total_cmp(&likeness(used, a)).then(a.cmp(b)));
    near.into_iter().take(MAX_KEYS).map(|key| (key, false)).collect()
}
