//! Commits as text, and the commits that we make.

use git2::{Oid, Signature, Time};
use staso_core::id::CommitId;
use staso_core::trace::Timestamp;
use staso_core::vcs::VcsError;

use super::repository::{GitRepository, commit_id};

/// Who commits: nobody that a forge could know.
const AUTHOR: (&str, &str) = ("Staso", "noreply@staso.invalid");

/// What a commit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommitText {
    pub(crate) message: String,
    /// As they stand in the commit, also where the repository is shallow and does not have them.
    pub(crate) parents: Vec<CommitId>,
}

/// Reads a commit.
pub(crate) fn read(repository: &GitRepository, id: &CommitId) -> Result<CommitText, VcsError> {
    let commit = repository.commit(id)?;
    let header = commit.raw_header().unwrap_or_default();
    let parents = header.lines().filter_map(|line| CommitId::new(line.strip_prefix("parent ")?).ok());
    Ok(CommitText {
        message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
        parents: parents.collect(),
    })
}

/// Makes a commit that no branch holds. The same arguments make the same commit.
pub(crate) fn write(
    repository: &GitRepository,
    parent: &CommitId,
    tree: Oid,
    message: &str,
    date: Timestamp,
) -> Result<CommitId, VcsError> {
    let fail = |error| repository.fail("making a commit", error);
    let parent = repository.commit(parent)?;
    let seconds = date.as_nanos().div_euclid(1_000_000_000);
    let who = Signature::new(AUTHOR.0, AUTHOR.1, &Time::new(seconds, 0)).map_err(fail)?;
    let tree = repository.git().find_tree(tree).map_err(fail)?;
    let oid = repository.git().commit(None, &who, &who, message, &tree, &[&parent]).map_err(fail)?;
    commit_id(oid)
}
