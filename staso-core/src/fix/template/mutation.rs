//! One small edit, not yet checked.

use std::ops::Range;

use tokio_util::sync::CancellationToken;

use super::family::Family;
use super::syntax::Node;
use crate::fix::Replacement;

/// One small edit that a family proposes.
#[derive(Debug, Clone)]
pub(crate) struct Mutation {
    /// The family that proposes it.
    pub(crate) family: Family,
    /// The edit.
    pub(crate) parts: Vec<Replacement>,
    /// The line it is about, from 1.
    pub(crate) line: u32,
    /// From 0 to 1: how well the edit fits the evidence, among edits of its family.
    pub(crate) closeness: f64,
    /// What it does, in the imperative.
    pub(crate) title: String,
    /// Why it may help, when there is more to say than the family's reason.
    pub(crate) why: Option<String>,
    /// Whether other code or the data of the repository speak for just this edit: it then counts as much as an edit
    /// of the likeliest family.
    pub(crate) is_backed: bool,
}

/// Collects what families propose for one place.
#[derive(Debug)]
pub(crate) struct Sink {
    mutations: Vec<Mutation>,
    limit: usize,
    cancel: CancellationToken,
}

impl Sink {
    /// Further edits that one family makes of one place are dropped.
    const FAMILY_LIMIT: usize = 10_000;

    /// Larger edits are dropped, in bytes of new text.
    const MAX_EDIT_BYTES: usize = 16 << 10;

    /// An empty one that counts as full when the run is cancelled.
    pub(crate) const fn new(cancel: CancellationToken) -> Self {
        Self { mutations: Vec::new(), limit: Self::FAMILY_LIMIT, cancel }
    }

    /// Makes room for the next family.
    pub(crate) fn begin_family(&mut self) {
        self.limit = self.mutations.len() + Self::FAMILY_LIMIT;
    }

    /// What was collected.
    pub(crate) fn into_mutations(self) -> Vec<Mutation> {
        self.mutations
    }

    /// Whether nothing more of this family fits.
    pub(crate) fn is_full(&self) -> bool {
        self.mutations.len() >= self.limit || self.cancel.is_cancelled()
    }

    /// Replaces a node.
    pub(crate) fn replace(
        &mut self,
        family: Family,
        node: Node<'_>,
        text: impl Into<String>,
        closeness: f64,
        title: impl Into<String>,
    ) {
        let text = text.into();
        if text != node.text() {
            self.edit(family, node.line(), node.range(), text, closeness, title);
        }
    }

    /// Replaces a range of bytes.
    pub(crate) fn edit(
        &mut self,
        family: Family,
        line: u32,
        range: Range<usize>,
        text: impl Into<String>,
        closeness: f64,
        title: impl Into<String>,
    ) {
        let parts = vec![Replacement { range, text: text.into() }];
        self.push(Mutation {
            family,
            parts,
            line,
            closeness,
            title: title.into(),
            why: None,
            is_backed: false,
        });
    }

    /// Replaces a node by what other code or the data of the repository speak for, for the reason given.
    pub(crate) fn replace_backed(
        &mut self,
        family: Family,
        node: Node<'_>,
        text: impl Into<String>,
        closeness: f64,
        (title, why): (String, String),
    ) {
        let parts = vec![Replacement { range: node.range(), text: text.into() }];
        let line = node.line();
        self.push(Mutation { family, parts, line, closeness, title, why: Some(why), is_backed: true });
    }

    /// What was collected, to be weighed.
    pub(crate) fn mutations_mut(&mut self) -> &mut [Mutation] {
        &mut self.mutations
    }

    /// How many edits there are.
    pub(crate) const fn len(&self) -> usize {
        self.mutations.len()
    }

    /// Marks the edits from a number on as backed by the repository, for a reason.
    pub(crate) fn back(&mut self, from: usize, why: &str) {
        for mutation in self.mutations.iter_mut().skip(from) {
            mutation.is_backed = true;
            mutation.why = Some(why.to_owned());
        }
    }

    /// Adds an edit.
    pub(crate) fn push(&mut self, mutation: Mutation) {
        let bytes: usize = mutation.parts.iter().map(|part| part.text.len()).sum();
        if self.mutations.len() < self.limit && bytes <= Self::MAX_EDIT_BYTES {
            self.mutations.push(mutation);
        }
    }
}

/// Text of a repository or trace inside a title: one line, short, without anything that could change how it is shown.
pub(crate) fn code(text: &str) -> String {
    let clean: String = text
        .chars()
        .take(4 * MAX_CODE_CHARS)
        .map(|c| if c.is_control() || is_invisible(c) || c == '`' { ' ' } else { c })
        .collect();
    let line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX_CODE_CHARS {
        return format!("`{line}`");
    }
    let cut: String = line.chars().take(MAX_CODE_CHARS - 1).collect();
    format!("`{cut}…`")
}

const MAX_CODE_CHARS: usize = 24;

/// Characters that change direction or are not seen.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_one_short_harmless_line() {
        assert_eq!(code("a`b\n\u{202e}c"), "`a b c`");
        assert_eq!(code(&"x".repeat(100)).chars().count(), MAX_CODE_CHARS + 2);
    }
}
