//! The requests that read a repository at a commit.

use git2::{ObjectType, Oid};
use serde::Deserialize;
use staso_core::id::CommitId;
use staso_core::run::RunContext;
use staso_core::vcs::{Access, VcsError};

use super::listing::Listed;
use crate::git;
use crate::github::api::{RepositoryName, Scope, refusal};
use crate::github::client::{ApiAnswer, ApiRequest, clean};
use crate::github::parts::Parts;

const READING: &str = "reading through the API";
/// The media type of bytes as they are.
const RAW: &str = "application/vnd.github.raw+json";

/// A repository as the API shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) parts: &'a Parts,
    pub(super) name: &'a RepositoryName,
    pub(super) ctx: &'a RunContext,
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

#[derive(Debug, Deserialize)]
struct CommitAnswer {
    tree: CommitTree,
}

#[derive(Debug, Deserialize)]
struct CommitTree {
    sha: String,
}

/// What one directory holds, or with all below it.
#[derive(Debug)]
pub(super) struct TreePart {
    pub(super) entries: Vec<Listed>,
    pub(super) truncated: bool,
}

impl Source<'_> {
    /// Lists a directory; the id of a commit means its root. `None` when there is no such object.
    pub(super) async fn tree(&self, id: &str, depth: Depth) -> Result<Option<TreePart>, VcsError> {
        let mut request = ApiRequest::get(READING, self.name.below(&format!("/git/trees/{id}")));
        if depth == Depth::All {
            request = request.with_query("recursive", "1");
        }
        let answer = self.send(&request).await?;
        match answer.status {
            200 => {
                let TreeAnswer { tree, truncated } = answer.json(READING)?;
                let entries = tree.into_iter().map(listed).collect::<Result<_, _>>()?;
                Ok(Some(TreePart { entries, truncated }))
            }
            404 | 422 => Ok(None),
            409 => Err(VcsError::Empty { url: self.name.url.clone() }),
            _ => Err(refusal(&answer, READING, self.name)),
        }
    }

    /// The root directory of a commit.
    pub(super) async fn root(&self, commit: &CommitId) -> Result<Oid, VcsError> {
        let request = ApiRequest::get(READING, self.name.below(&format!("/git/commits/{commit}")));
        let answer = self.send(&request).await?;
        match answer.status {
            200 => object_id(&answer.json::<CommitAnswer>(READING)?.tree.sha),
            404 | 422 => Err(self.missing(commit)),
            409 => Err(VcsError::Empty { url: self.name.url.clone() }),
            _ => Err(refusal(&answer, READING, self.name)),
        }
    }

    /// The content of a file, which is what its id says.
    pub(super) async fn blob(&self, id: Oid, size_bytes: u64) -> Result<Vec<u8>, VcsError> {
        let request = ApiRequest::get(READING, self.name.below(&format!("/git/blobs/{id}")))
            .with_accept(RAW)
            .with_max_bytes(usize::try_from(size_bytes).unwrap_or(usize::MAX));
        let answer = self.send(&request).await?;
        if !answer.is_success() {
            return Err(refusal(&answer, READING, self.name));
        }
        let found = Oid::hash_object(ObjectType::Blob, &answer.body);
        if found.is_ok_and(|found| found == id) {
            Ok(answer.body)
        } else {
            Err(bad_answer(format!("the content of {id} is another one")))
        }
    }

    /// All files of a commit as a compressed archive.
    pub(super) async fn archive(&self, commit: &CommitId, max_bytes: usize) -> Result<Vec<u8>, VcsError> {
        let request = ApiRequest::get(READING, self.name.below(&format!("/tarball/{commit}")))
            .with_accept(RAW)
            .with_max_bytes(max_bytes);
        let answer = self.send(&request).await?;
        match answer.status {
            200 => Ok(answer.body),
            404 => Err(self.missing(commit)),
            _ => Err(refusal(&answer, READING, self.name)),
        }
    }

    pub(super) fn missing(&self, commit: &CommitId) -> VcsError {
        VcsError::CommitNotFound { commit: commit.clone(), url: self.name.url.clone() }
    }

    async fn send(&self, request: &ApiRequest) -> Result<ApiAnswer, VcsError> {
        let scope = Scope { repository: self.name, access: Access::Read };
        Ok(self.parts.api.send(request, scope, self.ctx).await?)
    }
}

/// How much of a directory is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Its own entries.
    One,
    /// All that is below it, directories included.
    All,
}

fn listed(EntryAnswer { path, mode, sha, size }: EntryAnswer) -> Result<Listed, VcsError> {
    let mode = i32::from_str_radix(&mode, 8).map_err(|_| bad_answer(format!("the mode {mode:?}")))?;
    let has_content = !matches!(git::kind_of(mode), None | Some(staso_core::vcs::TreeEntryKind::Submodule));
    let size_bytes = match size {
        Some(size) if has_content => size,
        None if has_content => return Err(bad_answer(format!("no size of {path:?}"))),
        _ => 0,
    };
    Ok(Listed { path, mode, id: object_id(&sha)?, size_bytes })
}

fn object_id(text: &str) -> Result<Oid, VcsError> {
    // libgit2 fills up shorter ids with zeros.
    let full = Some(text).filter(|text| text.len() == 40).and_then(|text| Oid::from_str(text).ok());
    full.ok_or_else(|| bad_answer(format!("{text:?} is no id of an object")))
}

/// `reason` may quote the answer.
#[expect(clippy::needless_pass_by_value, reason = "it is always made for this")]
pub(super) fn bad_answer(reason: String) -> VcsError {
    VcsError::BadAnswer { operation: READING, reason: clean(&reason) }
}
