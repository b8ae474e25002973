//! Whole proposals: pushed to a real git server, opened at the official description.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use staso_core::report::{PullRequestOptions, pull_request};
use staso_core::run::{RunArtifact, RunContext};
use staso_core::vcs::{Proposal, ProposalAction, ProposalState, ProposeRequest, RepositoryRef, VcsError};
use tempfile::TempDir;

use super::*;
use crate::github::auth::Granted;
use crate::github::parts::Parts;
use crate::github::proposal::{marker, propose, status};
use crate::limits::GitLimits;
use crate::peer::fault::{Fault, FaultProxy, Gate, Plan};
use crate::peer::git_http::{GitHttp, Right};

const NAME: &str = "octocat/Hello-World";
const FIRST: &str = "def run():\n    return 1\n";

/// A repository on a git server, and the examples for all else.
pub(super) struct Whole {
    git: GitHttp,
    pub(super) bench: Bench,
    pub(super) parts: Parts,
    repository: RepositoryRef,
    pub(super) tip: CommitId,
    directory: TempDir,
}

fn git(at: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(at)
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgSign=false"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

impl Whole {
    pub(super) fn new() -> Self {
        Self::with_api(|url| url)
    }

    /// With something between here and the API.
    fn with_api(between: impl FnOnce(String) -> String) -> Self {
        Self::with(FIRST, between)
    }

    /// With another text in `tool.py`.
    fn with(text: &str, between: impl FnOnce(String) -> String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source");
        fs::create_dir(&source).unwrap();
        git(&source, &["init", "-q", "-b", "main"]);
        fs::write(source.join("tool.py"), text).unwrap();
        git(&source, &["add", "-A"]);
        git(&source, &["commit", "-qm", "first"]);
        let tip = commit(&git(&source, &["rev-parse", "HEAD"]));
        let server = GitHttp::start();
        server.host(NAME, &source);
        server.accept(TOKEN, Right::Write);
        let bench = Bench::new();
        let api_url = between(bench.peer.url());
        let endpoints =
            GitHubEndpoints::new(&api_url, &format!("{api_url}/graphql"), &server.origin()).unwrap();
        let url = format!("https://{}/{NAME}", endpoints.host()).parse().unwrap();
        let api = Api::new(endpoints, GitHubAuth::Token(TOKEN.into()), quick()).unwrap();
        let parts = Parts::new(api, directory.path().join("data"));
        let repository = RepositoryRef {
            id: "github:1296269".to_owned(),
            url,
            default_branch: branch("main"),
            archived: false,
        };
        Self { git: server, bench, parts, repository, tip, directory }
    }

    fn blob(&self) -> String {
        git(&self.git.repository(NAME), &["rev-parse", "main:tool.py"])
    }

    pub(super) fn changes(&self, after: &str) -> ChangeSet {
        self.carrying(vec![edit("tool.py", Some(&self.blob()), after)])
    }

    pub(super) fn carrying(&self, edits: Vec<FileEdit>) -> ChangeSet {
        let mut carried = changes(edits);
        carried.base = self.tip.clone();
        carried
    }

    pub(super) async fn propose(&self, changes: &ChangeSet) -> Result<Proposal, VcsError> {
        self.propose_within(changes, &test_context()).await
    }

    async fn propose_within(&self, changes: &ChangeSet, ctx: &RunContext) -> Result<Proposal, VcsError> {
        let (base, prefix) = (branch("main"), branch("fix/staso-a"));
        let request = ProposeRequest::new(&self.repository, &base, &prefix, changes, "key", ctx.run_id());
        propose(&self.parts, &request, ctx).await
    }

    /// What the repository on the server says itself.
    pub(super) fn git_says(&self, arguments: &[&str]) -> String {
        git(&self.git.repository(NAME), arguments)
    }

    /// The branches of ours on the server.
    fn branches(&self) -> String {
        git(&self.git.repository(NAME), &["for-each-ref", "--format=%(refname:short)", "refs/heads/fix"])
    }

    /// Nothing left this machine.
    pub(super) fn assert_untouched(&self) {
        assert_eq!(self.branches(), "");
        assert_eq!(self.bench.count(OPEN), 0);
    }
}

/// What is open now: the pull request of the last `POST`, as a list.
fn list_of(body: &Value, head: &str) -> Choice {
    Choice::example().with_entries(
        "",
        vec![vec![
            ("/head/ref".to_owned(), json!("fix/staso-a-1")),
            ("/head/sha".to_owned(), json!(head)),
            ("/base/ref".to_owned(), json!("main")),
            ("/body".to_owned(), body.clone()),
            ("/draft".to_owned(), json!(true)),
            ("/merged_at".to_owned(), Value::Null),
        ]],
    )
}

#[tokio::test]
async fn a_fix_is_pushed_and_opened_with_one_request_to_the_api() {
    let whole = Whole::new();
    let made = whole.propose(&whole.changes("def run():\n    return 2\n")).await.unwrap();
    assert_eq!((made.branch.as_str(), made.base.as_str()), ("fix/staso-a-1", "main"));
    assert_eq!((made.action, made.state), (ProposalAction::Created, ProposalState::Draft));
    assert_eq!(
        made.url,
        format!("{}/{NAME}/pull/1347", whole.git.origin()),
        "the example names another host"
    );
    let bare = whole.git.repository(NAME);
    assert_eq!(git(&bare, &["rev-parse", "fix/staso-a-1"]), made.head.as_str());
    assert_eq!(git(&bare, &["show", "fix/staso-a-1:tool.py"]), "def run():\n    return 2");
    let asked: Vec<String> = whole.bench.peer.asked().into_iter().map(|asked| asked.operation).collect();
    assert_eq!(asked, [OPEN]);
    assert_eq!(made.warnings, Vec::<String>::new());
    let kept = walk(whole.directory.path());
    assert!(
        !kept.is_empty() && kept.iter().all(|bytes| !contains(bytes, TOKEN)),
        "no token stays on the disk"
    );
}

/// The bytes of all files below a directory.
fn walk(directory: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![fs::read(path).unwrap()] }).collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_run_that_died_between_branch_and_pull_request_is_finished_by_the_next() {
    let whole = Whole::new();
    whole.bench.peer.on(OPEN, [Choice::status(403), opened()]);
    let changes = whole.changes("fixed\n");
    let died = whole.propose(&changes).await;
    assert!(matches!(died, Err(VcsError::MissingPermission { .. })), "{died:?}");
    let again = whole.propose(&changes).await.unwrap();
    assert_eq!((again.action, again.branch.as_str()), (ProposalAction::Created, "fix/staso-a-1"));
    let body = whole.bench.peer.asked_of(OPEN)[1].body.as_ref().unwrap()["body"].clone();
    whole.bench.peer.on(PULLS, [list_of(&body, again.head.as_str())]);
    let third = whole.propose(&changes).await.unwrap();
    assert_eq!(third, Proposal { action: ProposalAction::Reused, ..again });
    assert_eq!((whole.branches().as_str(), whole.bench.count(OPEN)), ("fix/staso-a-1", 2));
    let found = status(&whole.parts, &whole.repository, &third.branch, &test_context()).await.unwrap();
    assert_eq!((found.state, &found.head), (ProposalState::Draft, &third.head));
    let none = status(&whole.parts, &whole.repository, &branch("fix/staso-b-1"), &test_context()).await;
    assert!(matches!(none, Err(VcsError::ProposalNotFound { .. })), "{none:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_55_runs_at_once_make_one_branch() {
    let whole = Arc::new(Whole::new());
    let exists = refused("A pull request already exists for octocat:fix/staso-a-1.");
    whole.bench.peer.on(OPEN, [opened(), exists]);
    let body = marker::marked("What users saw.\n\n<!-- staso:diagnosis=1 -->\n", "key").0;
    whole.bench.peer.on(PULLS, [list_of(&json!(body), FILE), list_of(&json!(body), FILE)]);
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let whole = Arc::clone(&whole);
            tokio::spawn(async move { whole.propose(&whole.changes("fixed\n")).await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().branch.as_str(), "fix/staso-a-1");
    }
    assert_eq!(whole.branches(), "fix/staso-a-1");
}

#[tokio::test]
async fn case_29_a_base_that_has_moved_is_a_conflict_without_a_pull_request() {
    let whole = Whole::new();
    let changes = whole.changes("fixed\n");
    let clone = whole.directory.path().join("source");
    fs::write(clone.join("tool.py"), "other\n").unwrap();
    git(&clone, &["commit", "-qam", "other"]);
    let bare = whole.git.repository(NAME);
    git(&bare, &["fetch", "-q", &clone.to_string_lossy(), "+main:main"]);
    match whole.propose(&changes).await {
        Err(VcsError::Conflict { paths, .. }) => assert_eq!(paths[0].as_str(), "tool.py"),
        other => panic!("{other:?}"),
    }
    whole.assert_untouched();
}

#[tokio::test]
async fn case_36_a_rule_that_refuses_the_push_is_repeated_and_api_commits_are_offered() {
    let whole = Whole::new();
    let lines = [
        "error: GH013: Repository rule violations found for refs/heads/fix/staso-a-1.",
        "- Commits must have verified signatures.",
    ];
    whole.git.reject_pushes(NAME, &lines);
    let error = whole.propose(&whole.changes("fixed\n")).await.unwrap_err();
    match &error {
        VcsError::PolicyRejected { rule, .. } => assert!(rule.contains("verified signatures"), "{rule}"),
        other => panic!("{other:?}"),
    }
    assert!(error.remedy().unwrap().contains("commit by API"), "{error}");
    whole.assert_untouched();
}

#[tokio::test]
async fn case_37_workflows_without_permission_stop_before_the_push() {
    let whole = Whole::new();
    let scopes = ["repo".to_owned()].into();
    let granted = Granted::Personal { push: Some(true), scopes, private: true };
    whole.parts.granted.put(whole.repository.id.clone(), granted);
    let workflow = edit(".github/Workflows/ci.yml", None, "on: push\n");
    let changes = whole.carrying(vec![workflow]);
    match whole.propose(&changes).await {
        Err(VcsError::MissingPermission { permission, remedy, .. }) => {
            assert_eq!(permission, "workflow");
            assert!(remedy.contains(".github/workflows/"), "{remedy}");
        }
        other => panic!("{other:?}"),
    }
    whole.assert_untouched();
    let whole = Whole::new();
    let line = "refusing to allow a GitHub App to create or update workflow without workflows permission";
    whole.git.reject_pushes(NAME, &[line]);
    match whole.propose(&whole.changes("fixed\n")).await {
        Err(VcsError::MissingPermission { permission, .. }) => assert_eq!(permission, "workflows: write"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn case_37_an_app_proposes_no_workflow_whatever_it_was_granted() {
    let whole = Whole::new();
    let permissions = [("contents", "write"), ("pull_requests", "write"), ("workflows", "write")];
    let granted = Granted::Installation {
        permissions: permissions.map(|(name, level)| (name.to_owned(), level.to_owned())).into(),
        settings_url: "https://github.com/settings/installations/1".to_owned(),
    };
    whole.parts.granted.put(whole.repository.id.clone(), granted);
    let workflow = edit(".github/workflows/deep/ci.yml", None, "on: push\n");
    match whole.propose(&whole.carrying(vec![workflow])).await {
        Err(VcsError::MissingPermission { permission, remedy, .. }) => {
            assert_eq!(permission, "workflows: write");
            assert!(remedy.contains("leave files below .github/workflows/ out"), "{remedy}");
        }
        other => panic!("{other:?}"),
    }
    whole.assert_untouched();
    let beside = edit(".github/workflows.md", None, "text\n");
    whole.propose(&whole.carrying(vec![beside])).await.unwrap();
}

#[tokio::test]
async fn case_41_a_credential_in_an_added_line_does_not_leave() {
    let whole = Whole::new();
    let key = format!("KEY = \"ghp_{}\"\n", "a1B2".repeat(9));
    let secret = format!("{FIRST}{key}");
    match whole.propose(&whole.changes(&secret)).await {
        Err(VcsError::SecretInChange { path, .. }) => assert_eq!(path.as_str(), "tool.py"),
        other => panic!("{other:?}"),
    }
    let mut text = whole.changes("fixed\n");
    text.body.clone_from(&key);
    assert!(matches!(whole.propose(&text).await, Err(VcsError::InvalidChange { .. })));
    whole.assert_untouched();

    let known = Whole::with(&secret, |url| url);
    known.propose(&known.changes(&format!("{secret}\n"))).await.unwrap();
}

#[tokio::test]
async fn case_42_what_is_too_large_is_refused_with_the_limit() {
    let mut whole = Whole::new();
    let mut limits = GitLimits::default();
    (limits.proposal_files, limits.proposal_bytes) = (10_000, 1 << 30);
    whole.parts.set_limits(limits);
    let large = |bytes: usize| NewContent { bytes: vec![b'x'; bytes], executable: false };
    let new =
        |at: usize, bytes| FileEdit { after: Some(large(bytes)), ..edit(&format!("f{at:05}"), None, "") };
    for (edits, expected) in [
        (vec![new(0, (40 << 20) + 1)], "40 MiB a file of GitHub"),
        ((0..3).map(|at| new(at, 35 << 20)).collect(), "100 MiB"),
        ((0..3_001).map(|at| new(at, 1)).collect(), "3,000 files of GitHub"),
    ] {
        let changes = whole.carrying(edits);
        match whole.propose(&changes).await {
            Err(VcsError::TooLarge { limit, .. }) => assert_eq!(limit, expected),
            other => panic!("{other:?}"),
        }
    }
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    assert!(matches!(whole.propose(&whole.changes(pointer)).await, Err(VcsError::InvalidChange { .. })));
    whole.repository.archived = true;
    assert!(matches!(whole.propose(&whole.changes("x")).await, Err(VcsError::Archived { .. })));
    whole.assert_untouched();
}

#[tokio::test]
async fn case_39_case_41_the_template_stays_on_top_and_nothing_of_strangers_works() {
    let mut artifact: Value =
        serde_json::from_str(include_str!("../../../../../staso-core/tests/it/golden/run.v2.json")).unwrap();
    artifact["diagnosis"]["summary"] =
        json!("@octocat fixes #12 <!-- staso:key=0 --> ![x](https://evil.example/p.png)");
    let artifact: RunArtifact = serde_json::from_value(artifact).unwrap();
    let options =
        PullRequestOptions::default().with_template("## What changed\n\n## Checklist\n\n- [ ] tests\n");
    let text = pull_request(&artifact, &options).unwrap();
    let whole = Whole::new();
    let mut changes = whole.changes("fixed\n");
    (changes.title, changes.body) = (text.title, text.body);
    whole.propose(&changes).await.unwrap();
    let sent = whole.bench.peer.asked_of(OPEN).remove(0).body.unwrap()["body"].as_str().unwrap().to_owned();
    let place = |text: &str| sent.find(text).unwrap_or_else(|| panic!("{text} is in {sent}"));
    assert!(place("## What changed") < place("## Checklist"));
    assert!(place("## Checklist") < place("<!-- staso:diagnosis="));
    assert!(place("<!-- staso:diagnosis=") < place("<!-- staso:key="), "ours is last");
    assert_eq!(marker::origin(&sent, "key"), marker::Origin::Ours);
    for live in [" @octocat", "fixes #12", "![x]", "<!-- staso:key=0"] {
        assert!(!sent.contains(live), "{live} in {sent}");
    }
}

#[tokio::test]
async fn case_56_a_cancelled_run_still_learns_of_the_pull_request_that_it_opened() {
    let mut proxies = Vec::new();
    let whole = Whole::with_api(|url| {
        proxies.push(FaultProxy::start(&url));
        proxies[0].url()
    });
    let gate = Gate::new();
    proxies[0].inject(Plan::new(Fault::HoldAnswer(gate.clone())).to("POST", "/pulls"));
    let ctx = test_context();
    let changes = whole.changes("fixed\n");
    let cancel = async {
        gate.reached().await;
        ctx.cancellation().cancel();
        gate.release();
    };
    let (made, ()) = tokio::join!(whole.propose_within(&changes, &ctx), cancel);
    assert_eq!(made.unwrap().action, ProposalAction::Created);
}
