//! Passes a variable that a template asks for, or renames it where the template stands in the program.

use super::super::evidence::Trigger;
use super::super::family::Family;
use super::super::mutation::{Mutation, Sink, code};
use super::super::placeholder::{find, is_plain_name, substitutes};
use super::super::spelling::likeness;
use super::super::syntax::Node;
use super::Site;
use super::literal::{is_identifier, like, plain_value, quoted};
use crate::fix::Replacement;

const MAX_VALUES: usize = 8;

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    let Some(name) = site.evidence.missing.filter(|name| is_plain_name(name)) else { return };
    if !matches!(site.evidence.trigger, Trigger::Template | Trigger::Key) {
        return;
    }
    rename_in_strings(site, name, out);
    for node in site.function.nodes() {
        match node.kind() {
            "call" => call(site, node, name, out),
            "dictionary" => dictionary(site, node, name, out),
            _ => {}
        }
    }
}

/// Templates in the function or in constants of the file.
fn rename_in_strings(site: &Site<'_, '_>, name: &str, out: &mut Sink) {
    let root = site.function.syntax().root();
    for node in root.subtree().filter(|node| node.kind() == "string" && !node.text().starts_with(['f', 'F']))
    {
        for range in find(node.text(), name) {
            let range = range.start + node.start()..range.end + node.start();
            for (other, closeness) in substitutes(node.text(), name, &site.evidence.available) {
                out.push(Mutation {
                    family: Family::Template,
                    is_backed: false,
                    parts: vec![Replacement { range: range.clone(), text: other.to_owned() }],
                    line: site.line_of(node),
                    closeness,
                    title: format!("Ask for {}, which is passed, and not {}", code(other), code(name)),
                    why: Some(format!(
                        "The program passes {} and nothing called {}.",
                        code(other),
                        code(name)
                    )),
                });
            }
        }
    }
}

/// Expressions that could fill the variable, likeliest first.
fn values(site: &Site<'_, '_>, at: Node<'_>, name: &str) -> Vec<(String, f64)> {
    let mut values: Vec<(String, f64)> = Vec::new();
    for variable in site.function.visible_at(at) {
        values.push((variable.name.to_owned(), 0.4 + 0.6 * likeness(name, variable.name)));
    }
    let reads = site.function.nodes().filter(|node| matches!(node.kind(), "attribute" | "subscript"));
    for node in reads.filter(|node| node.role() != Some("function") && !node.text().contains('\n')) {
        let last = match node.kind() {
            "attribute" => node.child("attribute").map(Node::text),
            _ => node.child("subscript").and_then(plain_value),
        };
        if last == Some(name) && node.text().len() <= 64 {
            values.push((node.text().to_owned(), 0.95));
        }
    }
    values.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.dedup_by(|a, b| a.0 == b.0);
    values.truncate(MAX_VALUES);
    values
}

fn call(site: &Site<'_, '_>, node: Node<'_>, name: &str, out: &mut Sink) {
    let (Some(callee), Some(list)) = (node.child("function"), node.child("arguments")) else { return };
    let method = callee.child("attribute").unwrap_or(callee).text();
    let fills = ["format", "substitute", "safe_substitute", "render", "dict", "update", "invoke", "fill"];
    if method == "replace" && callee.kind() == "attribute" {
        replace_chain(site, node, list, name, out);
        return;
    }
    let by_name = list.named().any(|argument| argument.kind() == "keyword_argument");
    let known = fills.contains(&method) || method.contains("render") || method.contains("format");
    if !(known || by_name && site.is_focus(node)) || list.kind() != "argument_list" || !is_identifier(name) {
        return;
    }
    let trust = if known { 1.0 } else { 0.6 };
    for argument in list.named().filter_map(|argument| argument.child("name")) {
        let closeness = trust * (0.3 + 0.6 * likeness(argument.text(), name));
        let title = format!("Pass {} under the name of the template", code(name));
        out.replace(Family::Template, argument, name, closeness, title);
    }
    let passed = list.named().any(|argument| argument.child("name").is_some_and(|own| own.text() == name));
    let splat = list.named().find(|argument| argument.kind() == "dictionary_splat");
    let Some(end) = splat.or_else(|| list.token(")")).map(Node::start).filter(|_| !passed) else { return };
    for (value, closeness) in values(site, node, name) {
        let empty = list.named().next().is_none();
        let text = match (splat, empty) {
            (Some(_), _) => format!("{name}={value}, "),
            (None, true) => format!("{name}={value}"),
            (None, false) => separated(site, list, &format!("{name}={value}")),
        };
        let title = format!("Pass {} to the template", code(name));
        out.edit(Family::Template, node.line(), end..end, text, closeness * trust, title);
    }
}

/// An item behind the last one of a list, which may end with a comma.
fn separated(site: &Site<'_, '_>, list: Node<'_>, item: &str) -> String {
    let inside = site.function.syntax().text().get(list.start()..list.end().saturating_sub(1));
    if inside.is_some_and(|text| text.trim_end().ends_with(',')) {
        item.to_owned()
    } else {
        format!(", {item}")
    }
}

/// `text.replace("{a}", a)` gets another `.replace("{name}", value)`.
fn replace_chain(site: &Site<'_, '_>, node: Node<'_>, list: Node<'_>, name: &str, out: &mut Sink) {
    let Some(pattern) = list.named().next() else { return };
    let Some(old) = plain_value(pattern) else { return };
    let inner: String = old.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    if inner.is_empty() || inner.len() == old.len() {
        return;
    }
    let wanted = old.replacen(&inner, name, 1);
    if let Some(literal) = like(pattern, &wanted) {
        let title = format!("Fill {} of the template", code(name));
        out.replace(Family::Template, pattern, literal, 0.3 + 0.6 * likeness(&inner, name), title);
    }
    for (value, closeness) in values(site, node, name) {
        let text = format!(".replace({}, {value})", quoted(&wanted));
        let title = format!("Pass {} to the template", code(name));
        out.edit(Family::Template, node.line(), node.end()..node.end(), text, closeness, title);
    }
}

fn dictionary(site: &Site<'_, '_>, node: Node<'_>, name: &str, out: &mut Sink) {
    let keys: Vec<Node<'_>> = node.named().filter_map(|pair| pair.child("key")).collect();
    if keys.is_empty() || keys.iter().any(|key| plain_value(*key) == Some(name)) {
        return;
    }
    for key in &keys {
        let Some(old) = plain_value(*key) else { continue };
        if let Some(literal) = like(*key, name) {
            let title = format!("Pass {} under the name of the template", code(name));
            out.replace(Family::Template, *key, literal, 0.2 + 0.6 * likeness(old, name), title);
        }
    }
    let Some(end) = node.token("}").map(Node::start) else { return };
    for (value, closeness) in values(site, node, name) {
        let text = separated(site, node, &format!("{}: {value}", quoted(name)));
        let title = format!("Pass {} to the template", code(name));
        out.edit(Family::Template, node.line(), end..end, text, closeness * 0.8, title);
    }
}
