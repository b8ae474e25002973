//! [`SessionTree`]: the files of a session, as data.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::code::RepoPath;

/// How much of a session's files is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeLimits {
    /// Paths at most. Default 50,000.
    pub entries: usize,
    /// Larger files are listed with their size only, in bytes. Default 1 MiB.
    pub file_bytes: u64,
    /// All contents together, in bytes; files beyond are listed with their size only. Default 64 MiB.
    pub total_bytes: u64,
}

impl Default for TreeLimits {
    fn default() -> Self {
        Self { entries: 50_000, file_bytes: 1 << 20, total_bytes: 64 << 20 }
    }
}

impl TreeLimits {
    /// Sets how many paths there may be.
    #[must_use]
    pub const fn with_entries(mut self, entries: usize) -> Self {
        self.entries = entries;
        self
    }

    /// Sets the size of the largest file that is read, in bytes.
    #[must_use]
    pub const fn with_file_bytes(mut self, bytes: u64) -> Self {
        self.file_bytes = bytes;
        self
    }

    /// Sets the size of all contents together, in bytes.
    #[must_use]
    pub const fn with_total_bytes(mut self, bytes: u64) -> Self {
        self.total_bytes = bytes;
        self
    }
}

/// What is at a path of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionNode {
    /// A regular file with its content.
    File(Arc<[u8]>),
    /// A regular file that was not read, because it or all files together are larger than the limits.
    Unread {
        /// Its size, as far as it is known.
        size_bytes: Option<u64>,
    },
    /// A symbolic link. It was not followed.
    Symlink {
        /// Where it points, as written.
        target: Vec<u8>,
    },
    /// A device, a pipe or a socket. It was not opened.
    Special,
}

/// One path of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEntry {
    /// What is there.
    pub node: SessionNode,
    /// Whether the checkout below has the path as well, with whatever content.
    pub in_checkout: bool,
}

/// The files of a session at one moment, sorted by path. As in git, a directory is there when something is in it.
///
/// What is no content of the repository is left out as in [`SandboxSession::changes`](super::SandboxSession::changes).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionTree {
    /// Everything that was found.
    pub entries: BTreeMap<RepoPath, SessionEntry>,
    /// Paths that cannot be named safely, such as one with a line break. They are left out.
    pub unnamed: u64,
    /// Whether there are more paths than [`TreeLimits::entries`].
    pub cut: bool,
}

impl SessionTree {
    /// The tree after changes; `None` is a path that is gone. `limits` are those that the tree was read with.
    #[must_use]
    pub fn with_changes(
        &self,
        changes: impl IntoIterator<Item = (RepoPath, Option<SessionNode>)>,
        limits: &TreeLimits,
    ) -> Self {
        let mut tree = self.clone();
        let mut bytes = tree.read_bytes();
        for (path, change) in changes {
            let before = tree.entries.remove(&path);
            let in_checkout = before.as_ref().is_some_and(|entry| entry.in_checkout);
            bytes = bytes.saturating_sub(before.map_or(0, |entry| entry.node.read_bytes()));
            let node = match change {
                None => continue,
                Some(SessionNode::File(content)) => SessionNode::of_file(content, bytes, limits),
                Some(node) => node,
            };
            tree.put(path, SessionEntry { node, in_checkout }, &mut bytes, limits);
        }
        tree
    }

    /// Adds a path unless there are too many.
    fn put(&mut self, path: RepoPath, entry: SessionEntry, bytes: &mut u64, limits: &TreeLimits) {
        if self.entries.len() >= limits.entries {
            self.cut = true;
            return;
        }
        *bytes = bytes.saturating_add(entry.node.read_bytes());
        self.entries.insert(path, entry);
    }

    fn read_bytes(&self) -> u64 {
        self.entries.values().map(|entry| entry.node.read_bytes()).sum()
    }
}

impl SessionNode {
    /// A file whose content is kept if it and the `bytes` that were read before fit.
    #[must_use]
    pub fn of_file(content: impl Into<Arc<[u8]>>, bytes: u64, limits: &TreeLimits) -> Self {
        let content = content.into();
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        if size > limits.file_bytes || bytes.saturating_add(size) > limits.total_bytes {
            return Self::Unread { size_bytes: Some(size) };
        }
        Self::File(content)
    }

    fn read_bytes(&self) -> u64 {
        match self {
            Self::File(content) => u64::try_from(content.len()).unwrap_or(u64::MAX),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RepoPath {
        RepoPath::new(text).unwrap()
    }

    fn tree(files: &[(&str, &str)], limits: &TreeLimits) -> SessionTree {
        let written =
            |(name, content): &(&str, &str)| (path(name), Some(SessionNode::File(content.as_bytes().into())));
        SessionTree::default().with_changes(files.iter().map(written), limits)
    }

    #[test]
    fn limits_hold_for_what_is_added() {
        let limits = TreeLimits::default().with_file_bytes(4).with_total_bytes(6).with_entries(3);
        let tree = tree(&[("a", "1234"), ("b", "123"), ("c", "12345"), ("d", "")], &limits);
        let nodes: Vec<_> = tree.entries.values().map(|entry| entry.node.clone()).collect();
        let unread = |size| SessionNode::Unread { size_bytes: Some(size) };
        assert_eq!(nodes, [SessionNode::File(b"1234".as_slice().into()), unread(3), unread(5)]);
        assert!(tree.cut);
    }

    #[test]
    fn a_change_replaces_what_was_there_and_its_bytes() {
        let limits = TreeLimits::default().with_total_bytes(4);
        let mut before = tree(&[("a", "1234")], &limits);
        before.entries.get_mut(&path("a")).unwrap().in_checkout = true;
        let node = SessionNode::File(b"4321".as_slice().into());
        let after = before.with_changes([(path("a"), Some(node.clone()))], &limits);
        let expected = SessionEntry { node, in_checkout: true };
        assert_eq!(after.entries.get(&path("a")), Some(&expected));
        assert!(after.with_changes([(path("a"), None)], &limits).entries.is_empty());
    }
}
