//! A commit's files in a directory: kept from an earlier run, and fetched from a server for the first time, next to the
//! git commands that a user would run instead.
//!
//! The repository has 1,000 files of 7 kB. *Kept* is compared with `git worktree add` in a clone that has the commit,
//! alone and with a sandbox session over it. *Cold* begins with an empty directory and speaks HTTP on the loopback
//! interface to `git http-backend`, with a token; git's way is `init`, `fetch --depth=1` and `checkout`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use staso_core::id::{BranchName, CommitId, RunId};
use staso_core::run::{Clock, RunContext, Sleep};
use staso_core::sandbox::{Sandbox as _, SandboxSession, SandboxSpec};
use staso_core::trace::{RepositoryUrl, Timestamp};
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

type Failure = Box<dyn std::error::Error>;

fn main() {
    let bench = must(Bench::new());
    let fresh = || must(tempfile::tempdir().map_err(Failure::from));
    let worktree = |directory: TempDir| {
        must(bench.worktree(directory.path()));
        directory
    };
    let kept = |_: TempDir| must(bench.checkout(bench.data.path()));
    staso_benches::pairs(PAIRS, fresh, ("kept checkout", any(kept)), ("git worktree add", any(worktree)));
    let session = |_: TempDir| must(bench.session(bench.data.path()));
    let name = "kept checkout, session open";
    staso_benches::pairs(PAIRS, fresh, (name, any(session)), ("git worktree add", any(worktree)));
    let cold = |directory: TempDir| (must(bench.checkout(directory.path())), directory);
    let commands = |directory: TempDir| {
        must(bench.git_checkout(directory.path()));
        directory
    };
    let theirs = "git init, fetch --depth=1, checkout";
    staso_benches::pairs(PAIRS, fresh, ("cold checkout", any(cold)), (theirs, any(commands)));
}

fn must<T>(result: Result<T, Failure>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// What both ways leave, which is removed after the last measurement.
type Left = Box<dyn std::any::Any>;

fn any<O: 'static>(work: impl Fn(TempDir) -> O) -> impl FnMut(TempDir) -> Left {
    move |directory| Box::new(work(directory))
}

/// The clock of the process.
#[derive(Debug)]
struct ProcessClock(Instant);

impl Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(1_767_225_600_000_000_000)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
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
        git(clone.path(), &["init", "-q", "-b", "main"])?;
        git(clone.path(), &["commit", "-q", "--allow-empty", "-m", "first"])?;
        for number in 0..FILES {
            let path = clone.path().join(format!("src/d{}/file_{number}.py", number % 10));
            fs::create_dir_all(path.parent().ok_or("no parent")?)?;
            fs::write(path, text(number))?;
        }
        git(clone.path(), &["add", "-A"])?;
        git(clone.path(), &["commit", "-qm", "all"])?;
        let commit = git(clone.path(), &["rev-parse", "HEAD"])?;
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
        Ok(self.runtime.block_on(provider.checkout(&repository, &commit, &context()))?)
    }

    fn session(&self, directory: &Path) -> Result<(Checkout, Box<dyn SandboxSession>), Failure> {
        let checkout = self.checkout(directory)?;
        let spec = SandboxSpec::new(&checkout.path);
        let session = self.runtime.block_on(self.sandbox.open(&spec, &context()))?;
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

fn context() -> RunContext {
    RunContext::new(RunId::from_bytes([1; 16]), Arc::new(ProcessClock(Instant::now())))
}

/// Lines that do not compress to nothing.
fn text(number: usize) -> String {
    let mut text = String::with_capacity(BYTES_PER_FILE + 80);
    let mut state = number as u64 + 1;
    while text.len() < BYTES_PER_FILE {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("def function_{state:x}():\n    return {}\n", state >> 33));
    }
    text
}

fn git(directory: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new("git")
        .current_dir(directory)
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgSign=false"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(format!("git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}
