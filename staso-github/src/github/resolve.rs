//! Finding the repository, the failing commit and the branch that a fix is for.

use serde::Deserialize;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::trace::{RepositoryUrl, SourceRevision};
use staso_core::vcs::{Access, RepositoryRef, ResolvedSource, VcsError};

use super::api::{RepositoryName, Scope, refusal};
use super::auth::Granted;
use super::client::{ApiAnswer, ApiRequest, clean};
use super::name::encode;
use super::options::CommitMode;
use super::parts::{ID_PREFIX, Parts, commit_key};
use crate::git::Ancestry;

const RESOLVING: &str = "resolving the revision";

/// What GitHub says of a repository.
#[derive(Debug, Deserialize)]
struct RepositoryAnswer {
    id: u64,
    full_name: String,
    default_branch: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    fork: bool,
}

impl RepositoryAnswer {
    /// The id of [`RepositoryRef`].
    fn id_text(&self) -> String {
        format!("{ID_PREFIX}{}", self.id)
    }
}

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

/// A branch and its newest commit.
#[derive(Debug)]
struct Branch {
    name: BranchName,
    tip: CommitId,
}

/// Finds what a trace names.
pub(super) async fn resolve(
    parts: &Parts,
    source: &SourceRevision,
    ctx: &RunContext,
) -> Result<ResolvedSource, VcsError> {
    if ctx.is_cancelled() {
        return Err(VcsError::Cancelled);
    }
    let url = source.repository_url.as_ref().ok_or(VcsError::NoRepository)?;
    let recorded = parts.named(url)?;
    let commit = source.commit.clone().ok_or(VcsError::NoCommit)?;
    let (answer, granted) = describe(parts, &recorded, ctx).await?;
    let name = current_name(parts, &answer)?;
    let mut notes = notes(&recorded, &name, &answer);
    let repository = reference(name.clone(), &answer)?;
    let lookup = Lookup { parts, name: &name, ctx };
    let (base, note) = lookup.base(source.branch.as_ref(), &repository.default_branch).await?;
    notes.extend(note);
    notes.extend(lookup.place(&repository, &commit, &base).await?);
    parts.remember(&repository, &commit, &base.tip, granted);
    Ok(ResolvedSource { repository, commit, base_branch: base.name, base_tip: base.tip, notes })
}

/// A repository as it is today.
pub(super) async fn repository(
    parts: &Parts,
    url: &RepositoryUrl,
    ctx: &RunContext,
) -> Result<RepositoryRef, VcsError> {
    if ctx.is_cancelled() {
        return Err(VcsError::Cancelled);
    }
    let recorded = parts.named(url)?;
    let (answer, _) = describe(parts, &recorded, ctx).await?;
    reference(current_name(parts, &answer)?, &answer)
}

fn reference(name: RepositoryName, answer: &RepositoryAnswer) -> Result<RepositoryRef, VcsError> {
    Ok(RepositoryRef {
        id: answer.id_text(),
        url: name.url,
        default_branch: BranchName::new(&answer.default_branch).map_err(unusable)?,
        archived: answer.archived,
    })
}

/// What a repository is found to allow.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) archived: bool,
    /// Of a personal token.
    pub(super) granted: Granted,
}

/// Looks at a repository that was resolved before.
///
/// # Errors
/// [`VcsError::Gone`] when another one has its name now.
pub(super) async fn look(
    parts: &Parts,
    repository: &RepositoryRef,
    name: &RepositoryName,
    ctx: &RunContext,
) -> Result<Look, VcsError> {
    let (answer, granted) = describe(parts, name, ctx).await?;
    if answer.id_text() != repository.id {
        let reason = "another repository has its name now".to_owned();
        return Err(VcsError::Gone { url: name.url.clone(), reason });
    }
    Ok(Look { archived: answer.archived, granted })
}

async fn describe(
    parts: &Parts,
    name: &RepositoryName,
    ctx: &RunContext,
) -> Result<(RepositoryAnswer, Granted), VcsError> {
    let answer = Lookup { parts, name, ctx }.get(name.path()).await?;
    if !answer.is_success() {
        return Err(refusal(&answer, RESOLVING, name));
    }
    let found: RepositoryAnswer = answer.json(RESOLVING)?;
    if found.disabled {
        return Err(VcsError::Gone { url: name.url.clone(), reason: "GitHub has disabled it".to_owned() });
    }
    parts.remember_archived(found.id_text(), found.archived, ctx);
    Ok((found, Granted::of_answer(&answer)))
}

/// The name of today, which a redirect may have led to.
fn current_name(parts: &Parts, answer: &RepositoryAnswer) -> Result<RepositoryName, VcsError> {
    let host = parts.api.endpoints().host();
    let url: RepositoryUrl = format!("https://{host}/{}", answer.full_name).parse().map_err(unusable)?;
    let name = RepositoryName::parse(&url, parts.api.endpoints()).map_err(unusable)?;
    parts.check_served(&name)?;
    Ok(name)
}

fn notes(recorded: &RepositoryName, name: &RepositoryName, answer: &RepositoryAnswer) -> Vec<String> {
    let moved = (!name.path().eq_ignore_ascii_case(&recorded.path()))
        .then(|| format!("the repository has moved from {} to {}", recorded.url, name.url));
    let fork = answer.fork.then(|| {
        format!("{} is a fork; the fix is proposed there, not in the repository it comes from", name.url)
    });
    moved.into_iter().chain(fork).collect()
}

/// Questions about one repository.
#[derive(Debug, Clone, Copy)]
struct Lookup<'a> {
    parts: &'a Parts,
    name: &'a RepositoryName,
    ctx: &'a RunContext,
}

impl Lookup<'_> {
    /// The branch that a fix is for, and what the reader should know about the choice.
    async fn base(
        &self,
        recorded: Option<&BranchName>,
        default: &BranchName,
    ) -> Result<(Branch, Option<String>), VcsError> {
        let mut note = None;
        if let Some(recorded) = recorded.filter(|recorded| *recorded != default) {
            if let Some(branch) = self.branch(recorded).await? {
                return Ok((branch, None));
            }
            note = Some(format!("the recorded branch {recorded} is gone; the fix is for {default} instead"));
        }
        match self.branch(default).await? {
            Some(branch) => Ok((branch, note)),
            None => Err(VcsError::Unreadable {
                url: self.name.url.clone(),
                reason: format!(
                    "its default branch {default} does not exist; set another one in its settings"
                ),
            }),
        }
    }

    async fn branch(&self, name: &BranchName) -> Result<Option<Branch>, VcsError> {
        let path = self.name.below(&format!("/git/ref/heads/{}", encode(name.as_str())));
        let answer = self.get(path).await?;
        match answer.status {
            200 => {
                let tip = answer.json::<ReferenceAnswer>(RESOLVING)?.object.sha;
                Ok(Some(Branch { name: name.clone(), tip: CommitId::new(tip).map_err(unusable)? }))
            }
            404 => self.absent(&answer).map(|()| None),
            _ => Err(refusal(&answer, RESOLVING, self.name)),
        }
    }

    /// Checks that the failing commit is there. `Some` is what the reader should know of its place.
    async fn place(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        base: &Branch,
    ) -> Result<Option<String>, VcsError> {
        if *commit == base.tip || self.is_known_to_hold(repository, commit, base).await {
            return Ok(None);
        }
        let odd = |why| Some(format!("commit {commit} is not in the history of {}: {why}", base.name));
        let path = self.name.below(&format!("/compare/{commit}...{}", base.tip));
        // The files of a comparison are on its first page alone, and nobody reads them here.
        let request = ApiRequest::get(RESOLVING, path).with_query("per_page", "1").with_query("page", "2");
        let answer = self.send(&request).await?;
        match answer.status {
            200 => {
                let found: ComparisonAnswer = answer.json(RESOLVING)?;
                let in_history = matches!(found.status.as_str(), "ahead" | "identical");
                let why = "it was never merged, the branch was rewritten, or it is only in a fork";
                if in_history {
                    self.parts.holders.put(commit_key(repository, commit), base.tip.clone());
                    return Ok(None);
                }
                Ok(odd(why))
            }
            // There is no such commit, it shares no history with the branch, or the comparison takes too long.
            404 | 500..=599 => {
                self.check(commit).await?;
                let why = "the two have no common history";
                Ok(odd(if answer.status == 404 { why } else { "GitHub could not compare the two" }))
            }
            _ => Err(refusal(&answer, RESOLVING, self.name)),
        }
    }

    /// Whether the history of the tip is known to have a commit: an earlier answer said so of this tip, or of one that
    /// git finds a little below it. A push needs few requests and asks the API; commits by API leave none for that.
    async fn is_known_to_hold(&self, repository: &RepositoryRef, commit: &CommitId, base: &Branch) -> bool {
        let Self { parts, name, ctx } = *self;
        let key = commit_key(repository, commit);
        let Some(holder) = parts.holders.get(&key) else { return false };
        if holder == base.tip {
            return true;
        }
        let with_git = parts.commit_mode() == CommitMode::Api && parts.reads_with_git().unwrap_or(false);
        let (true, Ok(store)) = (with_git, parts.store(repository)) else { return false };
        let found = store.recent_ancestry(&base.tip, &holder, &parts.credentials(name), ctx).await;
        let is_held = matches!(found, Ok(Ancestry::Within));
        if is_held {
            parts.holders.put(key, base.tip.clone());
        }
        is_held
    }

    async fn check(&self, commit: &CommitId) -> Result<(), VcsError> {
        let answer = self.get(self.name.below(&format!("/git/commits/{commit}"))).await?;
        match answer.status {
            200 => Ok(()),
            404 | 422 => Err(VcsError::CommitNotFound { commit: commit.clone(), url: self.name.url.clone() }),
            _ => Err(refusal(&answer, RESOLVING, self.name)),
        }
    }

    /// Passes for an answer that says that something in the repository is not there, but not for one of a server that
    /// does not know the question.
    fn absent(&self, answer: &ApiAnswer) -> Result<(), VcsError> {
        match refusal(answer, RESOLVING, self.name) {
            unknown @ VcsError::FeatureUnavailable { .. } => Err(unknown),
            _ => Ok(()),
        }
    }

    async fn get(&self, path: String) -> Result<ApiAnswer, VcsError> {
        self.send(&ApiRequest::get(RESOLVING, path)).await
    }

    async fn send(&self, request: &ApiRequest) -> Result<ApiAnswer, VcsError> {
        let scope = Scope { repository: self.name, access: Access::Read };
        Ok(self.parts.api.send(request, scope, self.ctx).await?)
    }
}

fn unusable(source: impl std::error::Error) -> VcsError {
    VcsError::BadAnswer { operation: RESOLVING, reason: clean(&source.to_string()) }
}
