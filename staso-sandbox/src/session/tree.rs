//! The tree of a session: the checkout, read once, and what the session changed, read every time.

use std::fmt::Debug;
use std::sync::Arc;

use staso_core::code::RepoPath;
use staso_core::sandbox::{SessionEntry, SessionNode, SessionTree, TreeLimits};
use tokio::sync::Mutex;

use super::connection::{Answer, Connection, Gone, Refused, TreePart};
use super::wire::{self, change, request};

/// Longest path with everything around it in a frame, in bytes.
const ENTRY_BYTES: usize = 4096 + 64;

/// A checkout that the host reads itself.
pub(crate) trait ReadCheckout: Debug + Send + Sync {
    /// The checkout as it is, within the limits.
    fn tree(&self, limits: &TreeLimits) -> SessionTree;
}

/// What was read of a session's checkout. Nothing changes the checkout while the session lives.
#[derive(Debug, Default)]
pub(crate) struct TreeCache {
    /// Who reads the checkout; the agent when nobody else does.
    reader: Option<Arc<dyn ReadCheckout>>,
    last: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    limits: TreeLimits,
    checkout: Arc<SessionTree>,
}

impl TreeCache {
    /// Over a checkout that the host reads itself.
    #[cfg(feature = "container")]
    pub(crate) fn over(reader: impl ReadCheckout + 'static) -> Self {
        Self { reader: Some(Arc::new(reader)), last: Mutex::default() }
    }

    /// The tree as it is now.
    pub(super) async fn read(
        &self,
        connection: &Connection,
        limits: &TreeLimits,
    ) -> Result<Result<Arc<SessionTree>, Refused>, Gone> {
        let mut last = self.last.lock().await;
        let kept = match last.take() {
            Some(kept) if kept.limits == *limits => kept,
            _ => match self.checkout(connection, limits).await? {
                Ok(checkout) => Kept { limits: *limits, checkout: Arc::new(checkout) },
                Err(refused) => return Ok(Err(refused)),
            },
        };
        let checkout = Arc::clone(&last.insert(kept).checkout);
        drop(last);
        let changes = match ask(connection, request::CHANGES, limits).await? {
            Ok(parts) => parts,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(Ok(if changes.is_empty() { checkout } else { Arc::new(changed(&checkout, changes, limits)) }))
    }
}

impl TreeCache {
    async fn checkout(
        &self,
        connection: &Connection,
        limits: &TreeLimits,
    ) -> Result<Result<SessionTree, Refused>, Gone> {
        let Some(reader) = self.reader.clone() else {
            return Ok(ask(connection, request::TREE, limits).await?.map(checkout));
        };
        let limits = *limits;
        tokio::task::spawn_blocking(move || Ok(reader.tree(&limits))).await.map_err(|_| Gone)
    }
}

async fn ask(
    connection: &Connection,
    kind: u8,
    limits: &TreeLimits,
) -> Result<Result<Vec<TreePart>, Refused>, Gone> {
    let entries = u64::try_from(limits.entries).unwrap_or(u64::MAX);
    let (file_bytes, total_bytes) = (limits.file_bytes, limits.total_bytes);
    let wanted = wire::TreeLimits { entries, file_bytes, total_bytes };
    let contents = usize::try_from(total_bytes.saturating_add(file_bytes)).unwrap_or(usize::MAX);
    let most_bytes =
        limits.entries.saturating_add(1_024).saturating_mul(ENTRY_BYTES).saturating_add(contents);
    match connection.tree(most_bytes, |id| wanted.encode(kind, id)).await? {
        Answer::Tree(parts) => Ok(Ok(parts)),
        Answer::Refused(refused) => Ok(Err(refused)),
        Answer::Content(_) | Answer::Done(_) => Err(Gone),
    }
}

fn checkout(parts: Vec<TreePart>) -> SessionTree {
    let mut tree = SessionTree::default();
    let entries = named(parts, &mut tree).into_iter();
    let entry = |(path, node): (RepoPath, Option<SessionNode>)| {
        Some((path, SessionEntry { node: node?, in_checkout: true }))
    };
    tree.entries = entries.filter_map(entry).collect();
    tree
}

fn changed(checkout: &SessionTree, changes: Vec<TreePart>, limits: &TreeLimits) -> SessionTree {
    let mut found = SessionTree::default();
    let changes = named(changes, &mut found);
    let mut tree = checkout.with_changes(changes, limits);
    tree.unnamed += found.unnamed;
    tree.cut |= found.cut;
    tree
}

/// What can be named safely and is content of the repository. The rest is counted in `tree`.
fn named(parts: Vec<TreePart>, tree: &mut SessionTree) -> Vec<(RepoPath, Option<SessionNode>)> {
    let mut named = Vec::with_capacity(parts.len());
    for part in parts {
        if part.kind == change::CUT {
            tree.cut = true;
            continue;
        }
        match std::str::from_utf8(&part.path).ok().map(|path| (path, RepoPath::new(path))) {
            Some((_, Ok(path))) => named.push((path, node(part))),
            Some((path, Err(_))) if RepoPath::is_of_git(path) => {}
            _ => tree.unnamed += 1,
        }
    }
    named
}

/// What is at the path now; `None` when nothing is.
fn node(part: TreePart) -> Option<SessionNode> {
    match part.kind {
        change::WRITTEN | change::WRITTEN_EXECUTABLE => Some(SessionNode::File(part.content)),
        change::SYMLINK => Some(SessionNode::Symlink { target: part.content.to_vec() }),
        change::UNREAD => {
            let size = part.content.first_chunk().map(|size| u64::from_le_bytes(*size));
            Some(SessionNode::Unread { size_bytes: size })
        }
        change::DELETED => None,
        _ => Some(SessionNode::Special),
    }
}
