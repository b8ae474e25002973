//! A commit made of blobs and trees through the API. Nobody sees it before a branch names it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join_all;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use staso_core::id::CommitId;
use staso_core::run::RunContext;
use staso_core::vcs::{CommitSignature, FileEdit, NewContent, VcsError};

use super::problem::Problem;
use super::target::Target;
use super::tree::{blob_id, mode};
use crate::github::client::{ApiRequest, Repeat, clean};

/// Blobs that are sent at once.
const BLOBS_AT_ONCE: usize = 8;
/// Texts that travel with the trees of one commit, in bytes. GitHub names no limit for such a request.
const INLINE_BYTES: usize = 512 << 10;
/// Entries of one request for a tree.
const TREE_ENTRIES: usize = 100;
/// GitHub's limit for a blob, in bytes.
pub(super) const MAX_BLOB_BYTES: usize = 40 << 20;

/// What GitHub tells of a commit.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct GitCommit {
    pub(super) sha: String,
    pub(super) message: String,
    pub(super) tree: ObjectAnswer,
    pub(super) parents: Vec<ObjectAnswer>,
    #[serde(default)]
    pub(super) verification: Option<Verification>,
}

/// An object by its id.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ObjectAnswer {
    pub(super) sha: String,
}

/// What GitHub says of a signature.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Verification {
    verified: bool,
    reason: String,
}

impl From<Verification> for CommitSignature {
    fn from(told: Verification) -> Self {
        Self { verified: told.verified, reason: clean(&told.reason) }
    }
}

impl GitCommit {
    /// Reads a commit. `None`: it is not there.
    pub(super) async fn read(
        target: Target<'_>,
        commit: &CommitId,
        ctx: &RunContext,
    ) -> Result<Option<Self>, VcsError> {
        let path = target.path(&format!("git/commits/{commit}"));
        target.find(ApiRequest::get("reading a commit", path), ctx).await
    }

    /// The id as the rest of the crate writes it.
    pub(super) fn id(&self) -> Result<CommitId, VcsError> {
        commit_id("reading a commit", &self.sha)
    }
}

/// An id in an answer.
pub(super) fn commit_id(operation: &'static str, text: &str) -> Result<CommitId, VcsError> {
    CommitId::new(text).map_err(|error| VcsError::BadAnswer { operation, reason: error.to_string() })
}

/// What a new commit is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewCommit<'a> {
    pub(super) parent: &'a CommitId,
    /// The tree of the parent.
    pub(super) base_tree: &'a str,
    pub(super) edits: &'a [&'a FileEdit],
    pub(super) message: &'a str,
    /// The tree that must come of it, where that is known before. Then texts travel with the tree.
    pub(super) wanted_tree: Option<&'a str>,
}

impl NewCommit<'_> {
    /// Makes blobs, trees and the commit. It names neither author nor committer: GitHub puts the app there and signs.
    pub(super) async fn make(&self, target: Target<'_>, ctx: &RunContext) -> Result<GitCommit, VcsError> {
        let mut room = if self.wanted_tree.is_some() { INLINE_BYTES } else { 0 };
        let texts: Vec<_> = self.edits.iter().map(|edit| (*edit, inline(edit, &mut room))).collect();
        let mut entries = Vec::new();
        for edits in texts.chunks(BLOBS_AT_ONCE) {
            let sent = edits.iter().map(|(edit, text)| entry(target, edit, *text, ctx));
            entries.extend(try_join_all(sent).await?);
        }
        let mut tree = self.base_tree.to_owned();
        for entries in entries.chunks(TREE_ENTRIES) {
            let body = json!({ "base_tree": tree, "tree": entries });
            tree = post::<ObjectAnswer>(target, "making a tree", "git/trees", body, ctx).await?.sha;
        }
        if self.wanted_tree.is_some_and(|wanted| wanted != tree) {
            let reason = "the tree that was stored is not the one that was sent".to_owned();
            return Err(VcsError::BadAnswer { operation: "making a tree", reason });
        }
        let body = json!({ "message": self.message, "tree": tree, "parents": [self.parent.as_str()] });
        post(target, "making a commit", "git/commits", body, ctx).await
    }
}

/// The new content, when it may travel as text with the tree. It takes its part of `room`.
fn inline<'a>(edit: &'a FileEdit, room: &mut usize) -> Option<&'a str> {
    let text = std::str::from_utf8(&edit.after.as_ref()?.bytes).ok().filter(|text| !text.contains('\0'))?;
    *room = room.checked_sub(text.len())?;
    Some(text)
}

async fn entry(
    target: Target<'_>,
    edit: &FileEdit,
    text: Option<&str>,
    ctx: &RunContext,
) -> Result<Value, VcsError> {
    let executable = edit.after.as_ref().is_some_and(|new| new.executable);
    if let Some(text) = text {
        let (path, mode) = (edit.path.as_str(), mode(executable));
        return Ok(json!({ "path": path, "mode": mode, "type": "blob", "content": text }));
    }
    let sha = match &edit.after {
        None => None,
        Some(new) => Some(blob(target, new, ctx).await?),
    };
    Ok(json!({ "path": edit.path.as_str(), "mode": mode(executable), "type": "blob", "sha": sha }))
}

/// Sends one file, and checks that what arrived is what was sent.
async fn blob(target: Target<'_>, new: &NewContent, ctx: &RunContext) -> Result<String, VcsError> {
    let operation = "sending a file";
    let body = json!({ "content": STANDARD.encode(&new.bytes), "encoding": "base64" });
    let made: ObjectAnswer = post(target, operation, "git/blobs", body, ctx).await?;
    if made.sha == blob_id(new)? {
        Ok(made.sha)
    } else {
        let reason = "the file that was stored is not the one that was sent".to_owned();
        Err(VcsError::BadAnswer { operation, reason })
    }
}

/// Objects are named by their content, so that making one twice is making it once.
async fn post<T: serde::de::DeserializeOwned>(
    target: Target<'_>,
    operation: &'static str,
    rest: &str,
    body: Value,
    ctx: &RunContext,
) -> Result<T, VcsError> {
    let answer = target.write(operation, Method::POST, rest, body, Repeat::Safe, ctx).await?;
    if answer.is_success() {
        return answer.json(operation);
    }
    let problem = Problem::of(&answer);
    if answer.status == 409 && problem.says("empty") {
        return Err(VcsError::Empty { url: target.name.url.clone() });
    }
    if matches!(answer.status, 403 | 404) && problem.says("workflow") {
        return Err(workflows_missing(target));
    }
    Err(target.refusal(&answer, operation))
}

/// The app may not write workflow files.
pub(super) fn workflows_missing(target: Target<'_>) -> VcsError {
    VcsError::MissingPermission {
        permission: "workflows: write".to_owned(),
        url: target.name.url.clone(),
        remedy: "grant it to the app, or leave files below .github/workflows/ out of the change".to_owned(),
    }
}
