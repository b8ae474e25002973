//! A repository that is served by git and by `emulate`, in step.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use hyper::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use staso_core::code::RepoPath;
use staso_core::conformance::vcs::{OddFiles, VcsFixture};
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::NewContent;
use staso_github::{AppCredentials, ClientOptions, GitHub, GitHubAuth, GitHubEndpoints, GitHubOptions};

use crate::fixture::GitFixture;
use crate::peer::clock::wall_context;
use crate::peer::emulate::{APP_ID, Emulate};
use crate::peer::fault::FaultProxy;
use crate::peer::files::with_files;
use crate::peer::git_http::GitHttp;
use crate::peer::server::Server;

/// The repository, and who serves it.
#[derive(Debug)]
pub(crate) struct Forge {
    pub(crate) git: GitFixture,
    pub(crate) server: GitHttp,
    pub(crate) emulate: Emulate,
    /// In front of the API: its log counts requests.
    pub(crate) api: FaultProxy,
    /// Behind the former, in front of `emulate`.
    _files: Server,
}

impl Forge {
    /// Nothing when no server was started.
    pub(crate) async fn start() -> Option<Self> {
        let emulate = Emulate::repository("main").await?;
        let server = GitHttp::start();
        let mut git = GitFixture::new().with_odd_files();
        git.repository = server.host(&emulate.full_name(), &git.repository);
        let host = server.origin().replace("http://", "https://");
        let git = git.recorded_as(&format!("{host}/{}", emulate.full_name()));
        let files = with_files(emulate.url(), git.repository.clone());
        let api = FaultProxy::start(&files.origin());
        emulate.in_step(&server, &api).await;
        Some(Self { git, server, emulate, api, _files: files })
    }

    /// The provider, as the app.
    pub(crate) fn provider(&self, options: GitHubOptions) -> GitHub {
        let key = SecretString::from(self.emulate.app_key.clone());
        let api = self.api.url();
        let endpoints = GitHubEndpoints::new(&api, &format!("{api}/graphql"), &self.server.origin()).unwrap();
        let auth = GitHubAuth::App(AppCredentials::new(APP_ID, key));
        let client = ClientOptions::default().with_mutation_interval(Duration::ZERO);
        let provider = GitHub::new(self.git.data(), auth).unwrap();
        let provider = provider.with_client(client).and_then(|provider| provider.with_endpoints(endpoints));
        provider.unwrap().with_options(options)
    }

    /// GitHub closes pull requests whose branch goes; emulate leaves them open.
    async fn close_pulls_of(&self, branch: &BranchName) {
        for pull in self.open_pulls().await {
            if pull["head"]["ref"] == branch.as_str() {
                self.settle(&Method::PATCH, &pull, "", &json!({"state": "closed"})).await;
            }
        }
    }

    /// GitHub sees that the base has got the commits of a pull request; emulate wants to be told.
    async fn merge_pulls_at(&self, commit: &CommitId) {
        for pull in self.open_pulls().await {
            let name = BranchName::new(pull["head"]["ref"].as_str().unwrap_or_default()).unwrap();
            if self.git.branch_tip(&name).await.as_ref() == Some(commit) {
                self.settle(&Method::PATCH, &pull, "", &json!({"draft": false})).await;
                self.settle(&Method::PUT, &pull, "/merge", &json!({})).await;
            }
        }
    }

    async fn open_pulls(&self) -> Vec<Value> {
        self.emulate.get("/pulls?state=open&per_page=100").await.1.as_array().cloned().unwrap_or_default()
    }

    async fn settle(&self, method: &Method, pull: &Value, what: &str, body: &Value) {
        let path = format!("/repos/{}/pulls/{}{what}", self.emulate.full_name(), pull["number"]);
        let (status, answer) = self.emulate.send(method, &path, Some(body), self.emulate.admin()).await;
        assert_eq!(status, 200, "{answer}");
    }

    async fn follow(&self) {
        self.emulate.follow(&self.git.repository).await;
    }
}

#[async_trait]
impl VcsFixture for Forge {
    fn url(&self) -> RepositoryUrl {
        self.git.url()
    }

    fn default_branch(&self) -> BranchName {
        self.git.default_branch()
    }

    fn tip(&self) -> CommitId {
        self.git.tip()
    }

    fn previous(&self) -> CommitId {
        self.git.previous()
    }

    fn files(&self) -> BTreeMap<RepoPath, NewContent> {
        self.git.files()
    }

    fn context(&self) -> RunContext {
        wall_context()
    }

    async fn create_branch(&self, branch: &BranchName, commit: &CommitId) {
        self.git.create_branch(branch, commit).await;
        self.follow().await;
    }

    async fn delete_branch(&self, branch: &BranchName) {
        self.git.delete_branch(branch).await;
        self.close_pulls_of(branch).await;
        self.follow().await;
    }

    async fn branch_tip(&self, branch: &BranchName) -> Option<CommitId> {
        self.git.branch_tip(branch).await
    }

    async fn commit_on_default(&self, path: &RepoPath, text: &str) -> CommitId {
        let commit = self.git.commit_on_default(path, text).await;
        self.follow().await;
        commit
    }

    async fn merge(&self, commit: &CommitId) {
        self.merge_pulls_at(commit).await;
        self.git.merge(commit).await;
        self.follow().await;
    }

    async fn commit_on(&self, branch: &BranchName, path: &RepoPath, text: &str) -> Option<CommitId> {
        let commit = self.git.commit_on(branch, path, text).await;
        self.follow().await;
        commit
    }

    fn odd_files(&self) -> Option<OddFiles> {
        self.git.odd_files()
    }

    /// emulate says so, and takes writes all the same: what is refused is refused here.
    async fn archive(&self) -> bool {
        self.emulate.change(&json!({"archived": true})).await;
        true
    }
}
