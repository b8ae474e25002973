//! The directories of a commit as the API lists them, and as git stores them.

use git2::Oid;
use serde::Deserialize;
use staso_core::run::RunContext;
use staso_core::vcs::{Access, TreeEntryKind, VcsError};

use super::api::{Api, RepositoryName, Scope, refusal};
use super::client::{ApiRequest, clean};
use crate::git;

const READING: &str = "reading a tree";
/// Longest listing, in bytes. GitHub lists 100,000 entries, and 7 MB as `git ls-tree` prints them when it lists what is
/// below, too; an entry has some 300 bytes besides its path.
const MAX_BYTES: usize = 64 << 20;

/// How much of a directory is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Its own entries.
    One,
    /// All that is below it, directories included.
    All,
}

/// What a directory holds.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) entries: Vec<Entry>,
    /// Whether there is more than GitHub lists.
    pub(crate) truncated: bool,
}

/// A file, link, submodule or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Below the directory, as the API spells it: any text.
    pub(crate) path: String,
    pub(crate) mode: i32,
    pub(crate) id: Oid,
    /// Zero for what has no content of its own.
    pub(crate) size_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct TreeAnswer {
    tree: Vec<EntryAnswer>,
    #[serde(default)]
    truncated: bool,
}

#[derive(Debug, Deserialize)]
struct EntryAnswer {
    path: String,
    mode: String,
    sha: String,
    size: Option<u64>,
}

impl Directory {
    /// Lists a directory; the id of a commit means its root. `None` when there is no such object.
    pub(crate) async fn list(
        api: &Api,
        repository: &RepositoryName,
        id: &str,
        depth: Depth,
        ctx: &RunContext,
    ) -> Result<Option<Self>, VcsError> {
        let request = ApiRequest::get(READING, repository.below(&format!("/git/trees/{id}")));
        let request = match depth {
            Depth::One => request,
            Depth::All => request.with_query("recursive", "1"),
        };
        let scope = Scope { repository, access: Access::Read };
        let answer = api.send(&request.with_max_bytes(MAX_BYTES), scope, ctx).await?;
        match answer.status {
            200 => {
                let TreeAnswer { tree, truncated } = answer.json(READING)?;
                let entries = tree.into_iter().map(Entry::of).collect::<Result<_, _>>()?;
                Ok(Some(Self { entries, truncated }))
            }
            404 | 422 => Ok(None),
            _ => Err(refusal(&answer, READING, repository)),
        }
    }

    /// Passes when these are all entries, so that what is not among them is not there.
    pub(crate) fn check_whole(&self) -> Result<(), VcsError> {
        if !self.truncated {
            return Ok(());
        }
        let what = "the number of files in one directory".to_owned();
        let limit = "what GitHub lists; read and commit with git instead".to_owned();
        Err(VcsError::TooLarge { what, limit })
    }
}

impl Entry {
    fn of(EntryAnswer { path, mode, sha, size }: EntryAnswer) -> Result<Self, VcsError> {
        let mode = i32::from_str_radix(&mode, 8).map_err(|_| bad_answer(&format!("the mode {mode:?}")))?;
        let size_bytes = match (size, git::kind_of(mode)) {
            (_, None | Some(TreeEntryKind::Submodule)) => 0,
            (Some(size), _) => size,
            (None, _) => return Err(bad_answer(&format!("no size of {path:?}"))),
        };
        Ok(Self { path, mode, id: object_id(&sha)?, size_bytes })
    }

    /// `None` for a directory.
    pub(crate) const fn kind(&self) -> Option<TreeEntryKind> {
        git::kind_of(self.mode)
    }
}

/// The id of an object as the API writes it.
pub(crate) fn object_id(text: &str) -> Result<Oid, VcsError> {
    // libgit2 fills up shorter ids with zeros.
    let full = Some(text).filter(|text| text.len() == 40).and_then(|text| Oid::from_str(text).ok());
    full.ok_or_else(|| bad_answer(&format!("{text:?} is no id of an object")))
}

/// A directory with entries of these names, modes and ids, as git stores it.
pub(crate) fn encode(mut entries: Vec<(&str, i32, Oid)>) -> Vec<u8> {
    // git sorts as if the names of directories ended with a slash.
    entries.sort_by_cached_key(|(name, mode, _)| {
        format!("{name}{}", if git::kind_of(*mode).is_none() { "/" } else { "" })
    });
    let mut bytes = Vec::new();
    for (name, mode, id) in entries {
        bytes.extend_from_slice(format!("{mode:o} {name}\0").as_bytes());
        bytes.extend_from_slice(id.as_bytes());
    }
    bytes
}

/// `reason` may quote the answer.
fn bad_answer(reason: &str) -> VcsError {
    VcsError::BadAnswer { operation: READING, reason: clean(reason) }
}
