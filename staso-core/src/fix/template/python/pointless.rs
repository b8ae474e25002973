//! Expressions that say nothing, which a repair never writes: `x == x`, `x - x`, `x or x`, `min(x, x)`, `x = x`.

use std::collections::BTreeSet;
use std::ops::Range;

use tree_sitter::Node;

/// Expressions further out than so many levels are not looked at.
const MAX_LEVELS: usize = 64;

/// Whether an expression around the edited bytes says nothing.
pub(super) fn around(root: Node<'_>, text: &str, edited: Range<usize>) -> bool {
    let innermost = root.descendant_for_byte_range(edited.start, edited.end);
    std::iter::successors(innermost, Node::parent)
        .take_while(|node| !matches!(node.kind(), "block" | "module"))
        .take(MAX_LEVELS)
        .any(|node| says_nothing(node, text))
}

fn says_nothing(node: Node<'_>, text: &str) -> bool {
    let written = |node: Node<'_>| text.get(node.byte_range()).unwrap_or_default();
    let role = |role: &str| node.child_by_field_name(role).map(written);
    let same_sides = || role("left").is_some() && role("left") == role("right");
    match node.kind() {
        "comparison_operator" => {
            let sides = named(node);
            sides.windows(2).any(|pair| {
                matches!(pair, [a, b] if written(*a) == written(*b) || is_literal(*a) && is_literal(*b))
            })
        }
        "binary_operator" => !matches!(role("operator"), Some("+" | "*" | "**" | "@")) && same_sides(),
        "augmented_assignment" => !matches!(role("operator"), Some("+=" | "*=")) && same_sides(),
        "assignment" => same_sides(),
        "boolean_operator" => repeats(node, text),
        "conditional_expression" => {
            matches!(named(node).as_slice(), [yes, _, no] if written(*yes) == written(*no))
        }
        "call" if matches!(role("function"), Some("min" | "max")) => {
            let arguments = node.child_by_field_name("arguments").map(named).unwrap_or_default();
            let mut seen = BTreeSet::new();
            !arguments.iter().all(|argument| seen.insert(written(*argument)))
        }
        _ => false,
    }
}

/// `a and b and a`, and `a and not a`.
fn repeats(node: Node<'_>, text: &str) -> bool {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut open = vec![node];
    while let Some(next) = open.pop() {
        if next.kind() == "boolean_operator" && operator(next) == operator(node) && seen.len() < MAX_LEVELS {
            open.extend(["left", "right"].into_iter().filter_map(|role| next.child_by_field_name(role)));
            continue;
        }
        let written = text.get(next.byte_range()).unwrap_or_default();
        let plain = written.strip_prefix("not ").unwrap_or(written).trim_matches(['(', ')']);
        if !seen.insert(plain.to_owned()) {
            return true;
        }
    }
    false
}

fn operator<'t>(node: Node<'t>) -> Option<&'t str> {
    node.child_by_field_name("operator").map(|token| token.kind())
}

fn named(node: Node<'_>) -> Vec<Node<'_>> {
    node.named_children(&mut node.walk()).filter(|child| child.kind() != "comment").collect()
}

fn is_literal(node: Node<'_>) -> bool {
    matches!(node.kind(), "integer" | "float" | "string" | "true" | "false" | "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> bool {
        let mut parser = tree_sitter::Parser::new();
        parser.set_language(&tree_sitter_python::LANGUAGE.into()).unwrap();
        let at = line.find('x').unwrap();
        around(parser.parse(line, None).unwrap().root_node(), line, at..at + 1)
    }

    #[test]
    fn expressions_without_a_meaning_are_found() {
        for line in [
            "x == x",
            "f(x) != f(x)",
            "y = x - x",
            "x = x",
            "x -= x",
            "a and x and a",
            "x or not x",
            "min(x, 1, x)",
            "x if c else x",
            "(x) and x",
        ] {
            assert!(found(line), "{line}");
        }
        for line in
            ["x + x", "x * x", "x == y", "x = y", "max(x, y)", "a and x or a", "x < y < x", "x and 1 == 1"]
        {
            assert!(!found(line), "{line}");
        }
    }
}
