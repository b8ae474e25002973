//! Functions whose results reach a line.

use std::collections::BTreeSet;

use super::super::syntax::Node;
use super::function::called_names;

/// Assignments that are followed back from the line.
const MAX_STEPS: usize = 3;

/// Functions of the file that the line calls, or that give the variables it uses their values.
pub(super) fn of_line<'s>(function: Node<'s>, line: u32) -> Vec<Node<'s>> {
    let on_line = || function.subtree().filter(|node| node.line() == line);
    let mut names: BTreeSet<&str> =
        on_line().filter(|node| node.kind() == "identifier").map(Node::text).collect();
    let mut called: BTreeSet<&str> =
        on_line().filter(|node| node.kind() == "call").filter_map(callee).collect();
    let assignments: Vec<Node<'s>> = function
        .subtree()
        .filter(|node| matches!(node.kind(), "assignment" | "augmented_assignment") && node.line() <= line)
        .collect();
    for _ in 0..MAX_STEPS {
        for assignment in &assignments {
            let (Some(left), Some(right)) = (assignment.child("left"), assignment.child("right")) else {
                continue;
            };
            if identifiers(left).any(|name| names.contains(name)) {
                names.extend(identifiers(right));
                called.extend(called_names(right));
            }
        }
    }
    defined(function, &called)
}

fn identifiers<'s>(node: Node<'s>) -> impl Iterator<Item = &'s str> {
    node.subtree().filter(|node| node.kind() == "identifier").map(Node::text)
}

fn callee(call: Node<'_>) -> Option<&str> {
    call.child("function").map(|callee| callee.child("attribute").unwrap_or(callee).text())
}

/// The other functions of the file that have one of the names.
pub(super) fn defined<'s>(function: Node<'s>, names: &BTreeSet<&str>) -> Vec<Node<'s>> {
    let is_named = |node: &Node<'s>| node.child("name").is_some_and(|name| names.contains(name.text()));
    let all = function.syntax().root().subtree();
    all.filter(|node| node.kind() == "function_definition" && *node != function).filter(is_named).collect()
}
