//! Whether a commit is in the history of another one.

use std::collections::HashSet;

use staso_core::id::CommitId;
use staso_core::vcs::VcsError;

use super::commit;
use super::repository::GitRepository;
use crate::blocking::Stop;

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ancestry {
    /// It is there.
    Within,
    /// It is not, and the whole history was looked at.
    Outside,
    /// It is not among the commits that are here, and these are not all.
    Unknown,
}

/// Looks through the commits that are here. Where the repository is shallow is not asked: what is here counts.
pub(crate) fn ancestry(
    repository: &GitRepository,
    tip: &CommitId,
    ancestor: &CommitId,
    stop: &Stop,
) -> Result<Ancestry, VcsError> {
    let mut seen = HashSet::from([tip.clone()]);
    let mut pending = vec![tip.clone()];
    let mut complete = true;
    while let Some(next) = pending.pop() {
        stop.check()?;
        if next == *ancestor {
            return Ok(Ancestry::Within);
        }
        match commit::read(repository, &next) {
            Ok(text) => {
                pending.extend(text.parents.into_iter().filter(|parent| seen.insert(parent.clone())));
            }
            Err(VcsError::CommitNotFound { .. }) => complete = false,
            Err(error) => return Err(error),
        }
    }
    Ok(if complete { Ancestry::Outside } else { Ancestry::Unknown })
}
