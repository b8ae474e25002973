//! Repositories in memory.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::code::RepoPath;
use crate::id::{BlobId, BranchName, CommitId, Digest};
use crate::run::RunContext;
use crate::trace::{RepositoryUrl, SourceRevision};
use crate::vcs::{
    Access, ChangeSet, Checkout, FileContent, NewContent, Proposal, ProposalAction, ProposalState,
    ProposeRequest, RepositoryRef, ResolvedSource, Tree, TreeEntry, TreeEntryKind, VcsError, VcsProvider,
};

/// The files of a commit.
pub type MemoryFiles = BTreeMap<RepoPath, NewContent>;

/// A [`VcsProvider`] over repositories that a test describes. Regular files only.
///
/// # Examples
/// ```
/// use staso_core::testing::{MemoryRepository, MemoryVcs, memory_commit};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut repository = MemoryRepository::new("https://github.com/acme/support".parse()?, "main".parse()?);
/// repository.commit(memory_commit(1), "main".parse()?, [("app.py".parse()?, "print(1)\n")]);
/// let provider = MemoryVcs::new().with_repository(repository);
/// # drop(provider);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryVcs {
    state: Arc<Mutex<State>>,
}

/// A repository of a [`MemoryVcs`].
#[derive(Debug, Clone)]
pub struct MemoryRepository {
    url: RepositoryUrl,
    default_branch: BranchName,
    archived: bool,
    commits: BTreeMap<CommitId, MemoryCommit>,
    branches: BTreeMap<BranchName, CommitId>,
    checkouts: BTreeMap<CommitId, PathBuf>,
    proposals: BTreeMap<BranchName, MemoryProposal>,
}

/// A proposal that a [`MemoryVcs`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryProposal {
    /// The branch that it is for.
    pub base: BranchName,
    /// What it changes.
    pub changes: ChangeSet,
    /// The key that it was made with.
    pub idempotency_key: String,
    /// Whether its branch was removed.
    pub closed: bool,
}

#[derive(Debug, Clone)]
struct MemoryCommit {
    parent: Option<CommitId>,
    files: MemoryFiles,
}

#[derive(Debug, Default)]
struct State {
    repositories: BTreeMap<RepositoryUrl, MemoryRepository>,
    failures: BTreeMap<&'static str, VecDeque<VcsError>>,
}

/// A commit id made of a number.
#[must_use]
pub fn memory_commit(number: u32) -> CommitId {
    commit_of(&number.to_string())
}

/// The id that [`MemoryVcs`] gives to a content. It is not the one that git would give.
#[must_use]
pub fn memory_blob(bytes: &[u8]) -> BlobId {
    // 40 hexadecimal digits of a digest are always a valid id.
    forty(&Digest::of(bytes), |text| BlobId::new(text).ok())
}

fn commit_of(seed: &str) -> CommitId {
    forty(&Digest::of(format!("commit {seed}")), |text| CommitId::new(text).ok())
}

#[expect(clippy::expect_used, reason = "a digest is hexadecimal and longer than 40 digits")]
fn forty<T>(digest: &Digest, id: impl Fn(&str) -> Option<T>) -> T {
    digest.hex().get(..40).and_then(id).expect("a digest has 64 hexadecimal digits")
}

impl MemoryRepository {
    /// A repository without commits.
    #[must_use]
    pub const fn new(url: RepositoryUrl, default_branch: BranchName) -> Self {
        Self {
            url,
            default_branch,
            archived: false,
            commits: BTreeMap::new(),
            branches: BTreeMap::new(),
            checkouts: BTreeMap::new(),
            proposals: BTreeMap::new(),
        }
    }

    /// Adds a commit with these files and nothing else, as the newest one of a branch.
    pub fn commit<'a>(
        &mut self,
        id: CommitId,
        branch: BranchName,
        files: impl IntoIterator<Item = (RepoPath, &'a str)>,
    ) {
        let files = files
            .into_iter()
            .map(|(path, text)| (path, NewContent { bytes: text.as_bytes().to_vec(), executable: false }))
            .collect();
        self.commit_files(id, branch, files);
    }

    /// As [`commit`](Self::commit), with contents of any kind.
    pub fn commit_files(&mut self, id: CommitId, branch: BranchName, files: MemoryFiles) {
        let parent = self.branches.insert(branch, id.clone());
        self.commits.insert(id, MemoryCommit { parent, files });
    }

    /// Sets the directory that a checkout of a commit gives. The test fills it.
    pub fn set_checkout(&mut self, commit: CommitId, directory: impl Into<PathBuf>) {
        self.checkouts.insert(commit, directory.into());
    }

    /// Removes a branch; a proposal on it is closed.
    pub fn remove_branch(&mut self, branch: &BranchName) {
        self.branches.remove(branch);
        if let Some(proposal) = self.proposals.get_mut(branch) {
            proposal.closed = true;
        }
    }

    /// Makes a branch point to a commit, as a merge does.
    pub fn set_branch(&mut self, branch: BranchName, commit: CommitId) {
        self.branches.insert(branch, commit);
    }

    /// Makes the repository accept no changes.
    pub const fn archive(&mut self) {
        self.archived = true;
    }

    /// The newest commit of a branch.
    #[must_use]
    pub fn branch(&self, branch: &BranchName) -> Option<&CommitId> {
        self.branches.get(branch)
    }

    /// The files of a commit.
    #[must_use]
    pub fn files(&self, commit: &CommitId) -> Option<&MemoryFiles> {
        self.commits.get(commit).map(|commit| &commit.files)
    }

    /// Every proposal, by branch.
    #[must_use]
    pub const fn proposals(&self) -> &BTreeMap<BranchName, MemoryProposal> {
        &self.proposals
    }

    fn reference(&self) -> RepositoryRef {
        RepositoryRef {
            id: format!("memory:{}", self.url),
            url: self.url.clone(),
            default_branch: self.default_branch.clone(),
            archived: self.archived,
        }
    }

    fn found(&self, id: &CommitId) -> Result<&MemoryCommit, VcsError> {
        let missing = || VcsError::CommitNotFound { commit: id.clone(), url: self.url.clone() };
        self.commits.get(id).ok_or_else(missing)
    }

    fn reaches(&self, tip: &CommitId, ancestor: &CommitId) -> bool {
        let parent = |id: &CommitId| self.commits.get(id).and_then(|commit| commit.parent.clone());
        std::iter::successors(Some(tip.clone()), parent)
            .take(self.commits.len() + 1)
            .any(|id| id == *ancestor)
    }

    fn resolve(&self, source: &SourceRevision) -> Result<ResolvedSource, VcsError> {
        let commit = source.commit.clone().ok_or(VcsError::NoCommit)?;
        let default = self.branches.get(&self.default_branch);
        let default = default.ok_or_else(|| VcsError::Empty { url: self.url.clone() })?;
        self.found(&commit)?;
        let mut notes = Vec::new();
        let named = source.branch.as_ref().map(|name| (name, self.branches.get(name)));
        let (base_branch, base_tip) = match named {
            Some((name, Some(tip))) => (name, tip),
            Some((name, None)) => {
                notes.push(format!("the recorded branch {name} is gone"));
                (&self.default_branch, default)
            }
            None => (&self.default_branch, default),
        };
        if !self.reaches(base_tip, &commit) {
            notes.push(format!("commit {commit} is not in the history of {base_branch}"));
        }
        Ok(ResolvedSource {
            repository: self.reference(),
            commit,
            base_branch: base_branch.clone(),
            base_tip: base_tip.clone(),
            notes,
        })
    }

    fn proposal(&self, branch: &BranchName, action: ProposalAction) -> Result<Proposal, VcsError> {
        let missing = || VcsError::ProposalNotFound { branch: branch.clone() };
        let made = self.proposals.get(branch).ok_or_else(missing)?;
        let head = self.branches.get(branch).cloned().unwrap_or_else(|| commit_of(branch.as_str()));
        let merged = self.branches.get(&made.base).is_some_and(|tip| self.reaches(tip, &head));
        let state = match (merged, made.closed, made.changes.draft) {
            (true, _, _) => ProposalState::Merged,
            (_, true, _) => ProposalState::Closed,
            (_, _, true) => ProposalState::Draft,
            _ => ProposalState::Open,
        };
        Ok(Proposal {
            branch: branch.clone(),
            base: made.base.clone(),
            head,
            url: format!("memory:{branch}"),
            state,
            action,
            signature: None,
            warnings: title_warning(&made.changes.title).into_iter().collect(),
        })
    }

    fn propose(&mut self, request: &ProposeRequest<'_>) -> Result<Proposal, VcsError> {
        let invalid = |reason: String| VcsError::InvalidChange { reason };
        if !request.branch_prefix.as_str().starts_with("fix/staso-") {
            return Err(invalid(format!("{} does not begin with fix/staso-", request.branch_prefix)));
        }
        if self.archived {
            return Err(VcsError::Archived { url: self.url.clone() });
        }
        let base = self.found(&request.changes.base)?;
        let own = self.proposals.iter().find(|(_, made)| {
            made.idempotency_key == request.idempotency_key
                && made.changes.edits == request.changes.edits
                && !made.closed
        });
        if let Some((branch, _)) = own {
            return self.proposal(&branch.clone(), ProposalAction::Reused);
        }
        let tip = self.branches.get(request.base_branch).cloned();
        let tip = tip.ok_or_else(|| invalid(format!("the base branch {} is gone", request.base_branch)))?;
        if request.changes.base != tip {
            changed(&base.files, request)?;
        }
        let files = changed(&self.found(&tip)?.files, request)?;
        let free = (1..=u32::MAX).find_map(|number| {
            let branch = BranchName::new(format!("{}-{number}", request.branch_prefix)).ok()?;
            let taken = self.branches.contains_key(&branch) || self.proposals.contains_key(&branch);
            (!taken).then_some(branch)
        });
        let branch = free.ok_or_else(|| invalid("the branch prefix is too long".to_owned()))?;
        let made = MemoryProposal {
            base: request.base_branch.clone(),
            changes: request.changes.clone(),
            idempotency_key: request.idempotency_key.to_owned(),
            closed: false,
        };
        let head = commit_of(branch.as_str());
        self.commits.insert(head.clone(), MemoryCommit { parent: Some(tip), files });
        self.branches.insert(branch.clone(), head);
        self.proposals.insert(branch.clone(), made);
        self.proposal(&branch, ProposalAction::Created)
    }
}

/// Nothing is cut here, but what is too long for others is said.
fn title_warning(title: &str) -> Option<String> {
    (title.chars().count() > 72).then(|| "the title is longer than 72 characters".to_owned())
}

fn changed(base: &MemoryFiles, request: &ProposeRequest<'_>) -> Result<MemoryFiles, VcsError> {
    let mut files = base.clone();
    let mut conflicts = Vec::new();
    for edit in &request.changes.edits {
        let current = base.get(&edit.path);
        if current == edit.after.as_ref() {
            continue;
        }
        if current.map(|content| memory_blob(&content.bytes)) != edit.before {
            conflicts.push(edit.path.clone());
        } else if let Some(after) = &edit.after {
            files.insert(edit.path.clone(), after.clone());
        } else {
            files.remove(&edit.path);
        }
    }
    if !conflicts.is_empty() {
        Err(VcsError::Conflict { branch: request.base_branch.clone(), paths: conflicts })
    } else if files == *base {
        Err(VcsError::NothingToPropose)
    } else {
        Ok(files)
    }
}

impl MemoryVcs {
    /// A provider without repositories.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a repository.
    #[must_use]
    pub fn with_repository(self, repository: MemoryRepository) -> Self {
        self.lock().repositories.insert(repository.url.clone(), repository);
        self
    }

    /// Makes the next call of a method, e.g. `"checkout"`, fail. Several failures come in the order they were given.
    pub fn fail_next(&self, method: &'static str, error: VcsError) {
        self.lock().failures.entry(method).or_default().push_back(error);
    }

    /// The repository as it is now.
    #[must_use]
    pub fn repository(&self, url: &RepositoryUrl) -> Option<MemoryRepository> {
        self.lock().repositories.get(url).cloned()
    }

    /// Changes a repository, as someone else would.
    pub fn change(&self, url: &RepositoryUrl, change: impl FnOnce(&mut MemoryRepository)) {
        if let Some(repository) = self.lock().repositories.get_mut(url) {
            change(repository);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(
        &self,
        method: &'static str,
        url: &RepositoryUrl,
        ctx: &RunContext,
        work: impl FnOnce(&mut MemoryRepository) -> Result<T, VcsError>,
    ) -> Result<T, VcsError> {
        if ctx.is_cancelled() {
            return Err(VcsError::Cancelled);
        }
        let mut state = self.lock();
        if let Some(error) = state.failures.get_mut(method).and_then(VecDeque::pop_front) {
            return Err(error);
        }
        let missing = || VcsError::RepositoryNotFound { url: url.clone() };
        work(state.repositories.get_mut(url).ok_or_else(missing)?)
    }
}

#[async_trait]
impl VcsProvider for MemoryVcs {
    async fn resolve(&self, source: &SourceRevision, ctx: &RunContext) -> Result<ResolvedSource, VcsError> {
        let url = source.repository_url.as_ref().ok_or(VcsError::NoRepository)?;
        self.call("resolve", url, ctx, |repository| repository.resolve(source))
    }

    async fn preflight(
        &self,
        repository: &RepositoryRef,
        access: Access,
        ctx: &RunContext,
    ) -> Result<(), VcsError> {
        self.call("preflight", &repository.url, ctx, |repository| match access {
            Access::Propose if repository.archived => Err(VcsError::Archived { url: repository.url.clone() }),
            _ => Ok(()),
        })
    }

    async fn read_file(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<FileContent, VcsError> {
        self.call("read_file", &repository.url, ctx, |repository| {
            let missing = || VcsError::FileNotFound { path: path.clone(), commit: commit.clone() };
            let content = repository.found(commit)?.files.get(path).ok_or_else(missing)?;
            let size_bytes = content.bytes.len() as u64;
            if size_bytes > max_bytes {
                return Ok(FileContent::TooLarge { size_bytes });
            }
            match std::str::from_utf8(&content.bytes) {
                Ok(text) if !text.contains('\0') => Ok(FileContent::Text {
                    text: text.into(),
                    blob: memory_blob(&content.bytes),
                    executable: content.executable,
                }),
                _ => Ok(FileContent::Binary { size_bytes }),
            }
        })
    }

    async fn list_tree(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        max_entries: usize,
        ctx: &RunContext,
    ) -> Result<Tree, VcsError> {
        self.call("list_tree", &repository.url, ctx, |repository| {
            let files = &repository.found(commit)?.files;
            let entry = |(path, content): (&RepoPath, &NewContent)| TreeEntry {
                path: path.clone(),
                kind: if content.executable { TreeEntryKind::Executable } else { TreeEntryKind::File },
                blob: memory_blob(&content.bytes),
                size_bytes: Some(content.bytes.len() as u64),
            };
            Ok(Tree {
                entries: files.iter().take(max_entries).map(entry).collect(),
                truncated: files.len() > max_entries,
                unusable_paths: 0,
            })
        })
    }

    async fn checkout(
        &self,
        repository: &RepositoryRef,
        commit: &CommitId,
        ctx: &RunContext,
    ) -> Result<Checkout, VcsError> {
        self.call("checkout", &repository.url, ctx, |repository| {
            repository.found(commit)?;
            let unset = || VcsError::Backend {
                provider: "memory",
                operation: "checking out",
                source: "the test set no directory for this commit".into(),
            };
            let directory = repository.checkouts.get(commit).cloned().ok_or_else(unset)?;
            Ok(Checkout::new(directory, commit.clone(), None))
        })
    }

    async fn propose(&self, request: &ProposeRequest<'_>, ctx: &RunContext) -> Result<Proposal, VcsError> {
        self.call("propose", &request.repository.url, ctx, |repository| repository.propose(request))
    }

    async fn proposal_status(
        &self,
        repository: &RepositoryRef,
        branch: &BranchName,
        ctx: &RunContext,
    ) -> Result<Proposal, VcsError> {
        self.call("proposal_status", &repository.url, ctx, |repository| {
            repository.proposal(branch, ProposalAction::Reused)
        })
    }
}
