//! Turns a proven fix into a proposal.

use std::sync::Arc;

use super::draft::{Draft, RunSubject};
use super::healer::Parts;
use super::proof::ProvenFix;
use super::run::Source;
use super::stop::{Flow, Stop};
use crate::code::RepoPath;
use crate::diagnosis::Diagnosis;
use crate::fix::PathPolicy;
use crate::id::{BranchName, Digest};
use crate::report::{PullRequestOptions, PullRequestText, pull_request};
use crate::run::{EventKind, Phase, ProposalRecord, RunContext};
use crate::vcs::{
    ChangeSet, FileContent, Proposal, ProposalAction, ProposalState, ProposeRequest, VcsProvider,
};

/// Largest template that is read, in bytes.
const MAX_TEMPLATE_BYTES: u64 = 256 << 10;

/// A proven fix and where it goes.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) source: Source,
    pub(super) fix: ProvenFix,
}

/// Publishes the fix. Says how the run ends, whatever happens.
///
/// Not interrupted from outside: the provider watches the cancellation itself, so that what the artifact says of the
/// proposal is true.
pub(super) async fn publish(
    parts: &Parts,
    ready: &Ready,
    subject: RunSubject,
    draft: &mut Draft,
    ctx: &RunContext,
) -> Stop {
    match propose(parts, ready, subject, draft, ctx).await {
        Ok(reason) => Stop::completed("fix_published", reason),
        Err(stop) => stop,
    }
}

async fn propose(
    parts: &Parts,
    Ready { source, fix }: &Ready,
    subject: RunSubject,
    draft: &mut Draft,
    ctx: &RunContext,
) -> Flow<String> {
    draft.enter(Phase::Publish, ctx);
    let Some(vcs) = &parts.vcs else {
        return Err(Stop::rejected("no_repository", "no repository provider is configured"));
    };
    let template = template(&**vcs, source, ctx).await;
    let mut text = pull_request_text(parts, template.as_deref(), subject, draft, ctx)?;
    for part in [&mut text.title, &mut text.body, &mut text.commit_message] {
        *part = parts.redactor.clean(part);
        PathPolicy::check_text("the text of the proposal", part, &parts.redactor)
            .map_err(|violation| Stop::rejected("policy_denied", violation.to_string()))?;
    }
    let resolved = &source.resolved;
    let mut changes = ChangeSet::new(resolved.base_tip.clone(), fix.at_tip.edits(), text.title, text.body);
    changes.message = text.commit_message;
    let fingerprint = fingerprint(source, draft.diagnosis.as_ref());
    let key = Digest::of(format!("{}\n{}", fingerprint.hex(), fix.candidate.patch.diff()));
    let prefix = branch_prefix(&fingerprint)?;
    let request = ProposeRequest::new(
        &resolved.repository,
        &resolved.base_branch,
        &prefix,
        &changes,
        key.as_str(),
        ctx.run_id(),
    );
    let proposal = vcs.propose(&request, ctx).await?;
    ctx.emit(EventKind::ProposalOpened { branch: proposal.branch.to_string(), url: proposal.url.clone() });
    let reason = describe(&proposal);
    draft.proposal = Some(record(proposal, changes));
    Ok(reason)
}

fn pull_request_text(
    parts: &Parts,
    template: Option<&str>,
    subject: RunSubject,
    draft: &Draft,
    ctx: &RunContext,
) -> Flow<PullRequestText> {
    let stop = Stop::completed("verified_fix", "the fix is proven");
    let preview = draft.preview(stop, subject, ctx);
    let options = PullRequestOptions {
        trace_url_base: parts.policy.trace_url_base.as_deref(),
        forge_hosts: parts.policy.forge_hosts.iter().map(String::as_str).collect(),
        template,
    };
    let nothing = || Stop::rejected("nothing_to_propose", "there is no diagnosis or no change to propose");
    pull_request(&preview, &options).ok_or_else(nothing)
}

/// The repository's own pull request template, where GitHub looks for it. Only of small repositories was it read before.
async fn template(vcs: &dyn VcsProvider, source: &Source, ctx: &RunContext) -> Option<Arc<str>> {
    let code = &source.code;
    let is_template = |path: &&RepoPath| {
        let lower = path.as_str().to_ascii_lowercase();
        let name = [".github/", "docs/"].iter().find_map(|directory| lower.strip_prefix(directory));
        name.unwrap_or(&lower) == "pull_request_template.md"
    };
    let path = code.paths().iter().find(is_template)?;
    if let Some(file) = code.file(path) {
        return Some(Arc::clone(&file.text));
    }
    let repository = &source.resolved.repository;
    match vcs.read_file(repository, code.commit(), path, MAX_TEMPLATE_BYTES, ctx).await {
        Ok(FileContent::Text { text, .. }) => Some(text),
        other => {
            let why = other.err().map_or_else(|| "it is no short text".to_owned(), |error| error.to_string());
            ctx.emit(EventKind::Warning { message: format!("{path} is not used: {why}") });
            None
        }
    }
}

/// What makes two failures the same: repository, place, pattern and the branch that the fix is for.
fn fingerprint(source: &Source, diagnosis: Option<&Diagnosis>) -> Digest {
    let resolved = &source.resolved;
    let mut text = format!("{}\n{}\n", resolved.repository.id, resolved.base_branch);
    if let Some(diagnosis) = diagnosis {
        if let Some(cause) = &diagnosis.root_cause {
            text.push_str(&cause.category);
        }
        for hint in diagnosis.suggested_fix.iter().flat_map(|fix| &fix.hints) {
            for frame in hint.frames().iter().take(1) {
                text.push_str(&format!("\n{}:{}", frame.path, frame.function.as_deref().unwrap_or_default()));
            }
        }
        for file in diagnosis.suggested_fix.iter().flat_map(|fix| &fix.target_files) {
            text.push('\n');
            text.push_str(file);
        }
    }
    Digest::of(text)
}

fn branch_prefix(fingerprint: &Digest) -> Flow<BranchName> {
    let short: String = fingerprint.hex().chars().take(10).collect();
    BranchName::new(format!("fix/staso-{short}"))
        .map_err(|error| Stop::rejected("branch_name", error.to_string()))
}

fn describe(proposal: &Proposal) -> String {
    let did = match (proposal.action, proposal.state) {
        (ProposalAction::Created, _) => "was created",
        (ProposalAction::Updated, _) => "had been created by an earlier run; its text was brought up to date",
        (ProposalAction::Reused, ProposalState::Merged) => "had been created by an earlier run and is merged",
        (ProposalAction::Reused, ProposalState::Closed) => {
            "had been created by an earlier run and was closed since; it is not opened again"
        }
        (ProposalAction::Reused, _) => "had been created by an earlier run and is unchanged",
    };
    format!("the fix is proven and proposed: branch {} for {} {did}", proposal.branch, proposal.base)
}

fn record(proposal: Proposal, changes: ChangeSet) -> ProposalRecord {
    ProposalRecord {
        branch: proposal.branch,
        base: proposal.base,
        head: proposal.head,
        url: proposal.url,
        state: proposal.state,
        action: proposal.action,
        title: changes.title,
        body: changes.body,
        signature: proposal.signature,
        warnings: proposal.warnings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::memory_commit;

    #[test]
    fn what_people_did_to_an_earlier_proposal_is_said() {
        for (state, words) in [
            (ProposalState::Open, "is unchanged"),
            (ProposalState::Merged, "is merged"),
            (ProposalState::Closed, "was closed since; it is not opened again"),
        ] {
            let proposal = Proposal {
                branch: BranchName::new("fix/staso-a-1").unwrap(),
                base: BranchName::new("main").unwrap(),
                head: memory_commit(1),
                url: String::new(),
                state,
                action: ProposalAction::Reused,
                signature: None,
                warnings: Vec::new(),
            };
            assert!(describe(&proposal).ends_with(words), "{}", describe(&proposal));
        }
    }
}
