//! The in-memory provider keeps the provider's contract.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use staso_core::code::RepoPath;
use staso_core::conformance::vcs::{self, OddFiles, VcsFixture};
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::testing::{MemoryRepository, MemoryVcs, memory_commit, test_context};
use staso_core::trace::{RepositoryUrl, SourceRevision};
use staso_core::vcs::{FileContent, NewContent, VcsError, VcsProvider};

#[derive(Debug)]
struct Fixture {
    vcs: MemoryVcs,
    files: BTreeMap<RepoPath, NewContent>,
}

fn url() -> RepositoryUrl {
    "https://github.com/acme/support".parse().unwrap()
}

fn main() -> BranchName {
    BranchName::new("main").unwrap()
}

fn fixture(test: &str) -> Fixture {
    let file = |text: &str, executable| NewContent { bytes: text.as_bytes().to_vec(), executable };
    let files = BTreeMap::from([
        (RepoPath::new("app/agent.py").unwrap(), file("print(1)\r\n", false)),
        (RepoPath::new("app/tools.py").unwrap(), file("", false)),
        (RepoPath::new("run.sh").unwrap(), file("#!/bin/sh\n", true)),
    ]);
    let mut repository = MemoryRepository::new(url(), main());
    repository.commit(memory_commit(1), main(), [(RepoPath::new("README").unwrap(), "hello\n")]);
    repository.commit_files(memory_commit(2), main(), files.clone());
    let odd = BranchName::new("odd").unwrap();
    let long = "x".repeat(4097);
    let texts = [("nul", "a\0b"), ("long", &*long)].map(|(at, text)| (RepoPath::new(at).unwrap(), text));
    repository.commit(memory_commit(3), odd, texts);
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("memory-vcs").join(test);
    if root.exists() {
        fs::remove_dir_all(&root).unwrap();
    }
    repository.set_checkout(memory_commit(1), write(&root.join("1"), &BTreeMap::new()));
    repository.set_checkout(memory_commit(2), write(&root.join("2"), &files));
    Fixture { vcs: MemoryVcs::new().with_repository(repository), files }
}

fn write(directory: &Path, files: &BTreeMap<RepoPath, NewContent>) -> PathBuf {
    fs::create_dir_all(directory).unwrap();
    for (path, file) in files {
        let at = directory.join(path.as_str());
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(&at, &file.bytes).unwrap();
        let mode = if file.executable { 0o555 } else { 0o444 };
        fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
    }
    directory.to_owned()
}

#[async_trait]
impl VcsFixture for Fixture {
    fn url(&self) -> RepositoryUrl {
        url()
    }

    fn default_branch(&self) -> BranchName {
        main()
    }

    fn tip(&self) -> CommitId {
        memory_commit(2)
    }

    fn previous(&self) -> CommitId {
        memory_commit(1)
    }

    fn files(&self) -> BTreeMap<RepoPath, NewContent> {
        self.files.clone()
    }

    fn context(&self) -> RunContext {
        test_context()
    }

    async fn create_branch(&self, branch: &BranchName, commit: &CommitId) {
        self.vcs.change(&url(), |repository| repository.set_branch(branch.clone(), commit.clone()));
    }

    async fn delete_branch(&self, branch: &BranchName) {
        self.vcs.change(&url(), |repository| repository.remove_branch(branch));
    }

    async fn branch_tip(&self, branch: &BranchName) -> Option<CommitId> {
        self.vcs.repository(&url()).unwrap().branch(branch).cloned()
    }

    async fn commit_on(&self, branch: &BranchName, path: &RepoPath, text: &str) -> Option<CommitId> {
        let repository = self.vcs.repository(&url()).unwrap();
        let tip = repository.branch(branch).unwrap();
        let mut files = repository.files(tip).unwrap().clone();
        let executable = files.get(path).is_some_and(|file| file.executable);
        files.insert(path.clone(), NewContent { bytes: text.as_bytes().to_vec(), executable });
        let number = 100 + u32::try_from(text.len() + path.as_str().len() * 1000).unwrap();
        self.vcs.change(&url(), |repository| {
            repository.commit_files(memory_commit(number), branch.clone(), files);
        });
        Some(memory_commit(number))
    }

    async fn commit_on_default(&self, path: &RepoPath, text: &str) -> CommitId {
        self.commit_on(&main(), path, text).await.unwrap()
    }

    fn odd_files(&self) -> Option<OddFiles> {
        let branch = BranchName::new("odd").unwrap();
        let files = BTreeMap::from([
            (RepoPath::new("nul").unwrap(), FileContent::Binary { size_bytes: 3 }),
            (RepoPath::new("long").unwrap(), FileContent::TooLarge { size_bytes: 4097 }),
        ]);
        Some(OddFiles { branch, commit: memory_commit(3), files })
    }

    async fn archive(&self) -> bool {
        self.vcs.change(&url(), MemoryRepository::archive);
        true
    }

    async fn merge(&self, commit: &CommitId) {
        self.vcs.change(&url(), |repository| repository.set_branch(main(), commit.clone()));
    }
}

#[tokio::test]
async fn memory_vcs_conforms() {
    let fixture = fixture("conforms");
    vcs::all(&fixture.vcs.clone(), &fixture).await;
}

#[tokio::test]
async fn injected_failures_come_once_and_in_order() {
    let vcs = fixture("failures").vcs;
    let source = SourceRevision {
        repository_url: Some(url()),
        commit: Some(memory_commit(2)),
        ..SourceRevision::default()
    };
    vcs.fail_next("resolve", VcsError::NoCommit);
    vcs.fail_next("resolve", VcsError::Timeout { operation: "resolving", limit_ms: 1 });
    let ctx = test_context();
    assert!(matches!(vcs.resolve(&source, &ctx).await, Err(VcsError::NoCommit)));
    assert!(matches!(vcs.resolve(&source, &ctx).await, Err(VcsError::Timeout { .. })));
    assert!(vcs.resolve(&source, &ctx).await.is_ok());
}

#[tokio::test]
async fn an_unknown_or_missing_address_is_its_own_error() {
    let vcs = MemoryVcs::new();
    let mut source = SourceRevision { commit: Some(memory_commit(1)), ..SourceRevision::default() };
    assert!(matches!(vcs.resolve(&source, &test_context()).await, Err(VcsError::NoRepository)));
    source.repository_url = Some(url());
    assert!(matches!(vcs.resolve(&source, &test_context()).await, Err(VcsError::RepositoryNotFound { .. })));
}
