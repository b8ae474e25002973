//! What is kept about a proposal beside its branch: a JSON blob under `refs/staso/proposals/<branch without fix/>`.

use git2::{ErrorCode, Oid};
use serde::{Deserialize, Serialize};
use staso_core::id::{BranchName, CommitId, RunId};
use staso_core::trace::Timestamp;
use staso_core::vcs::VcsError;

use super::repository::GitRepository;
use crate::error;
use crate::publish::{CommitMessage, Publication};

/// Version of [`ProposalRecord`] as it is written.
const SCHEMA_VERSION: u32 = 1;
/// Largest record that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// A proposal as it was made. What became of it is read from the branches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProposalRecord {
    pub(crate) schema_version: u32,
    pub(crate) branch: BranchName,
    pub(crate) base: BranchName,
    pub(crate) base_tip: CommitId,
    pub(crate) head: CommitId,
    /// SHA-256 of the idempotency key, in hexadecimal digits.
    pub(crate) key: String,
    pub(crate) run_id: RunId,
    pub(crate) created_at: Timestamp,
    pub(crate) draft: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) title: String,
    pub(crate) body: String,
}

impl ProposalRecord {
    /// The record of a branch at `head`, whose commit of ours stands on `base_tip`.
    pub(crate) fn new(
        publication: &Publication,
        message: &CommitMessage,
        branch: &BranchName,
        base_tip: &CommitId,
        head: &CommitId,
    ) -> Self {
        let changes = &publication.changes;
        Self {
            schema_version: SCHEMA_VERSION,
            branch: branch.clone(),
            base: publication.base.clone(),
            base_tip: base_tip.clone(),
            head: head.clone(),
            key: message.key.clone(),
            run_id: publication.run_id,
            created_at: publication.now,
            draft: changes.draft,
            labels: changes.labels.clone(),
            title: message.title.clone(),
            body: changes.body.clone(),
        }
    }

    /// Reads the record of a branch, and the blob that holds it.
    pub(crate) fn read(
        repository: &GitRepository,
        branch: &BranchName,
    ) -> Result<Option<(Oid, Self)>, VcsError> {
        let fail = |error| repository.fail("reading a proposal", error);
        let Some(name) = reference(branch) else { return Ok(None) };
        let blob = match repository.git().refname_to_id(&name) {
            Ok(blob) => blob,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let content = repository.git().find_blob(blob).map_err(fail)?;
        let readable = content.content().get(..content.size().min(MAX_BYTES)).unwrap_or_default();
        // A record that someone else wrote, or a later version, is nobody's proposal.
        let record = serde_json::from_slice::<Self>(readable).ok();
        Ok(record
            .filter(|record| record.schema_version == SCHEMA_VERSION && record.branch == *branch)
            .map(|record| (blob, record)))
    }

    /// Writes the record. `replaces` is what it takes the place of; nothing else is ever overwritten.
    pub(crate) fn write(&self, repository: &GitRepository, replaces: Option<Oid>) -> Result<Put, VcsError> {
        let Some(name) = reference(&self.branch) else { return Ok(Put::Blocked) };
        let text =
            serde_json::to_vec_pretty(self).map_err(|error| error::backend("writing a proposal", error))?;
        let blob =
            repository.git().blob(&text).map_err(|error| repository.fail("writing a proposal", error))?;
        put(repository, &name, blob, replaces, "staso: proposal")
    }
}

/// Removes the record of a branch that could not be made.
pub(crate) fn withdraw(repository: &GitRepository, branch: &BranchName) {
    let removed = reference(branch)
        .map(|name| repository.git().find_reference(&name).and_then(|mut found| found.delete()));
    if let Some(Err(error)) = removed {
        tracing::debug!(%error, %branch, "the record of a branch that could not be made stays");
    }
}

/// The name of a record; `None` when the branch is not one of ours.
pub(crate) fn reference(branch: &BranchName) -> Option<String> {
    branch.as_str().strip_prefix("fix/").map(|rest| format!("refs/staso/proposals/{rest}"))
}

/// How writing a reference ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is written.
    Done,
    /// Something else is there by now.
    Lost,
    /// Someone holds git's lock on it: another run for a moment, or a dead process for ever.
    Locked,
    /// Other references stand below the name.
    Blocked,
}

/// Sets a reference that is still at `expected`, or that is not there.
pub(crate) fn put(
    repository: &GitRepository,
    name: &str,
    target: Oid,
    expected: Option<Oid>,
    message: &str,
) -> Result<Put, VcsError> {
    // The comparison happens under git's own lock; the zero id stands for "not there".
    let current = expected.unwrap_or(Oid::ZERO_SHA1);
    match repository.git().reference_matching(name, target, expected.is_some(), current, message) {
        Ok(_) => Ok(Put::Done),
        Err(error) => match error.code() {
            ErrorCode::Exists | ErrorCode::Modified => Ok(Put::Lost),
            ErrorCode::Locked => Ok(Put::Locked),
            ErrorCode::Directory => Ok(Put::Blocked),
            _ => Err(repository.fail("writing a reference", error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 wrote it. Later versions keep reading it.
    const VERSION_1: &str = r#"{
        "schema_version": 1,
        "branch": "fix/staso-1a2b-1",
        "base": "main",
        "base_tip": "0000000000000000000000000000000000000001",
        "head": "0000000000000000000000000000000000000002",
        "key": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "run_id": "07070707-0707-0707-0707-070707070707",
        "created_at": "2026-01-01T00:00:00Z",
        "draft": true,
        "labels": ["staso"],
        "title": "Read the key that the tool returns",
        "body": "What users saw."
    }"#;

    #[test]
    fn version_1_is_read_and_written_the_same() {
        let record: ProposalRecord = serde_json::from_str(VERSION_1).unwrap();
        assert_eq!(record.branch.as_str(), "fix/staso-1a2b-1");
        let written = serde_json::to_value(&record).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(VERSION_1).unwrap());
    }

    #[test]
    fn a_record_stands_beside_the_branches() {
        let branch = BranchName::new("fix/staso-1a2b-1").unwrap();
        assert_eq!(reference(&branch).as_deref(), Some("refs/staso/proposals/staso-1a2b-1"));
        assert_eq!(reference(&BranchName::new("main").unwrap()), None);
    }
}
