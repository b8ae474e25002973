//! Proposals by API on `emulate`, which keeps what it is told. It makes a second pull request of one head where GitHub
//! refuses, so that the number of pull requests is only looked at where runs come one after the other.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use staso_core::trace::SourceRevision;
use staso_core::vcs::{
    ChangeSet, FileEdit, NewContent, Proposal, ProposalAction, ProposalState, ProposeRequest, RepositoryRef,
    VcsError, VcsProvider as _,
};
use staso_github::{
    AppCredentials, ClientOptions, CommitMode, GitHub, GitHubAuth, GitHubEndpoints, GitHubOptions,
};

use crate::fixture::{GitFixture, branch, path};
use crate::peer::clock::wall_context;
use crate::peer::emulate::{APP_ID, Emulate};
use crate::peer::environment::say;
use crate::peer::fault::FaultProxy;

struct Bench {
    emulate: Emulate,
    fixture: GitFixture,
    provider: GitHub,
    repository: RepositoryRef,
}

impl Bench {
    async fn new() -> Option<Self> {
        let emulate = Emulate::repository("main").await?;
        let url = emulate.url().to_owned();
        let fixture = GitFixture::bare();
        emulate.follow(&fixture.repository).await;
        let provider = provider(&emulate, &fixture, &url);
        let source = SourceRevision {
            repository_url: Some(format!("https://github.com/{}", emulate.full_name()).parse().unwrap()),
            branch: None,
            commit: Some(fixture.tip.clone()),
            dirty: None,
        };
        let repository = provider.resolve(&source, &wall_context()).await.unwrap().repository;
        Some(Self { emulate, fixture, provider, repository })
    }

    fn changes(&self, text: &str) -> ChangeSet {
        let before = self.fixture.git(&["rev-parse", &format!("{}:run.sh", self.fixture.tip)]);
        let content =
            |text: &str, executable| Some(NewContent { bytes: text.as_bytes().to_vec(), executable });
        let script = FileEdit {
            path: path("run.sh"),
            before: Some(before.parse().unwrap()),
            after: content(text, true),
        };
        let new =
            FileEdit { path: path("staso/ü b.txt"), before: None, after: content("\u{feff}a\r\nb", false) };
        ChangeSet::new(self.fixture.tip.clone(), vec![script, new], "Fix the script", "What users saw.")
    }

    async fn propose(&self, provider: &GitHub, key: &str, changes: &ChangeSet) -> Result<Proposal, VcsError> {
        let ctx = wall_context();
        let (base, prefix) = (branch("main"), branch(&format!("fix/staso-{key}")));
        let request = ProposeRequest::new(&self.repository, &base, &prefix, changes, key, ctx.run_id());
        provider.propose(&request, &ctx).await
    }

    async fn pulls(&self) -> Vec<Value> {
        self.emulate.get("/pulls?state=all").await.1.as_array().cloned().unwrap_or_default()
    }

    async fn branches(&self, key: &str) -> usize {
        let found = self.emulate.get(&format!("/git/matching-refs/heads/fix/staso-{key}")).await;
        found.1.as_array().map_or(0, Vec::len)
    }
}

fn provider(emulate: &Emulate, fixture: &GitFixture, api: &str) -> GitHub {
    let app = AppCredentials::new(APP_ID, emulate.app_key.clone().into());
    let endpoints = GitHubEndpoints::new(api, &format!("{api}/graphql"), "https://github.com").unwrap();
    let client = ClientOptions::default()
        .with_mutation_interval(Duration::ZERO)
        .with_retry_delay(Duration::from_millis(1));
    GitHub::new(fixture.data(), GitHubAuth::App(app))
        .and_then(|provider| provider.with_client(client))
        .and_then(|provider| provider.with_endpoints(endpoints))
        .unwrap()
        .with_options(GitHubOptions::default().with_commit_mode(CommitMode::Api).with_labels(["staso"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn case_38_case_46_a_proposal_by_api_keeps_bytes_and_modes_and_is_found_again() {
    let Some(bench) = Bench::new().await else { return };
    let changes = bench.changes("#!/bin/sh\nexit 0\n");
    let made = bench.propose(&bench.provider, "once", &changes).await.unwrap();
    assert_eq!((made.action, made.state), (ProposalAction::Created, ProposalState::Draft), "{made:?}");
    let (_, tree) = bench.emulate.get(&format!("/git/trees/{}?recursive=1", made.head)).await;
    let entry = |path: &str| {
        let found = tree["tree"].as_array().unwrap().iter().find(|entry| entry["path"] == path);
        found.map(|entry| (entry["mode"].clone(), entry["sha"].clone()))
    };
    let id = |bytes: &str| {
        let file = bench.fixture.root().join("content");
        std::fs::write(&file, bytes).unwrap();
        Value::from(bench.fixture.git(&["hash-object", "--no-filters", &file.to_string_lossy()]))
    };
    assert_eq!(entry("run.sh"), Some(("100755".into(), id("#!/bin/sh\nexit 0\n"))));
    assert_eq!(entry("staso/ü b.txt"), Some(("100644".into(), id("\u{feff}a\r\nb"))));
    let again = bench.propose(&bench.provider, "once", &changes).await.unwrap();
    assert_eq!(again, Proposal { action: ProposalAction::Reused, ..made.clone() });
    assert_eq!((bench.branches("once").await, bench.pulls().await.len()), (1, 1));
    // It wants `issues: write`, where GitHub takes `pull_requests: write` as well.
    assert_eq!(
        made.warnings,
        ["adding labels was refused with status 403: Forbidden"],
        "and it is made all the same"
    );
    let found =
        bench.provider.proposal_status(&bench.repository, &made.branch, &wall_context()).await.unwrap();
    assert_eq!((found.state, found.head), (ProposalState::Draft, made.head));
    let mut other = changes;
    other.body = "What users saw, and more.".to_owned();
    let updated = bench.propose(&bench.provider, "once", &other).await.unwrap();
    assert_eq!(updated.action, ProposalAction::Updated, "another text of ours");
    assert_eq!(bench.pulls().await.len(), 1);
    say("RAN: a proposal by API on emulate");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_55_runs_at_once_make_one_branch_by_api() {
    let Some(bench) = Bench::new().await else { return };
    let bench = Arc::new(bench);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                bench.propose(&bench.provider, "race", &bench.changes("raced\n")).await.unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().branch, branch("fix/staso-race-1"));
    }
    assert_eq!(bench.branches("race").await, 1);
    say("RAN: runs at once on emulate");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_29_case_34_what_does_not_fit_or_is_there_leaves_nothing() {
    let Some(bench) = Bench::new().await else { return };
    let mut stale = bench.changes("fixed\n");
    stale.edits[0].before = stale.edits[1].before.clone().or("1".repeat(40).parse().ok());
    let refused = bench.propose(&bench.provider, "stale", &stale).await;
    assert!(matches!(refused, Err(VcsError::Conflict { .. })), "{refused:?}");
    let mut same = bench.changes("#!/bin/sh\n");
    same.edits.truncate(1);
    let refused = bench.propose(&bench.provider, "same", &same).await;
    assert!(matches!(refused, Err(VcsError::NothingToPropose)), "{refused:?}");
    assert_eq!((bench.branches("s").await, bench.pulls().await.len()), (0, 0));
    say("RAN: conflicts on emulate");
}

/// A fault at any request, then a retry without faults: one branch, one pull request.
#[tokio::test(flavor = "multi_thread")]
async fn case_15_case_16_a_fault_at_any_request_leaves_one_branch_and_one_pull_request() {
    let Some(bench) = Bench::new().await else { return };
    for seed in 0..24 {
        let proxy = FaultProxy::start(bench.emulate.url());
        let (at, fault) = proxy.inject_random(seed, 14);
        let provider = provider(&bench.emulate, &bench.fixture, &proxy.url());
        let (key, changes) = (format!("fault{seed}"), bench.changes(&format!("fixed {seed}\n")));
        let first = bench.propose(&provider, &key, &changes).await;
        proxy.clear();
        let second = bench.propose(&provider, &key, &changes).await;
        let context = format!("{fault} at request {at}, first {first:?}");
        let made = second.unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(made.branch, branch(&format!("fix/staso-{key}-1")), "{context}");
        assert_eq!(bench.branches(&format!("{key}-")).await, 1, "{context}");
        let pulls = bench.pulls().await;
        let ours = pulls.iter().filter(|pull| pull["head"]["ref"] == made.branch.as_str()).count();
        assert_eq!(ours, 1, "{context}");
    }
    say("RAN: faults on emulate");
}
