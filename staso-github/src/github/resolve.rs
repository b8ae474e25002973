//! Finding the repository, the failing commit and the branch that a fix is for.

use serde::Deserialize;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::trace::{RepositoryUrl, SourceRevision};
use staso_core::vcs::{Access, RepositoryRef, ResolvedSource, VcsError};

use super::api::{RepositoryName, Scope, refusal};
use super::client::{ApiAnswer, ApiRequest};
use super::name::encode;
use super::parts::{Parts, commit_key};

const RESOLVING: &str = "resolving the revision";

/// What GitHub says of a repository.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RepositoryAnswer {
    id: u64,
    full_name: String,
    default_branch: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    fork: bool,
    pub(super) permissions: Option<Permissions>,
}

/// What the user of a token may do.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Permissions {
    pub(super) push: bool,
}

/// A reference.
#[derive(Debug, Deserialize)]
struct ReferenceAnswer {
    object: ReferenceTarget,
}

#[derive(Debug, Deserialize)]
struct ReferenceTarget {
    sha: String,
}

/// How one commit stands to another.
#[derive(Debug, Deserialize)]
struct ComparisonAnswer {
    status: String,
}

/// Finds what a trace names.
pub(super) async fn resolve(
    parts: &Parts,
    source: &SourceRevision,
    ctx: &RunContext,
) -> Result<ResolvedSource, VcsError> {
    let url = source.repository_url.as_ref().ok_or(VcsError::NoRepository)?;
    let name = RepositoryName::parse(url, parts.api.endpoints())?;
    let commit = source.commit.clone().ok_or(VcsError::NoCommit)?;
    let mut notes = Vec::new();
    let (name, answer) = repository(parts, &name, &mut notes, ctx).await?;
    let default_branch = BranchName::new(&answer.default_branch).map_err(unusable)?;
    let (base_branch, base_tip) =
        base(parts, &name, source.branch.as_ref(), &default_branch, &mut notes, ctx).await?;
    notes.extend(place(parts, &name, &commit, (&base_branch, &base_tip), ctx).await?);
    let repository = RepositoryRef {
        id: format!("github:{}", answer.id),
        url: name.url,
        default_branch,
        archived: answer.archived,
    };
    parts.companions.put(commit_key(&repository, &commit), base_tip.clone());
    parts.companions.put(commit_key(&repository, &base_tip), commit.clone());
    if let Some(permissions) = answer.permissions {
        parts.permissions.put(repository.id.clone(), permissions);
    }
    Ok(ResolvedSource { repository, commit, base_branch, base_tip, notes })
}

/// Asks for the repository. The name that comes back is its name of today.
async fn repository(
    parts: &Parts,
    name: &RepositoryName,
    notes: &mut Vec<String>,
    ctx: &RunContext,
) -> Result<(RepositoryName, RepositoryAnswer), VcsError> {
    let answer = describe(parts, name, ctx).await?;
    let (host, url) = (parts.api.endpoints().host(), &name.url);
    let current: RepositoryUrl = format!("https://{host}/{}", answer.full_name).parse().map_err(unusable)?;
    let current = RepositoryName::parse(&current, parts.api.endpoints()).map_err(unusable)?;
    if answer.disabled {
        let reason = "GitHub has disabled it".to_owned();
        return Err(VcsError::Gone { url: url.clone(), reason });
    }
    if !current.path("").eq_ignore_ascii_case(&name.path("")) {
        notes.push(format!("the repository has moved from {url} to {}", current.url));
    }
    if answer.fork {
        notes.push(format!(
            "{} is a fork; the fix is proposed there, not in the repository it comes from",
            current.url
        ));
    }
    Ok((current, answer))
}

/// What GitHub says of the repository.
pub(super) async fn describe(
    parts: &Parts,
    name: &RepositoryName,
    ctx: &RunContext,
) -> Result<RepositoryAnswer, VcsError> {
    let answer = get(parts, name, name.path(""), ctx).await?;
    if answer.is_success() { answer.json(RESOLVING) } else { Err(refusal(&answer, RESOLVING, name)) }
}

/// The branch that a fix is for, and its newest commit.
async fn base(
    parts: &Parts,
    name: &RepositoryName,
    recorded: Option<&BranchName>,
    default: &BranchName,
    notes: &mut Vec<String>,
    ctx: &RunContext,
) -> Result<(BranchName, CommitId), VcsError> {
    if let Some(recorded) = recorded.filter(|recorded| *recorded != default) {
        if let Some(tip) = tip(parts, name, recorded, ctx).await? {
            return Ok((recorded.clone(), tip));
        }
        notes.push(format!("the recorded branch {recorded} is gone; the fix is for {default} instead"));
    }
    match tip(parts, name, default, ctx).await? {
        Some(tip) => Ok((default.clone(), tip)),
        None => Err(VcsError::Unreadable {
            url: name.url.clone(),
            reason: format!("its default branch {default} does not exist; set another one in its settings"),
        }),
    }
}

/// The newest commit of a branch.
async fn tip(
    parts: &Parts,
    name: &RepositoryName,
    branch: &BranchName,
    ctx: &RunContext,
) -> Result<Option<CommitId>, VcsError> {
    let path = name.path(&format!("/git/ref/heads/{}", encode(branch.as_str())));
    let answer = get(parts, name, path, ctx).await?;
    match answer.status {
        200 => {
            let found: ReferenceAnswer = answer.json(RESOLVING)?;
            CommitId::new(found.object.sha).map(Some).map_err(unusable)
        }
        404 => Ok(None),
        409 => Err(VcsError::Empty { url: name.url.clone() }),
        _ => Err(refusal(&answer, RESOLVING, name)),
    }
}

/// Checks that the failing commit is there. `Some` is what the reader should know of its place.
async fn place(
    parts: &Parts,
    name: &RepositoryName,
    commit: &CommitId,
    (branch, tip): (&BranchName, &CommitId),
    ctx: &RunContext,
) -> Result<Option<String>, VcsError> {
    if commit == tip {
        return Ok(None);
    }
    let path = name.path(&format!("/compare/{commit}...{tip}"));
    // The files of a comparison are on its first page alone, and nobody reads them here.
    let request = ApiRequest::get(RESOLVING, path).with_query("per_page", "1").with_query("page", "2");
    let answer = parts.api.send(&request, Scope { repository: name, access: Access::Read }, ctx).await?;
    let odd = |why: &str| Some(format!("commit {commit} is not in the history of {branch}: {why}"));
    if answer.is_success() {
        let found: ComparisonAnswer = answer.json(RESOLVING)?;
        let in_history = matches!(found.status.as_str(), "ahead" | "identical");
        let why = "it was never merged, the branch was rewritten, or it is only in a fork";
        return Ok(if in_history { None } else { odd(why) });
    }
    if answer.status != 404 && answer.status < 500 {
        return Err(refusal(&answer, RESOLVING, name));
    }
    let answer = get(parts, name, name.path(&format!("/git/commits/{commit}")), ctx).await?;
    match answer.status {
        200 => Ok(odd("GitHub finds no common history")),
        404 => Err(VcsError::CommitNotFound { commit: commit.clone(), url: name.url.clone() }),
        409 => Err(VcsError::Empty { url: name.url.clone() }),
        _ => Err(refusal(&answer, RESOLVING, name)),
    }
}

async fn get(
    parts: &Parts,
    name: &RepositoryName,
    path: String,
    ctx: &RunContext,
) -> Result<ApiAnswer, VcsError> {
    let scope = Scope { repository: name, access: Access::Read };
    Ok(parts.api.send(&ApiRequest::get(RESOLVING, path), scope, ctx).await?)
}

fn unusable(source: impl std::error::Error + Send + Sync + 'static) -> VcsError {
    VcsError::BadAnswer { operation: RESOLVING, reason: source.to_string() }
}
