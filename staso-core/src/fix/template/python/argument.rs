//! Other arguments of a call.

use super::super::evidence::Trigger;
use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::spelling::likeness;
use super::super::syntax::Node;
use super::Site;
use super::literal::is_identifier;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    for node in site.function.nodes() {
        if matches!(node.kind(), "list" | "tuple" | "expression_list") {
            swap(site, &node.named().collect::<Vec<_>>(), out);
        }
    }
    for call in site.function.nodes().filter(|node| node.kind() == "call") {
        let Some(list) = call.child("arguments").filter(|list| list.kind() == "argument_list") else {
            continue;
        };
        let arguments: Vec<Node<'_>> = list.named().collect();
        swap(site, &arguments, out);
        for (index, argument) in arguments.iter().enumerate() {
            drop_argument(site, &arguments, index, out);
            rename(site, call, *argument, out);
        }
        add_missing(site, call, list, out);
        if out.is_full() {
            return;
        }
    }
}

fn swap(site: &Site<'_, '_>, arguments: &[Node<'_>], out: &mut Sink) {
    let positional =
        |node: &Node<'_>| !matches!(node.kind(), "keyword_argument" | "list_splat" | "dictionary_splat");
    let pairs = arguments.iter().enumerate().flat_map(|(index, a)| {
        arguments.iter().skip(index + 1).filter(|b| positional(b)).map(move |b| (*a, *b))
    });
    for (a, b) in pairs.filter(|(a, _)| positional(a)).take(6) {
        let between = site.function.syntax().text().get(a.end()..b.start()).unwrap_or_default();
        let text = format!("{}{between}{}", b.text(), a.text());
        let title = format!("Swap {} and {}", code(a.text()), code(b.text()));
        out.edit(Family::Argument, a.line(), a.start()..b.end(), text, 0.9, title);
    }
}

fn drop_argument(site: &Site<'_, '_>, arguments: &[Node<'_>], index: usize, out: &mut Sink) {
    let Some(argument) = arguments.get(index) else { return };
    let range = match (arguments.get(index + 1), index.checked_sub(1).and_then(|i| arguments.get(i))) {
        (Some(next), _) => argument.start()..next.start(),
        (None, Some(previous)) => previous.end()..argument.end(),
        (None, None) => argument.range(),
    };
    let name = argument.child("name").filter(|_| argument.kind() == "keyword_argument").map(Node::text);
    let blamed = name.is_some() && name == site.evidence.missing;
    let closeness = if blamed { 0.6 } else { 0.4 };
    let title = format!("Do not pass {}", code(argument.text()));
    out.edit(Family::Argument, argument.line(), range, "", closeness, title);
}

/// A name that the called function has.
fn rename(site: &Site<'_, '_>, call: Node<'_>, argument: Node<'_>, out: &mut Sink) {
    let blamed = site.evidence.trigger == Trigger::Arguments;
    let Some(name) = argument.child("name").filter(|_| blamed && argument.kind() == "keyword_argument")
    else {
        return;
    };
    if Some(name.text()) != site.evidence.missing {
        return;
    }
    let known = site.evidence.available.iter().copied().chain(parameters(site, call));
    for (rank, other) in known.filter(|other| is_identifier(other)).enumerate() {
        let near = 0.5 + 0.5 * likeness(name.text(), other);
        let closeness = near / (1.0 + f64::from(u32::try_from(rank).unwrap_or(u32::MAX)) / 20.0);
        let title = format!("Pass {} instead of {}", code(other), code(name.text()));
        out.replace(Family::Argument, name, other, closeness, title);
    }
}

/// Names of the parameters of the called function, when the file defines it.
fn parameters<'s>(site: &Site<'_, 's>, call: Node<'s>) -> Vec<&'s str> {
    let Some(callee) = call.child("function") else { return Vec::new() };
    let name = callee.child("attribute").unwrap_or(callee).text();
    let root = site.function.syntax().root();
    let defined = root.subtree().find(|node| {
        node.kind() == "function_definition" && node.child("name").is_some_and(|own| own.text() == name)
    });
    let Some(list) = defined.and_then(|function| function.child("parameters")) else { return Vec::new() };
    list.named()
        .filter_map(|parameter| match parameter.kind() {
            "identifier" => Some(parameter.text()),
            "typed_parameter" => parameter.named().next().map(Node::text),
            _ => parameter.child("name").map(Node::text),
        })
        .filter(|name| !matches!(*name, "self" | "cls"))
        .collect()
}

/// `send(body)` becomes `send(body, to=to)` when the function misses `to`.
fn add_missing(site: &Site<'_, '_>, call: Node<'_>, list: Node<'_>, out: &mut Sink) {
    let Some(missing) = site.evidence.missing.filter(|name| is_identifier(name)) else { return };
    let wanted = site.evidence.trigger == Trigger::Arguments && site.evidence.message.contains("missing");
    let Some(end) = list.token(")").map(Node::start).filter(|_| wanted && site.is_focus(call)) else {
        return;
    };
    let separator = if list.named().next().is_some() { ", " } else { "" };
    for variable in site.function.visible_at(call) {
        let text = format!("{separator}{missing}={}", variable.name);
        let closeness = 0.4 + 0.6 * likeness(missing, variable.name);
        out.edit(Family::Argument, call.line(), end..end, text, closeness, format!("Pass {}", code(missing)));
    }
}
