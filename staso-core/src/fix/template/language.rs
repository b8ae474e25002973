//! What a programming language has to offer to be repaired.

use std::fmt::Debug;
use std::ops::Range;

use super::evidence::Evidence;
use super::locate::Place;
use super::mutation::Sink;
use super::python::Python;
use super::records::Records;
use super::syntax::Node;
use crate::code::RepoPath;

/// A programming language.
pub(crate) trait Language: Debug + Send + Sync {
    /// Its grammar.
    fn grammar(&self) -> tree_sitter::Language;

    /// The innermost function around a line, or the function of that name when no line fits.
    fn function_at<'s>(&self, root: Node<'s>, line: u32, name: Option<&str>) -> Option<Node<'s>>;

    /// The outermost statement around a line that stands outside of functions.
    fn statement_at<'s>(&self, root: Node<'s>, line: u32) -> Option<Node<'s>>;

    /// The name of a function.
    fn name_of<'s>(&self, function: Node<'s>) -> Option<&'s str>;

    /// Functions of the same file whose results reach a line of a function, through its variables or at once.
    fn feeders<'s>(&self, function: Node<'s>, line: u32) -> Vec<Node<'s>>;

    /// Whether an edit, given by the bytes that it wrote, makes an expression that says nothing: two equal sides, or
    /// a name assigned to itself.
    fn is_pointless(&self, root: tree_sitter::Node<'_>, text: &str, edited: Range<usize>) -> bool;

    /// Functions of the same file that a function calls.
    fn helpers<'s>(&self, function: Node<'s>) -> Vec<Node<'s>>;

    /// Proposes edits of one place. The records tell of the data that the program reads.
    fn propose(&self, place: &Place<'_>, evidence: &Evidence<'_>, records: &Records, out: &mut Sink);
}

/// The languages that can be repaired, for messages.
pub(crate) const KNOWN: &str = "Python";

/// The language of a file.
pub(crate) fn language_of(path: &RepoPath) -> Option<&'static dyn Language> {
    match path.extension() {
        Some("py" | "pyi") => Some(&Python),
        _ => None,
    }
}
