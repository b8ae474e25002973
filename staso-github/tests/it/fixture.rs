//! Git repositories for tests, made with the git program.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use async_trait::async_trait;
use staso_core::code::RepoPath;
use staso_core::conformance::vcs::{OddFiles, VcsFixture};
use staso_core::id::{BlobId, BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::testing::test_context;
use staso_core::trace::{RepositoryUrl, SourceRevision};
use staso_core::vcs::{
    ChangeSet, FileContent, FileEdit, NewContent, Proposal, ProposeRequest, RepositoryRef, VcsError,
    VcsProvider,
};
use staso_github::{GitRemote, LocalGit};
use tempfile::TempDir;

/// A repository with two commits, and a data directory for the provider.
#[derive(Debug)]
pub(crate) struct GitFixture {
    directory: TempDir,
    /// The repository: a clone with a working tree, or a bare one.
    pub(crate) repository: PathBuf,
    pub(crate) previous: CommitId,
    pub(crate) tip: CommitId,
    url: RepositoryUrl,
    odd: Option<OddFiles>,
}

/// Runs git and gives what it printed.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> String {
    let (success, output) = try_git(directory, arguments);
    assert!(success, "git {arguments:?}: {output}");
    output
}

/// Runs git that may fail.
pub(crate) fn try_git(directory: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgSign=false"])
        .args(["-c", "protocol.file.allow=always", "-c", "safe.directory=*"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git is installed");
    let mut text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    if !output.status.success() {
        text.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    (output.status.success(), text)
}

pub(crate) fn commit_id(text: &str) -> CommitId {
    CommitId::new(text).expect("a full commit id")
}

pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::new(text).expect("a usable path")
}

pub(crate) fn branch(text: &str) -> BranchName {
    BranchName::new(text).expect("a branch name")
}

/// The files of the newest commit.
pub(crate) fn files() -> BTreeMap<RepoPath, NewContent> {
    let file = |text: &str, executable| NewContent { bytes: text.as_bytes().to_vec(), executable };
    BTreeMap::from([
        (path("app/agent.py"), file("import tools\r\n\r\nprint(tools.run())", false)),
        (path("app/tools.py"), file("def run():\n    return 1\n", false)),
        (path("docs/a b/ünïcode.md"), file("\u{feff}# Title\n", false)),
        (path("empty"), file("", false)),
        (path("run.sh"), file("#!/bin/sh\n", true)),
    ])
}

impl GitFixture {
    /// A repository with a working tree.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let repository = directory.path().join("work tree");
        fs::create_dir(&repository).unwrap();
        git(&repository, &["init", "-q", "-b", "main"]);
        write(&repository, "README.md", b"hello\n");
        git(&repository, &["add", "-A"]);
        git(&repository, &["commit", "-qm", "first"]);
        let previous = commit_id(&git(&repository, &["rev-parse", "HEAD"]));
        git(&repository, &["rm", "-q", "README.md"]);
        for (path, file) in files() {
            write(&repository, path.as_str(), &file.bytes);
            if file.executable {
                let at = repository.join(path.as_str());
                fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        git(&repository, &["-c", "core.autocrlf=false", "add", "-A"]);
        git(&repository, &["commit", "-qm", "second"]);
        let tip = commit_id(&git(&repository, &["rev-parse", "HEAD"]));
        let url = url_of(&repository);
        Self { directory, repository, previous, tip, url, odd: None }
    }

    /// The same, bare.
    pub(crate) fn bare() -> Self {
        let mut fixture = Self::new();
        let bare = fixture.directory.path().join("bare.git");
        let from = fixture.repository.clone();
        git(fixture.directory.path(), &["clone", "-q", "--bare", &from.to_string_lossy(), "bare.git"]);
        fixture.url = url_of(&bare);
        fixture.repository = bare;
        fixture
    }

    /// With a branch `odd` of files that are not plain text.
    pub(crate) fn with_odd_files(mut self) -> Self {
        let at = self.clone_of("main");
        let oid = "0".repeat(64);
        let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 1\n");
        for (path, bytes) in [
            ("model.bin", pointer.as_bytes()),
            ("nul", b"a\0b"),
            ("latin1", b"\xe4"),
            ("long.txt", &[b'x'; 4097]),
        ] {
            write(&at, path, bytes);
        }
        std::os::unix::fs::symlink("/etc/passwd", at.join("link")).unwrap();
        git(&at, &["add", "-A"]);
        git(&at, &["update-index", "--add", "--cacheinfo", &format!("160000,{},lib/dep", self.previous)]);
        git(&at, &["commit", "-qm", "odd"]);
        let commit = self.push(&at, "odd");
        let files = BTreeMap::from([
            (path("model.bin"), FileContent::LfsPointer),
            (path("nul"), FileContent::Binary { size_bytes: 3 }),
            (path("latin1"), FileContent::Binary { size_bytes: 1 }),
            (path("long.txt"), FileContent::TooLarge { size_bytes: 4097 }),
            (path("link"), FileContent::Symlink { target: "/etc/passwd".to_owned() }),
            (path("lib/dep"), FileContent::Submodule),
        ]);
        self.odd = Some(OddFiles { branch: branch("odd"), commit, files });
        self
    }

    /// Someone else's clone, at a branch.
    pub(crate) fn clone_of(&self, branch: &str) -> PathBuf {
        let other = self.directory.path().join("other clone");
        if other.exists() {
            fs::remove_dir_all(&other).unwrap();
        }
        let from = self.repository.to_string_lossy();
        git(self.root(), &["clone", "-q", "-b", branch, &from, "other clone"]);
        other
    }

    /// Makes the newest commit of a clone that of a branch, whether or not a working tree is at it.
    pub(crate) fn push(&self, clone: &Path, branch: &str) -> CommitId {
        git(clone, &["push", "-q", "--force", "origin", "HEAD:refs/staso-test/push"]);
        let commit = commit_id(&git(clone, &["rev-parse", "HEAD"]));
        self.git(&["update-ref", &format!("refs/heads/{branch}"), commit.as_str()]);
        self.git(&["update-ref", "-d", "refs/staso-test/push"]);
        commit
    }

    /// One that someone else made and removes, with the files of [`files`] at `tip`.
    pub(crate) fn existing(repository: PathBuf, tip: CommitId) -> Self {
        let url = url_of(&repository);
        let beside = repository.parent().expect("a directory of the maker's");
        let directory = tempfile::tempdir_in(beside).expect("a temporary directory");
        Self { directory, repository, previous: tip.clone(), tip, url, odd: None }
    }

    /// Under another address than its path.
    pub(crate) fn recorded_as(mut self, url: &str) -> Self {
        self.url = url.parse().unwrap();
        self
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn provider(&self) -> LocalGit {
        LocalGit::new(self.data())
    }

    /// The repository as a remote one.
    pub(crate) fn remote(&self) -> GitRemote {
        self.remote_at(&self.data())
    }

    /// The repository as a remote one, seen from a machine with this data directory.
    pub(crate) fn remote_at(&self, data: &Path) -> GitRemote {
        GitRemote::new(data, self.url.clone(), url_of(&self.repository).as_str().parse().unwrap())
    }

    pub(crate) fn source(&self) -> SourceRevision {
        SourceRevision {
            repository_url: Some(self.url.clone()),
            branch: None,
            commit: Some(self.tip.clone()),
            dirty: Some(false),
        }
    }

    pub(crate) fn reference(&self) -> RepositoryRef {
        RepositoryRef {
            id: "test".to_owned(),
            url: self.url.clone(),
            default_branch: branch("main"),
            archived: false,
        }
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.repository, arguments)
    }

    /// Every object and reference is sound.
    pub(crate) fn assert_sound(&self) {
        let (sound, output) = try_git(&self.repository, &["fsck", "--full", "--strict", "--no-dangling"]);
        assert!(sound, "git fsck: {output}");
    }

    /// Proposes to give files of `main` another text.
    pub(crate) async fn propose(
        &self,
        provider: &dyn VcsProvider,
        name: &str,
        texts: &[(&str, &str)],
    ) -> Result<Proposal, VcsError> {
        let ctx = test_context();
        let reference = self.reference();
        let mut edits = Vec::new();
        for (at, text) in texts {
            let before: Option<BlobId> =
                match provider.read_file(&reference, &self.tip, &path(at), 1 << 20, &ctx).await {
                    Ok(FileContent::Text { blob, .. }) => Some(blob),
                    _ => None,
                };
            let after = Some(NewContent { bytes: text.as_bytes().to_vec(), executable: false });
            edits.push(FileEdit { path: path(at), before, after });
        }
        self.propose_change(provider, name, &ChangeSet::new(self.tip.clone(), edits, "Fix it", "Why.")).await
    }

    pub(crate) async fn propose_change(
        &self,
        provider: &dyn VcsProvider,
        name: &str,
        changes: &ChangeSet,
    ) -> Result<Proposal, VcsError> {
        let ctx = test_context();
        let (reference, base) = (self.reference(), branch("main"));
        let prefix = branch(&format!("fix/staso-{name}"));
        let request = ProposeRequest::new(&reference, &base, &prefix, changes, name, ctx.run_id());
        provider.propose(&request, &ctx).await
    }
}

impl Drop for GitFixture {
    fn drop(&mut self) {
        // Checkouts are read-only, which keeps the temporary directory from being removed by anyone but root.
        drop(Command::new("chmod").args(["-R", "u+w"]).arg(self.directory.path()).status());
    }
}

pub(crate) fn url_of(directory: &Path) -> RepositoryUrl {
    RepositoryUrl::from_local_path(&directory.to_string_lossy()).unwrap()
}

pub(crate) fn write(root: &Path, path: &str, bytes: &[u8]) {
    let at = root.join(path);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, bytes).unwrap();
}

#[async_trait]
impl VcsFixture for GitFixture {
    fn url(&self) -> RepositoryUrl {
        self.url.clone()
    }

    fn default_branch(&self) -> BranchName {
        branch("main")
    }

    fn tip(&self) -> CommitId {
        self.tip.clone()
    }

    fn previous(&self) -> CommitId {
        self.previous.clone()
    }

    fn files(&self) -> BTreeMap<RepoPath, NewContent> {
        files()
    }

    fn context(&self) -> RunContext {
        test_context()
    }

    async fn create_branch(&self, branch: &BranchName, commit: &CommitId) {
        self.git(&["branch", branch.as_str(), commit.as_str()]);
    }

    async fn delete_branch(&self, branch: &BranchName) {
        self.git(&["branch", "-D", branch.as_str()]);
    }

    async fn branch_tip(&self, branch: &BranchName) -> Option<CommitId> {
        let (found, output) =
            try_git(&self.repository, &["rev-parse", "--verify", &format!("refs/heads/{branch}")]);
        found.then(|| commit_id(&output))
    }

    async fn commit_on_default(&self, path: &RepoPath, text: &str) -> CommitId {
        self.commit_on(&branch("main"), path, text).await.unwrap()
    }

    async fn commit_on(&self, branch: &BranchName, path: &RepoPath, text: &str) -> Option<CommitId> {
        let other = self.clone_of(branch.as_str());
        write(&other, path.as_str(), text.as_bytes());
        git(&other, &["add", "-A"]);
        git(&other, &["commit", "-qm", "someone else"]);
        Some(self.push(&other, branch.as_str()))
    }

    fn odd_files(&self) -> Option<OddFiles> {
        self.odd.clone()
    }

    async fn merge(&self, commit: &CommitId) {
        self.git(&["update-ref", "refs/heads/main", commit.as_str()]);
    }
}
