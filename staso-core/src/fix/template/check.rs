//! Parsing, and the check that an edit leaves a file as well-formed as it was.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use tree_sitter::{InputEdit, ParseOptions, Parser, Point, Tree};

use super::language::Language;
use super::syntax::Syntax;
use crate::fix::Replacement;
use crate::run::RunContext;

/// A parsed file of the snapshot.
#[derive(Debug)]
pub(crate) struct ParsedFile {
    /// The nodes.
    pub(crate) syntax: Syntax,
    /// The language.
    pub(crate) language: &'static dyn Language,
    tree: Tree,
    errors: usize,
}

impl ParsedFile {
    /// Larger files are not repaired, in bytes.
    pub(crate) const MAX_BYTES: usize = 2 << 20;

    /// Parses a file; `None` when it is too large or the run was cancelled.
    pub(crate) fn new(text: &Arc<str>, language: &'static dyn Language, ctx: &RunContext) -> Option<Self> {
        if text.len() > Self::MAX_BYTES {
            return None;
        }
        let tree = parse(text, language, None, ctx)?;
        let errors = count_errors(&tree);
        Some(Self { syntax: Syntax::new(Arc::clone(text), &tree), language, tree, errors })
    }

    /// Whether the file parses with the edit no worse than before, and the edit makes no expression that says nothing.
    pub(crate) fn accepts(&self, parts: &[Replacement], after: &str, ctx: &RunContext) -> bool {
        let mut tree = self.tree.clone();
        let mut parts: Vec<&Replacement> = parts.iter().collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.range.start));
        for part in &parts {
            tree.edit(&self.input_edit(part));
        }
        let Some(tree) = parse(after, self.language, Some(&tree), ctx) else { return false };
        count_errors(&tree) <= self.errors
            && !written(&parts)
                .into_iter()
                .any(|edited| self.language.is_pointless(tree.root_node(), after, edited))
    }

    /// Positions count from the front of the file as it was, so edits are reported from back to front.
    fn input_edit(&self, part: &Replacement) -> InputEdit {
        let point = |at| {
            let (row, start) = self.syntax.row(at);
            Point { row, column: at - start }
        };
        let start = point(part.range.start);
        let lines = part.text.matches('\n').count();
        let column = match part.text.rfind('\n') {
            Some(end) => part.text.len() - end - 1,
            None => start.column + part.text.len(),
        };
        InputEdit {
            start_byte: part.range.start,
            old_end_byte: part.range.end,
            new_end_byte: part.range.start + part.text.len(),
            start_position: start,
            old_end_position: point(part.range.end),
            new_end_position: Point { row: start.row + lines, column },
        }
    }
}

/// The bytes that the parts wrote, in the file as it is afterwards.
fn written(back_to_front: &[&Replacement]) -> Vec<Range<usize>> {
    let mut added = 0;
    let mut removed = 0;
    let mut ranges = Vec::new();
    for part in back_to_front.iter().rev() {
        let start = part.range.start + added - removed;
        ranges.push(start..start + part.text.len());
        added += part.text.len();
        removed += part.range.len();
    }
    ranges
}

fn parse(text: &str, language: &dyn Language, old: Option<&Tree>, ctx: &RunContext) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&language.grammar()).ok()?;
    let mut stop = |_: &tree_sitter::ParseState| {
        if ctx.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let bytes = text.as_bytes();
    parser.parse_with_options(
        &mut |at, _| bytes.get(at..).unwrap_or_default(),
        old,
        Some(ParseOptions::new().progress_callback(&mut stop)),
    )
}

/// The lines, from 1, of the syntax errors of a text, in order; `None` when its language is not known, it is too large or
/// the run was cancelled.
#[cfg(feature = "agent-tools")]
pub(crate) fn syntax_errors(
    path: &crate::code::RepoPath,
    text: &str,
    ctx: &RunContext,
) -> Option<Vec<usize>> {
    let language = super::language::language_of(path).filter(|_| text.len() <= ParsedFile::MAX_BYTES)?;
    Some(error_lines(&parse(text, language, None, ctx)?))
}

fn count_errors(tree: &Tree) -> usize {
    error_lines(tree).len()
}

/// Where the errors in the tree begin, found without recursion.
fn error_lines(tree: &Tree) -> Vec<usize> {
    let mut cursor = tree.walk();
    let mut lines = Vec::new();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            lines.push(node.start_position().row + 1);
        }
        if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return lines;
            }
        }
    }
}
