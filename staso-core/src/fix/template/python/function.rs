//! A function and what is known of the names and values in it.

use std::collections::BTreeSet;
use std::ops::Range;

use super::super::syntax::{Node, Syntax};
use super::fields::{Keys, keys_of_file};
use super::shape::{Shape, shape_of, shape_of_item, shape_of_type};

/// A local name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variable<'s> {
    pub(super) name: &'s str,
    pub(super) shape: Shape,
    pub(super) is_parameter: bool,
    visible: (usize, usize),
}

/// A function, or a statement outside of functions.
#[derive(Debug)]
pub(super) struct Function<'s> {
    pub(super) node: Node<'s>,
    pub(super) name: &'s str,
    pub(super) variables: Vec<Variable<'s>>,
    /// Functions and classes of the file.
    pub(super) definitions: Vec<&'s str>,
    /// Literals of the function, each once.
    pub(super) numbers: Vec<&'s str>,
    pub(super) strings: Vec<&'s str>,
    /// Attributes of the file, each once.
    pub(super) attributes: Vec<Attribute<'s>>,
    /// Keys that the file reads, by object.
    pub(super) keys: Keys<'s>,
}

/// `object.name`, or `object.name()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attribute<'s> {
    pub(super) object: &'s str,
    pub(super) name: &'s str,
    pub(super) is_called: bool,
}

const MAX_LITERALS: usize = 24;
const MAX_EXPRESSION_BYTES: usize = 1_000;
const MAX_VARIABLES: usize = 40;
const MAX_ATTRIBUTES: usize = 400;

impl<'s> Function<'s> {
    pub(super) fn new(node: Node<'s>) -> Self {
        let name = node.child("name").filter(|_| node.kind() == "function_definition").map_or("", Node::text);
        let root = node.syntax().root();
        let is_number = |node: &Node<'_>| matches!(node.kind(), "integer" | "float");
        let is_string = |node: &Node<'_>| node.kind() == "string" && !is_docstring(*node);
        Self {
            node,
            name,
            variables: variables(node),
            definitions: definitions(root),
            numbers: literals(node, is_number),
            strings: literals(node, is_string),
            attributes: attributes(root),
            keys: keys_of_file(root),
        }
    }

    pub(super) fn syntax(&self) -> &'s Syntax {
        self.node.syntax()
    }

    /// The part that runs when the function is called.
    pub(super) fn body(&self) -> Node<'s> {
        self.node.child("body").filter(|_| !self.name.is_empty()).unwrap_or(self.node)
    }

    /// Names that can be read at a node, parameters first.
    pub(super) fn visible_at(&self, node: Node<'_>) -> impl Iterator<Item = &Variable<'s>> {
        let at = node.start();
        self.variables.iter().filter(move |variable| (variable.visible.0..variable.visible.1).contains(&at))
    }

    /// All statements, outermost first within their order.
    pub(super) fn statements(&self) -> impl Iterator<Item = Node<'s>> {
        self.body().subtree().filter(|node| {
            node.is_named()
                && !matches!(node.kind(), "comment")
                && node.parent().is_some_and(|parent| matches!(parent.kind(), "block" | "module"))
                && !is_docstring_statement(*node)
        })
    }

    /// All nodes, without expressions too long to be copied into edits.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'s>> + use<'s> {
        self.body()
            .subtree()
            .filter(|node| node.range().len() <= MAX_EXPRESSION_BYTES || !is_expression(*node))
    }

    /// The blocks of statements.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Node<'s>> {
        self.body().subtree().filter(|node| node.kind() == "block")
    }

    /// Expressions, without the targets of assignments, names of arguments and types.
    pub(super) fn expressions(&self) -> impl Iterator<Item = Node<'s>> {
        self.nodes().filter(|node| is_expression(*node) && is_value(*node))
    }

    /// What a name or expression probably is.
    pub(super) fn shape(&self, node: Node<'_>) -> Shape {
        if node.kind() == "identifier" {
            let found = self.visible_at(node).find(|variable| variable.name == node.text());
            return found.map_or(Shape::Unknown, |variable| variable.shape);
        }
        shape_of(node)
    }

    /// What the function returns, as far as its return statements tell; the text of the value, most frequent first.
    pub(super) fn return_shape(&self) -> Shape {
        let declared =
            self.node.child("return_type").map_or(Shape::Unknown, |node| shape_of_type(node.text()));
        if declared != Shape::Unknown {
            return declared;
        }
        let returned = self.body().subtree().filter(|node| node.kind() == "return_statement");
        let shapes = returned.filter_map(|node| node.named().next()).map(|value| match value.kind() {
            "identifier" => {
                let known = self.variables.iter().find(|variable| variable.name == value.text());
                known.map_or(Shape::Unknown, |variable| variable.shape)
            }
            _ => shape_of(value),
        });
        shapes
            .into_iter()
            .find(|shape| !matches!(shape, Shape::Unknown | Shape::Nothing))
            .unwrap_or(Shape::Unknown)
    }
}

/// The names a function calls.
pub(super) fn called_names<'s>(function: Node<'s>) -> impl Iterator<Item = &'s str> {
    function
        .subtree()
        .filter(|node| node.kind() == "call")
        .filter_map(|call| call.child("function"))
        .map(|callee| callee.child("attribute").unwrap_or(callee).text())
}

fn definitions(root: Node<'_>) -> Vec<&str> {
    root.subtree()
        .filter(|node| matches!(node.kind(), "function_definition" | "class_definition"))
        .filter_map(|node| node.child("name"))
        .map(Node::text)
        .take(MAX_VARIABLES)
        .collect()
}

fn attributes(root: Node<'_>) -> Vec<Attribute<'_>> {
    let mut seen = BTreeSet::new();
    root.subtree()
        .filter(|node| node.kind() == "attribute")
        .filter_map(|node| {
            let (object, name) = (node.child("object")?.text(), node.child("attribute")?.text());
            Some(Attribute { object, name, is_called: node.role() == Some("function") })
        })
        .filter(|attribute| attribute.object.len() <= 128 && seen.insert(*attribute))
        .take(MAX_ATTRIBUTES)
        .collect()
}

/// Literals of the function, each once.
fn literals<'s>(function: Node<'s>, wanted: impl Fn(&Node<'s>) -> bool) -> Vec<&'s str> {
    let mut seen = BTreeSet::new();
    let inside = function.subtree().filter(&wanted).map(Node::text);
    inside.filter(|text| text.len() <= 64 && seen.insert(*text)).take(MAX_LITERALS).collect()
}

fn variables<'s>(function: Node<'s>) -> Vec<Variable<'s>> {
    let mut found: Vec<Variable<'s>> = Vec::new();
    for node in function.subtree() {
        let range = function.range();
        match node.kind() {
            "parameters" | "lambda_parameters" => parameters(node, &mut found),
            "assignment" | "named_expression" => {
                let value = node.child("right").or_else(|| node.child("value"));
                let shape = value.map_or(Shape::Unknown, shape_of);
                let declared = node.child("type").map_or(Shape::Unknown, |node| shape_of_type(node.text()));
                let shape = if declared == Shape::Unknown { shape } else { declared };
                let target = node.child("left").or_else(|| node.child("name"));
                targets(target, shape, node.end()..range.end, &mut found);
            }
            "for_statement" => {
                let shape = node.child("right").map_or(Shape::Unknown, shape_of_item);
                let from = node.child("body").map_or(node.end(), Node::start);
                targets(node.child("left"), shape, from..range.end, &mut found);
            }
            "for_in_clause" => {
                let shape = node.child("right").map_or(Shape::Unknown, shape_of_item);
                let scope = node.parent().map_or(range, Node::range);
                targets(node.child("left"), shape, scope, &mut found);
            }
            "as_pattern_target" => {
                targets(node.named().next(), Shape::Unknown, node.end()..range.end, &mut found);
            }
            _ => {}
        }
        if found.len() >= MAX_VARIABLES {
            break;
        }
    }
    found
}

fn parameters<'s>(list: Node<'s>, found: &mut Vec<Variable<'s>>) {
    let scope = list.parent().map_or(list.range(), Node::range);
    for parameter in list.named() {
        let name = match parameter.kind() {
            "identifier" => Some(parameter),
            "default_parameter" | "typed_default_parameter" => parameter.child("name"),
            "typed_parameter" => parameter.named().next().filter(|node| node.kind() == "identifier"),
            _ => None,
        };
        let declared = parameter.child("type").map_or(Shape::Unknown, |node| shape_of_type(node.text()));
        let default = parameter.child("value").map_or(Shape::Unknown, shape_of);
        let shape = if declared == Shape::Unknown { default } else { declared };
        let shape = if shape == Shape::Nothing { Shape::Unknown } else { shape };
        if let Some(name) = name.map(Node::text).filter(|name| !matches!(*name, "self" | "cls")) {
            found.push(Variable { name, shape, is_parameter: true, visible: (scope.start, scope.end) });
        }
    }
}

fn targets<'s>(target: Option<Node<'s>>, shape: Shape, scope: Range<usize>, found: &mut Vec<Variable<'s>>) {
    let Some(target) = target else { return };
    let single = target.kind() == "identifier";
    let names = target.subtree().filter(|node| node.kind() == "identifier" && is_target(*node, target));
    for name in names {
        let known = found.iter_mut().find(|variable| {
            variable.name == name.text()
                && variable.visible.0 <= scope.start
                && variable.visible.1 >= scope.end
        });
        let shape = if single { shape } else { Shape::Unknown };
        match known {
            Some(variable) if variable.shape == Shape::Unknown => variable.shape = shape,
            Some(_) => {}
            None => found.push(Variable {
                name: name.text(),
                shape,
                is_parameter: false,
                visible: (scope.start, scope.end),
            }),
        }
    }
}

fn is_target(name: Node<'_>, target: Node<'_>) -> bool {
    name == target
        || name.parent().is_some_and(|parent| {
            matches!(parent.kind(), "pattern_list" | "tuple_pattern" | "list_pattern" | "list_splat_pattern")
        })
}

/// Whether the grammar calls it an expression.
pub(super) fn is_expression(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "identifier"
            | "attribute"
            | "subscript"
            | "call"
            | "binary_operator"
            | "boolean_operator"
            | "comparison_operator"
            | "not_operator"
            | "unary_operator"
            | "conditional_expression"
            | "parenthesized_expression"
            | "integer"
            | "float"
            | "string"
            | "true"
            | "false"
            | "none"
            | "list"
            | "tuple"
            | "dictionary"
            | "set"
            | "list_comprehension"
            | "set_comprehension"
            | "dictionary_comprehension"
            | "generator_expression"
            | "await"
    )
}

/// Whether the node is read: not the target of an assignment, the name of an argument or attribute, or a type.
pub(super) fn is_value(node: Node<'_>) -> bool {
    let Some(parent) = node.parent() else { return false };
    let by_role = match (parent.kind(), node.role()) {
        ("assignment" | "for_statement" | "for_in_clause", Some("left" | "type"))
        | ("augmented_assignment" | "named_expression", Some("left"))
        | ("keyword_argument" | "function_definition" | "class_definition", Some("name"))
        | ("attribute", Some("attribute")) => false,
        (kind, _) => !matches!(
            kind,
            "parameters"
                | "lambda_parameters"
                | "typed_parameter"
                | "type"
                | "pattern_list"
                | "tuple_pattern"
                | "list_pattern"
                | "list_splat_pattern"
                | "dictionary_splat_pattern"
                | "as_pattern_target"
                | "global_statement"
                | "nonlocal_statement"
                | "dotted_name"
                | "import_statement"
                | "decorator"
                | "concatenated_string"
        ),
    };
    by_role && !(is_docstring(node)) && !(parent.kind().ends_with("parameter") && node.role() == Some("name"))
}

fn is_docstring(node: Node<'_>) -> bool {
    node.kind() == "string" && node.parent().is_some_and(|parent| parent.kind() == "expression_statement")
}

fn is_docstring_statement(node: Node<'_>) -> bool {
    node.kind() == "expression_statement" && node.named().next().is_some_and(|inner| inner.kind() == "string")
}

/// The statement that holds a node.
pub(super) fn statement_of(node: Node<'_>) -> Node<'_> {
    let is_statement =
        |node: &Node<'_>| node.parent().is_none_or(|parent| matches!(parent.kind(), "block" | "module"));
    if is_statement(&node) {
        return node;
    }
    node.ancestors().find(is_statement).unwrap_or(node)
}

/// The expression with parentheses where its surroundings could tear it apart.
pub(super) fn atom(node: Node<'_>) -> String {
    match node.kind() {
        "binary_operator"
        | "boolean_operator"
        | "comparison_operator"
        | "not_operator"
        | "unary_operator"
        | "conditional_expression"
        | "lambda"
        | "await"
        | "named_expression" => format!("({})", node.text()),
        _ => node.text().to_owned(),
    }
}
