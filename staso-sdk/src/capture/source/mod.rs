//! Which revision this process runs: from the environment, the build, the hosting platform or the checkout.

mod build_info;
#[cfg(feature = "git-detect")]
mod checkout;
mod platform;

use std::path::PathBuf;
use std::sync::Arc;

use staso_core::id::{BranchName, CommitId};
use staso_core::trace::{RepositoryUrl, SourceRevision};

use super::BuildFacts;
use crate::environment::{Environment, non_empty};

/// Finds the revision that this process runs.
///
/// The commit comes from the first of these that names one: the variables `STASO_VCS_COMMIT_SHA`, `STASO_VCS_BRANCH` and
/// `STASO_VCS_REPO_URL`; the same three as they were when the program was compiled; the variables of the hosting platform;
/// the checkout around the current directory (feature `git-detect`); the file `.staso-build-info`. A branch or repository
/// that this one does not name is taken from a later one, unless that names another commit. No process is started.
#[derive(Debug)]
pub struct SourceDetector {
    environment: Arc<dyn Environment>,
    directory: Option<PathBuf>,
    facts: Option<BuildFacts>,
}

/// What a [`SourceDetector`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DetectedSource {
    /// The revision; fields that nothing named are `None`.
    pub revision: SourceRevision,
    /// The digest of what the working tree changes against the commit, when it is dirty and was small enough to read.
    pub diff_digest: Option<String>,
    /// What does not fit together, one sentence each.
    pub warnings: Vec<String>,
}

impl DetectedSource {
    /// A revision that was given, not found.
    pub(crate) fn of(revision: SourceRevision) -> Self {
        Self { revision, ..Self::default() }
    }
}

/// What one source says, before anything is checked.
#[derive(Debug, Default)]
struct Claim {
    origin: &'static str,
    commit: Option<String>,
    branch: Option<String>,
    repository: Option<String>,
    dirty: Option<bool>,
    diff_digest: Option<String>,
    warning: Option<String>,
}

impl SourceDetector {
    /// A detector that reads variables from `environment` and files around the current directory.
    #[must_use]
    pub fn new(environment: Arc<dyn Environment>) -> Self {
        Self { environment, directory: None, facts: None }
    }

    /// Looks for the checkout and for `.staso-build-info` in this directory instead of the current one.
    #[must_use]
    pub fn with_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Adds what was known at compile time.
    #[must_use]
    pub const fn with_facts(mut self, facts: BuildFacts) -> Self {
        self.facts = Some(facts);
        self
    }

    /// Looks everywhere, in order. Reading the state of a large working tree is given up after two seconds; `dirty` is
    /// `None` then.
    #[must_use]
    pub fn detect(&self) -> DetectedSource {
        let mut claims = vec![self.variables(), self.compiled(), platform::claim(self.environment.as_ref())];
        let directory = self.directory.clone().or_else(|| std::env::current_dir().ok());
        if let Some(directory) = &directory {
            #[cfg(feature = "git-detect")]
            claims.push(checkout::claim(directory, self.facts.as_ref()));
            claims.push(build_info::claim(directory));
        }
        merge(claims)
    }

    fn variables(&self) -> Claim {
        let get = |name| non_empty(self.environment.as_ref(), name);
        Claim {
            origin: "STASO_VCS_COMMIT_SHA",
            commit: get("STASO_VCS_COMMIT_SHA"),
            branch: get("STASO_VCS_BRANCH"),
            repository: get("STASO_VCS_REPO_URL"),
            ..Claim::default()
        }
    }

    fn compiled(&self) -> Claim {
        let own = |text: Option<&str>| text.map(str::to_owned).filter(|text| !text.trim().is_empty());
        let facts = self.facts.as_ref();
        Claim {
            origin: "the build",
            commit: own(facts.and_then(|facts| facts.commit)),
            branch: own(facts.and_then(|facts| facts.branch)),
            repository: own(facts.and_then(|facts| facts.repository_url)),
            ..Claim::default()
        }
    }
}

/// A [`Claim`] after checking.
#[derive(Debug)]
struct Checked {
    origin: &'static str,
    commit: Option<CommitId>,
    branch: Option<BranchName>,
    repository: Option<RepositoryUrl>,
    dirty: Option<bool>,
    diff_digest: Option<String>,
}

fn merge(claims: Vec<Claim>) -> DetectedSource {
    let mut found = DetectedSource::default();
    let checked: Vec<_> = claims.into_iter().map(|claim| check(claim, &mut found.warnings)).collect();
    let winner = checked.iter().find(|claim| claim.commit.is_some());
    let commit = winner.and_then(|claim| claim.commit.clone());
    for claim in &checked {
        if let (Some(winner), Some(ours), Some(theirs)) = (winner, &commit, &claim.commit)
            && ours != theirs
        {
            found.warnings.push(format!(
                "{} names commit {ours} but {} names {theirs}; the first is used",
                winner.origin, claim.origin
            ));
            continue;
        }
        let revision = &mut found.revision;
        revision.branch = revision.branch.take().or_else(|| claim.branch.clone());
        revision.repository_url = revision.repository_url.take().or_else(|| claim.repository.clone());
        revision.dirty = revision.dirty.or(claim.dirty);
        found.diff_digest = found.diff_digest.take().or_else(|| claim.diff_digest.clone());
    }
    found.revision.commit = commit;
    found
}

fn check(claim: Claim, warnings: &mut Vec<String>) -> Checked {
    let origin = claim.origin;
    warnings.extend(claim.warning);
    let mut refuse = |what: &str, reason: String| {
        warnings.push(format!("{origin} names an unusable {what}: {reason}"));
    };
    let commit = claim.commit.and_then(|text| {
        CommitId::new(text.trim().to_ascii_lowercase())
            .map_err(|error| refuse("commit", error.reason.to_owned()))
            .ok()
    });
    let branch = claim.branch.and_then(|text| {
        let name = text.trim().strip_prefix("refs/heads/").unwrap_or(text.trim());
        BranchName::new(name).map_err(|error| refuse("branch", error.reason.to_owned())).ok()
    });
    let repository = claim.repository.and_then(|text| {
        text.parse::<RepositoryUrl>().map_err(|error| refuse("repository", error.to_string())).ok()
    });
    Checked { origin, commit, branch, repository, dirty: claim.dirty, diff_digest: claim.diff_digest }
}
