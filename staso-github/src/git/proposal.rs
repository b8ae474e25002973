//! Publishing a change as a branch of a bare repository, and what became of it.
//!
//! Order makes it safe to be killed: objects first (nobody sees them), then the record, then the branch. The branch is
//! the commit point. A record without its branch is the trace of a run that died between the two; the next attempt
//! with the same key takes it up.

use std::collections::BTreeMap;
use std::time::Duration;

use git2::{Oid, Signature, Time};
use staso_core::id::{BranchName, CommitId, Digest, RunId};
use staso_core::trace::Timestamp;
use staso_core::vcs::{ChangeSet, Proposal, ProposalAction, ProposalState, VcsError};

use super::change;
use super::record::{self, ProposalRecord, Put};
use super::repository::{GitRepository, commit_id};
use super::revision::{branch_tip, reaches};
use crate::blocking::Stop;
use crate::limits::GitLimits;

/// What all branches of ours begin with.
const OURS: &str = "fix/staso-";
/// Proposals for one prefix.
const MAX_NUMBER: u32 = 100;
/// Rounds in which a number is not to be had before the next one is taken.
const MAX_TRIES: u32 = 100;
/// How long a round waits for a lock.
const LOCK_RETRY: Duration = Duration::from_millis(10);
/// Characters of a title, as [`ChangeSet::title`] says.
const TITLE_CHARS: usize = 72;
/// Who commits: nobody that a forge could know.
const AUTHOR: (&str, &str) = ("Staso", "noreply@staso.invalid");

/// What to publish. Owns its parts, so that it can move to the blocking pool.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    pub(crate) base: BranchName,
    pub(crate) prefix: BranchName,
    pub(crate) changes: ChangeSet,
    pub(crate) key: String,
    pub(crate) run_id: RunId,
    pub(crate) now: Timestamp,
}

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
    stop: &Stop,
) -> Result<Proposal, VcsError> {
    check_prefix(&publication.prefix)?;
    change::check(&publication.changes, limits)?;
    repository.commit(&publication.changes.base)?;
    let (title, warnings) = title(&publication.changes.title)?;
    let key = Digest::of(&publication.key).hex().to_owned();
    let publisher = Publisher { repository, publication, title, key, warnings };
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
    title: String,
    key: String,
    warnings: Vec<String>,
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
        let (tip, base_tip) = self.base()?;
        let parent = self.repository.git().find_commit(tip).map_err(|error| self.fail(error))?;
        let base_tree = parent.tree().map_err(|error| self.fail(error))?;
        let tree =
            change::apply(self.repository, &base_tree, &self.publication.base, &self.publication.changes)?;
        let Free { branch, number, leftover } = self.free(&standing, tries)?;
        let adopted = leftover.as_ref().and_then(|(_, record)| self.adopt(record, tip, tree));
        let head = match adopted {
            Some(head) => head,
            None => {
                let head = self.commit(&parent, tree)?;
                let put = self
                    .record(&branch, &base_tip, head)?
                    .write(self.repository, leftover.map(|(blob, _)| blob))?;
                if put != Put::Done {
                    note_failure(tries, number, put);
                    return Ok(None);
                }
                head
            }
        };
        let reference = format!("refs/heads/{branch}");
        let put = record::put(self.repository, &reference, head, None, "staso: proposed fix")?;
        if put != Put::Done {
            // Where the branch is by now, another run with this key may just have made it from our record.
            if note_failure(tries, number, put) && tip_of(self.repository, &branch)?.is_none() {
                record::withdraw(self.repository, &branch);
            }
            return Ok(None);
        }
        let record = self.record(&branch, &base_tip, head)?;
        proposal(self.repository, &record, Some(head), ProposalAction::Created, self.warnings.clone())
            .map(Some)
    }

    /// The proposal that this key made before, when it carries the same change.
    fn reuse(&self, found: &Standing) -> Result<Option<Proposal>, VcsError> {
        let Some(tip) = found.tip else { return Ok(None) };
        let recorded = found.record.as_ref().filter(|(_, record)| record.key == self.key);
        let head = match recorded {
            Some((_, record)) => Oid::from_str(record.head.as_str()).map_err(|error| self.fail(error))?,
            None => tip,
        };
        let Ok(commit) = self.repository.git().find_commit(head) else { return Ok(None) };
        if trailer(commit.message_bytes(), "Staso-Key") != Some(self.key.as_str())
            || !reaches(self.repository, tip, head)?
            || !change::is_made_by(self.repository, &commit, &self.publication.changes)?
        {
            return Ok(None);
        }
        let record = match recorded {
            Some((_, record)) => record.clone(),
            None => self.repair(found, &commit)?,
        };
        let action = ProposalAction::Reused;
        proposal(self.repository, &record, Some(tip), action, self.warnings.clone()).map(Some)
    }

    /// Writes the record again that someone removed.
    fn repair(&self, found: &Standing, commit: &git2::Commit<'_>) -> Result<ProposalRecord, VcsError> {
        let parent = commit.parent_id(0).map_err(|error| self.fail(error))?;
        let record = self.record(&found.branch, &commit_id(parent)?, commit.id())?;
        if found.record.is_none() && record.write(self.repository, None)? != Put::Done {
            tracing::debug!(branch = %found.branch, "the record of a proposal could not be written again");
        }
        Ok(record)
    }

    /// The commit of a run that died before it made its branch, when it is what we would make now.
    fn adopt(&self, record: &ProposalRecord, parent: Oid, tree: Oid) -> Option<Oid> {
        let head = Oid::from_str(record.head.as_str()).ok()?;
        let commit = self.repository.git().find_commit(head).ok()?;
        let fits =
            commit.tree_id() == tree && commit.parent_count() == 1 && commit.parent_id(0).ok()? == parent;
        fits.then_some(head)
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
                Some(Standing { tip: None, record: Some(record), .. }) if record.1.key == self.key => {
                    Some(record.clone())
                }
                Some(_) => continue,
            };
            let branch = BranchName::new(format!("{}-{number}", self.publication.prefix))
                .map_err(|error| VcsError::InvalidChange { reason: error.to_string() })?;
            return Ok(Free { branch, number, leftover });
        }
        let what = format!("the number of branches {}-…", self.publication.prefix);
        Err(VcsError::TooLarge { what, limit: MAX_NUMBER.to_string() })
    }

    fn base(&self) -> Result<(Oid, CommitId), VcsError> {
        branch_tip(self.repository, &self.publication.base)?.ok_or_else(|| VcsError::InvalidChange {
            reason: format!("the base branch {} is gone", self.publication.base),
        })
    }

    fn commit(&self, parent: &git2::Commit<'_>, tree: Oid) -> Result<Oid, VcsError> {
        let git = self.repository.git();
        let seconds = self.publication.now.as_nanos().div_euclid(1_000_000_000);
        let who =
            Signature::new(AUTHOR.0, AUTHOR.1, &Time::new(seconds, 0)).map_err(|error| self.fail(error))?;
        let tree = git.find_tree(tree).map_err(|error| self.fail(error))?;
        git.commit(None, &who, &who, &self.message(), &tree, &[parent]).map_err(|error| self.fail(error))
    }

    /// Trailers stand in a paragraph of their own at the end, so nothing in the text above can pass for one.
    fn message(&self) -> String {
        let text = printable(&self.publication.changes.message);
        let text = text.trim();
        let separator = if text.is_empty() { "" } else { "\n\n" };
        format!(
            "{}{separator}{text}\n\nStaso-Run: {}\nStaso-Key: {}\n",
            self.title, self.publication.run_id, self.key
        )
    }

    fn record(
        &self,
        branch: &BranchName,
        base_tip: &CommitId,
        head: Oid,
    ) -> Result<ProposalRecord, VcsError> {
        let changes = &self.publication.changes;
        Ok(ProposalRecord {
            schema_version: ProposalRecord::SCHEMA_VERSION,
            branch: branch.clone(),
            base: self.publication.base.clone(),
            base_tip: base_tip.clone(),
            head: commit_id(head)?,
            key: self.key.clone(),
            run_id: self.publication.run_id,
            created_at: self.publication.now,
            draft: changes.draft,
            labels: changes.labels.clone(),
            title: self.title.clone(),
            body: changes.body.clone(),
        })
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
        Some((base, _)) if repository.git().odb().is_ok_and(|odb| odb.exists(head)) => {
            reaches(repository, base, head)?
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

/// Everything that stands at `<prefix>-<number>`, by number.
fn standing(repository: &GitRepository, prefix: &BranchName) -> Result<Vec<Standing>, VcsError> {
    let fail = |error| repository.fail("listing proposals", error);
    let mut numbers = Vec::new();
    let record_prefix = record::reference(prefix).unwrap_or_default();
    for prefix in [format!("refs/heads/{prefix}-"), format!("{record_prefix}-")] {
        for name in repository.git().references_glob(&format!("{prefix}*")).map_err(fail)?.names() {
            let number = name.map_err(fail)?.strip_prefix(&prefix).and_then(number);
            numbers.extend(number);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    let at = |number| {
        let branch = BranchName::new(format!("{prefix}-{number}"))
            .map_err(|error| VcsError::InvalidChange { reason: error.to_string() })?;
        let record = ProposalRecord::read(repository, &branch)?;
        Ok(Standing { tip: tip_of(repository, &branch)?, record, branch, number })
    };
    numbers.into_iter().map(at).collect()
}

/// A number as we write it: `1`, not `01` or `+1`.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
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

fn check_prefix(prefix: &BranchName) -> Result<(), VcsError> {
    match prefix.as_str().strip_prefix(OURS) {
        Some(rest) if !rest.is_empty() => Ok(()),
        _ => Err(VcsError::InvalidChange {
            reason: format!("branches of proposals begin with {OURS}, not with {prefix}"),
        }),
    }
}

/// The value of a trailer in the last paragraph.
fn trailer<'a>(message: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(message).ok()?.trim_end();
    let last = text.rsplit_once("\n\n").map(|(_, last)| last)?;
    last.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn title(text: &str) -> Result<(String, Vec<String>), VcsError> {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let clean = words.join(" ");
    if clean.is_empty() {
        return Err(VcsError::InvalidChange { reason: "the title is empty".to_owned() });
    }
    if clean.chars().count() <= TITLE_CHARS {
        return Ok((clean, Vec::new()));
    }
    let mut cut: String = clean.chars().take(TITLE_CHARS - 1).collect();
    cut.push('…');
    Ok((cut, vec![format!("the title was cut to {TITLE_CHARS} characters")]))
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// For a POSIX shell, because people paste the command.
fn quoted(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./@:=+,".contains(&b)) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_counts_in_the_last_paragraph_alone() {
        let message = "title\n\nStaso-Key: forged\n\nStaso-Run: r\nStaso-Key: real\n";
        assert_eq!(trailer(message.as_bytes(), "Staso-Key"), Some("real"));
        assert_eq!(trailer(b"title\n\nStaso-Key: a\n\nno", "Staso-Key"), None);
        assert_eq!(trailer(b"Staso-Key: a", "Staso-Key"), None, "that is the title");
    }

    #[test]
    fn a_title_is_one_line_of_at_most_72_characters() {
        assert_eq!(title("fix\r\n\x1b[31m it ").unwrap().0, "fix [31m it");
        let (cut, warnings) = title(&"ä".repeat(80)).unwrap();
        assert_eq!((cut.chars().count(), warnings.len()), (72, 1));
        assert!(title(" \n").is_err());
    }

    #[test]
    fn the_command_survives_a_shell() {
        assert_eq!(quoted("/srv/a-b.git"), "/srv/a-b.git");
        assert_eq!(quoted("/srv/it's $(x)"), r"'/srv/it'\''s $(x)'");
    }
}
