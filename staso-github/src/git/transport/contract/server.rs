//! A repository that stands for a server's, made with the git program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use staso_core::id::{BranchName, CommitId};
use tempfile::TempDir;

use super::gate::{Fault, Gate};
use crate::address::RemoteAddress;
use crate::git::CommitStore;
use crate::git::transport::GitTransport;
use crate::limits::GitLimits;
use crate::peer::git_http::GitHttp;

/// A bare repository with three commits on `main`, served over HTTP and as a path, the working tree they come from, and
/// room for a store.
#[derive(Debug)]
pub(crate) struct Server {
    directory: TempDir,
    pub(crate) http: GitHttp,
}

/// Where it is served.
const NAME: &str = "acme/support";

pub(crate) fn commit_id(text: &str) -> CommitId {
    CommitId::new(text).unwrap()
}

pub(crate) fn branch(text: &str) -> BranchName {
    BranchName::new(text).unwrap()
}

/// Runs git, which must be content, and gives what it printed.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

impl Server {
    pub(crate) fn new() -> Self {
        let server = Self { directory: tempfile::tempdir().unwrap(), http: GitHttp::start() };
        fs::create_dir_all(server.work()).unwrap();
        git(&server.work(), &["init", "-q"]);
        let first = server.http.host_empty(NAME, "main");
        git(&server.work(), &["remote", "add", "origin", &first.to_string_lossy()]);
        for number in 1..=3 {
            server.commit("main", &format!("file{number}"), "text\n");
        }
        server
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.http.repository(NAME)
    }

    /// A proxy before it that has a fault.
    pub(crate) fn gate(&self, fault: Fault) -> Gate {
        Gate::start(&self.http.origin(), fault)
    }

    pub(crate) fn http_address(&self) -> RemoteAddress {
        self.http.url(NAME).parse().unwrap()
    }

    fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// Where stores are kept.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn file_address(&self) -> RemoteAddress {
        format!("file://{}", self.bare().display()).parse().unwrap()
    }

    /// Adds a commit with one new file to a branch of the server.
    pub(crate) fn commit(&self, branch: &str, path: &str, text: &str) -> CommitId {
        fs::write(self.work().join(path), text).unwrap();
        git(&self.work(), &["add", "-A"]);
        git(&self.work(), &["commit", "-qm", path]);
        git(&self.work(), &["push", "-q", "--force", "origin", &format!("HEAD:refs/heads/{branch}")]);
        self.tip_of_work()
    }

    /// Adds a commit that the next one brings along.
    pub(crate) fn commit_unpushed(&self, message: &str) {
        git(&self.work(), &["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Every object and reference of the server is sound.
    pub(crate) fn assert_sound(&self) {
        git(&self.bare(), &["fsck", "--full", "--strict", "--no-dangling"]);
    }

    /// Takes the newest commit of `main` away again and gives its id.
    pub(crate) fn push_away(&self) -> CommitId {
        let lost = self.tip_of_work();
        git(&self.work(), &["reset", "-q", "--hard", "HEAD~1"]);
        git(&self.work(), &["push", "-q", "--force", "origin", "HEAD:refs/heads/main"]);
        lost
    }

    fn tip_of_work(&self) -> CommitId {
        commit_id(&git(&self.work(), &["rev-parse", "HEAD"]))
    }

    /// The commit of a branch of the server.
    pub(crate) fn tip(&self, branch: &str) -> Option<CommitId> {
        let found =
            git(&self.bare(), &["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{branch}")]);
        (!found.is_empty()).then(|| commit_id(&found))
    }

    pub(crate) fn remove_branch(&self, branch: &str) {
        git(&self.bare(), &["branch", "-qD", branch]);
    }

    /// The names of all branches of the server.
    pub(crate) fn branches(&self) -> Vec<String> {
        let found = git(&self.bare(), &["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"]);
        found.lines().map(str::to_owned).collect()
    }

    pub(crate) fn configure(&self, name: &str, value: &str) {
        self.http.configure(NAME, name, value);
    }

    /// Installs a hook of the server.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        self.http.hook(NAME, name, script);
    }

    /// A store of this server's commits.
    pub(crate) fn store(&self, address: RemoteAddress, transport: Arc<dyn GitTransport>) -> CommitStore {
        self.store_within(address, transport, GitLimits::default())
    }

    pub(crate) fn store_within(
        &self,
        address: RemoteAddress,
        transport: Arc<dyn GitTransport>,
        limits: GitLimits,
    ) -> CommitStore {
        let url = "https://git.example.com/acme/support".parse().unwrap();
        CommitStore::new(&self.data(), "acme/support", url, address, limits, transport)
    }
}

/// Makes a commit in a store: `parent` with one more file.
pub(crate) fn child_of(store: &CommitStore, parent: &CommitId, text: &str) -> CommitId {
    let repo = git2::Repository::open_bare(store.directory()).unwrap();
    let parent = repo.find_commit(git2::Oid::from_str(parent.as_str()).unwrap()).unwrap();
    let blob = repo.blob(text.as_bytes()).unwrap();
    let mut tree = repo.treebuilder(Some(&parent.tree().unwrap())).unwrap();
    tree.insert("fixed", blob, 0o100_644).unwrap();
    let tree = repo.find_tree(tree.write().unwrap()).unwrap();
    let signature = git2::Signature::new("Staso", "staso@example.com", &git2::Time::new(1, 0)).unwrap();
    let made = repo.commit(None, &signature, &signature, "Fix it", &tree, &[&parent]).unwrap();
    commit_id(&made.to_string())
}
