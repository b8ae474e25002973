//! From a change to its pull request.

use std::sync::Arc;

use staso_core::id::BranchName;
use staso_core::run::RunContext;
use staso_core::vcs::{Proposal, ProposalAction, ProposeRequest, VcsError};

use super::branches::ApiBranches;
use super::open::{self, Opened, Wanted};
use super::pending::Pending;
use super::preview::{ProposalPreview, Show, Untouched};
use super::target::Target;
use super::{check, commit, extras};
use crate::github::auth::Granted;
use crate::github::options::CommitMode;
use crate::github::parts::Parts;
use crate::publish::{BranchHost, GitBranches, Publication, Published, publish};

/// Publishes a change as a branch and a pull request.
pub(crate) async fn propose(
    parts: &Parts,
    request: &ProposeRequest<'_>,
    ctx: &RunContext,
) -> Result<Proposal, VcsError> {
    let name = parts.name(request.repository)?;
    let target = Target { api: &parts.api, name: &name };
    let publication = Publication::new(request, ctx);
    check_all(parts, target, request, ctx).await?;
    if let Some(show) = &parts.show {
        return dry_run(parts, target, request, &publication, show, ctx).await;
    }
    let published = push(parts, target, request, &publication, ctx).await?;
    let changes = request.changes;
    let wanted = wanted(request, &published.branch, published.action == ProposalAction::Reused);
    let Opened { pull, action, is_ours, mut warnings } = open::open(target, wanted, ctx).await?;
    if pull.is_open() && is_ours {
        warnings.extend(extras::add(target, &pull, &changes.labels, &parts.options, ctx).await);
    }
    let warnings = published.warnings.into_iter().chain(warnings).collect();
    let proposal = pull.proposal(target, action, warnings)?;
    Ok(Proposal {
        branch: published.branch,
        head: published.head,
        signature: published.signature,
        ..proposal
    })
}

/// What GitHub would refuse, beside what no branch of any host may carry.
async fn check_all(
    parts: &Parts,
    target: Target<'_>,
    request: &ProposeRequest<'_>,
    ctx: &RunContext,
) -> Result<(), VcsError> {
    if ctx.is_cancelled() {
        return Err(VcsError::Cancelled);
    }
    if request.repository.archived || parts.is_archived(request.repository, ctx) == Some(true) {
        return Err(VcsError::Archived { url: target.name.url.clone() });
    }
    check::check_contents(request.changes)?;
    check::check_workflows(parts, target, request, ctx).await
}

/// Makes the branch, with git or through the API.
async fn push(
    parts: &Parts,
    target: Target<'_>,
    request: &ProposeRequest<'_>,
    publication: &Publication,
    ctx: &RunContext,
) -> Result<Published, VcsError> {
    let host = branches(parts, target, request, ctx).await?;
    publish(&*host, publication, &parts.limits, ctx).await.map_err(|error| match error {
        // A push says so in the words of a rule.
        VcsError::PolicyRejected { rule, .. } if names_workflows(&rule) => commit::workflows_missing(target),
        other => other,
    })
}

/// The place where branches are made: over git where that can push, else the API.
async fn branches<'a>(
    parts: &Parts,
    target: Target<'a>,
    request: &ProposeRequest<'_>,
    ctx: &RunContext,
) -> Result<Box<dyn BranchHost + 'a>, VcsError> {
    Ok(match &parts.transport {
        Some(_) if parts.commit_mode() == CommitMode::Push => Box::new(git_branches(parts, target, request)?),
        _ => Box::new(api_branches(parts, target, request, ctx).await?),
    })
}

fn git_branches(
    parts: &Parts,
    target: Target<'_>,
    request: &ProposeRequest<'_>,
) -> Result<GitBranches, VcsError> {
    let credentials = Arc::new(parts.credentials(target.name));
    Ok(GitBranches::new(parts.store(request.repository)?, credentials))
}

/// Looks at everything, shows what would be sent, and sends none of it.
async fn dry_run(
    parts: &Parts,
    target: Target<'_>,
    request: &ProposeRequest<'_>,
    publication: &Publication,
    Show(show): &Show,
    ctx: &RunContext,
) -> Result<Proposal, VcsError> {
    let host = branches(parts, target, request, ctx).await?;
    let host = Untouched::new(&*host, parts.commit_mode() == CommitMode::Push);
    let (branch, commit) = match publish(&host, publication, &parts.limits, ctx).await {
        Ok(published) => (published.branch, None),
        Err(VcsError::DryRun) => {
            let wanted = host.into_wanted().ok_or(VcsError::DryRun)?;
            (wanted.0, Some(wanted.1))
        }
        Err(error) => return Err(error),
    };
    let mut requests = vec![open::request(target, wanted(request, &branch, commit.is_none()))];
    requests.extend(extras::requests(target, &request.changes.labels, &parts.options));
    show(&ProposalPreview { repository: target.name.url.clone(), branch, commit, requests });
    Err(VcsError::DryRun)
}

fn wanted<'a>(request: &ProposeRequest<'a>, branch: &'a BranchName, is_known: bool) -> Wanted<'a> {
    let changes = request.changes;
    Wanted {
        branch,
        base: request.base_branch,
        title: &changes.title,
        body: &changes.body,
        draft: changes.draft,
        key: request.idempotency_key,
        is_known,
    }
}

/// GitHub signs whatever an app commits, but of users only what is committed by mutation.
async fn api_branches<'a>(
    parts: &Parts,
    target: Target<'a>,
    request: &ProposeRequest<'_>,
    ctx: &RunContext,
) -> Result<ApiBranches<'a>, VcsError> {
    let mut branches = ApiBranches::new(target);
    if parts.reads_with_git()? {
        let git = git_branches(parts, target, request)?;
        // Where git brought the code it reaches the server; elsewhere a proxy may keep it from that.
        if git.store().has(&request.changes.base, ctx).await? {
            branches = branches.with_git(git);
        }
    }
    Ok(match parts.api.granted(target.name, ctx).await? {
        Granted::Installation { .. } => branches,
        _ => {
            let key = request.idempotency_key;
            branches.with_mutations(Pending::new(&parts.data, &request.repository.id, key))
        }
    })
}

fn names_workflows(rule: &str) -> bool {
    rule.contains("workflow") && (rule.contains("permission") || rule.contains("scope"))
}
