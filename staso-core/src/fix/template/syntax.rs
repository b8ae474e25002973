//! A parsed file as a flat list of nodes, in the order in which they begin.
//!
//! The flat form outlives the parser's cursor, knows every parent without a search from the root, and is walked
//! without recursion, so that deeply nested input cannot exhaust the stack.

use std::ops::Range;
use std::sync::Arc;

use tree_sitter::Tree;

/// A parsed file.
#[derive(Debug)]
pub(crate) struct Syntax {
    text: Arc<str>,
    nodes: Vec<Raw>,
    /// The byte at which each line begins.
    lines: Vec<u32>,
    kinds: Vec<Box<str>>,
    roles: Vec<Box<str>>,
}

#[derive(Debug, Clone, Copy)]
struct Raw {
    kind: u16,
    /// 0 for none.
    role: u16,
    named: bool,
    start: u32,
    end: u32,
    line: u32,
    parent: u32,
    /// The number of the first node after this one's subtree.
    next: u32,
}

const NONE: u32 = u32::MAX;
const EMPTY: Raw =
    Raw { kind: u16::MAX, role: 0, named: false, start: 0, end: 0, line: 0, parent: NONE, next: 0 };

impl Syntax {
    /// Files with more nodes are cut here; what follows is not repaired.
    const MAX_NODES: usize = 1_000_000;

    /// Copies the tree out of the parser.
    pub(crate) fn new(text: Arc<str>, tree: &Tree) -> Self {
        let mut nodes: Vec<Raw> = Vec::new();
        let mut open: Vec<u32> = Vec::new();
        let mut cursor = tree.walk();
        loop {
            let id = number(nodes.len());
            let node = cursor.node();
            nodes.push(Raw {
                kind: node.kind_id(),
                role: cursor.field_id().map_or(0, std::num::NonZero::get),
                named: node.is_named(),
                start: number(node.start_byte()),
                end: number(node.end_byte()),
                line: number(node.start_position().row) + 1,
                parent: open.last().copied().unwrap_or(NONE),
                next: id + 1,
            });
            if nodes.len() >= Self::MAX_NODES {
                break;
            }
            if cursor.goto_first_child() {
                open.push(id);
                continue;
            }
            let mut more = cursor.goto_next_sibling();
            while !more && cursor.goto_parent() {
                close(&mut nodes, open.pop());
                more = cursor.goto_next_sibling();
            }
            if !more {
                break;
            }
        }
        while let Some(id) = open.pop() {
            close(&mut nodes, Some(id));
        }
        let language = tree.language();
        let kinds = 0..u16::try_from(language.node_kind_count()).unwrap_or(u16::MAX);
        let roles = 0..=u16::try_from(language.field_count()).unwrap_or(u16::MAX - 1);
        let starts = text.match_indices('\n').map(|(end, _)| number(end) + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Self {
            text,
            nodes,
            lines,
            kinds: kinds.map(|id| language.node_kind_for_id(id).unwrap_or_default().into()).collect(),
            roles: roles.map(|id| language.field_name_for_id(id).unwrap_or_default().into()).collect(),
        }
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The root.
    pub(crate) const fn root(&self) -> Node<'_> {
        Node { syntax: self, id: 0 }
    }

    /// The line end that the file uses.
    pub(crate) fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// The number of the line holding `at`, from 0, and the byte at which it begins.
    pub(crate) fn row(&self, at: usize) -> (usize, usize) {
        let row = self.lines.partition_point(|start| *start <= number(at)).saturating_sub(1);
        (row, self.lines.get(row).map_or(0, |start| *start as usize))
    }

    /// The byte at which the line holding `at` begins.
    pub(crate) fn line_start(&self, at: usize) -> usize {
        self.row(at).1
    }

    /// The byte behind the line end of the line holding `at`.
    pub(crate) fn line_end(&self, at: usize) -> usize {
        self.lines.get(self.row(at).0 + 1).map_or(self.text.len(), |start| *start as usize)
    }

    /// The white space before the first character of the line holding `at`.
    pub(crate) fn indent(&self, at: usize) -> &str {
        let line = self.text.get(self.line_start(at)..).unwrap_or_default();
        let end = line.find(|c: char| c != ' ' && c != '\t').unwrap_or(line.len());
        line.get(..end).unwrap_or_default()
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(NONE - 1)
}

fn close(nodes: &mut [Raw], id: Option<u32>) {
    let next = number(nodes.len());
    if let Some(node) = id.and_then(|id| nodes.get_mut(id as usize)) {
        node.next = next;
    }
}

/// A node of a [`Syntax`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'s> {
    syntax: &'s Syntax,
    id: u32,
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<'s> Node<'s> {
    fn raw(self) -> &'s Raw {
        self.syntax.nodes.get(self.id as usize).unwrap_or(&EMPTY)
    }

    fn at(self, id: u32) -> Self {
        Self { syntax: self.syntax, id }
    }

    /// The file.
    pub(crate) const fn syntax(self) -> &'s Syntax {
        self.syntax
    }

    /// What the grammar calls it.
    pub(crate) fn kind(self) -> &'s str {
        self.syntax.kinds.get(usize::from(self.raw().kind)).map_or("ERROR", |kind| kind)
    }

    /// Its role in its parent.
    pub(crate) fn role(self) -> Option<&'s str> {
        let role = self.syntax.roles.get(usize::from(self.raw().role)).map(|role| &**role);
        role.filter(|role| !role.is_empty())
    }

    /// Whether the grammar names it: tokens such as `+` are not named.
    pub(crate) fn is_named(self) -> bool {
        self.raw().named
    }

    /// First byte.
    pub(crate) fn start(self) -> usize {
        self.raw().start as usize
    }

    /// Behind the last byte.
    pub(crate) fn end(self) -> usize {
        self.raw().end as usize
    }

    /// Its bytes.
    pub(crate) fn range(self) -> Range<usize> {
        self.start()..self.end()
    }

    /// Its first line, from 1.
    pub(crate) fn line(self) -> u32 {
        self.raw().line
    }

    /// Its text.
    pub(crate) fn text(self) -> &'s str {
        self.syntax.text.get(self.range()).unwrap_or_default()
    }

    /// The last line it touches, from 1.
    pub(crate) fn last_line(self) -> u32 {
        number(self.syntax.row(self.end()).0) + 1
    }

    /// The node around it.
    pub(crate) fn parent(self) -> Option<Self> {
        let parent = self.raw().parent;
        (parent != NONE).then(|| self.at(parent))
    }

    /// The nodes around it, innermost first.
    pub(crate) fn ancestors(self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.parent(), |node| node.parent())
    }

    /// Its children.
    pub(crate) fn children(self) -> impl Iterator<Item = Self> {
        let end = self.raw().next;
        let first = Some(self.id + 1).filter(|id| *id < end);
        std::iter::successors(first, move |id| {
            let next = self.at(*id).raw().next;
            (next < end && next > *id).then_some(next)
        })
        .map(move |id| self.at(id))
    }

    /// Its children that the grammar names, without comments.
    pub(crate) fn named(self) -> impl Iterator<Item = Self> {
        self.children().filter(|node| node.is_named() && node.kind() != "comment")
    }

    /// The child in a role.
    pub(crate) fn child(self, role: &str) -> Option<Self> {
        self.children().find(|node| node.role() == Some(role))
    }

    /// The first child that is this token or kind.
    pub(crate) fn token(self, kind: &str) -> Option<Self> {
        self.children().find(|node| node.kind() == kind)
    }

    /// Itself and all nodes below it, in the order in which they begin.
    pub(crate) fn subtree(self) -> impl Iterator<Item = Self> {
        (self.id..self.raw().next).map(move |id| self.at(id))
    }

    /// Whether the other node is this one or below it.
    pub(crate) fn contains(self, other: Self) -> bool {
        (self.id..self.raw().next).contains(&other.id)
    }
}
