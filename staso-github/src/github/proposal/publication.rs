//! From a change to its pull request.

use std::sync::Arc;

use staso_core::run::RunContext;
use staso_core::vcs::{Proposal, ProposalAction, ProposeRequest, VcsError};

use super::branches::ApiBranches;
use super::open::{Opened, Wanted, open};
use super::pending::Pending;
use super::target::Target;
use super::{blob, check, commit, extras};
use crate::git::change;
use crate::github::auth::Granted;
use crate::github::options::CommitMode;
use crate::github::parts::Parts;
use crate::publish::{GitBranches, Publication, Published, publish};

/// Publishes a change as a branch and a pull request.
pub(crate) async fn propose(
    parts: &Parts,
    request: &ProposeRequest<'_>,
    ctx: &RunContext,
) -> Result<Proposal, VcsError> {
    let name = parts.name(request.repository)?;
    let target = Target { api: &parts.api, name: &name };
    let publication = Publication::new(request, ctx);
    check_all(parts, target, request, &publication, ctx).await?;
    let published = push(parts, target, request, &publication, ctx).await?;
    let changes = request.changes;
    let wanted = Wanted {
        branch: &published.branch,
        base: request.base_branch,
        title: &changes.title,
        body: &changes.body,
        draft: changes.draft,
        key: request.idempotency_key,
        is_known: published.action == ProposalAction::Reused,
    };
    let Opened { pull, action, is_ours, mut warnings } = open(target, wanted, ctx).await?;
    if pull.is_open() && is_ours {
        warnings.extend(extras::add(target, &pull, &changes.labels, &parts.options, ctx).await);
    }
    let warnings = published.warnings.into_iter().chain(warnings).collect();
    let proposal = pull.proposal(action, warnings)?;
    Ok(Proposal {
        branch: published.branch,
        head: published.head,
        signature: published.signature,
        ..proposal
    })
}

/// Everything that can be refused before something leaves this machine.
async fn check_all(
    parts: &Parts,
    target: Target<'_>,
    request: &ProposeRequest<'_>,
    publication: &Publication,
    ctx: &RunContext,
) -> Result<(), VcsError> {
    if ctx.is_cancelled() {
        return Err(VcsError::Cancelled);
    }
    if request.repository.archived {
        return Err(VcsError::Archived { url: target.name.url.clone() });
    }
    publication.check_prefix()?;
    change::check(request.changes, &parts.limits)?;
    check::check_contents(request.changes)?;
    check::check_texts(request.changes, ctx)?;
    for edit in check::suspects(request.changes, ctx) {
        let before = match &edit.before {
            Some(id) => blob::read(target, id.as_str(), ctx).await?,
            None => Vec::new(),
        };
        check::check_added(edit, &before, ctx)?;
    }
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
    let published = match parts.commit_mode() {
        CommitMode::Push => {
            let credentials = Arc::new(parts.credentials(target.name));
            let host = GitBranches::new(parts.store(request.repository)?, credentials);
            publish(&host, publication, &parts.limits, ctx).await
        }
        CommitMode::Api => {
            let host = api_branches(parts, target, request, ctx).await?;
            publish(&host, publication, &parts.limits, ctx).await
        }
    };
    published.map_err(|error| match error {
        // A push says so in the words of a rule.
        VcsError::PolicyRejected { rule, .. } if names_workflows(&rule) => commit::workflows_missing(target),
        other => other,
    })
}

/// GitHub signs whatever an app commits, but of users only what is committed by mutation.
async fn api_branches<'a>(
    parts: &Parts,
    target: Target<'a>,
    request: &ProposeRequest<'_>,
    ctx: &RunContext,
) -> Result<ApiBranches<'a>, VcsError> {
    let branches = ApiBranches::new(target);
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
