//! The requests that read a repository at a commit.

use git2::{ObjectType, Oid};
use serde::Deserialize;
use staso_core::id::CommitId;
use staso_core::run::RunContext;
use staso_core::vcs::{Access, VcsError};

use crate::github::api::{RepositoryName, Scope, refusal};
use crate::github::client::{ApiAnswer, ApiRequest, clean};
use crate::github::parts::Parts;
use crate::github::tree::{Depth, Directory, object_id};

const READING: &str = "reading through the API";
/// Room for a refusal, which may be longer than the file that is asked for.
const REFUSAL_BYTES: u64 = 1 << 20;
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
struct CommitAnswer {
    tree: CommitTree,
}

#[derive(Debug, Deserialize)]
struct CommitTree {
    sha: String,
}

impl Source<'_> {
    /// Lists a directory; the id of a commit means its root. `None` when there is no such object.
    pub(super) async fn list(&self, id: &str, depth: Depth) -> Result<Option<Directory>, VcsError> {
        Directory::list(&self.parts.api, self.name, id, depth, self.ctx).await
    }

    /// The root directory of a commit.
    pub(super) async fn root(&self, commit: &CommitId) -> Result<Oid, VcsError> {
        let request = ApiRequest::get(READING, self.name.below(&format!("/git/commits/{commit}")));
        let answer = self.send(&request).await?;
        match answer.status {
            200 => object_id(&answer.json::<CommitAnswer>(READING)?.tree.sha),
            404 | 422 => Err(self.missing(commit)),
            _ => Err(refusal(&answer, READING, self.name)),
        }
    }

    /// The content of a file, which is what its id and the listing say.
    pub(super) async fn blob(&self, id: Oid, size_bytes: u64) -> Result<Vec<u8>, VcsError> {
        let max_bytes = usize::try_from(size_bytes.max(REFUSAL_BYTES)).unwrap_or(usize::MAX);
        let request = ApiRequest::get(READING, self.name.below(&format!("/git/blobs/{id}")))
            .with_accept(RAW)
            .with_max_bytes(max_bytes);
        let answer = self.send(&request).await?;
        if !answer.is_success() {
            return Err(refusal(&answer, READING, self.name));
        }
        let found = Oid::hash_object(ObjectType::Blob, &answer.body);
        if answer.body.len() as u64 == size_bytes && found.is_ok_and(|found| found == id) {
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

/// `reason` may quote the answer.
#[expect(clippy::needless_pass_by_value, reason = "it is always made for this")]
pub(super) fn bad_answer(reason: String) -> VcsError {
    VcsError::BadAnswer { operation: READING, reason: clean(&reason) }
}
