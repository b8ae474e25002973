//! Finding the failing commit and the branch that a fix is for.

use git2::{ErrorCode, Oid};
use staso_core::id::{BranchName, CommitId};
use staso_core::trace::SourceRevision;
use staso_core::vcs::{RepositoryRef, ResolvedSource, VcsError};

use super::repository::{GitRepository, commit_id};

/// Names that are tried when `HEAD` names no branch.
pub(crate) const USUAL_NAMES: [&str; 2] = ["main", "master"];

/// A branch and its newest commit.
struct Branch {
    name: BranchName,
    tip: Oid,
}

/// Finds what a trace names.
pub(crate) fn resolve(
    repository: &GitRepository,
    source: &SourceRevision,
    mut notes: Vec<String>,
) -> Result<ResolvedSource, VcsError> {
    let wanted = source.commit.as_ref().ok_or(VcsError::NoCommit)?;
    let default = default_branch(repository)?;
    let failing = repository.commit(wanted)?.id();
    let base = match &source.branch {
        Some(name) => match find_branch(repository, name)? {
            Some(branch) => branch,
            None => {
                notes.push(gone_note(name, &default.name));
                Branch { name: default.name.clone(), tip: default.tip }
            }
        },
        None => Branch { name: default.name.clone(), tip: default.tip },
    };
    if !reaches(repository, base.tip, failing)? {
        notes.push(unreachable_note(repository, wanted, &base.name));
    }
    Ok(ResolvedSource {
        repository: RepositoryRef {
            id: repository.id(),
            url: repository.url().clone(),
            default_branch: default.name,
            archived: false,
        },
        commit: wanted.clone(),
        base_tip: commit_id(base.tip)?,
        base_branch: base.name,
        notes,
    })
}

/// What is said of a recorded branch that is not there any more.
pub(crate) fn gone_note(recorded: &BranchName, instead: &BranchName) -> String {
    format!("the recorded branch {recorded} is gone; the fix is for {instead} instead")
}

fn unreachable_note(repository: &GitRepository, commit: &CommitId, branch: &BranchName) -> String {
    let why = if repository.git().is_shallow() {
        "the repository is shallow, so its history may be cut before it"
    } else {
        "it was never merged, or the branch was rewritten"
    };
    format!("commit {commit} is not in the history of {branch}: {why}")
}

/// The newest commit of a branch: the local one, else as it was last fetched from `origin`.
pub(crate) fn branch_tip(
    repository: &GitRepository,
    name: &BranchName,
) -> Result<Option<(Oid, CommitId)>, VcsError> {
    match find_branch(repository, name)? {
        Some(branch) => Ok(Some((branch.tip, commit_id(branch.tip)?))),
        None => Ok(None),
    }
}

/// Whether `ancestor` is `tip` or in its history.
pub(crate) fn reaches(repository: &GitRepository, tip: Oid, ancestor: Oid) -> Result<bool, VcsError> {
    if tip == ancestor {
        return Ok(true);
    }
    match repository.git().graph_descendant_of(tip, ancestor) {
        Ok(found) => Ok(found),
        // The history of a shallow repository ends in commits that are not there.
        Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
        Err(error) => Err(repository.fail("reading the history", error)),
    }
}

fn default_branch(repository: &GitRepository) -> Result<Branch, VcsError> {
    for head in ["HEAD", "refs/remotes/origin/HEAD"] {
        if let Some(branch) = symbolic_branch(repository, head)? {
            return Ok(branch);
        }
    }
    for name in USUAL_NAMES.iter().filter_map(|name| BranchName::new(name).ok()) {
        if let Some(branch) = find_branch(repository, &name)? {
            return Ok(branch);
        }
    }
    only_branch(repository)
}

/// The branch that a symbolic reference names, unless the reference is detached or the branch not born yet.
fn symbolic_branch(repository: &GitRepository, reference: &str) -> Result<Option<Branch>, VcsError> {
    let Ok(found) = repository.git().find_reference(reference) else { return Ok(None) };
    let target = found.symbolic_target().ok().flatten();
    let name = target
        .and_then(|target| {
            target.strip_prefix("refs/heads/").or_else(|| target.strip_prefix("refs/remotes/origin/"))
        })
        .and_then(|name| BranchName::new(name).ok());
    match name {
        Some(name) => find_branch(repository, &name),
        None => Ok(None),
    }
}

fn only_branch(repository: &GitRepository) -> Result<Branch, VcsError> {
    let names = branch_names(repository)?;
    let mut found = Vec::new();
    for name in &names {
        found.extend(find_branch(repository, name)?);
    }
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) if repository.git().head().is_err() => {
            Err(VcsError::Empty { url: repository.url().clone() })
        }
        _ => {
            let reason = "HEAD names no branch, and there is neither a main nor a master; \
                          check out the branch that a fix is for"
                .to_owned();
            Err(VcsError::Unreadable { url: repository.url().clone(), reason })
        }
    }
}

fn branch_names(repository: &GitRepository) -> Result<Vec<BranchName>, VcsError> {
    let fail = |error| repository.fail("listing branches", error);
    let mut names = Vec::new();
    for prefix in ["refs/heads/", "refs/remotes/origin/"] {
        for reference in repository.git().references_glob(&format!("{prefix}*")).map_err(fail)? {
            let reference = reference.map_err(fail)?;
            let name = reference.name().ok().and_then(|name| name.strip_prefix(prefix));
            names.extend(name.and_then(|name| BranchName::new(name).ok()));
        }
        if !names.is_empty() {
            break;
        }
    }
    Ok(names)
}

fn find_branch(repository: &GitRepository, name: &BranchName) -> Result<Option<Branch>, VcsError> {
    for prefix in ["refs/heads/", "refs/remotes/origin/"] {
        let Ok(reference) = repository.git().find_reference(&format!("{prefix}{name}")) else { continue };
        match reference.peel_to_commit() {
            Ok(commit) => return Ok(Some(Branch { name: name.clone(), tip: commit.id() })),
            Err(error) => return Err(repository.fail("reading a branch", error)),
        }
    }
    Ok(None)
}
