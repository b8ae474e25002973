//! The algorithm.

use staso_core::id::CommitId;
use staso_core::run::RunContext;
use staso_core::vcs::{ProposalAction, VcsError};

use super::host::{BranchHost, CommitDraft, CommitFacts, MadeBranch, Standing, StandingBranch};
use super::message::{CommitMessage, Trailers};
use super::publication::{MAX_NUMBER, Publication, Published};
use super::secrets::{check_added, check_texts, suspects};
use crate::git::change;
use crate::limits::GitLimits;

/// Commits that reviewers may put on top of ours before the branch is no longer taken for ours.
pub(super) const MAX_ON_TOP: usize = 10;

/// Publishes the change as a branch of its own, or finds the branch that an earlier attempt with the same key made.
///
/// Killed at any point, or with any answer lost, it leaves nothing or the whole branch, which the next attempt reuses.
///
/// # Errors
/// [`VcsError::InvalidChange`] and [`VcsError::TooLarge`] for what no branch may carry, [`VcsError::SecretInChange`],
/// [`VcsError::Conflict`] and [`VcsError::NothingToPropose`] from the change's own commit or the newest one of the base,
/// and what the host says.
pub(crate) async fn publish(
    host: &dyn BranchHost,
    publication: &Publication,
    limits: &GitLimits,
    ctx: &RunContext,
) -> Result<Published, VcsError> {
    publication.check_prefix()?;
    change::check(&publication.changes, limits)?;
    let message = CommitMessage::new(publication)?;
    let publisher = Publisher { host, publication, message, ctx };
    publisher.check_secrets().await?;
    publisher.run().await
}

struct Publisher<'a> {
    host: &'a dyn BranchHost,
    publication: &'a Publication,
    message: CommitMessage,
    ctx: &'a RunContext,
}

impl Publisher<'_> {
    async fn check_secrets(&self) -> Result<(), VcsError> {
        let (changes, redactor) = (&self.publication.changes, self.ctx.redactor());
        check_texts(changes, redactor)?;
        for edit in suspects(changes, redactor) {
            let before = match &edit.before {
                Some(blob) => self.host.content(&changes.base, blob, self.ctx).await?,
                None => Vec::new(),
            };
            check_added(edit, &before, redactor)?;
        }
        Ok(())
    }

    async fn run(&self) -> Result<Published, VcsError> {
        let Publication { base, changes, .. } = self.publication;
        let Standing { branches, base_tip } =
            self.host.standing(&self.publication.prefix, base, self.ctx).await?;
        for found in &branches {
            if let Some(reused) = self.reuse(found).await? {
                return Ok(reused);
            }
        }
        let tip = match base_tip {
            Some(tip) => tip,
            None => self.host.tip(base, self.ctx).await?.ok_or_else(|| self.publication.base_is_gone())?,
        };
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
        self.create(&draft, &branches).await
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

#[cfg(test)]
mod tests {
    use staso_core::code::RepoPath;
    use staso_core::id::BranchName;
    use staso_core::testing::test_context;
    use staso_core::vcs::{ChangeSet, FileEdit, NewContent};

    use super::super::memory_host::{Death, MemoryCommit, MemoryHost};
    use super::*;

    fn name(text: &str) -> BranchName {
        BranchName::new(text).unwrap()
    }

    /// A host with one commit on `main`.
    fn host() -> (MemoryHost, CommitId) {
        let host = MemoryHost::default();
        let tip = plain(&host, "first", None);
        host.state().branches.insert(name("main"), tip.clone());
        (host, tip)
    }

    fn plain(host: &MemoryHost, seed: &str, parent: Option<&CommitId>) -> CommitId {
        let commit = MemoryCommit { message: seed.to_owned(), parent: parent.cloned(), edits: Vec::new() };
        host.commit(seed, commit)
    }

    fn publication(base: &CommitId, key: &str, text: &str) -> Publication {
        let after = Some(NewContent { bytes: text.as_bytes().to_vec(), executable: false });
        let edit = FileEdit { path: RepoPath::new("a").unwrap(), before: None, after };
        let ctx = test_context();
        Publication {
            base: name("main"),
            prefix: name("fix/staso-x"),
            changes: ChangeSet::new(base.clone(), vec![edit], "Fix", "Why"),
            key: key.to_owned(),
            run_id: ctx.run_id(),
            now: ctx.now(),
        }
    }

    async fn run(host: &MemoryHost, publication: &Publication) -> Result<Published, VcsError> {
        publish(host, publication, &GitLimits::default(), &test_context()).await
    }

    #[tokio::test]
    async fn case_55_a_key_makes_one_branch_and_another_change_or_key_the_next() {
        let (host, tip) = host();
        let made = run(&host, &publication(&tip, "k", "1")).await.unwrap();
        assert_eq!((made.branch.as_str(), made.action), ("fix/staso-x-1", ProposalAction::Created));
        let again = run(&host, &publication(&tip, "k", "1")).await.unwrap();
        assert_eq!(again, Published { action: ProposalAction::Reused, ..made });
        let other = run(&host, &publication(&tip, "k", "2")).await.unwrap();
        assert_eq!(other.branch, name("fix/staso-x-2"));
        let stranger = run(&host, &publication(&tip, "another", "1")).await.unwrap();
        assert_eq!(stranger.branch, name("fix/staso-x-3"));
    }

    #[tokio::test]
    async fn killed_at_any_call_the_next_attempt_ends_with_the_one_branch() {
        for death in (1..=8).flat_map(|at| [Death::Before(at), Death::After(at)]) {
            let (host, tip) = host();
            let foreign = plain(&host, "foreign", Some(&tip));
            host.state().branches.insert(name("fix/staso-x-1"), foreign.clone());
            host.state().death = Some(death);
            let first = run(&host, &publication(&tip, "k", "1")).await;
            let between = host.state().branches.len();
            assert!(first.is_ok() || between <= 3, "{death:?}");
            host.state().death = None;
            let second = run(&host, &publication(&tip, "k", "1")).await.unwrap();
            assert_eq!(second.branch, name("fix/staso-x-2"), "{death:?}");
            assert_eq!(second.action == ProposalAction::Reused, between == 3, "{death:?}");
            assert_eq!(host.state().branches.len(), 3, "{death:?}: one branch for the key");
            assert_eq!(
                host.state().branches[&name("fix/staso-x-1")],
                foreign,
                "the foreign one is untouched"
            );
        }
    }

    #[tokio::test]
    async fn case_30_a_number_lost_to_a_race_is_the_other_attempt_s_or_left_alone() {
        let (host, tip) = host();
        let made = run(&host, &publication(&tip, "k", "1")).await.unwrap();
        host.state().branches.remove(&made.branch);
        host.state().races = vec![(made.branch.clone(), made.head.clone())];
        let raced = run(&host, &publication(&tip, "k", "1")).await.unwrap();
        assert_eq!(raced, Published { action: ProposalAction::Reused, ..made.clone() });

        let foreign = plain(&host, "foreign", Some(&tip));
        host.state().branches.remove(&made.branch);
        host.state().races = vec![(made.branch.clone(), foreign.clone())];
        let next = run(&host, &publication(&tip, "k", "1")).await.unwrap();
        assert_eq!((next.branch, next.action), (name("fix/staso-x-2"), ProposalAction::Created));
        assert_eq!(host.state().branches[&made.branch], foreign);
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_had_costs_a_number() {
        let (host, tip) = host();
        host.state().blocked = vec![name("fix/staso-x-1")];
        let made = run(&host, &publication(&tip, "k", "1")).await.unwrap();
        assert_eq!(made.branch, name("fix/staso-x-2"));
        host.state().blocked = (1..=100).map(|number| name(&format!("fix/staso-x-{number}"))).collect();
        let refused = run(&host, &publication(&tip, "other", "1")).await;
        assert!(matches!(refused, Err(VcsError::TooLarge { .. })), "{refused:?}");
    }

    #[tokio::test]
    async fn commits_of_reviewers_on_top_keep_the_branch_ours() {
        let (host, tip) = host();
        let made = run(&host, &publication(&tip, "k", "1")).await.unwrap();
        let mut top = made.head.clone();
        for number in 0..MAX_ON_TOP {
            top = plain(&host, &format!("review {number}"), Some(&top));
        }
        host.state().branches.insert(made.branch.clone(), top.clone());
        let again = run(&host, &publication(&tip, "k", "1")).await.unwrap();
        assert_eq!(again, Published { action: ProposalAction::Reused, head: top.clone(), ..made.clone() });
        let further = plain(&host, "one more", Some(&top));
        host.state().branches.insert(made.branch, further);
        let next = run(&host, &publication(&tip, "k", "1")).await.unwrap();
        assert_eq!(next.branch, name("fix/staso-x-2"), "too far below to be looked for");
    }

    #[tokio::test]
    async fn case_29_a_change_fits_its_own_commit_and_the_newest_one() {
        let (host, old) = host();
        let tip = plain(&host, "second", Some(&old));
        host.state().branches.insert(name("main"), tip.clone());
        for conflicting in [&old, &tip] {
            host.state().conflicts_at = Some(conflicting.clone());
            match run(&host, &publication(&old, "k", "1")).await {
                Err(VcsError::Conflict { branch, paths }) => {
                    assert_eq!((branch, paths.len()), (name("main"), 1));
                }
                other => panic!("{other:?}"),
            }
        }
        host.state().conflicts_at = None;
        let made = run(&host, &publication(&old, "k", "1")).await.unwrap();
        assert_eq!(made.base_tip, tip, "the commit stands on the newest one");
    }
}
