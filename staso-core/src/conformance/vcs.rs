//! The contract of [`VcsProvider`], as a suite.
//!
//! [`all`] runs everything on one repository. The repository must hold at least two commits on its default branch, the
//! newest of which has at least three text files, one of them executable if the provider knows executable files.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use async_trait::async_trait;

use crate::code::RepoPath;
use crate::id::{BlobId, BranchName, CommitId};
use crate::run::RunContext;
use crate::trace::{RepositoryUrl, SourceRevision};
use crate::vcs::{
    Access, ChangeSet, FileContent, FileEdit, NewContent, Proposal, ProposalAction, ProposalState,
    ProposeRequest, RepositoryRef, ResolvedSource, TreeEntryKind, VcsError, VcsProvider,
};

/// A repository that the suite may use, and what it does there behind the provider's back.
#[async_trait]
pub trait VcsFixture: Debug + Send + Sync {
    /// Its address, as a trace would record it.
    fn url(&self) -> RepositoryUrl;

    /// Its default branch.
    fn default_branch(&self) -> BranchName;

    /// The newest commit of the default branch when the suite starts.
    fn tip(&self) -> CommitId;

    /// The commit before.
    fn previous(&self) -> CommitId;

    /// All files of the newest commit. Regular UTF-8 files only.
    fn files(&self) -> BTreeMap<RepoPath, NewContent>;

    /// A context for one run.
    fn context(&self) -> RunContext;

    /// Makes a branch that is not the provider's.
    async fn create_branch(&self, branch: &BranchName, commit: &CommitId);

    /// Removes a branch.
    async fn delete_branch(&self, branch: &BranchName);

    /// The commit that a branch points to.
    async fn branch_tip(&self, branch: &BranchName) -> Option<CommitId>;

    /// Adds a commit to the default branch in which one file has another text.
    async fn commit_on_default(&self, path: &RepoPath, text: &str) -> CommitId;

    /// Moves the default branch forward to a commit.
    async fn merge(&self, commit: &CommitId);
}

/// Runs every part of the suite, in an order in which none disturbs the next.
///
/// # Panics
/// With a sentence, when the provider breaks its contract.
pub async fn all(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    resolves(provider, fixture).await;
    refuses_what_is_not_there(provider, fixture).await;
    reads_files(provider, fixture).await;
    lists_trees(provider, fixture).await;
    checks_out(provider, fixture).await;
    refuses_when_cancelled(provider, fixture).await;
    proposes_once(provider, fixture).await;
    leaves_foreign_branches_alone(provider, fixture).await;
    refuses_bad_changes(provider, fixture).await;
    follows_a_proposal(provider, fixture).await;
    finds_conflicts(provider, fixture).await;
}

/// The commit, the branch and its newest commit are found, whatever the trace leaves out.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn resolves(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let ctx = fixture.context();
    for branch in [None, Some(fixture.default_branch())] {
        let source = SourceRevision { branch, ..source(fixture, fixture.previous()) };
        let found =
            must(provider.resolve(&source, &ctx).await, "an older commit of the default branch resolves");
        assert_eq!(found.commit, fixture.previous(), "resolve keeps the failing commit");
        assert_eq!(found.base_branch, fixture.default_branch(), "the base is the recorded or default branch");
        assert_eq!(found.base_tip, fixture.tip(), "the base tip is the newest commit of the branch");
        assert_eq!(found.repository.default_branch, fixture.default_branch(), "the default branch is named");
        assert!(found.notes.is_empty(), "nothing is odd about it, yet there are notes: {:?}", found.notes);
    }
    let gone = SourceRevision { branch: Some(name("gone/away")), ..source(fixture, fixture.tip()) };
    let found = must(provider.resolve(&gone, &ctx).await, "a commit whose branch is gone resolves");
    assert_eq!(
        found.base_branch,
        fixture.default_branch(),
        "a gone branch is replaced by the default branch"
    );
    assert!(!found.notes.is_empty(), "a gone branch is noted");
    let repository = found.repository;
    must(provider.preflight(&repository, Access::Read, &ctx).await, "reading is allowed");
    must(provider.preflight(&repository, Access::Propose, &ctx).await, "proposing is allowed");
}

/// Absent things have their own errors.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn refuses_what_is_not_there(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let ctx = fixture.context();
    let no_commit = SourceRevision { commit: None, ..source(fixture, fixture.tip()) };
    let error = provider.resolve(&no_commit, &ctx).await;
    assert!(matches!(error, Err(VcsError::NoCommit)), "a trace without commit is NoCommit, not {error:?}");
    let absent = absent_commit();
    let error = provider.resolve(&source(fixture, absent.clone()), &ctx).await;
    assert!(matches!(error, Err(VcsError::CommitNotFound { .. })), "not CommitNotFound: {error:?}");
    let repository = repository(provider, fixture, &ctx).await;
    let error = provider.checkout(&repository, &absent, &ctx).await;
    assert!(matches!(error, Err(VcsError::CommitNotFound { .. })), "not CommitNotFound: {error:?}");
    let error = provider.list_tree(&repository, &absent, 10, &ctx).await;
    assert!(matches!(error, Err(VcsError::CommitNotFound { .. })), "not CommitNotFound: {error:?}");
    let error = provider.read_file(&repository, &fixture.tip(), &path("no/such/file"), 10, &ctx).await;
    assert!(matches!(error, Err(VcsError::FileNotFound { .. })), "not FileNotFound: {error:?}");
    let error = provider.proposal_status(&repository, &name("fix/staso-none-1"), &ctx).await;
    assert!(matches!(error, Err(VcsError::ProposalNotFound { .. })), "not ProposalNotFound: {error:?}");
}

/// Every file is read byte for byte, and only up to the limit.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn reads_files(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let ctx = fixture.context();
    let repository = repository(provider, fixture, &ctx).await;
    for (path, expected) in fixture.files() {
        let size = expected.bytes.len() as u64;
        let read = provider.read_file(&repository, &fixture.tip(), &path, size, &ctx).await;
        match must(read, "a file of exactly the limit is read") {
            FileContent::Text { text, executable, .. } => {
                assert_eq!(text.as_bytes(), expected.bytes, "{path} is read byte for byte");
                assert_eq!(executable, expected.executable, "the mode of {path} is told");
            }
            other => panic!("{path} is text, not {other:?}"),
        }
        if size > 0 {
            let read = provider.read_file(&repository, &fixture.tip(), &path, size - 1, &ctx).await;
            let read = must(read, "a file over the limit is no error");
            assert_eq!(read, FileContent::TooLarge { size_bytes: size }, "{path} is over the limit");
        }
    }
}

/// A listing is complete, sorted, and cut at its limit.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn lists_trees(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let ctx = fixture.context();
    let repository = repository(provider, fixture, &ctx).await;
    let files = fixture.files();
    let tree = provider.list_tree(&repository, &fixture.tip(), files.len(), &ctx).await;
    let tree = must(tree, "a tree of exactly the limit is listed");
    assert!(!tree.truncated, "a tree of exactly the limit is not truncated");
    let listed: Vec<_> = tree.entries.iter().map(|entry| (&entry.path, entry.size_bytes)).collect();
    let expected: Vec<_> = files.iter().map(|(path, file)| (path, Some(file.bytes.len() as u64))).collect();
    assert_eq!(listed, expected, "the tree lists every file with its size, sorted");
    for entry in &tree.entries {
        let executable = files.get(&entry.path).is_some_and(|file| file.executable);
        let kind = if executable { TreeEntryKind::Executable } else { TreeEntryKind::File };
        assert_eq!(entry.kind, kind, "the kind of {}", entry.path);
        let blob = blob(provider, &repository, &fixture.tip(), &entry.path, &ctx).await;
        assert_eq!(Some(&entry.blob), blob.as_ref(), "list_tree and read_file name one content the same");
    }
    let cut = must(provider.list_tree(&repository, &fixture.tip(), 1, &ctx).await, "a tree is cut");
    assert!(cut.truncated && cut.entries.len() == 1, "a tree over the limit is cut and says so");
}

/// A checkout is the tree, without `.git`, shared and stable.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn checks_out(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let ctx = fixture.context();
    let repository = repository(provider, fixture, &ctx).await;
    let first = must(provider.checkout(&repository, &fixture.tip(), &ctx).await, "the commit is checked out");
    assert_eq!(first.commit, fixture.tip(), "a checkout names its commit");
    assert!(first.path.is_absolute(), "the path of a checkout is absolute");
    let mut found = BTreeMap::new();
    collect(&first.path, "", &mut found);
    let expected: BTreeMap<String, (Vec<u8>, bool)> = fixture
        .files()
        .into_iter()
        .map(|(path, file)| (path.as_str().to_owned(), (file.bytes, file.executable)))
        .collect();
    assert_eq!(found, expected, "a checkout holds the files of the commit and nothing else");
    let second = must(provider.checkout(&repository, &fixture.tip(), &ctx).await, "checking out again works");
    assert_eq!(first.path, second.path, "two checkouts of one commit share a directory");
    drop(first);
    assert!(second.path.is_dir(), "a checkout stays while someone holds it");
    let other = provider.checkout(&repository, &fixture.previous(), &ctx).await;
    let other = must(other, "an older commit is checked out");
    assert_ne!(other.path, second.path, "two commits have two checkouts");
}

/// Nothing is done for a run that was cancelled.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn refuses_when_cancelled(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let ctx = fixture.context();
    let repository = repository(provider, fixture, &ctx).await;
    let (tip, file) = (fixture.tip(), first_file(fixture));
    let changes = change(provider, &repository, fixture, &[(file.clone(), "cancelled\n")], &ctx).await;
    ctx.cancellation().cancel();
    let source = source(fixture, tip.clone());
    let prefix = name("fix/staso-cancelled");
    let outcomes = [
        ("resolve", provider.resolve(&source, &ctx).await.err()),
        ("preflight", provider.preflight(&repository, Access::Read, &ctx).await.err()),
        ("read_file", provider.read_file(&repository, &tip, &file, 1, &ctx).await.err()),
        ("list_tree", provider.list_tree(&repository, &tip, 1, &ctx).await.err()),
        ("checkout", provider.checkout(&repository, &tip, &ctx).await.err()),
        ("propose", propose(provider, fixture, &repository, &prefix, &changes, "c", &ctx).await.err()),
        ("proposal_status", provider.proposal_status(&repository, &prefix, &ctx).await.err()),
    ];
    for (method, error) in outcomes {
        assert!(matches!(error, Some(VcsError::Cancelled)), "{method} after cancellation: {error:?}");
    }
    let branch = fixture.branch_tip(&name("fix/staso-cancelled-1")).await;
    assert_eq!(branch, None, "a cancelled run makes no branch");
}

/// One key makes one branch, however often it is tried, and carries exactly the change.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn proposes_once(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let ctx = fixture.context();
    let repository = repository(provider, fixture, &ctx).await;
    let file = first_file(fixture);
    let added = path("staso/new dir/ünïcode.txt");
    let edits = [(file.clone(), "\u{feff}changed\r\nno newline at the end"), (added.clone(), "new\n")];
    let changes = change(provider, &repository, fixture, &edits, &ctx).await;
    let prefix = name("fix/staso-once");
    let made = propose(provider, fixture, &repository, &prefix, &changes, "once", &ctx).await;
    let made = must(made, "a change of the newest commit is proposed");
    assert_eq!(made.branch, name("fix/staso-once-1"), "the branch is the prefix and a number from 1");
    assert_eq!(made.base, fixture.default_branch(), "the proposal is for the base branch");
    assert_eq!((made.action, made.state), (ProposalAction::Created, ProposalState::Draft), "a new draft");
    assert_eq!(fixture.branch_tip(&made.branch).await, Some(made.head.clone()), "the branch is at the head");
    for (path, expected) in &edits {
        let read = provider.read_file(&repository, &made.head, path, 1 << 20, &ctx).await;
        match must(read, "the changed file is in the head") {
            FileContent::Text { text, .. } => {
                assert_eq!(&*text, *expected, "{path} is carried byte for byte");
            }
            other => panic!("{path} is text, not {other:?}"),
        }
    }
    let tree = must(provider.list_tree(&repository, &made.head, 1 << 20, &ctx).await, "the head is listed");
    assert_eq!(tree.entries.len(), fixture.files().len() + 1, "nothing else is added or removed");
    for _ in 0..2 {
        let again = propose(provider, fixture, &repository, &prefix, &changes, "once", &ctx).await;
        let again = must(again, "a retry succeeds");
        assert_eq!(
            again,
            Proposal { action: ProposalAction::Reused, ..made.clone() },
            "a retry finds its own"
        );
    }
    let other = change(provider, &repository, fixture, &[(file, "another fix\n")], &ctx).await;
    let other = propose(provider, fixture, &repository, &prefix, &other, "once", &ctx).await;
    let other = must(other, "the same key with another change is proposed");
    assert_eq!(other.branch, name("fix/staso-once-2"), "another change gets the next number");
    assert_eq!(fixture.branch_tip(&made.branch).await, Some(made.head), "the first branch has not moved");
    assert_eq!(fixture.branch_tip(&fixture.default_branch()).await, Some(fixture.tip()), "nor has the base");
}

/// A branch that is not the provider's is neither moved nor taken for its own.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn leaves_foreign_branches_alone(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let ctx = fixture.context();
    let repository = repository(provider, fixture, &ctx).await;
    let foreign = name("fix/staso-foreign-1");
    fixture.create_branch(&foreign, &fixture.previous()).await;
    let changes = change(provider, &repository, fixture, &[(first_file(fixture), "mine\n")], &ctx).await;
    let prefix = name("fix/staso-foreign");
    let made = propose(provider, fixture, &repository, &prefix, &changes, "foreign", &ctx).await;
    let made = must(made, "a taken name does not stop the proposal");
    assert_eq!(made.branch, name("fix/staso-foreign-2"), "the next number is taken");
    assert_eq!(
        fixture.branch_tip(&foreign).await,
        Some(fixture.previous()),
        "the foreign branch has not moved"
    );
    let stranger = propose(provider, fixture, &repository, &prefix, &changes, "another key", &ctx).await;
    let stranger = must(stranger, "another key proposes the same change");
    assert_eq!(stranger.branch, name("fix/staso-foreign-3"), "another key does not find this one's branch");
}

/// What no branch may carry is refused, and leaves nothing.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn refuses_bad_changes(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let ctx = fixture.context();
    let repository = repository(provider, fixture, &ctx).await;
    let file = first_file(fixture);
    let changes = change(provider, &repository, fixture, &[(file.clone(), "x\n")], &ctx).await;
    for prefix in ["main", "fix/other", "feature/fix/staso-x", "fix/stas"] {
        let refused = propose(provider, fixture, &repository, &name(prefix), &changes, "bad", &ctx).await;
        assert!(matches!(refused, Err(VcsError::InvalidChange { .. })), "prefix {prefix}: {refused:?}");
        let branch = fixture.branch_tip(&name(&format!("{prefix}-1"))).await;
        assert_eq!(branch, None, "a refused prefix leaves no branch");
    }
    let prefix = name("fix/staso-bad");
    let same = fixture.files().remove(&file);
    let before = blob(provider, &repository, &fixture.tip(), &file, &ctx).await;
    let nothing = ChangeSet::new(fixture.tip(), vec![FileEdit { path: file, before, after: same }], "t", "b");
    let refused = propose(provider, fixture, &repository, &prefix, &nothing, "bad", &ctx).await;
    assert!(matches!(refused, Err(VcsError::NothingToPropose)), "no change: {refused:?}");
    let unknown = ChangeSet { base: absent_commit(), ..changes };
    let refused = propose(provider, fixture, &repository, &prefix, &unknown, "bad", &ctx).await;
    assert!(matches!(refused, Err(VcsError::CommitNotFound { .. })), "an absent base: {refused:?}");
    assert_eq!(fixture.branch_tip(&name("fix/staso-bad-1")).await, None, "a refused change leaves no branch");
}

/// A proposal is a draft, then merged or closed.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn follows_a_proposal(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let ctx = fixture.context();
    let repository = repository(provider, fixture, &ctx).await;
    let changes = change(provider, &repository, fixture, &[(path("staso/closed.txt"), "1\n")], &ctx).await;
    let closed =
        propose(provider, fixture, &repository, &name("fix/staso-closed"), &changes, "k", &ctx).await;
    let closed = must(closed, "a proposal is made");
    let found = must(provider.proposal_status(&repository, &closed.branch, &ctx).await, "it is found");
    assert_eq!((found.state, &found.head), (ProposalState::Draft, &closed.head), "an open proposal");
    fixture.delete_branch(&closed.branch).await;
    let found = must(provider.proposal_status(&repository, &closed.branch, &ctx).await, "it is still found");
    assert_eq!(found.state, ProposalState::Closed, "a proposal without its branch is closed");
    let mut changes =
        change(provider, &repository, fixture, &[(path("staso/merged.txt"), "1\n")], &ctx).await;
    changes.draft = false;
    let merged =
        propose(provider, fixture, &repository, &name("fix/staso-merged"), &changes, "k", &ctx).await;
    let merged = must(merged, "a proposal is made");
    assert_eq!(merged.state, ProposalState::Open, "no draft was asked for");
    fixture.merge(&merged.head).await;
    let found = must(provider.proposal_status(&repository, &merged.branch, &ctx).await, "it is found");
    assert_eq!(found.state, ProposalState::Merged, "its head is in the history of the base");
}

/// A change that the newest commit of the base does not fit is refused with the files, and a change that it already has
/// is told apart.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn finds_conflicts(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let ctx = fixture.context();
    let repository = repository(provider, fixture, &ctx).await;
    let files: Vec<RepoPath> = fixture.files().into_keys().collect();
    let [moved, still, ..] = files.as_slice() else { panic!("the fixture has two files") };
    let edits = [(moved.clone(), "ours\n"), (still.clone(), "ours, too\n")];
    let changes = change(provider, &repository, fixture, &edits, &ctx).await;
    fixture.commit_on_default(moved, "theirs\n").await;
    let prefix = name("fix/staso-conflict");
    match propose(provider, fixture, &repository, &prefix, &changes, "conflict", &ctx).await {
        Err(VcsError::Conflict { branch, paths }) => {
            assert_eq!(branch, fixture.default_branch(), "a conflict names the branch");
            assert_eq!(paths, std::slice::from_ref(moved), "a conflict names exactly the files that moved");
        }
        other => panic!("a change that does not fit is a conflict, not {other:?}"),
    }
    assert_eq!(fixture.branch_tip(&name("fix/staso-conflict-1")).await, None, "a conflict leaves no branch");
    fixture.commit_on_default(moved, "ours\n").await;
    let tip = fixture.commit_on_default(still, "ours, too\n").await;
    let refused = propose(provider, fixture, &repository, &prefix, &changes, "conflict", &ctx).await;
    assert!(matches!(refused, Err(VcsError::NothingToPropose)), "the base has it already: {refused:?}");
    let found =
        must(provider.resolve(&source(fixture, fixture.tip()), &ctx).await, "the old commit resolves");
    assert_eq!(found.base_tip, tip, "resolve sees the newest commit of the base");
}

fn must<T>(result: Result<T, VcsError>, sentence: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{sentence}, but: {error} ({error:?})"),
    }
}

fn name(text: &str) -> BranchName {
    BranchName::new(text).unwrap_or_else(|error| panic!("{error}"))
}

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap_or_else(|error| panic!("{error}"))
}

fn absent_commit() -> CommitId {
    CommitId::new("0123456789".repeat(4)).unwrap_or_else(|error| panic!("{error}"))
}

fn source(fixture: &dyn VcsFixture, commit: CommitId) -> SourceRevision {
    SourceRevision {
        repository_url: Some(fixture.url()),
        branch: None,
        commit: Some(commit),
        dirty: Some(false),
    }
}

fn first_file(fixture: &dyn VcsFixture) -> RepoPath {
    fixture.files().into_keys().next().unwrap_or_else(|| panic!("the fixture has files"))
}

async fn repository(provider: &dyn VcsProvider, fixture: &dyn VcsFixture, ctx: &RunContext) -> RepositoryRef {
    let ResolvedSource { repository, .. } =
        must(provider.resolve(&source(fixture, fixture.tip()), ctx).await, "the newest commit resolves");
    repository
}

async fn blob(
    provider: &dyn VcsProvider,
    repository: &RepositoryRef,
    commit: &CommitId,
    path: &RepoPath,
    ctx: &RunContext,
) -> Option<BlobId> {
    match provider.read_file(repository, commit, path, 1 << 20, ctx).await {
        Ok(FileContent::Text { blob, .. }) => Some(blob),
        Ok(other) => panic!("{path} is text, not {other:?}"),
        Err(VcsError::FileNotFound { .. }) => None,
        Err(error) => panic!("{path} is read, but: {error}"),
    }
}

/// The change that gives these files these texts, seen from the newest commit that the fixture started with.
async fn change(
    provider: &dyn VcsProvider,
    repository: &RepositoryRef,
    fixture: &dyn VcsFixture,
    texts: &[(RepoPath, &str)],
    ctx: &RunContext,
) -> ChangeSet {
    let mut edits = Vec::new();
    for (path, text) in texts {
        let before = blob(provider, repository, &fixture.tip(), path, ctx).await;
        let executable = fixture.files().get(path).is_some_and(|file| file.executable);
        let after = Some(NewContent { bytes: text.as_bytes().to_vec(), executable });
        edits.push(FileEdit { path: path.clone(), before, after });
    }
    edits.sort_by(|a, b| a.path.cmp(&b.path));
    ChangeSet::new(fixture.tip(), edits, "Keep the conformance suite happy", "Body.")
}

async fn propose(
    provider: &dyn VcsProvider,
    fixture: &dyn VcsFixture,
    repository: &RepositoryRef,
    prefix: &BranchName,
    changes: &ChangeSet,
    key: &str,
    ctx: &RunContext,
) -> Result<Proposal, VcsError> {
    let base = fixture.default_branch();
    let request = ProposeRequest::new(repository, &base, prefix, changes, key, ctx.run_id());
    provider.propose(&request, ctx).await
}

/// Reads a directory tree, refusing everything but directories and regular files.
fn collect(directory: &Path, prefix: &str, found: &mut BTreeMap<String, (Vec<u8>, bool)>) {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("a checkout is listed, but: {error}"));
    for entry in entries {
        let entry = entry.unwrap_or_else(|error| panic!("a checkout is listed, but: {error}"));
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        assert_ne!(name, ".git", "a checkout has no .git");
        let metadata = entry.metadata().unwrap_or_else(|error| panic!("{name} is there, but: {error}"));
        if metadata.is_dir() {
            collect(&entry.path(), &format!("{name}/"), found);
        } else {
            assert!(metadata.permissions().readonly(), "{name} is read-only");
            let bytes = fs::read(entry.path()).unwrap_or_else(|error| panic!("{name} is read, but: {error}"));
            found.insert(name, (bytes, is_executable(&metadata)));
        }
    }
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
const fn is_executable(_: &fs::Metadata) -> bool {
    false
}
