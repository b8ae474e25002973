//! Reads a key or attribute that the data has in place of one that it has not.

use std::collections::BTreeSet;

use super::super::affinity::shares_word;
use super::super::family::Family;
use super::super::mutation::{Mutation, Sink, code};
use super::super::spelling::likeness;
use super::super::syntax::Node;
use super::Site;
use super::fields::{Known, object_of};
use super::literal::{is_identifier, like, plain_value};
use super::relevance::is_written;
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
    let first = uses.iter().position(|node| !is_written(*node)).unwrap_or_default();
    for (index, node) in uses.iter().enumerate() {
        let known = site.known_of(object_of(*node).map_or("", Node::text), Some(used));
        // Where all such objects have the key, it is another read that failed.
        let doubt = if known.has(used) && !known.is_optional(used) { 0.4 } else { 1.0 };
        for Candidate { key, is_given, closeness } in replacements(site, used, &known) {
            let source = if is_given {
                Source::Run
            } else if known.has(key) && !known.has(used) {
                Source::Data
            } else {
                Source::File
            };
            if let Some(edit) = rewrite(site, *node, key).filter(|_| !is_written(*node)) {
                push(out, (used, key, source), vec![edit], closeness * doubt);
            }
            if index == first && uses.len() > 1 {
                let edits = uses.iter().filter_map(|node| rewrite(site, *node, key)).collect();
                push(out, (used, key, source), edits, closeness * 0.99);
            }
        }
    }
}

/// A key to try.
#[derive(Debug)]
struct Candidate<'a> {
    key: &'a str,
    /// Whether the evidence names it.
    is_given: bool,
    closeness: f64,
}

/// Who says that there is a key.
#[derive(Debug, Clone, Copy)]
enum Source {
    Run,
    Data,
    File,
}

fn push(
    out: &mut Sink,
    (used, key, source): (&str, &str, Source),
    edits: Vec<(u32, Replacement)>,
    closeness: f64,
) {
    let Some(line) = edits.first().map(|(line, _)| *line) else { return };
    out.push(Mutation {
        family: Family::WrongKey,
        is_backed: false,
        line,
        closeness,
        title: format!("Read {} where the code reads {}", code(key), code(used)),
        why: match source {
            Source::Run => {
                Some(format!("The data that reaches this line has {} and not {}.", code(key), code(used)))
            }
            Source::Data => Some(format!(
                "Such objects in the repository's data have {} and not {}.",
                code(key),
                code(used)
            )),
            Source::File => None,
        },
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
        found.extend(root.named().filter_map(|node| constant_with(site, node, used)).take(2));
    }
    found.truncate(MAX_KEYS);
    found
}

/// The value of a constant that the function uses.
fn constant_with<'s>(site: &Site<'_, 's>, statement: Node<'s>, value: &str) -> Option<Node<'s>> {
    let assignment = statement.named().next().filter(|node| node.kind() == "assignment")?;
    let name = assignment.child("left")?.text();
    let mut names = site.function.node.subtree().filter(|node| node.kind() == "identifier");
    names.find(|node| node.text() == name)?;
    assignment.child("right").filter(|right| plain_value(*right) == Some(value))
}

/// Keys to try, best first: those of the evidence, and those that the file and the data have for the same object;
/// without any of these, similar names of the file.
fn replacements<'a>(site: &'a Site<'_, '_>, used: &str, known: &Known<'a>) -> Vec<Candidate<'a>> {
    let given = site.evidence.available.iter().enumerate().map(|(rank, key)| {
        let position = 1.0 / (1.0 + f64::from(u32::try_from(rank).unwrap_or(u32::MAX)) / 8.0);
        let foreign = !known.records.is_empty() && !known.has(key) && !known.read.contains(key);
        let closeness = position * (0.6 + 0.4 * likeness(used, key)) * if foreign { 0.5 } else { 1.0 };
        Candidate { key, is_given: true, closeness }
    });
    let mut found: Vec<Candidate<'a>> = given.take(MAX_NEAR).collect();
    for key in known.keys().into_iter().filter(|key| *key != used) {
        let near = if shares_word(used, key) { likeness(used, key).max(0.7) } else { likeness(used, key) };
        let recorded = if known.has(key) { 0.95 } else { 0.75 };
        found.push(Candidate { key, is_given: false, closeness: recorded * (0.3 + 0.7 * near) });
    }
    if found.is_empty() {
        found = similar(site, used);
    }
    if known.is_optional(used) {
        found.iter_mut().for_each(|candidate| candidate.closeness *= 0.5);
    }
    found.sort_by(|a, b| b.closeness.total_cmp(&a.closeness).then(a.key.cmp(b.key)));
    let mut seen = BTreeSet::new();
    found.retain(|candidate| seen.insert(candidate.key));
    found.truncate(MAX_KEYS);
    found
}

fn similar<'a>(site: &'a Site<'_, '_>, used: &str) -> Vec<Candidate<'a>> {
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
    let rated = near.into_iter().take(MAX_KEYS).enumerate().map(|(rank, key)| {
        let position = 1.0 / (1.0 + f64::from(u32::try_from(rank).unwrap_or(u32::MAX)) / 8.0);
        Candidate { key, is_given: false, closeness: position * 0.7 * likeness(used, key) }
    });
    rated.collect()
}
