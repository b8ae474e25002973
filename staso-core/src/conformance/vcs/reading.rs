//! Resolving and reading.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::asking::{Asking, absent_commit, must, name, path, source};
use super::fixture::{OddFiles, VcsFixture};
use crate::trace::SourceRevision;
use crate::vcs::{Access, FileContent, TreeEntryKind, VcsError, VcsProvider};

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
    let Asking { repository, .. } = Asking::new(provider, fixture).await;
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
    let asking = Asking::new(provider, fixture).await;
    let (repository, ctx) = (&asking.repository, &asking.ctx);
    for (path, expected) in fixture.files() {
        let size = expected.bytes.len() as u64;
        let read = provider.read_file(repository, &fixture.tip(), &path, size, ctx).await;
        match must(read, "a file of exactly the limit is read") {
            FileContent::Text { text, executable, .. } => {
                assert_eq!(text.as_bytes(), expected.bytes, "{path} is read byte for byte");
                assert_eq!(executable, expected.executable, "the mode of {path} is told");
            }
            other => panic!("{path} is text, not {other:?}"),
        }
        if size > 0 {
            let read = provider.read_file(repository, &fixture.tip(), &path, size - 1, ctx).await;
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
    let asking = Asking::new(provider, fixture).await;
    let (repository, ctx) = (&asking.repository, &asking.ctx);
    let files = fixture.files();
    let tree = provider.list_tree(repository, &fixture.tip(), files.len(), ctx).await;
    let tree = must(tree, "a tree of exactly the limit is listed");
    assert!(!tree.truncated, "a tree of exactly the limit is not truncated");
    let listed: Vec<_> = tree.entries.iter().map(|entry| (&entry.path, entry.size_bytes)).collect();
    let expected: Vec<_> = files.iter().map(|(path, file)| (path, Some(file.bytes.len() as u64))).collect();
    assert_eq!(listed, expected, "the tree lists every file with its size, sorted");
    for entry in &tree.entries {
        let executable = files.get(&entry.path).is_some_and(|file| file.executable);
        let kind = if executable { TreeEntryKind::Executable } else { TreeEntryKind::File };
        assert_eq!(entry.kind, kind, "the kind of {}", entry.path);
        let blob = asking.blob(&fixture.tip(), &entry.path).await;
        assert_eq!(Some(&entry.blob), blob.as_ref(), "list_tree and read_file name one content the same");
    }
    let cut = must(provider.list_tree(repository, &fixture.tip(), 1, ctx).await, "a tree is cut");
    assert!(cut.truncated && cut.entries.len() == 1, "a tree over the limit is cut and says so");
}

/// A checkout is the tree, without `.git`, shared and stable.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn checks_out(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let (repository, ctx) = (&asking.repository, &asking.ctx);
    let first = must(provider.checkout(repository, &fixture.tip(), ctx).await, "the commit is checked out");
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
    let second = must(provider.checkout(repository, &fixture.tip(), ctx).await, "checking out again works");
    assert_eq!(first.path, second.path, "two checkouts of one commit share a directory");
    drop(first);
    assert!(second.path.is_dir(), "a checkout stays while someone holds it");
    let other = provider.checkout(repository, &fixture.previous(), ctx).await;
    let other = must(other, "an older commit is checked out");
    assert_ne!(other.path, second.path, "two commits have two checkouts");
}
/// Files that are not plain text are told apart, in reading and in listing.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn reads_odd_files(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let Some(OddFiles { commit, files, .. }) = fixture.odd_files() else { return };
    let asking = Asking::new(provider, fixture).await;
    let (repository, ctx) = (&asking.repository, &asking.ctx);
    let tree =
        must(provider.list_tree(repository, &commit, 1 << 20, ctx).await, "a tree with odd files is listed");
    for (path, expected) in files {
        let read = provider.read_file(repository, &commit, &path, OddFiles::READ_BYTES, ctx).await;
        assert_eq!(must(read, "an odd file is no error"), expected, "{path} is told apart");
        let entry = tree.entries.iter().find(|entry| entry.path == path);
        let kind = entry.unwrap_or_else(|| panic!("{path} is listed")).kind;
        let is_as_read = match expected {
            FileContent::Symlink { .. } => kind == TreeEntryKind::Symlink,
            FileContent::Submodule => kind == TreeEntryKind::Submodule,
            _ => matches!(kind, TreeEntryKind::File | TreeEntryKind::Executable),
        };
        assert!(is_as_read, "{path} is listed as what it is, not as {kind:?}");
    }
}

/// What a reader should know about a revision stands in the notes.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn notes_what_is_odd(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let ctx = &asking.ctx;
    let side = name("conformance/side");
    fixture.create_branch(&side, &fixture.previous()).await;
    let recorded = |commit| SourceRevision { branch: Some(side.clone()), ..source(fixture, commit) };
    let found =
        must(provider.resolve(&recorded(fixture.previous()), ctx).await, "a recorded branch resolves");
    assert_eq!(
        (&found.base_branch, &found.base_tip),
        (&side, &fixture.previous()),
        "the fix is for that branch"
    );
    assert!(found.notes.is_empty(), "nothing is odd about it, yet there are notes: {:?}", found.notes);
    let found =
        must(provider.resolve(&recorded(fixture.tip()), ctx).await, "a commit of another branch resolves");
    assert_eq!((&found.base_branch, &found.commit), (&side, &fixture.tip()), "both are kept");
    assert!(!found.notes.is_empty(), "a commit outside of the history of its branch is noted");
    let changes = asking.change(&[(path("staso/unmerged.txt"), "1\n")]).await;
    let made = must(asking.propose("fix/staso-unmerged", &changes, "unmerged").await, "a proposal is made");
    let found = must(
        provider.resolve(&source(fixture, made.head), ctx).await,
        "a commit that was never merged resolves",
    );
    assert!(!found.notes.is_empty(), "a commit that was never merged is noted");
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
