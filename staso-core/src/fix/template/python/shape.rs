//! What a value probably is, from the form of the program alone.

use super::super::syntax::Node;

/// What a value probably is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Number,
    Text,
    List,
    Dict,
    Set,
    Bool,
    Nothing,
    Unknown,
}

impl Shape {
    /// From 0 to 1: how well a value of one shape stands for another.
    pub(super) fn fit(self, other: Self) -> f64 {
        match (self, other) {
            (a, b) if a == b => 1.0,
            (Self::Unknown, _) | (_, Self::Unknown) => 0.7,
            _ => 0.25,
        }
    }

    /// The empty value of this shape.
    pub(super) const fn empty(self) -> &'static str {
        match self {
            Self::Number => "0",
            Self::Text => "\"\"",
            Self::List => "[]",
            Self::Dict => "{}",
            Self::Set => "set()",
            Self::Bool => "False",
            Self::Nothing | Self::Unknown => "None",
        }
    }
}

/// What an expression probably is, from its form alone.
pub(super) fn shape_of(node: Node<'_>) -> Shape {
    match node.kind() {
        "integer" | "float" | "unary_operator" => Shape::Number,
        "string" | "concatenated_string" => Shape::Text,
        "list" | "list_comprehension" => Shape::List,
        "dictionary" | "dictionary_comprehension" => Shape::Dict,
        "set" | "set_comprehension" => Shape::Set,
        "true" | "false" | "comparison_operator" | "not_operator" => Shape::Bool,
        "none" => Shape::Nothing,
        "binary_operator" => {
            let operator = node.child("operator").map_or("", Node::text);
            let sides = [node.child("left"), node.child("right")].into_iter().flatten();
            let direct = |side: Node<'_>| {
                let deeper = matches!(side.kind(), "binary_operator" | "parenthesized_expression");
                if deeper { Shape::Unknown } else { shape_of(side) }
            };
            let known = sides.map(direct).find(|shape| *shape != Shape::Unknown);
            if matches!(operator, "-" | "/" | "//" | "**") {
                Shape::Number
            } else {
                known.unwrap_or(Shape::Unknown)
            }
        }
        "call" => shape_of_call(node),
        "parenthesized_expression" => {
            node.named().next().filter(|inner| inner.kind() != node.kind()).map_or(Shape::Unknown, shape_of)
        }
        _ => Shape::Unknown,
    }
}

fn shape_of_call(call: Node<'_>) -> Shape {
    let Some(callee) = call.child("function") else { return Shape::Unknown };
    match callee.child("attribute").unwrap_or(callee).text() {
        "len" | "sum" | "abs" | "int" | "float" | "round" | "ord" | "count" | "index" | "find" => {
            Shape::Number
        }
        "str" | "join" | "strip" | "lower" | "upper" | "replace" | "format" | "chr" | "lstrip" | "rstrip" => {
            Shape::Text
        }
        "list" | "sorted" | "split" | "splitlines" => Shape::List,
        "dict" | "loads" => Shape::Dict,
        "set" => Shape::Set,
        "isinstance" | "startswith" | "endswith" | "isdigit" | "any" | "all" | "bool" => Shape::Bool,
        _ => Shape::Unknown,
    }
}

/// What the elements of an expression probably are.
pub(super) fn shape_of_item(node: Node<'_>) -> Shape {
    let callee = node.child("function").map_or("", Node::text);
    if node.kind() == "call" && callee == "range" { Shape::Number } else { Shape::Unknown }
}

/// What an annotation says.
pub(super) fn shape_of_type(text: &str) -> Shape {
    match text.split('[').next().unwrap_or(text).trim() {
        "int" | "float" => Shape::Number,
        "str" => Shape::Text,
        "list" | "List" | "Sequence" | "Iterable" => Shape::List,
        "dict" | "Dict" | "Mapping" => Shape::Dict,
        "set" | "Set" => Shape::Set,
        "bool" => Shape::Bool,
        _ => Shape::Unknown,
    }
}
