//! From a trace's commit to a branch with its fix on a git server, next to the git commands that this needs.
//!
//! Both speak HTTP on the loopback interface to `git http-backend`, with a token, and begin with an empty directory:
//! which branches are there, the failing commit without its history, its files in a directory, a commit with one changed
//! file, a new branch. `staso` besides checks that the change fits, that the branch is nobody's, and keeps what it
//! fetched.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use staso_benches::{Failure, git, process_context, repository};
use staso_core::code::RepoPath;
use staso_core::id::{BranchName, CommitId};
use staso_core::trace::{RepositoryUrl, SourceRevision};
use staso_core::vcs::{ChangeSet, FileContent, FileEdit, NewContent, ProposeRequest, VcsProvider as _};
use staso_github::{GitCredentials, GitRemote, SecretString};
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
const CHANGED: &str = "src/d7/file_777.py";
const TEXT: &str = "def fixed():\n    return True\n";

fn main() -> Result<(), Failure> {
    let remote = Remote::new()?;
    staso_benches::pairs(
        PAIRS,
        || remote.reset(),
        ("resolve, checkout, propose", |directory: TempDir| {
            staso(&remote, directory.path()).map(|()| directory)
        }),
        ("git commands", |directory: TempDir| bare_git(&remote, directory.path()).map(|()| directory)),
    )
}

struct Remote {
    http: GitHttp,
    commit: String,
    runtime: Runtime,
}

impl Remote {
    fn new() -> Result<Self, Failure> {
        let source = tempfile::tempdir()?;
        let commit = repository(source.path(), FILES, BYTES_PER_FILE)?;
        let http = GitHttp::start();
        http.host("acme/support", source.path());
        http.accept(TOKEN, Right::Write);
        Ok(Self { http, commit, runtime: Runtime::new()? })
    }

    /// Removes what the last iteration published.
    fn reset(&self) -> Result<TempDir, Failure> {
        let bare = self.http.repository("acme/support");
        for branch in git(&bare, &["for-each-ref", "--format=%(refname)", "refs/heads/fix"])?.lines() {
            git(&bare, &["update-ref", "-d", branch])?;
        }
        Ok(tempfile::tempdir()?)
    }
}

fn staso(remote: &Remote, directory: &Path) -> Result<(), Failure> {
    let recorded: RepositoryUrl = "https://git.acme.com/acme/support".parse()?;
    let credentials = GitCredentials::token(SecretString::from(TOKEN));
    let provider =
        GitRemote::new(directory.join("data"), recorded.clone(), remote.http.url("acme/support").parse()?)
            .with_credentials(Arc::new(credentials));
    let ctx = process_context();
    let commit = CommitId::new(&remote.commit)?;
    let source =
        SourceRevision { repository_url: Some(recorded), branch: None, commit: Some(commit), dirty: None };
    remote.runtime.block_on(async {
        let found = provider.resolve(&source, &ctx).await?;
        let repository = &found.repository;
        let checkout = provider.checkout(repository, &found.commit, &ctx).await?;
        let path = RepoPath::new(CHANGED)?;
        let read = provider.read_file(repository, &found.base_tip, &path, 1 << 20, &ctx).await?;
        let FileContent::Text { blob, .. } = read else { return Err("no text".into()) };
        let after = Some(NewContent { bytes: TEXT.as_bytes().to_vec(), executable: false });
        let edits = vec![FileEdit { path, before: Some(blob), after }];
        let changes = ChangeSet::new(found.base_tip.clone(), edits, "Fix it", "Why.");
        let prefix = BranchName::new("fix/staso-bench")?;
        let request =
            ProposeRequest::new(repository, &found.base_branch, &prefix, &changes, "key", ctx.run_id());
        provider.propose(&request, &ctx).await?;
        drop(checkout);
        Ok(())
    })
}

fn bare_git(remote: &Remote, directory: &Path) -> Result<(), Failure> {
    let url = remote.http.url("acme/support").replace("http://", &format!("http://x-access-token:{TOKEN}@"));
    let files = directory.join("files");
    fs::create_dir(&files)?;
    git(directory, &["init", "-q", "--bare", "store.git"])?;
    let store = directory.join("store.git");
    git(&store, &["ls-remote", "--symref", &url])?;
    git(&store, &["fetch", "-q", "--depth=1", "--no-tags", &url, &remote.commit])?;
    let tree = files.to_string_lossy().into_owned();
    git(&store, &["--work-tree", &tree, "read-tree", &remote.commit])?;
    git(&store, &["--work-tree", &tree, "checkout-index", "-a", "-q"])?;
    fs::write(files.join(CHANGED), TEXT)?;
    git(&files, &["--git-dir", &store.to_string_lossy(), "--work-tree", ".", "add", CHANGED])?;
    let tree = git(&store, &["write-tree"])?;
    let commit = git(&store, &["commit-tree", "-p", &remote.commit, "-m", "Fix it", &tree])?;
    git(&store, &["push", "-q", &url, &format!("{commit}:refs/heads/fix/staso-bench-1")])?;
    Ok(())
}
