//! What a whole proposal costs: requests to the API, connections, and what git asks its server for.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use staso_core::id::CommitId;
use staso_core::vcs::{
    Access, ChangeSet, FileEdit, NewContent, ProposalAction, ProposeRequest, VcsError, VcsProvider as _,
};
use staso_github::{AppCredentials, CommitMode, GitHub, GitHubAuth, GitHubOptions};

use super::world::{REFERENCE, World};
use crate::fixture::{GitFixture, branch, commit_id, git, path};
use crate::peer::choice::Choice;
use crate::peer::environment::say;
use crate::peer::git_http::Right;

const KEY: &str = include_str!("../../keys/app-pkcs1.pem");
const TOKEN: &str = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";
const MINT: &str = "POST /app/installations/{installation_id}/access_tokens";
const MAKE_TREE: &str = "POST /repos/{owner}/{repo}/git/trees";
const MAKE_COMMIT: &str = "POST /repos/{owner}/{repo}/git/commits";
const MAKE_BRANCH: &str = "POST /repos/{owner}/{repo}/git/refs";
const MAKE_BLOB: &str = "POST /repos/{owner}/{repo}/git/blobs";
const OPEN: &str = "POST /repos/{owner}/{repo}/pulls";
/// What issue and documentation promise for an app without labels.
const COLD: u64 = 12;
const WARM: u64 = 6;

/// What one proposal took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    api: u64,
    connections: usize,
    /// Conversations in which git fetched objects, and all that git said and heard, in bytes.
    fetches: usize,
    git_requests: usize,
    git_bytes: usize,
}

struct Bench {
    world: World,
    provider: GitHub,
    number: usize,
}

impl Bench {
    fn new(mode: CommitMode) -> Self {
        let world = World::new(GitFixture::new());
        world.host.accept(TOKEN, Right::Write);
        let minted = Choice::example().with("/token", TOKEN).with("/expires_at", "2100-01-01T00:00:00Z");
        world.api.on(MINT, [minted]);
        world.api.on(OPEN, [opened()]);
        answer_with_git(&world);
        let app = AppCredentials::new("Iv1.ab1112223334445c", KEY.into());
        let options = GitHubOptions::default().with_commit_mode(mode);
        let provider = world.provider_of(GitHubAuth::App(app)).with_options(options);
        Self { world, provider, number: 0 }
    }

    /// Someone else puts two commits on the base.
    fn move_base(&mut self) {
        let tree = self.world.git(&["rev-parse", "main^{tree}"]);
        for message in ["third", "fourth"] {
            let tip = self.world.git(&["commit-tree", "-p", "main", "-m", message, &tree]);
            self.world.git(&["update-ref", "refs/heads/main", &tip]);
        }
        let tip = self.world.git(&["rev-parse", "main"]);
        let answer = Choice::example().with("/object/sha", tip.as_str()).with("/ref", "refs/heads/main");
        self.world.api.on_where(REFERENCE, &[("ref", "heads/main")], [answer]);
        self.world.source.tip = commit_id(&tip);
    }

    /// A proposal for the commit before the newest.
    async fn propose(&mut self, edits: Vec<FileEdit>) -> Cost {
        let world = &self.world;
        world.compared(&world.source.previous, "ahead");
        let (api, connections, git) =
            (self.provider.statistics(), world.api.connections(), world.host.seen().len());
        let source = world.recorded(&world.source.previous, Some("main"));
        let found = self.provider.resolve(&source, &world.ctx).await.unwrap();
        // The official example of an installation may only read, which costs no request to find out. The server lets it write.
        let asked = self.provider.preflight(&found.repository, Access::Propose, &world.ctx).await;
        assert!(matches!(asked, Err(VcsError::MissingPermission { .. })), "{asked:?}");
        drop(self.provider.checkout(&found.repository, &found.commit, &world.ctx).await.unwrap());
        self.number += 1;
        let key = format!("key {}", self.number);
        let prefix = branch(&format!("fix/staso-{}", self.number));
        let changes = ChangeSet::new(found.commit.clone(), edits, "Fix it", "What users saw.");
        let request = ProposeRequest::new(
            &found.repository,
            &found.base_branch,
            &prefix,
            &changes,
            &key,
            world.ctx.run_id(),
        );
        let made = self.provider.propose(&request, &world.ctx).await.unwrap();
        assert_eq!(made.action, ProposalAction::Created);
        self.assert_made(&made.head, made.branch.as_str(), &found.base_tip, &changes);
        let seen = world.host.seen().split_off(git);
        let fetched = |from: &&crate::peer::git_http::Seen| from.target.ends_with("/git-upload-pack");
        Cost {
            api: self.provider.statistics().api_requests - api.api_requests,
            connections: world.api.connections() - connections,
            fetches: seen.iter().filter(fetched).count(),
            git_requests: seen.len(),
            git_bytes: seen.iter().map(|seen| seen.bytes).sum(),
        }
    }

    /// The branch on the server is one commit on the base with exactly the change.
    fn assert_made(&self, head: &CommitId, branch: &str, base_tip: &CommitId, changes: &ChangeSet) {
        assert_eq!(self.world.git(&["rev-parse", branch]), head.as_str());
        assert_eq!(self.world.git(&["rev-parse", &format!("{branch}^")]), base_tip.as_str());
        let range = [base_tip.as_str(), head.as_str()];
        let differs = self.world.git(&["diff", "-z", "--name-only", range[0], range[1]]);
        let paths: Vec<&str> = changes.edits.iter().map(|edit| edit.path.as_str()).collect();
        assert_eq!(differs.split_terminator('\0').collect::<Vec<_>>(), paths);
        for edit in &changes.edits {
            let text = String::from_utf8_lossy(&edit.after.as_ref().unwrap().bytes).into_owned();
            assert_eq!(self.world.git(&["show", &format!("{branch}:{}", edit.path)]), text.trim_end());
        }
    }
}

/// Objects and branches are made by git in the hosted repository, as GitHub makes them.
fn answer_with_git(world: &World) {
    let repository = world.host.repository("acme/support");
    let at = repository.clone();
    world.api.on(
        MAKE_TREE,
        [Choice::example().with_computed(move |asked| {
            let body = asked.body.as_ref().unwrap();
            let index = at.join("index-of-the-api");
            let run = |arguments: &[&str]| with_index(&at, &index, arguments, "");
            run(&["read-tree", body["base_tree"].as_str().unwrap()]);
            for entry in body["tree"].as_array().unwrap() {
                let text = |name: &str| entry[name].as_str().unwrap();
                let id = match entry["content"].as_str() {
                    Some(content) => with_index(&at, &index, &["hash-object", "-w", "--stdin"], content),
                    None => text("sha").to_owned(),
                };
                let info = format!("{},{id},{}", text("mode"), text("path"));
                run(&["update-index", "--add", "--cacheinfo", &info]);
            }
            vec![("/sha".to_owned(), json!(run(&["write-tree"])))]
        })],
    );
    let at = repository.clone();
    world.api.on(
        MAKE_COMMIT,
        [Choice::example().with_computed(move |asked| {
            let body = asked.body.as_ref().unwrap();
            let [message, tree, parent] =
                [&body["message"], &body["tree"], &body["parents"][0]].map(|value| value.as_str().unwrap());
            let made = git(&at, &["commit-tree", "-p", parent, "-m", message, tree]);
            vec![("/sha".to_owned(), json!(made)), ("/tree/sha".to_owned(), json!(tree))]
        })],
    );
    world.api.on(
        MAKE_BRANCH,
        [Choice::example().with_computed(move |asked| {
            let body = asked.body.as_ref().unwrap();
            let (name, id) = (body["ref"].as_str().unwrap(), body["sha"].as_str().unwrap());
            git(&repository, &["update-ref", name, id, ""]);
            vec![("/ref".to_owned(), json!(name)), ("/object/sha".to_owned(), json!(id))]
        })],
    );
}

fn with_index(at: &std::path::Path, index: &std::path::Path, arguments: &[&str], input: &str) -> String {
    use std::io::Write as _;
    let mut command = Command::new("git");
    command.arg("-C").arg(at).args(arguments).env("GIT_INDEX_FILE", index);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The example of a new pull request, with what was asked for. The example itself is open and merged at once.
fn opened() -> Choice {
    Choice::example().with("/merged_at", Value::Null).with_computed(|asked| {
        let body = asked.body.as_ref().unwrap();
        ["head", "base"]
            .map(|end| (format!("/{end}/ref"), body[end].clone()))
            .into_iter()
            .chain(["body", "draft"].map(|name| (format!("/{name}"), body[name].clone())))
            .collect()
    })
}

fn two_files(number: usize) -> Vec<FileEdit> {
    ["fixes/deep/b.txt", "fixes/ü.txt"]
        .map(|name| new_file(name, format!("text {number}\n").as_bytes()))
        .into()
}

fn new_file(name: &str, bytes: &[u8]) -> FileEdit {
    FileEdit {
        path: path(name),
        before: None,
        after: Some(NewContent { bytes: bytes.to_vec(), executable: false }),
    }
}

#[tokio::test]
async fn an_app_proposes_with_twelve_requests_cold_and_six_warm() {
    let mut table = String::new();
    let mut figures = Vec::new();
    for mode in [CommitMode::Push, CommitMode::Api] {
        let mut bench = Bench::new(mode);
        let cold = bench.propose(two_files(1)).await;
        let warm = bench.propose(two_files(2)).await;
        bench.move_base();
        let moved = bench.propose(two_files(3)).await;
        for (name, cost) in [("cold", cold), ("warm", warm), ("warm, base moved", moved)] {
            writeln!(
                table,
                "{mode:?} {name}: {} API requests, {} connections; git: {} requests, {} of them fetches or lists, {} bytes",
                cost.api, cost.connections, cost.git_requests, cost.fetches, cost.git_bytes
            )
            .unwrap();
        }
        assert!(cold.api <= COLD && warm.api <= WARM && moved.api <= WARM, "{table}");
        assert_eq!((warm.connections, moved.connections), (0, 0), "connections are kept:\n{table}");
        assert!(warm.git_bytes < cold.git_bytes, "nothing is fetched twice:\n{table}");
        let operations = bench.world.asked();
        assert!(
            !operations.iter().any(|operation| operation == MAKE_BLOB),
            "texts go with the tree: {operations:?}"
        );
        figures.push([cold, warm, moved].map(|cost| cost.api));
    }
    say(&table);
    assert_eq!(figures, [[7, 3, 4], [10, 6, 6]], "as the documentation of GitHub says:\n{table}");
}

#[tokio::test]
async fn a_warm_push_lists_once_and_fetches_nothing() {
    let mut bench = Bench::new(CommitMode::Push);
    bench.propose(two_files(1)).await;
    let seen = bench.world.host.seen().len();
    bench.propose(two_files(2)).await;
    let seen = bench.world.host.seen().split_off(seen);
    let asked: Vec<_> = seen.iter().map(|seen| seen.target.rsplit_once(".git/").unwrap().1).collect();
    assert_eq!(
        asked,
        [
            "info/refs?service=git-upload-pack",
            "git-upload-pack",
            "info/refs?service=git-receive-pack",
            "git-receive-pack"
        ],
        "one list, one push"
    );
}
