//! `heal --repo` with a repository on a git server that wants a token: real git, its own server program, HTTP on the
//! loopback interface.

use std::path::Path;

use staso_core::run::{OutcomeState, RunArtifact};
use staso_examples::environment::Environment;
use staso_examples::git::Git;
use tempfile::TempDir;

use crate::heal_process::{Ended, command, strip_harness};
use crate::heal_project::{Failing, Project};
use crate::peer::git_http::{GitHttp, Right};

const TOKEN: &str = "q4Zr-token-of-no-known-form-81hd";

struct Server {
    project: Project,
    http: GitHttp,
    data: TempDir,
}

impl Server {
    async fn new() -> Self {
        let project = Project::shop().await;
        let http = GitHttp::start();
        http.host("acme/shop", &project.repository());
        http.accept(TOKEN, Right::Write);
        Self { project, http, data: tempfile::tempdir().unwrap() }
    }

    /// The program on the failed run of the project.
    async fn heal(&self, token: &str, more: &[&str]) -> Ended {
        let trace = self.data.path().join("trace.json");
        std::fs::write(&trace, self.project.trace(&Failing::shop()).await).unwrap();
        let (trace, data, url) = (
            trace.to_str().unwrap().to_owned(),
            self.data.path().join("kept").to_str().unwrap().to_owned(),
            self.http.url("acme/shop"),
        );
        let mut arguments = vec!["--json", "--trace", &trace, "--repo", &url, "--data", &data];
        arguments.extend(["--test-timeout", "5"]);
        arguments.extend(more);
        let output = command("heal", &arguments).env("STASO_GIT_TOKEN", token).output().await.unwrap();
        let ended = Ended {
            code: output.status.code(),
            stdout: strip_harness(&String::from_utf8(output.stdout).unwrap()).to_owned(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        for text in [&ended.stdout, &ended.stderr] {
            assert!(!text.contains(token), "the token stands in the output: {text}");
        }
        assert_eq!(files_with(self.data.path(), token), Vec::<String>::new());
        ended
    }

    /// Asks the repository itself.
    async fn git(&self, arguments: &[&str]) -> String {
        let git = Git::new(Environment::read());
        git.run(&self.http.repository("acme/shop"), arguments).await.unwrap()
    }

    async fn branches(&self) -> Vec<String> {
        let names = self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]).await;
        names.lines().map(str::to_owned).collect()
    }
}

fn only(ended: &Ended) -> RunArtifact {
    let [artifact] = &ended.artifacts()[..] else { panic!("{}\n{}", ended.stdout, ended.stderr) };
    artifact.clone()
}

/// Files below a directory that hold a text.
fn files_with(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() {
                let bytes = std::fs::read(entry.path()).unwrap();
                if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                    found.push(entry.path().display().to_string());
                }
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_becomes_a_branch_on_the_server_and_a_second_run_finds_it() {
    let server = Server::new().await;
    let artifact = only(&server.heal(TOKEN, &[]).await);
    assert_eq!(artifact.outcome.state, OutcomeState::Completed, "{:?}", artifact.outcome);
    let proposal = artifact.proposal.unwrap();
    assert_eq!(server.branches().await, [proposal.branch.to_string(), "main".to_owned()]);
    let branch = proposal.branch.as_str();
    assert_eq!(server.git(&["rev-parse", branch]).await, proposal.head.as_str());
    assert_eq!(server.git(&["diff", "--name-only", "main", branch]).await, "shop.py");
    assert!(server.http.seen().iter().all(|seen| !seen.target.contains(TOKEN)), "no address holds the token");

    let again = only(&server.heal(TOKEN, &[]).await).proposal.unwrap();
    assert_eq!((again.branch, again.head), (proposal.branch, proposal.head));
    assert_eq!(server.branches().await.len(), 2, "one fix, one branch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_only_read_heals_up_to_the_proof() {
    let server = Server::new().await;
    server.http.accept("only-for-reading-73bs", Right::Read);
    let artifact = only(&server.heal("only-for-reading-73bs", &["--until", "verify"]).await);
    assert_eq!(artifact.outcome.state, OutcomeState::Completed, "{:?}", artifact.outcome);
    assert_eq!(server.branches().await, ["main"]);
    let artifact = only(&server.heal("only-for-reading-73bs", &[]).await);
    assert_eq!(artifact.outcome.state, OutcomeState::Failed, "{:?}", artifact.outcome);
    assert_eq!(server.branches().await, ["main"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_ends_the_run_with_what_to_do() {
    let server = Server::new().await;
    let ended = server.heal("quite-the-wrong-token-55", &[]).await;
    let artifact = only(&ended);
    assert_eq!(ended.code, Some(1));
    assert_eq!(artifact.outcome.state, OutcomeState::Failed, "{:?}", artifact.outcome);
    assert!(artifact.outcome.reason.contains("; "), "no next step: {}", artifact.outcome.reason);
}
