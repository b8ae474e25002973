//! Proposing: what is made, what is found again, what is left alone, what is refused.

use std::collections::BTreeMap;

use super::asking::{Asking, absent_commit, first_file, must, name, path};
use super::fixture::{OddFiles, VcsFixture};
use crate::code::RepoPath;
use crate::vcs::{
    Access, ChangeSet, FileContent, FileEdit, NewContent, Proposal, ProposalAction, ProposalState,
    RepositoryRef, TreeEntryKind, VcsError, VcsProvider,
};

/// Paths that are easily lost between a tree, an address and a shell.
const UNUSUAL_PATHS: [&str; 6] = [
    "staso/new dir/ünïcode.txt",
    "staso/100%2Fdone?.txt",
    "staso/it's \"quoted\".txt",
    "staso/#hash&and+plus.txt",
    "staso/-dash.txt",
    "staso/$(id)`id`.txt",
];

/// One key makes one branch, however often it is tried, and carries exactly the change.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn proposes_once(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let file = first_file(fixture);
    let added = path("staso/new dir/ünïcode.txt");
    let edits = [(file.clone(), "\u{feff}changed\r\nno newline at the end"), (added.clone(), "new\n")];
    let changes = asking.change(&edits).await;
    let made = must(
        asking.propose("fix/staso-once", &changes, "once").await,
        "a change of the newest commit is proposed",
    );
    assert_eq!(made.branch, name("fix/staso-once-1"), "the branch is the prefix and a number from 1");
    assert_eq!(made.base, fixture.default_branch(), "the proposal is for the base branch");
    assert_eq!((made.action, made.state), (ProposalAction::Created, ProposalState::Draft), "a new draft");
    assert_eq!(fixture.branch_tip(&made.branch).await, Some(made.head.clone()), "the branch is at the head");
    for (path, expected) in &edits {
        match must(asking.read(&made.head, path).await, "the changed file is in the head") {
            FileContent::Text { text, .. } => {
                assert_eq!(&*text, *expected, "{path} is carried byte for byte");
            }
            other => panic!("{path} is text, not {other:?}"),
        }
    }
    let tree = provider.list_tree(&asking.repository, &made.head, 1 << 20, &asking.ctx).await;
    let tree = must(tree, "the head is listed");
    assert_eq!(tree.entries.len(), fixture.files().len() + 1, "nothing else is added or removed");
    for _ in 0..2 {
        let again = must(asking.propose("fix/staso-once", &changes, "once").await, "a retry succeeds");
        let expected = Proposal { action: ProposalAction::Reused, ..made.clone() };
        assert_eq!(again, expected, "a retry finds its own");
    }
    let other = asking.change(&[(file, "another fix\n")]).await;
    let other = asking.propose("fix/staso-once", &other, "once").await;
    let other = must(other, "the same key with another change is proposed");
    assert_eq!(other.branch, name("fix/staso-once-2"), "another change gets the next number");
    assert_eq!(fixture.branch_tip(&made.branch).await, Some(made.head), "the first branch has not moved");
    assert_eq!(fixture.branch_tip(&fixture.default_branch()).await, Some(fixture.tip()), "nor has the base");
}

/// Attempts with one key at the same time end with one branch, which all of them get.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn proposes_once_at_once(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let changes = asking.change(&[(first_file(fixture), "at once\n")]).await;
    let attempt = || asking.propose("fix/staso-race", &changes, "race");
    let (first, second, third) = tokio::join!(attempt(), attempt(), attempt());
    let all = [first, second, third].map(|made| must(made, "an attempt beside another one succeeds"));
    for made in &all {
        assert_eq!(made.branch, name("fix/staso-race-1"), "all attempts get the one branch");
        assert_eq!(Some(&made.head), fixture.branch_tip(&made.branch).await.as_ref(), "and its head");
    }
    assert!(all.iter().any(|made| made.action == ProposalAction::Created), "one of them made it");
    assert_eq!(asking.tip_of("fix/staso-race-2").await, None, "there is no second branch");
}

/// New, changed and deleted files, modes, unusual paths, large files and long titles arrive as they are meant.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn carries_every_kind_of_change(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let mut expected = fixture.files();
    let knows_executables = expected.values().any(|file| file.executable);
    let large = "0123456789abcde\n".repeat(1 << 16) + "no newline at the end";
    let mut wanted: BTreeMap<RepoPath, Option<NewContent>> = BTreeMap::new();
    let content = |text: &str, executable| Some(NewContent { bytes: text.as_bytes().to_vec(), executable });
    for (number, at) in UNUSUAL_PATHS.iter().enumerate() {
        wanted.insert(path(at), content(at, knows_executables && number == 0));
    }
    wanted.insert(path("staso/large.txt"), content(&large, false));
    wanted.insert(path("staso/empty.txt"), content("", false));
    wanted.insert(first_file(fixture), None);
    let mut edits = Vec::new();
    for (path, after) in wanted {
        edits.push(asking.edit(&path, after.clone()).await);
        match after {
            Some(after) => drop(expected.insert(path, after)),
            None => drop(expected.remove(&path)),
        }
    }
    let mut changes = asking.change_of(edits);
    changes.title =
        "Say in more words than anybody would ever want to read what this change is good for".to_owned();
    let made = must(asking.propose("fix/staso-kinds", &changes, "kinds").await, "every kind is carried");
    assert!(!made.warnings.is_empty(), "a title that was cut is warned of");
    let again = must(asking.propose("fix/staso-kinds", &changes, "kinds").await, "a retry succeeds");
    assert_eq!(again, Proposal { action: ProposalAction::Reused, ..made.clone() }, "a retry finds its own");
    let tree = provider.list_tree(&asking.repository, &made.head, 1 << 20, &asking.ctx).await;
    let listed: Vec<_> = must(tree, "the head is listed")
        .entries
        .into_iter()
        .map(|entry| (entry.path, entry.kind == TreeEntryKind::Executable, entry.size_bytes))
        .collect();
    let sizes =
        expected.iter().map(|(path, file)| (path.clone(), file.executable, Some(file.bytes.len() as u64)));
    assert_eq!(listed, sizes.collect::<Vec<_>>(), "the head has exactly the wanted files and modes");
    for (path, file) in expected {
        match must(asking.read(&made.head, &path).await, "a file of the head is read") {
            FileContent::Text { text, .. } => {
                assert!(text.as_bytes() == file.bytes, "{path} is carried byte for byte");
            }
            other => panic!("{path} is text, not {other:?}"),
        }
    }
}

/// A branch that is not the provider's is neither moved, not even forward, nor taken for its own.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn leaves_foreign_branches_alone(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let changes = asking.change(&[(first_file(fixture), "mine\n")]).await;
    let foreign =
        [(name("fix/staso-foreign-1"), fixture.previous()), (name("fix/staso-foreign-2"), fixture.tip())];
    for (branch, commit) in &foreign {
        fixture.create_branch(branch, commit).await;
    }
    let made = asking.propose("fix/staso-foreign", &changes, "foreign").await;
    let made = must(made, "a taken name does not stop the proposal");
    assert_eq!(made.branch, name("fix/staso-foreign-3"), "the next free number is taken");
    let stranger = asking.propose("fix/staso-foreign", &changes, "another key").await;
    let stranger = must(stranger, "another key proposes the same change");
    assert_eq!(stranger.branch, name("fix/staso-foreign-4"), "another key does not find this one's branch");
    for (branch, commit) in foreign {
        assert_eq!(fixture.branch_tip(&branch).await, Some(commit), "{branch} has not moved");
        let found = asking.status(&branch).await;
        assert!(
            matches!(found, Err(VcsError::ProposalNotFound { .. })),
            "{branch} is no proposal: {found:?}"
        );
    }
}

/// What no branch may carry is refused, and leaves nothing.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn refuses_bad_changes(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let file = first_file(fixture);
    let changes = asking.change(&[(file.clone(), "x\n")]).await;
    for prefix in ["main", "fix/other", "feature/fix/staso-x", "fix/stas"] {
        let refused = asking.propose(prefix, &changes, "bad").await;
        assert!(matches!(refused, Err(VcsError::InvalidChange { .. })), "prefix {prefix}: {refused:?}");
        let branch = asking.tip_of(&format!("{prefix}-1")).await;
        assert_eq!(branch, None, "a refused prefix leaves no branch");
    }
    let same = fixture.files().remove(&file);
    let nothing = asking.change_of(vec![asking.edit(&file, same).await]);
    let refused = asking.propose("fix/staso-bad", &nothing, "bad").await;
    assert!(matches!(refused, Err(VcsError::NothingToPropose)), "no change: {refused:?}");
    let empty = asking.propose("fix/staso-bad", &asking.change_of(Vec::new()), "bad").await;
    assert!(matches!(empty, Err(VcsError::NothingToPropose)), "no edits: {empty:?}");
    let unknown = ChangeSet { base: absent_commit(), ..changes.clone() };
    let refused = asking.propose("fix/staso-bad", &unknown, "bad").await;
    assert!(matches!(refused, Err(VcsError::CommitNotFound { .. })), "an absent base: {refused:?}");
    if asking.blob(&fixture.previous(), &file).await != asking.blob(&fixture.tip(), &file).await {
        let unfit = ChangeSet { base: fixture.previous(), ..changes };
        let refused = asking.propose("fix/staso-bad", &unfit, "bad").await;
        assert!(
            matches!(refused, Err(VcsError::Conflict { .. })),
            "a change that does not fit the commit that it is for: {refused:?}"
        );
    }
    assert_eq!(asking.tip_of("fix/staso-bad-1").await, None, "a refused change leaves no branch");
}

/// Links, other repositories and LFS pointers are not edited.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn refuses_to_change_odd_files(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let Some(OddFiles { branch, commit, files }) = fixture.odd_files() else { return };
    let asking = Asking::new(provider, fixture).await;
    let tree = provider.list_tree(&asking.repository, &commit, 1 << 20, &asking.ctx).await;
    for entry in must(tree, "a tree with odd files is listed").entries {
        let odd = files.get(&entry.path);
        let Some(FileContent::Symlink { .. } | FileContent::Submodule | FileContent::LfsPointer) = odd else {
            continue;
        };
        let after = Some(NewContent { bytes: b"text\n".to_vec(), executable: false });
        let edit = FileEdit { path: entry.path.clone(), before: Some(entry.blob), after };
        let changes = ChangeSet { base: commit.clone(), ..asking.change_of(vec![edit]) };
        let refused = asking.propose_for(&branch, "fix/staso-odd", &changes, "odd").await;
        assert!(matches!(refused, Err(VcsError::InvalidChange { .. })), "{}: {refused:?}", entry.path);
    }
    assert_eq!(asking.tip_of("fix/staso-odd-1").await, None, "a refused change leaves no branch");
}

/// An archived repository is read, but receives nothing, which is known before any work is spent. Runs last.
///
/// # Panics
/// When the provider breaks its contract.
pub async fn refuses_archived(provider: &dyn VcsProvider, fixture: &dyn VcsFixture) {
    let asking = Asking::new(provider, fixture).await;
    let changes = asking.change(&[(path("staso/archived.txt"), "1\n")]).await;
    if !fixture.archive().await {
        return;
    }
    let stale = RepositoryRef { archived: false, ..asking.repository.clone() };
    let asking = Asking::new(provider, fixture).await;
    assert!(asking.repository.archived, "resolve tells that the repository is archived");
    must(provider.preflight(&asking.repository, Access::Read, &asking.ctx).await, "reading is allowed");
    for repository in [asking.repository.clone(), stale] {
        let asking = Asking { repository, ..Asking::new(provider, fixture).await };
        let refused = provider.preflight(&asking.repository, Access::Propose, &asking.ctx).await;
        assert!(matches!(refused, Err(VcsError::Archived { .. })), "preflight: {refused:?}");
        let refused = asking.propose("fix/staso-archived", &changes, "archived").await;
        assert!(matches!(refused, Err(VcsError::Archived { .. })), "propose: {refused:?}");
    }
    assert_eq!(asking.tip_of("fix/staso-archived-1").await, None, "an archived repository gets no branch");
}
