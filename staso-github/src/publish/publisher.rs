//! The algorithm.

use staso_core::id::CommitId;
use staso_core::run::RunContext;
use staso_core::vcs::{ProposalAction, VcsError};

use super::host::{BranchHost, CommitDraft, CommitFacts, MadeBranch, StandingBranch};
use super::message::{CommitMessage, Trailers};
use super::publication::{MAX_NUMBER, Publication, Published};
use crate::git::change;
use crate::limits::GitLimits;

/// Commits that reviewers may put on top of ours before the branch is no longer taken for ours.
const MAX_ON_TOP: usize = 10;

/// Publishes the change as a branch of its own, or finds the branch that an earlier attempt with the same key made.
///
/// Killed at any point, or with any answer lost, it leaves nothing or the whole branch, which the next attempt reuses.
///
/// # Errors
/// [`VcsError::InvalidChange`] and [`VcsError::TooLarge`] for what no branch may carry, [`VcsError::Conflict`] and
/// [`VcsError::NothingToPropose`] from the change's own commit or the newest one of the base, and what the host says.
pub(crate) async fn publish(
    host: &dyn BranchHost,
    publication: &Publication,
    limits: &GitLimits,
    ctx: &RunContext,
) -> Result<Published, VcsError> {
    publication.check_prefix()?;
    change::check(&publication.changes, limits)?;
    let message = CommitMessage::new(publication)?;
    Publisher { host, publication, message, ctx }.run().await
}

struct Publisher<'a> {
    host: &'a dyn BranchHost,
    publication: &'a Publication,
    message: CommitMessage,
    ctx: &'a RunContext,
}

impl Publisher<'_> {
    async fn run(&self) -> Result<Published, VcsError> {
        let Publication { base, changes, .. } = self.publication;
        let standing = self.host.standing(&self.publication.prefix, self.ctx).await?;
        for found in &standing {
            if let Some(reused) = self.reuse(found).await? {
                return Ok(reused);
            }
        }
        let tip = self.host.tip(base, self.ctx).await?;
        let tip = tip.ok_or_else(|| self.publication.base_is_gone())?;
        if changes.base != tip {
            self.host.check(&changes.base, base, changes, self.ctx).await?;
        }
        let draft = CommitDraft {
            parent: &tip,
            base,
            changes,
            message: &self.message.text,
            date: self.publication.now,
        };
        self.create(&draft, &standing).await
    }

    /// Takes the lowest free number. Who wants one at the same time with the same key takes the same, so that the second
    /// finds the branch of the first.
    async fn create(
        &self,
        draft: &CommitDraft<'_>,
        standing: &[StandingBranch],
    ) -> Result<Published, VcsError> {
        let prepared = self.host.prepare(draft, self.ctx).await?;
        for number in 1..=MAX_NUMBER {
            if standing.iter().any(|found| found.number == number) {
                continue;
            }
            let branch = self.publication.branch(number)?;
            match self.host.create(&branch, draft, &prepared, self.ctx).await? {
                MadeBranch::Created { head, signature } => {
                    let base_tip = draft.parent.clone();
                    let action = ProposalAction::Created;
                    let warnings = self.message.warnings.clone();
                    let base = self.publication.base.clone();
                    return Ok(Published { branch, base, head, base_tip, action, signature, warnings });
                }
                MadeBranch::Taken => {
                    let Some(tip) = self.host.tip(&branch, self.ctx).await? else { continue };
                    if let Some(reused) = self.reuse(&StandingBranch { branch, number, tip }).await? {
                        return Ok(reused);
                    }
                }
            }
        }
        Err(self.publication.numbers_are_used_up())
    }

    /// The branch that this key made before, when it carries the same change: our commit is its tip, or stands below a few
    /// commits of reviewers.
    async fn reuse(&self, found: &StandingBranch) -> Result<Option<Published>, VcsError> {
        let changes = &self.publication.changes;
        let mut next = found.tip.clone();
        for _ in 0..=MAX_ON_TOP {
            let facts = self.host.inspect(&next, changes, self.ctx).await?;
            if let Some(trailers) = Trailers::read(&facts.message) {
                let ours = trailers.key == self.message.key && facts.makes_the_change;
                return Ok(facts
                    .parent
                    .clone()
                    .filter(|_| ours)
                    .map(|parent| self.reused(found, parent, facts)));
            }
            match facts.parent {
                Some(parent) if parent != changes.base => next = parent,
                _ => break,
            }
        }
        Ok(None)
    }

    fn reused(&self, found: &StandingBranch, base_tip: CommitId, facts: CommitFacts) -> Published {
        Published {
            branch: found.branch.clone(),
            base: self.publication.base.clone(),
            head: found.tip.clone(),
            base_tip,
            action: ProposalAction::Reused,
            signature: facts.signature,
            warnings: self.message.warnings.clone(),
        }
    }
}
