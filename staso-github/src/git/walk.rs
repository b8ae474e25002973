//! Walking through the tree of a commit.

use git2::{Oid, Tree};
use staso_core::code::RepoPath;
use staso_core::vcs::{TreeEntryKind, VcsError};

use super::repository::GitRepository;
use crate::blocking::Stop;

/// What a walk meets, in the order of the paths.
pub(crate) enum Met {
    /// A directory; what it holds follows.
    Directory(RepoPath),
    /// Anything else.
    Entry {
        /// Where.
        path: RepoPath,
        /// What.
        kind: TreeEntryKind,
        /// Its object. A submodule's is not in this repository.
        oid: Oid,
    },
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
pub(crate) enum Next {
    /// To the next entry.
    Continue,
    /// No further.
    Finish,
}

/// How a walk ended.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Whether entries were left because of the limit or because the visitor had enough.
    pub(crate) truncated: bool,
    /// Entries that were passed over because their path is not usable; a directory counts once.
    pub(crate) unusable: usize,
}

struct Frame<'repo> {
    tree: Tree<'repo>,
    next: usize,
    prefix: String,
}

/// Shows every entry below `root` to `visit`, at most `limit` entries and directories: a small hostile tree can unfold
/// to more files than there are atoms.
pub(crate) fn walk(
    repository: &GitRepository,
    root: Oid,
    limit: usize,
    stop: &Stop,
    visit: &mut dyn FnMut(Met) -> Result<Next, VcsError>,
) -> Result<Walked, VcsError> {
    let mut walked = Walked::default();
    let mut seen = 0_usize;
    let mut frames = vec![frame(repository, root, String::new())?];
    while let Some(top) = frames.last_mut() {
        let Some(entry) = top.tree.get(top.next) else {
            frames.pop();
            continue;
        };
        stop.check()?;
        seen += 1;
        if seen > limit {
            walked.truncated = true;
            break;
        }
        let (oid, kind) = (entry.id(), kind(&entry));
        let path = path(&top.prefix, entry.name_bytes());
        drop(entry);
        top.next += 1;
        let Some(path) = path else {
            walked.unusable += 1;
            continue;
        };
        let met = match kind {
            None => Met::Directory(path.clone()),
            Some(kind) => Met::Entry { path: path.clone(), kind, oid },
        };
        if visit(met)? == Next::Finish {
            walked.truncated = true;
            break;
        }
        if kind.is_none() {
            frames.push(frame(repository, oid, format!("{path}/"))?);
        }
    }
    Ok(walked)
}

fn frame(repository: &GitRepository, tree: Oid, prefix: String) -> Result<Frame<'_>, VcsError> {
    Ok(Frame { tree: repository.directory(tree)?, next: 0, prefix })
}

/// `None` for names with a slash, too: git writes none, but a crafted tree can hold them.
fn path(prefix: &str, name: &[u8]) -> Option<RepoPath> {
    let name = std::str::from_utf8(name).ok().filter(|name| !name.contains('/'))?;
    RepoPath::new(format!("{prefix}{name}")).ok()
}

/// `None` for a directory.
pub(crate) fn kind(entry: &git2::TreeEntry<'_>) -> Option<TreeEntryKind> {
    kind_of(entry.filemode_raw())
}

/// What a mode says of its entry; `None` for a directory.
pub(crate) const fn kind_of(mode: i32) -> Option<TreeEntryKind> {
    match mode & 0o170_000 {
        0o040_000 => None,
        0o160_000 => Some(TreeEntryKind::Submodule),
        0o120_000 => Some(TreeEntryKind::Symlink),
        _ if mode & 0o111 != 0 => Some(TreeEntryKind::Executable),
        _ => Some(TreeEntryKind::File),
    }
}
