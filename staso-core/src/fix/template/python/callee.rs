//! Another function of the same shape.

use super::super::family::Family;
use super::super::mutation::{Sink, code};
use super::super::spelling::likeness;
use super::super::syntax::Node;
use super::Site;

/// Functions and methods that stand for each other.
const GROUPS: [&[&str]; 27] = [
    &["min", "max", "sum", "len"],
    &["any", "all"],
    &["sorted", "list", "reversed", "set", "tuple"],
    &["int", "float", "round", "abs"],
    &["str", "repr"],
    &["range", "enumerate", "len"],
    &["map", "filter"],
    &["ord", "chr"],
    &["hex", "bin", "oct"],
    &["isinstance", "issubclass"],
    &["append", "extend", "add", "insert"],
    &["add", "discard", "remove"],
    &["pop", "popleft", "remove", "clear", "copy"],
    &["append", "appendleft"],
    &["keys", "values", "items"],
    &["startswith", "endswith"],
    &["find", "rfind", "index", "rindex", "count"],
    &["strip", "lstrip", "rstrip"],
    &["lower", "upper", "title", "capitalize", "casefold", "swapcase"],
    &["islower", "isupper", "isalpha", "isdigit", "isalnum", "isspace", "isnumeric"],
    &["split", "rsplit", "splitlines", "partition", "rpartition"],
    &["ceil", "floor", "trunc"],
    &["get", "setdefault", "pop"],
    &["union", "intersection", "difference", "symmetric_difference"],
    &["issubset", "issuperset", "isdisjoint"],
    &["match", "search", "fullmatch", "findall"],
    &["dumps", "loads"],
];

pub(super) fn propose(site: &Site<'_, '_>, out: &mut Sink) {
    for call in site.function.nodes().filter(|node| node.kind() == "call") {
        let Some(callee) = call.child("function") else { continue };
        let name = callee.child("attribute").unwrap_or(callee);
        if name.kind() != "identifier" {
            continue;
        }
        swap(name, out);
        if callee.kind() == "identifier" {
            own_functions(site, name, out);
        }
        sorting(call, name, out);
        if out.is_full() {
            return;
        }
    }
}

fn title(new: &str, old: &str) -> String {
    format!("Call {} instead of {}", code(new), code(old))
}

fn swap(name: Node<'_>, out: &mut Sink) {
    let used = name.text();
    for group in GROUPS.iter().filter(|group| group.contains(&used)) {
        let closeness = if group.len() <= 4 { 1.0 } else { 0.8 };
        for other in group.iter().filter(|other| **other != used) {
            out.replace(Family::Callee, name, *other, closeness, title(other, used));
        }
    }
}

fn own_functions(site: &Site<'_, '_>, name: Node<'_>, out: &mut Sink) {
    for other in site.function.definitions.iter().filter(|other| **other != name.text()) {
        let closeness = 0.2 + 0.7 * likeness(other, name.text());
        out.replace(Family::Callee, name, *other, closeness, title(other, name.text()));
    }
}

/// The other direction of sorting.
fn sorting(call: Node<'_>, name: Node<'_>, out: &mut Sink) {
    let Some(arguments) = call.child("arguments").filter(|arguments| arguments.kind() == "argument_list")
    else {
        return;
    };
    let sorts = matches!(name.text(), "sorted" | "sort" | "min" | "max");
    let has = |wanted: &str| {
        arguments.named().any(|argument| argument.child("name").is_some_and(|name| name.text() == wanted))
    };
    let Some(end) = arguments.token(")").map(Node::start).filter(|_| sorts) else { return };
    let separator = if arguments.named().next().is_some() { ", " } else { "" };
    if !has("reverse") && name.text().starts_with("sort") {
        let text = format!("{separator}reverse=True");
        out.edit(Family::Callee, call.line(), end..end, text, 0.7, "Sort in falling order");
    }
    if !has("key") {
        for key in ["len", "abs", "str", "int"] {
            let text = format!("{separator}key={key}");
            let title = format!("Compare by {}", code(key));
            out.edit(Family::Callee, call.line(), end..end, text, 0.3, title);
        }
    }
}
