//! A commit made by `createCommitOnBranch`: GitHub signs it whoever asks, but only ever on a branch that is there, and
//! only with regular files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::vcs::{Access, ChangeSet, CommitSignature, VcsError};

use super::commit::commit_id;
use super::problem::is_policy;
use super::target::Target;
use crate::error;
use crate::github::api::{ApiFailure, PROVIDER, Scope};
use crate::github::client::{ApiAnswer, ApiRequest, Repeat, clean};

const OPERATION: &str = "making a commit";
/// The whole request: `CreateCommitOnBranchInput` is its one variable.
const DOCUMENT: &str = include_str!("create_commit.graphql");

/// The branch that a run makes its commit on. Nobody takes it for a proposal's: `commit` stands where their number does.
pub(super) fn scratch_branch(
    prefix: &BranchName,
    parent: &CommitId,
    ctx: &RunContext,
) -> Result<BranchName, VcsError> {
    let name = format!("{prefix}-commit-{}-{parent}", ctx.run_id());
    BranchName::new(name).map_err(|error| error::backend(OPERATION, error))
}

/// A commit on a branch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mutation<'a> {
    pub(super) branch: &'a BranchName,
    /// Where the branch is; GitHub refuses when it is elsewhere.
    pub(super) parent: &'a CommitId,
    pub(super) changes: &'a ChangeSet,
    pub(super) message: &'a str,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Made {
        head: CommitId,
        signature: Option<CommitSignature>,
    },
    /// Look at the branch: the answer was lost, or the branch was elsewhere.
    Unknown,
}

#[derive(Debug, Deserialize)]
struct Answer {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Data {
    #[serde(rename = "createCommitOnBranch")]
    payload: Option<Payload>,
}

#[derive(Debug, Deserialize)]
struct Payload {
    commit: Option<Made>,
}

#[derive(Debug, Deserialize)]
struct Made {
    oid: String,
    signature: Option<Signature>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signature {
    is_valid: bool,
    state: String,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    message: String,
}

impl Mutation<'_> {
    pub(super) async fn run(&self, target: Target<'_>, ctx: &RunContext) -> Result<Outcome, VcsError> {
        let variables = json!({ "input": self.input(target) });
        let request = ApiRequest::graphql(OPERATION, DOCUMENT, variables, Repeat::ReadBack);
        let scope = Scope { repository: target.name, access: Access::Propose };
        match target.api.send(&request, scope, ctx).await {
            Ok(answer) if answer.is_success() => self.judge(&answer, target),
            Ok(answer) if answer.status >= 500 => Ok(Outcome::Unknown),
            Ok(answer) => Err(target.refusal(&answer, OPERATION)),
            Err(ApiFailure::Lost { .. }) => Ok(Outcome::Unknown),
            Err(ApiFailure::Failed(error)) => Err(error),
        }
    }

    fn input(&self, target: Target<'_>) -> Value {
        let (headline, body) = self.message.split_once('\n').unwrap_or((self.message, ""));
        let additions = self.changes.edits.iter().filter_map(|edit| {
            let new = edit.after.as_ref()?;
            Some(json!({ "path": edit.path.as_str(), "contents": STANDARD.encode(&new.bytes) }))
        });
        let deleted = self.changes.edits.iter().filter(|edit| edit.after.is_none());
        let deletions = deleted.map(|edit| json!({ "path": edit.path.as_str() }));
        json!({
            "branch": {
                "repositoryNameWithOwner": format!("{}/{}", target.name.owner, target.name.name),
                "branchName": self.branch.as_str(),
            },
            "expectedHeadOid": self.parent.as_str(),
            "message": { "headline": headline, "body": body.trim() },
            "fileChanges": {
                "additions": additions.collect::<Vec<_>>(),
                "deletions": deletions.collect::<Vec<_>>(),
            },
        })
    }

    /// GraphQL refuses with status 200.
    fn judge(&self, answer: &ApiAnswer, target: Target<'_>) -> Result<Outcome, VcsError> {
        let Answer { data, errors } = answer.json(OPERATION)?;
        if let Some(made) = data.and_then(|data| data.payload?.commit) {
            let signature = made.signature.map(|told| CommitSignature {
                verified: told.is_valid,
                reason: clean(&told.state.to_ascii_lowercase()),
            });
            return Ok(Outcome::Made { head: commit_id(OPERATION, &made.oid)?, signature });
        }
        let text = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join(": ");
        let shown = clean(&text);
        let says = |kind: &str| errors.iter().any(|error| error.kind == kind);
        if says("STALE_DATA") {
            Ok(Outcome::Unknown)
        } else if is_policy(&text) {
            Err(VcsError::PolicyRejected { branch: self.branch.clone(), rule: shown })
        } else if says("FORBIDDEN") {
            Err(VcsError::MissingPermission {
                permission: "contents: write".to_owned(),
                url: target.name.url.clone(),
                remedy: "grant it to the app or token".to_owned(),
            })
        } else {
            Err(VcsError::Backend { provider: PROVIDER, operation: OPERATION, source: shown.into() })
        }
    }
}
