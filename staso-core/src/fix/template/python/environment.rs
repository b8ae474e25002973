//! Reads an environment variable with the default that the repository documents.

use super::super::family::Family;
use super::super::mutation::{Mutation, Sink, code};
use super::super::syntax::Node;
use super::Site;
use super::literal::plain_value;
use crate::fix::Replacement;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    let (Some(name), Some(default)) = (site.evidence.missing, &site.evidence.documented) else { return };
    for node in site.function.nodes() {
        let read = match node.kind() {
            "subscript" => {
                subscript(node, name).map(|(object, key)| format!("{object}.get({key}, {default})"))
            }
            "call" => call(node, name).map(|(callee, key)| format!("{callee}({key}, {default})")),
            _ => None,
        };
        let Some(text) = read else { continue };
        out.push(Mutation {
            family: Family::Environment,
            parts: vec![Replacement { range: node.range(), text }],
            line: node.line(),
            closeness: 1.0,
            title: format!("Read {} with its documented default", code(name)),
            why: Some(format!("{} is not set, and the repository documents {default} for it.", code(name))),
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
