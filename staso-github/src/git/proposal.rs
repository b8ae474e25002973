//! Publishing a change as a branch of a bare repository, and what became of it.
//!
//! Order makes it safe to be killed: objects first (nobody sees them), then the record, then the branch. The branch is
//! the commit point. A record without its branch is the trace of a run that died between the two; the next attempt
//! with the same key takes it up.

use std::collections::BTreeMap;
use std::time::Duration;

use git2::Oid;
use staso_core::id::{BranchName, CommitId};
use staso_core::redaction::Redactor;
use staso_core::vcs::{Proposal, ProposalAction, ProposalState, VcsError};

use super::record::{self, ProposalRecord, Put};
use super::repository::{GitRepository, commit_id};
use super::revision::{branch_tip, reaches};
use super::{change, commit};
use crate::blocking::Stop;
use crate::limits::GitLimits;
use crate::publish::{
    CommitMessage, MAX_NUMBER, Publication, Trailers, check_added, check_texts, number_of, numbered, suspects,
};
use crate::shell::quoted;

/// Rounds in which a number is not to be had before the next one is taken.
const MAX_TRIES: u32 = 100;
/// How long a round waits for a lock.
const LOCK_RETRY: Duration = Duration::from_millis(10);
/// A branch or record that stands at one of our names.
struct Standing {
    branch: BranchName,
    number: u32,
    tip: Option<Oid>,
    record: Option<(Oid, ProposalRecord)>,
}

/// A name that the next branch may have.
struct Free {
    branch: BranchName,
    number: u32,
    /// The record of a run with the same key that died before it made its branch.
    leftover: Option<(Oid, ProposalRecord)>,
}

/// Publishes, or finds what was published with the same key before.
pub(crate) fn propose(
    repository: &GitRepository,
    publication: &Publication,
    limits: &GitLimits,
    redactor: &Redactor,
    stop: &Stop,
) -> Result<Proposal, VcsError> {
    publication.check_prefix()?;
    change::check(&publication.changes, limits)?;
    repository.commit(&publication.changes.base)?;
    let message = CommitMessage::new(publication)?;
    check_texts(&publication.changes, redactor)?;
    for edit in suspects(&publication.changes, redactor) {
        let before = edit.before.as_ref().map(|blob| change::content(repository, blob)).transpose()?;
        check_added(edit, &before.unwrap_or_default(), redactor)?;
    }
    let publisher = Publisher { repository, publication, message };
    let mut tries = BTreeMap::new();
    // A number is given up after a bounded number of rounds, and there is a bounded number of numbers.
    loop {
        stop.check()?;
        if let Some(proposal) = publisher.attempt(&mut tries)? {
            return Ok(proposal);
        }
    }
}

/// What became of a proposal.
pub(crate) fn status(repository: &GitRepository, branch: &BranchName) -> Result<Proposal, VcsError> {
    let missing = || VcsError::ProposalNotFound { branch: branch.clone() };
    let (_, record) = ProposalRecord::read(repository, branch)?.ok_or_else(missing)?;
    let tip = tip_of(repository, branch)?;
    proposal(repository, &record, tip, ProposalAction::Reused, Vec::new())
}

struct Publisher<'a> {
    repository: &'a GitRepository,
    publication: &'a Publication,
    message: CommitMessage,
}

impl Publisher<'_> {
    /// One round. `None`: someone was faster, look again. `tries` counts how often a number was not to be had.
    fn attempt(&self, tries: &mut BTreeMap<u32, u32>) -> Result<Option<Proposal>, VcsError> {
        let standing = standing(self.repository, &self.publication.prefix)?;
        for found in &standing {
            if let Some(reused) = self.reuse(found)? {
                return Ok(Some(reused));
            }
        }
        let Publication { base, changes, .. } = self.publication;
        let (tip, base_tip) =
            branch_tip(self.repository, base)?.ok_or_else(|| self.publication.base_is_gone())?;
        if changes.base != base_tip {
            change::check_fit(self.repository, &changes.base, base, changes)?;
        }
        let tree = change::apply(self.repository, &base_tip, base, changes)?;
        let Free { branch, number, leftover } = self.free(&standing, tries)?;
        let adopted = leftover.as_ref().and_then(|(_, record)| self.adopt(record, tip, tree));
        let head = match adopted {
            Some(head) => head,
            None => {
                let head = self.commit(&base_tip, tree)?;
                let put = self
                    .record(&branch, &base_tip, &head)
                    .write(self.repository, leftover.map(|(blob, _)| blob))?;
                if put != Put::Done {
                    note_failure(tries, number, put);
                    return Ok(None);
                }
                head
            }
        };
        let reference = format!("refs/heads/{branch}");
        let oid = Oid::from_str(head.as_str()).map_err(|error| self.fail(error))?;
        let put = record::put(self.repository, &reference, oid, None, "staso: proposed fix")?;
        if put != Put::Done {
            // Where the branch is by now, another run with this key may just have made it from our record.
            if note_failure(tries, number, put) && tip_of(self.repository, &branch)?.is_none() {
                record::withdraw(self.repository, &branch);
            }
            return Ok(None);
        }
        let record = self.record(&branch, &base_tip, &head);
        let warnings = self.message.warnings.clone();
        proposal(self.repository, &record, Some(oid), ProposalAction::Created, warnings).map(Some)
    }

    /// The proposal that this key made before, when it carries the same change.
    fn reuse(&self, found: &Standing) -> Result<Option<Proposal>, VcsError> {
        let Some(tip) = found.tip else { return Ok(None) };
        let recorded = found.record.as_ref().filter(|(_, record)| record.key == self.message.key);
        let oid = match recorded {
            Some((_, record)) => Oid::from_str(record.head.as_str()).map_err(|error| self.fail(error))?,
            None => tip,
        };
        let head = commit_id(oid)?;
        let Ok(text) = commit::read(self.repository, &head) else { return Ok(None) };
        let [parent] = text.parents.as_slice() else { return Ok(None) };
        if Trailers::read(&text.message).is_none_or(|found| found.key != self.message.key)
            || !reaches(self.repository, tip, oid)?
            || !change::is_made_between(self.repository, parent, &head, &self.publication.changes)?
        {
            return Ok(None);
        }
        let record = match recorded {
            Some((_, record)) => record.clone(),
            None => self.repair(found, parent, &head)?,
        };
        let action = ProposalAction::Reused;
        proposal(self.repository, &record, Some(tip), action, self.message.warnings.clone()).map(Some)
    }

    /// Writes the record again that someone removed.
    fn repair(
        &self,
        found: &Standing,
        parent: &CommitId,
        head: &CommitId,
    ) -> Result<ProposalRecord, VcsError> {
        let record = self.record(&found.branch, parent, head);
        if found.record.is_none() && record.write(self.repository, None)? != Put::Done {
            tracing::debug!(branch = %found.branch, "the record of a proposal could not be written again");
        }
        Ok(record)
    }

    /// The commit of a run that died before it made its branch, when it is what we would make now.
    fn adopt(&self, record: &ProposalRecord, parent: Oid, tree: Oid) -> Option<CommitId> {
        let head = Oid::from_str(record.head.as_str()).ok()?;
        let commit = self.repository.git().find_commit(head).ok()?;
        let fits =
            commit.tree_id() == tree && commit.parent_count() == 1 && commit.parent_id(0).ok()? == parent;
        fits.then(|| record.head.clone())
    }

    /// The lowest number at which nothing stands but perhaps a record of this key without a branch.
    fn free(&self, standing: &[Standing], tries: &BTreeMap<u32, u32>) -> Result<Free, VcsError> {
        for number in 1..=MAX_NUMBER {
            if tries.get(&number).is_some_and(|tries| *tries >= MAX_TRIES) {
                continue;
            }
            let found = standing.iter().find(|found| found.number == number);
            let leftover = match found {
                None => None,
                Some(Standing { tip: None, record: Some(record), .. })
                    if record.1.key == self.message.key =>
                {
                    Some(record.clone())
                }
                Some(_) => continue,
            };
            let branch = self.publication.branch(number)?;
            return Ok(Free { branch, number, leftover });
        }
        Err(self.publication.numbers_are_used_up())
    }

    fn commit(&self, parent: &CommitId, tree: Oid) -> Result<CommitId, VcsError> {
        commit::write(self.repository, parent, tree, &self.message.text, self.publication.now)
    }

    fn record(&self, branch: &BranchName, base_tip: &CommitId, head: &CommitId) -> ProposalRecord {
        ProposalRecord::new(self.publication, &self.message, branch, base_tip, head)
    }

    fn fail(&self, error: git2::Error) -> VcsError {
        self.repository.fail("proposing a fix", error)
    }
}

/// Counts a failure, and tells whether the number is given up now. A lock is waited for: its holder is as quick as we are,
/// unless it is dead.
fn note_failure(tries: &mut BTreeMap<u32, u32>, number: u32, put: Put) -> bool {
    let tries = tries.entry(number).or_default();
    *tries = if put == Put::Blocked { MAX_TRIES } else { *tries + 1 };
    if put == Put::Locked {
        std::thread::sleep(LOCK_RETRY);
    }
    *tries >= MAX_TRIES
}

/// The proposal as it stands, with its branch at `tip`.
fn proposal(
    repository: &GitRepository,
    record: &ProposalRecord,
    tip: Option<Oid>,
    action: ProposalAction,
    warnings: Vec<String>,
) -> Result<Proposal, VcsError> {
    let head = match tip {
        Some(tip) => tip,
        None => Oid::from_str(record.head.as_str())
            .map_err(|error| repository.fail("reading a proposal", error))?,
    };
    let merged = match branch_tip(repository, &record.base)? {
        Some((base, base_tip))
            if base_tip != record.base_tip && repository.git().odb().is_ok_and(|odb| odb.exists(head)) =>
        {
            reaches(repository, base, head)? || is_held(repository, record, &commit_id(head)?, &base_tip)?
        }
        _ => false,
    };
    let state = match (merged, tip.is_some(), record.draft) {
        (true, _, _) => ProposalState::Merged,
        (false, false, _) => ProposalState::Closed,
        (false, true, true) => ProposalState::Draft,
        (false, true, false) => ProposalState::Open,
    };
    let path = quoted(&repository.path().to_string_lossy());
    Ok(Proposal {
        url: format!("git -C {path} show {}", quoted(record.branch.as_str())),
        branch: record.branch.clone(),
        base: record.base.clone(),
        head: commit_id(head)?,
        state,
        action,
        signature: None,
        warnings,
    })
}

/// Whether the newest commit of the base has what the proposal changes, as after a squash merge.
fn is_held(
    repository: &GitRepository,
    record: &ProposalRecord,
    head: &CommitId,
    base_tip: &CommitId,
) -> Result<bool, VcsError> {
    match change::is_held(repository, &record.base_tip, head, base_tip) {
        Err(VcsError::CommitNotFound { .. }) => Ok(false),
        found => found,
    }
}

/// Everything that stands at `<prefix>-<number>`, by number.
fn standing(repository: &GitRepository, prefix: &BranchName) -> Result<Vec<Standing>, VcsError> {
    let fail = |error| repository.fail("listing proposals", error);
    let rest = prefix.as_str().strip_prefix("fix/").unwrap_or_default();
    let mut numbers = Vec::new();
    for directory in ["refs/heads/fix/", "refs/staso/proposals/"] {
        let glob = format!("{directory}{rest}-*");
        for name in repository.git().references_glob(&glob).map_err(fail)?.names() {
            let name = name.map_err(fail)?.strip_prefix(directory).map(|rest| format!("fix/{rest}"));
            numbers.extend(name.and_then(|name| number_of(prefix, &name)));
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    let at = |number| {
        let branch = numbered(prefix, number)?;
        let record = ProposalRecord::read(repository, &branch)?;
        Ok(Standing { tip: tip_of(repository, &branch)?, record, branch, number })
    };
    numbers.into_iter().map(at).collect()
}

fn tip_of(repository: &GitRepository, branch: &BranchName) -> Result<Option<Oid>, VcsError> {
    match repository.git().find_reference(&format!("refs/heads/{branch}")) {
        Ok(reference) => {
            Ok(reference.peel_to_commit().ok().map(|commit| commit.id()).or(Some(Oid::ZERO_SHA1)))
        }
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(repository.fail("reading a branch", error)),
    }
}
