//! The failure cases of publishing, on GitHub's own examples and on a real git server.

mod branches;
mod dry_run;
mod mutations;
mod pulls;
mod whole;

use std::time::Duration;

use serde_json::{Value, json};
use staso_core::id::{BlobId, BranchName, CommitId};
use staso_core::testing::test_context;
use staso_core::vcs::{ChangeSet, FileEdit, NewContent};

use super::target::Target;
use super::tree::blob_id;
use crate::github::api::{Api, RepositoryName};
use crate::github::client::ClientOptions;
use crate::github::{GitHubAuth, GitHubEndpoints};
use crate::peer::choice::Choice;
use crate::peer::official::{Asked, Official};
use crate::peer::server::Reply;

const TOKEN: &str = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";
const BRANCHES: &str = "GET /repos/{owner}/{repo}/git/matching-refs/{ref}";
const TREE: &str = "GET /repos/{owner}/{repo}/git/trees/{tree_sha}";
const REFERENCE: &str = "GET /repos/{owner}/{repo}/git/ref/{ref}";
const COMMIT: &str = "GET /repos/{owner}/{repo}/git/commits/{commit_sha}";
const MAKE_BLOB: &str = "POST /repos/{owner}/{repo}/git/blobs";
const MAKE_TREE: &str = "POST /repos/{owner}/{repo}/git/trees";
const MAKE_COMMIT: &str = "POST /repos/{owner}/{repo}/git/commits";
const MAKE_BRANCH: &str = "POST /repos/{owner}/{repo}/git/refs";
const PULLS: &str = "GET /repos/{owner}/{repo}/pulls";
const OPEN: &str = "POST /repos/{owner}/{repo}/pulls";
const CHANGE: &str = "PATCH /repos/{owner}/{repo}/pulls/{pull_number}";
const LABELS: &str = "POST /repos/{owner}/{repo}/issues/{issue_number}/labels";
const REVIEWERS: &str = "POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers";

/// The newest commit of `main`, its tree and the commit that is made on it, as the examples have them.
const TIP: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
const MADE: &str = "7638417db6d59f3c431d3e1f261cc637155684cd";
/// `file.rb` and `exec_file` in the example of a tree.
const FILE: &str = "44b4fc6d56897b048c772eb4087f854f46256132";
const EXEC_FILE: &str = "45b983be36b73c0788dc9cbcb76cbb80fc7bb057";

/// The repository of the examples, behind its official description.
struct Bench {
    peer: Official,
    api: Api,
    name: RepositoryName,
}

impl Bench {
    fn new() -> Self {
        let peer = Official::start();
        let api = api(&peer.url(), GitHubAuth::Token(TOKEN.into()));
        let url = "https://github.com/octocat/Hello-World".parse().unwrap();
        let name =
            RepositoryName { owner: "octocat".to_owned(), name: "Hello-World".to_owned(), url, id: None };
        peer.on(BRANCHES, [Choice::empty()]);
        peer.on(TREE, [Choice::example_named("default-response")]);
        peer.on(MAKE_BLOB, [Choice::example().with_computed(stored)]);
        peer.on(PULLS, [Choice::empty()]);
        peer.on(OPEN, [opened()]);
        Self { peer, api, name }
    }

    fn target(&self) -> Target<'_> {
        Target { api: &self.api, name: &self.name }
    }

    fn count(&self, operation: &str) -> usize {
        self.peer.asked_of(operation).len()
    }
}

fn api(url: &str, auth: GitHubAuth) -> Api {
    let endpoints = GitHubEndpoints::new(url, &format!("{url}/graphql"), "https://github.com").unwrap();
    Api::new(endpoints, auth, quick()).unwrap()
}

fn quick() -> ClientOptions {
    ClientOptions::default().with_mutation_interval(Duration::ZERO).with_retry_delay(Duration::from_millis(1))
}

fn branch(name: &str) -> BranchName {
    BranchName::new(name).unwrap()
}

fn commit(id: &str) -> CommitId {
    CommitId::new(id).unwrap()
}

fn edit(path: &str, before: Option<&str>, after: &str) -> FileEdit {
    let after = Some(NewContent { bytes: after.as_bytes().to_vec(), executable: false });
    FileEdit { path: path.parse().unwrap(), before: before.map(|id| BlobId::new(id).unwrap()), after }
}

fn changes(edits: Vec<FileEdit>) -> ChangeSet {
    ChangeSet::new(commit(TIP), edits, "Fix it", "What users saw.\n\n<!-- staso:diagnosis=1 -->\n")
}

/// A file that arrives gets the name that git gives it.
fn stored(asked: &Asked) -> Vec<(String, Value)> {
    use base64::Engine as _;
    let content = asked.body.as_ref().unwrap()["content"].as_str().unwrap().to_owned();
    let bytes = base64::engine::general_purpose::STANDARD.decode(content).unwrap();
    let id = blob_id(&NewContent { bytes, executable: false }).unwrap();
    vec![("/sha".to_owned(), json!(id))]
}

/// The example of a new pull request, with what was asked for. The example itself is open and merged at once.
fn opened() -> Choice {
    Choice::example().with("/merged_at", Value::Null).with_computed(|asked| {
        let body = asked.body.as_ref().unwrap();
        vec![
            ("/head/ref".to_owned(), body["head"].clone()),
            ("/base/ref".to_owned(), body["base"].clone()),
            ("/body".to_owned(), body["body"].clone()),
            ("/draft".to_owned(), body["draft"].clone()),
        ]
    })
}

/// An answer that is lost: GitHub may have carried the request out.
fn lost() -> Choice {
    Choice::fault(Reply::Dropped)
}

fn refused(message: &str) -> Choice {
    Choice::status(422).errors(json!([{"resource": "PullRequest", "code": "custom", "message": message}]))
}
