//! Repairs of Python programs: the grammar, what is in scope, and one module per family of edits.

mod argument;
mod braces;
mod callee;
mod cast;
mod condition;
mod constant;
mod delete;
mod enclose;
mod environment;
mod extend;
mod feeder;
mod field;
mod fields;
mod function;
mod guard;
mod ingredient;
mod insert;
mod known_call;
mod literal;
mod missing_default;
mod move_statement;
mod off_by_one;
mod operand;
mod operator;
mod pointless;
mod reduce;
mod relevance;
mod shape;
mod template_variable;
mod wrap;
mod wrong_key;

use super::evidence::Evidence;
use super::language::Language;
use super::locate::Place;
use super::mutation::Sink;
use super::records::Records;
use super::syntax::Node;
use function::Function;
pub(crate) use literal::quoted;

/// Python 3.
#[derive(Debug)]
pub(crate) struct Python;

/// What a family works on.
#[derive(Debug)]
struct Site<'a, 's> {
    function: Function<'s>,
    evidence: &'a Evidence<'a>,
    records: &'a Records,
    focus: Option<u32>,
}

impl Site<'_, '_> {
    /// The line an edit counts for. An edit outside of the function, of a constant that it uses, counts for the line
    /// of the failure.
    fn line_of(&self, node: Node<'_>) -> u32 {
        let inside = self.function.node.contains(node);
        self.focus.filter(|_| !inside).unwrap_or_else(|| node.line())
    }

    /// Whether the failure shows at a line: at every line when the place of the failure is not known.
    fn is_focus(&self, node: Node<'_>) -> bool {
        self.focus.is_none_or(|line| (node.line()..=node.last_line()).contains(&line))
    }
}

type Propose = fn(&Site<'_, '_>, &mut Sink);

const FAMILIES: [Propose; 24] = [
    wrong_key::propose,
    missing_default::propose,
    template_variable::propose,
    braces::propose,
    environment::propose,
    guard::propose,
    off_by_one::propose,
    operator::propose,
    condition::propose,
    operand::propose,
    constant::propose,
    ingredient::propose,
    callee::propose,
    argument::propose,
    known_call::propose,
    cast::propose,
    field::propose,
    wrap::propose,
    reduce::propose,
    extend::propose,
    delete::propose,
    enclose::propose,
    move_statement::propose,
    insert::propose,
];

impl Language for Python {
    fn grammar(&self) -> tree_sitter::Language {
        tree_sitter_python::LANGUAGE.into()
    }

    fn function_at<'s>(&self, root: Node<'s>, line: u32, name: Option<&str>) -> Option<Node<'s>> {
        let wanted = name.map(|name| name.rsplit('.').next().unwrap_or(name));
        let functions = || root.subtree().filter(|node| node.kind() == "function_definition");
        let around = |node: &Node<'_>| (node.line()..=node.last_line()).contains(&line);
        let is_wanted = |node: &Node<'s>| self.name_of(*node) == wanted;
        functions()
            .filter(|node| is_wanted(node) && around(node))
            .last()
            .or_else(|| functions().filter(around).last())
            .or_else(|| functions().find(is_wanted))
    }

    fn statement_at<'s>(&self, root: Node<'s>, line: u32) -> Option<Node<'s>> {
        root.named().find(|node| (node.line()..=node.last_line()).contains(&line))
    }

    fn name_of<'s>(&self, function: Node<'s>) -> Option<&'s str> {
        function.child("name").map(Node::text)
    }

    fn feeders<'s>(&self, function: Node<'s>, line: u32) -> Vec<Node<'s>> {
        feeder::of_line(function, line)
    }

    fn is_pointless(&self, root: tree_sitter::Node<'_>, text: &str, edited: std::ops::Range<usize>) -> bool {
        pointless::around(root, text, edited)
    }

    fn helpers<'s>(&self, function: Node<'s>) -> Vec<Node<'s>> {
        feeder::defined(function, &function::called_names(function).collect())
    }

    fn propose(&self, place: &Place<'_>, evidence: &Evidence<'_>, records: &Records, out: &mut Sink) {
        let site = Site { function: Function::new(place.region), evidence, records, focus: place.focus };
        for propose in FAMILIES {
            out.begin_family();
            propose(&site, out);
        }
        relevance::weigh(&site, out.mutations_mut());
    }
}
