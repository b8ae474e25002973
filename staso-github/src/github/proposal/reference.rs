//! Branches as GitHub keeps them: listing, reading, and making one that nobody has.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::vcs::{Access, VcsError};

use super::commit::{ObjectAnswer, commit_id, workflows_missing};
use super::problem::Problem;
use super::target::Target;
use crate::github::api::{ApiFailure, PROVIDER, Scope};
use crate::github::client::{ApiAnswer, ApiRequest, Repeat};
use crate::github::name::encode;
use crate::publish::{StandingBranch, number_of, numbered};

const MAKING: &str = "making a branch";
/// How often a branch is tried again whose answer was lost, or that another writer was in the way of.
const TRIES: usize = 2;

#[derive(Debug, Deserialize)]
struct ReferenceAnswer {
    #[serde(rename = "ref")]
    name: String,
    object: ObjectAnswer,
}

/// How making a branch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It is new.
    Made,
    /// It was there, at this commit.
    Same,
    /// There is another branch of that name, or one that excludes the name.
    Taken,
}

/// All branches `<prefix>-<number>`, by number.
pub(super) async fn standing(
    target: Target<'_>,
    prefix: &BranchName,
    ctx: &RunContext,
) -> Result<Vec<StandingBranch>, VcsError> {
    let operation = "listing branches";
    let path = target.path(&format!("git/matching-refs/heads/{}-", encode(prefix.as_str())));
    let found: Option<Vec<ReferenceAnswer>> = target.find(ApiRequest::get(operation, path), ctx).await?;
    let found = found.ok_or_else(|| VcsError::RepositoryNotFound { url: target.name.url.clone() })?;
    let mut standing = Vec::new();
    for reference in found {
        let number = reference.name.strip_prefix("refs/heads/").and_then(|name| number_of(prefix, name));
        let Some(number) = number else { continue };
        let branch = numbered(prefix, number)?;
        standing.push(StandingBranch { branch, number, tip: commit_id(operation, &reference.object.sha)? });
    }
    standing.sort_by_key(|branch| branch.number);
    Ok(standing)
}

/// The commit that a branch is at.
pub(super) async fn read(
    target: Target<'_>,
    branch: &BranchName,
    ctx: &RunContext,
) -> Result<Option<CommitId>, VcsError> {
    let operation = "reading a branch";
    let path = target.path(&format!("git/ref/heads/{}", encode(branch.as_str())));
    let found: Option<ReferenceAnswer> = target.find(ApiRequest::get(operation, path), ctx).await?;
    found.map(|reference| commit_id(operation, &reference.object.sha)).transpose()
}

/// Makes a branch. Where the answer does not say what became of it, the branch itself does.
pub(super) async fn create(
    target: Target<'_>,
    branch: &BranchName,
    head: &CommitId,
    ctx: &RunContext,
) -> Result<Put, VcsError> {
    let body = json!({ "ref": format!("refs/heads/{branch}"), "sha": head.as_str() });
    for _ in 0..TRIES {
        let (rest, repeat) = ("git/refs", Repeat::ReadBack);
        let answer = match target.write(MAKING, Method::POST, rest, body.clone(), repeat, ctx).await {
            Ok(answer) if answer.is_success() => return Ok(Put::Made),
            Ok(answer) if answer.status >= 500 => None,
            Ok(answer) if !matches!(answer.status, 409 | 422) => {
                return Err(refused(target, branch, &answer));
            }
            Ok(answer) => Some(answer),
            Err(ApiFailure::Lost { .. }) => None,
            Err(ApiFailure::Failed(error)) => return Err(error),
        };
        match (read(target, branch, ctx).await?, &answer) {
            (Some(found), None) if found == *head => return Ok(Put::Made),
            (Some(found), Some(_)) if found == *head => return Ok(Put::Same),
            (Some(_), _) => return Ok(Put::Taken),
            (None, _) => {}
        }
        if let Some(answer) = answer.filter(|answer| answer.status == 422) {
            let problem = Problem::of(&answer);
            // Another name excludes this one, as `a/b` excludes `a`; or the branch is there and not yet to be read.
            let excluded = problem.says("already exists") || problem.says("reference update failed");
            return if excluded { Ok(Put::Taken) } else { Err(refused(target, branch, &answer)) };
        }
    }
    let source = format!("{branch} was not there after {TRIES} tries").into();
    Err(VcsError::Backend { provider: PROVIDER, operation: MAKING, source })
}

/// Removes a branch that only we know. What is not removed does no harm.
pub(super) async fn remove(target: Target<'_>, branch: &BranchName, ctx: &RunContext) {
    let path = target.path(&format!("git/refs/heads/{}", encode(branch.as_str())));
    let scope = Scope { repository: target.name, access: Access::Propose };
    match target.api.send(&ApiRequest::delete("removing a branch", path), scope, ctx).await {
        Ok(answer) if answer.is_success() => {}
        Ok(answer) => tracing::warn!(%branch, status = answer.status, "a branch of ours stays"),
        Err(error) => tracing::warn!(%branch, ?error, "a branch of ours stays"),
    }
}

/// Why a branch may not be made, in the words of users.
pub(super) fn refused(target: Target<'_>, branch: &BranchName, answer: &ApiAnswer) -> VcsError {
    let problem = Problem::of(answer);
    if problem.is_policy() {
        VcsError::PolicyRejected { branch: branch.clone(), rule: problem.text() }
    } else if problem.says("workflow") {
        workflows_missing(target)
    } else {
        target.refusal(answer, MAKING)
    }
}
