//! A commit's files in a directory: kept from an earlier run, and fetched from a server for the first time, next to the
//! git commands that a user would run instead.
//!
//! The repository has 1,000 files of 7 kB. *Kept* is compared with `git worktree add` in a clone that has the commit,
//! alone and with a sandbox session over it. *Cold* begins with an empty directory and speaks HTTP on the loopback
//! interface to `git http-backend`, with a token; git's way is `init`, `fetch --depth=1` and `checkout`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use staso_benches::{Failure, git, process_context, repository};
use staso_core::id::{BranchName, CommitId};
use staso_core::sandbox::{Sandbox as _, SandboxSession, SandboxSpec};
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::{Checkout, RepositoryRef, VcsProvider as _};
use staso_github::{GitCredentials, GitRemote, SecretString};
use staso_sandbox::LocalSandbox;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use peer::git_http::{GitHttp, Right};

#[path = "../../staso-github/tests/it/peer"]
#[expect(dead_code, clippy::expect_used, reason = "the server of the tests, of which this needs a part")]
mod peer {
    pub(crate) mod git_http;
    pub(crate) mod server;
}

const PAIRS: usize = 20;
const FILES: usize = 1_000;
const BYTES_PER_FILE: usize = 7_000;
const TOKEN: &str = "a-token-of-the-bench";
const RECORDED: &str = "https://git.acme.com/acme/support";

fn main() -> Result<(), Failure> {
    let bench = Bench::new()?;
    let fresh = || tempfile::tempdir().map_err(Failure::from);
    let worktree =
        ("git worktree add", |directory: TempDir| bench.worktree(directory.path()).map(|()| directory));
    let kept = |_: TempDir| bench.checkout(bench.data.path());
    staso_benches::pairs(PAIRS, fresh, ("kept checkout", kept), worktree)?;
    let session = |_: TempDir| bench.session(bench.data.path());
    staso_benches::pairs(PAIRS, fresh, ("kept checkout, session open", session), worktree)?;
    let cold = |directory: TempDir| Ok((bench.checkout(directory.path())?, directory));
    let commands = |directory: TempDir| bench.git_checkout(directory.path()).map(|()| directory);
    let theirs = "git init, fetch --depth=1, checkout";
    staso_benches::pairs(PAIRS, fresh, ("cold checkout", cold), (theirs, commands))
}

struct Bench {
    http: GitHttp,
    commit: String,
    /// A clone that has the commit, in one pack.
    clone: TempDir,
    /// Where the commit is kept.
    data: TempDir,
    sandbox: LocalSandbox,
    runtime: Runtime,
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        let clone = tempfile::tempdir()?;
        let commit = repository(clone.path(), FILES, BYTES_PER_FILE)?;
        git(clone.path(), &["gc", "-q"])?;
        let http = GitHttp::start();
        http.host("acme/support", clone.path());
        http.accept(TOKEN, Right::Read);
        let (data, runtime) = (tempfile::tempdir()?, Runtime::new()?);
        // Sessions may run as another user.
        fs::set_permissions(data.path(), fs::Permissions::from_mode(0o755))?;
        let bench = Self { http, commit, clone, data, sandbox: LocalSandbox::new(), runtime };
        drop(bench.session(bench.data.path())?);
        Ok(bench)
    }

    fn checkout(&self, directory: &Path) -> Result<Checkout, Failure> {
        let (recorded, address) = (RECORDED.parse()?, self.http.url("acme/support").parse()?);
        let credentials = GitCredentials::token(SecretString::from(TOKEN));
        let provider =
            GitRemote::new(directory.join("data"), recorded, address).with_credentials(Arc::new(credentials));
        let url: RepositoryUrl = RECORDED.parse()?;
        let default_branch = BranchName::new("main")?;
        let repository = RepositoryRef { id: "bench".to_owned(), url, default_branch, archived: false };
        let commit = CommitId::new(&self.commit)?;
        Ok(self.runtime.block_on(provider.checkout(&repository, &commit, &process_context()))?)
    }

    fn session(&self, directory: &Path) -> Result<(Checkout, Box<dyn SandboxSession>), Failure> {
        let checkout = self.checkout(directory)?;
        let spec = SandboxSpec::new(&checkout.path);
        let session = self.runtime.block_on(self.sandbox.open(&spec, &process_context()))?;
        Ok((checkout, session))
    }

    fn worktree(&self, directory: &Path) -> Result<(), Failure> {
        let tree = directory.join("tree");
        git(
            self.clone.path(),
            &["worktree", "add", "-q", "--detach", &tree.to_string_lossy(), &self.commit],
        )?;
        Ok(())
    }

    fn git_checkout(&self, directory: &Path) -> Result<(), Failure> {
        let url =
            self.http.url("acme/support").replace("http://", &format!("http://x-access-token:{TOKEN}@"));
        git(directory, &["init", "-q", "."])?;
        git(directory, &["fetch", "-q", "--depth=1", "--no-tags", &url, &self.commit])?;
        git(directory, &["checkout", "-q", "FETCH_HEAD"])?;
        Ok(())
    }
}
