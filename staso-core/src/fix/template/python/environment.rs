//! Reads an environment variable with the default that the repository documents, or a setting of the same name.

use super::super::affinity::coverage;
use super::super::evidence::Trigger;
use super::super::family::Family;
use super::super::mutation::{Mutation, Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::literal::{plain_value, quoted};
use crate::fix::Replacement;

/// Settings that are tried.
const MAX_SETTINGS: usize = 3;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    let Some(name) = site.evidence.missing else { return };
    for node in site.function.nodes() {
        let Some((callee, key)) = read(node, name) else { continue };
        if let Some(default) = &site.evidence.documented {
            out.push(Mutation {
                family: Family::Environment,
                is_backed: false,
                parts: vec![Replacement { range: node.range(), text: format!("{callee}({key}, {default})") }],
                line: node.line(),
                closeness: 1.0,
                title: format!("Read {} with its documented default", code(name)),
                why: Some(format!(
                    "{} is not set, and the repository documents {default} for it.",
                    code(name)
                )),
            });
        }
        if site.evidence.trigger == Trigger::Environment {
            settings(site, node, name, out);
        }
    }
}

/// The function that reads the variable with a default, and the key as written.
fn read<'s>(node: Node<'s>, name: &str) -> Option<(String, &'s str)> {
    match node.kind() {
        "subscript" => subscript(node, name).map(|(object, key)| (format!("{object}.get"), key)),
        "call" => call(node, name).map(|(callee, key)| (callee.to_owned(), key)),
        _ => None,
    }
}

/// A field of an object in scope whose name shares a word with the variable.
fn settings(site: &Site<'_, '_>, node: Node<'_>, name: &str, out: &mut Sink) {
    let mut found: Vec<(&str, String, f64)> = Vec::new();
    for variable in site.function.visible_at(node) {
        for key in site.known_of(variable.name, None).keys() {
            let shared = coverage(name, &[key]);
            if shared > 0.0 {
                found.push((variable.name, key.to_owned(), shared));
            }
        }
    }
    found.sort_by(|a, b| b.2.total_cmp(&a.2).then_with(|| (a.0, &a.1).cmp(&(b.0, &b.1))));
    for (object, key, shared) in found.into_iter().take(MAX_SETTINGS) {
        out.push(Mutation {
            family: Family::Environment,
            is_backed: false,
            parts: vec![Replacement { range: node.range(), text: format!("{object}[{}]", quoted(&key)) }],
            line: node.line(),
            closeness: 0.6 * shared,
            title: format!("Read {} of {} instead", code(&key), code(object)),
            why: Some(format!("{} is not set, and {} has {}.", code(name), code(object), code(&key))),
        });
    }
}

fn subscript<'s>(node: Node<'s>, name: &str) -> Option<(&'s str, &'s str)> {
    let (object, key) = (node.child("value")?, node.child("subscript")?);
    (object.text().ends_with("environ") && plain_value(key) == Some(name))
        .then(|| (object.text(), key.text()))
}

/// `os.environ.get("X")` and `os.getenv("X")` without a default.
fn call<'s>(node: Node<'s>, name: &str) -> Option<(&'s str, &'s str)> {
    let callee = node.child("function")?;
    let mut arguments = node.child("arguments")?.named();
    let key = arguments.next()?;
    let reads = callee.text().ends_with("environ.get") || callee.text().ends_with("getenv");
    (reads && arguments.next().is_none() && plain_value(key) == Some(name))
        .then(|| (callee.text(), key.text()))
}
