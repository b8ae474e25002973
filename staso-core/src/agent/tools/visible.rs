//! Which files of a session an agent looks at.
//!
//! Everything that the checkout has counts, whatever `.gitignore` says: it was committed. Of what commands made, files
//! that a `.gitignore` names are left out: build results, caches, installed packages.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::code::RepoPath;
use crate::sandbox::{SessionEntry, SessionNode, SessionTree};

const NAME: &str = ".gitignore";
/// Files of rules that are read, lines of one, and characters of a line.
const MAX_FILES: usize = 500;
const MAX_LINES: usize = 2_000;
const MAX_LINE_CHARS: usize = 1_000;

/// The rules of a tree, deepest directory last.
#[derive(Debug)]
pub(super) struct Visible<'a> {
    tree: &'a SessionTree,
    rules: Vec<(&'a str, Gitignore)>,
}

impl<'a> Visible<'a> {
    /// Reads the rules, when there is something that they could leave out.
    pub(super) fn new(tree: &'a SessionTree) -> Self {
        let is_needed = tree.entries.values().any(|entry| !entry.in_checkout);
        let files = tree.entries.iter().filter(|(path, _)| is_needed && path.file_name() == NAME);
        let mut rules: Vec<(&str, Gitignore)> = files.take(MAX_FILES).filter_map(rules_of).collect();
        rules.sort_by_key(|(directory, _)| directory.len());
        Self { tree, rules }
    }

    /// Everything that is looked at in or at a path; `None` is all.
    pub(super) fn below(
        &self,
        place: Option<&RepoPath>,
    ) -> impl Iterator<Item = (&'a RepoPath, &'a SessionEntry)> {
        let prefix = place.map(|place| format!("{place}/"));
        let place = place.map(RepoPath::as_str);
        let is_below = move |path: &str| match (&prefix, place) {
            (Some(prefix), Some(place)) => path == place || path.starts_with(prefix.as_str()),
            _ => true,
        };
        let found = self.tree.entries.iter().filter(move |(path, _)| is_below(path.as_str()));
        found.filter(|(path, entry)| entry.in_checkout || !self.is_ignored(path.as_str()))
    }

    /// Whether the deepest rule that speaks of the path leaves it out.
    fn is_ignored(&self, path: &str) -> bool {
        for (directory, rules) in self.rules.iter().rev() {
            let below = match directory.is_empty() {
                true => Some(path),
                false => path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')),
            };
            let Some(below) = below else { continue };
            let verdict = rules.matched_path_or_any_parents(below, false);
            if !verdict.is_none() {
                return verdict.is_ignore();
            }
        }
        false
    }
}

fn rules_of<'a>((path, entry): (&'a RepoPath, &SessionEntry)) -> Option<(&'a str, Gitignore)> {
    let SessionNode::File(content) = &entry.node else { return None };
    let text = String::from_utf8_lossy(content);
    let mut builder = GitignoreBuilder::new("");
    for line in text.lines().take(MAX_LINES).filter(|line| line.len() <= MAX_LINE_CHARS) {
        // A line that cannot be read names nothing, as for git.
        drop(builder.add_line(None, line));
    }
    let directory = path.as_str().rsplit_once('/').map_or("", |(directory, _)| directory);
    Some((directory, builder.build().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str, bool)]) -> SessionTree {
        let entries = files.iter().map(|(path, content, in_checkout)| {
            let node = SessionNode::File(content.as_bytes().into());
            (RepoPath::new(path).unwrap(), SessionEntry { node, in_checkout: *in_checkout })
        });
        SessionTree { entries: entries.collect(), ..SessionTree::default() }
    }

    #[test]
    fn only_what_commands_made_is_ignored_and_the_deepest_rule_decides() {
        let tree = tree(&[
            (".gitignore", "*.log\nbuild/\n/only-here\n", true),
            ("a.log", "", true),
            ("b.log", "", false),
            ("build/x/y.rs", "", false),
            ("build2/y.rs", "", false),
            ("kept/.gitignore", "!*.log\n", true),
            ("kept/c.log", "", false),
            ("kept/only-here", "", false),
            ("only-here", "", false),
        ]);
        let visible = Visible::new(&tree);
        let names: Vec<&str> = visible.below(None).map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            names,
            [".gitignore", "a.log", "build2/y.rs", "kept/.gitignore", "kept/c.log", "kept/only-here"]
        );
        let kept = RepoPath::new("kept").unwrap();
        assert_eq!(visible.below(Some(&kept)).count(), 3);
    }
}
