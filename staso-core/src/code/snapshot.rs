//! Files of one commit, held in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RepoPath;
use crate::id::{BlobId, CommitId};

/// What is known of a repository at one commit: every path (unless the tree was cut), and the text of the files that
/// were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeSnapshot {
    commit: CommitId,
    paths: Vec<RepoPath>,
    tree_truncated: bool,
    files: BTreeMap<RepoPath, SourceFile>,
    listed: BTreeMap<RepoPath, ListedFile>,
    skipped: Vec<SkippedFile>,
}

/// A regular file of the tree, read or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// The content as git names it.
    pub blob: BlobId,
    /// Whether the file is executable.
    pub executable: bool,
}

/// A text file at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The content as git names it.
    pub blob: BlobId,
    /// The content.
    pub text: Arc<str>,
    /// Whether the file is executable.
    pub executable: bool,
}

/// A file that was wanted but not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedFile {
    /// The file.
    pub path: RepoPath,
    /// Why it was not read.
    pub why: String,
}

impl CodeSnapshot {
    /// A snapshot of the tree with no file read yet.
    #[must_use]
    pub fn new(commit: CommitId, mut paths: Vec<RepoPath>, tree_truncated: bool) -> Self {
        paths.sort();
        paths.dedup();
        Self {
            commit,
            paths,
            tree_truncated,
            files: BTreeMap::new(),
            listed: BTreeMap::new(),
            skipped: Vec::new(),
        }
    }

    /// Adds the text of a file; a path that the tree lacks is added to it.
    pub fn insert(&mut self, path: RepoPath, file: SourceFile) {
        if let Err(at) = self.paths.binary_search(&path) {
            self.paths.insert(at, path.clone());
        }
        self.files.insert(path, file);
    }

    /// Notes what git calls the content of a file, read or not.
    pub fn list(&mut self, path: RepoPath, file: ListedFile) {
        self.listed.insert(path, file);
    }

    /// What is known of a regular file without its content.
    #[must_use]
    pub fn listed(&self, path: &RepoPath) -> Option<&ListedFile> {
        self.listed.get(path)
    }

    /// Notes a file that was wanted but not read.
    pub fn skip(&mut self, path: RepoPath, why: impl Into<String>) {
        self.skipped.push(SkippedFile { path, why: why.into() });
    }

    /// The commit.
    #[must_use]
    pub const fn commit(&self) -> &CommitId {
        &self.commit
    }

    /// Every known path, sorted.
    #[must_use]
    pub fn paths(&self) -> &[RepoPath] {
        &self.paths
    }

    /// Whether the tree has more paths than [`paths`](Self::paths) holds.
    #[must_use]
    pub const fn is_tree_truncated(&self) -> bool {
        self.tree_truncated
    }

    /// The files that were read, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&RepoPath, &SourceFile)> {
        self.files.iter()
    }

    /// The files that were wanted but not read.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedFile] {
        &self.skipped
    }

    /// The text of a file, if it was read.
    #[must_use]
    pub fn file(&self, path: &RepoPath) -> Option<&SourceFile> {
        self.files.get(path)
    }

    /// A line of a file, from 1, without its line end.
    #[must_use]
    pub fn line(&self, path: &RepoPath, line: u32) -> Option<&str> {
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        self.file(path)?.text.lines().nth(index)
    }

    /// Finds the repository file that a recorded path of another machine means: the one path that shares the longest
    /// run of trailing components with it. `None` when no file shares at least the file name, when two share
    /// equally many, or when the path lies in installed packages (`site-packages`, `dist-packages`, `node_modules`,
    /// the standard library).
    #[must_use]
    pub fn resolve_recorded_path(&self, recorded: &str) -> Option<&RepoPath> {
        let normal = recorded.trim_start_matches("file://").replace('\\', "/");
        let wanted: Vec<&str> = normal.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if wanted.iter().any(|part| is_foreign_component(part)) {
            return None;
        }
        let mut best: Option<(usize, &RepoPath)> = None;
        let mut tied = false;
        for path in &self.paths {
            let shared = shared_suffix(&wanted, path);
            match best {
                Some((most, _)) if shared == most && shared > 0 => tied = true,
                Some((most, _)) if shared < most => {}
                _ if shared > 0 => (best, tied) = (Some((shared, path)), false),
                _ => {}
            }
        }
        best.filter(|_| !tied).map(|(_, path)| path)
    }
}

fn is_foreign_component(part: &str) -> bool {
    matches!(part, "site-packages" | "dist-packages" | "node_modules" | ".venv" | ".cargo" | ".rustup")
        || part.strip_prefix("python3.").is_some_and(|minor| minor.bytes().all(|b| b.is_ascii_digit()))
}

/// The number of trailing components in common.
fn shared_suffix(wanted: &[&str], path: &RepoPath) -> usize {
    wanted.iter().rev().zip(path.components().rev()).take_while(|(a, b)| **a == *b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(paths: &[&str]) -> CodeSnapshot {
        let commit = CommitId::new("a".repeat(40)).unwrap();
        CodeSnapshot::new(commit, paths.iter().map(|path| RepoPath::new(path).unwrap()).collect(), false)
    }

    #[test]
    fn a_path_of_another_machine_finds_its_file() {
        let code = snapshot(&["support/tools.py", "tests/tools.py", "support/agent.py"]);
        let found = |path| code.resolve_recorded_path(path).map(RepoPath::as_str);
        assert_eq!(found("/srv/app/support/tools.py"), Some("support/tools.py"));
        assert_eq!(found("C:\\app\\tests\\tools.py"), Some("tests/tools.py"));
        assert_eq!(found("agent.py"), Some("support/agent.py"));
        assert_eq!(found("tools.py"), None, "ambiguous");
        assert_eq!(found("/usr/lib/python3.11/json/decoder.py"), None);
        assert_eq!(found("/app/venv/lib/site-packages/support/tools.py"), None);
        assert_eq!(found("/x/other.py"), None);
    }
}
