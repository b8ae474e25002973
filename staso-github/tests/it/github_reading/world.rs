//! A repository on GitHub: real git, and the official examples of the API with the ids and names of that repository.

use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;
use staso_core::testing::test_context;
use staso_core::trace::SourceRevision;
use staso_core::vcs::{RepositoryRef, ResolvedSource, VcsError, VcsProvider as _};
use staso_github::{ClientOptions, CodeAccess, GitHub, GitHubAuth, GitHubEndpoints, GitHubOptions};

use crate::fixture::{GitFixture, commit_id, git};
use crate::peer::choice::Choice;
use crate::peer::git_http::{GitHttp, Right};
use crate::peer::official::{Asked, Official};
use crate::peer::script::{Reply, ScriptServer};

pub(crate) const REPOSITORY: &str = "GET /repos/{owner}/{repo}";
pub(crate) const REFERENCE: &str = "GET /repos/{owner}/{repo}/git/ref/{ref}";
pub(crate) const COMPARE: &str = "GET /repos/{owner}/{repo}/compare/{basehead}";
pub(crate) const COMMIT: &str = "GET /repos/{owner}/{repo}/git/commits/{commit_sha}";
pub(crate) const TREE: &str = "GET /repos/{owner}/{repo}/git/trees/{tree_sha}";
pub(crate) const BLOB: &str = "GET /repos/{owner}/{repo}/git/blobs/{file_sha}";
pub(crate) const TARBALL: &str = "GET /repos/{owner}/{repo}/tarball/{ref}";
pub(crate) const TOKEN: &str = "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB";

/// All of it.
#[derive(Debug)]
pub(crate) struct World {
    /// What is hosted, as it was cloned.
    pub(crate) source: GitFixture,
    pub(crate) host: GitHttp,
    pub(crate) api: Official,
    archives: ScriptServer,
    pub(crate) ctx: RunContext,
}

impl World {
    /// Hosts a repository as `acme/support`.
    pub(crate) fn new(source: GitFixture) -> Self {
        let host = GitHttp::start();
        host.host("acme/support", &source.repository);
        host.accept(TOKEN, Right::Read);
        let archives = ScriptServer::start(Vec::<Reply>::new());
        let world = Self { source, host, api: Official::start(), archives, ctx: test_context() };
        world.api.on(REPOSITORY, [Self::description()]);
        world.api.on(REFERENCE, [Choice::status(404)]);
        world.api.on(COMPARE, [Choice::status(404)]);
        world.api.on(COMMIT, [Choice::status(404)]);
        world.api.on(TREE, [Choice::status(404)]);
        world.api.on(BLOB, [Choice::status(404)]);
        for line in world.git(&["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads"]).lines() {
            let (id, name) = line.split_once(" refs/").unwrap();
            let answer = Choice::example().with("/object/sha", id).with("/ref", format!("refs/{name}"));
            world.api.on_where(REFERENCE, &[("ref", name)], [answer]);
        }
        world
    }

    /// What GitHub says of the repository.
    pub(crate) fn description() -> Choice {
        let said = Choice::example().with("/full_name", "acme/support").with("/default_branch", "main");
        said.with("/permissions/push", true).with("/private", true)
    }

    /// How a commit stands to the newest one of `main`.
    pub(crate) fn compared(&self, commit: &CommitId, status: &str) {
        let pair = format!("{commit}...{}", self.source.tip);
        self.api.on_where(COMPARE, &[("basehead", &pair)], [Choice::example().with("/status", status)]);
    }

    /// Makes the API know the files of a commit.
    pub(crate) fn serve(&self, commit: &CommitId) {
        let root = self.git(&["rev-parse", &format!("{commit}^{{tree}}")]);
        self.api.on_where(
            COMMIT,
            &[("commit_sha", commit.as_str())],
            [Choice::example().with("/sha", commit.as_str()).with("/tree/sha", root.as_str())],
        );
        let all = self.listing(&["-r", "-t", commit.as_str()]);
        for entry in all.iter().filter(|entry| entry.kind == "tree") {
            self.list(&entry.id, &[], &self.listing(&[&entry.id]));
            self.list(&entry.id, &[("recursive", "1")], &self.listing(&["-r", "-t", &entry.id]));
        }
        self.list(commit.as_str(), &[], &self.listing(&[commit.as_str()]));
        self.list(commit.as_str(), &[("recursive", "1")], &all);
        for entry in all.iter().filter(|entry| entry.kind == "blob") {
            let content = STANDARD.encode(self.bytes(&["cat-file", "blob", &entry.id]));
            self.api.on_where(
                BLOB,
                &[("file_sha", &entry.id)],
                [Choice::example().with("/content", content).with("/sha", entry.id.as_str())],
            );
        }
    }

    /// Makes the API give the archive of a commit, once, as git packs it.
    pub(crate) fn serve_archive(&self, commit: &CommitId) {
        let prefix = "--prefix=acme-support-0123456/";
        let bytes = self.bytes(&["archive", "--format=tar.gz", prefix, commit.as_str()]);
        self.serve_bytes_as_archive(bytes);
    }

    /// Makes the API give these bytes for an archive, once.
    pub(crate) fn serve_bytes_as_archive(&self, bytes: Vec<u8>) {
        let location = format!("{}/acme/support/legacy.tar.gz/x", self.archives.url());
        self.api.on(TARBALL, [Choice::example().header("location", &location)]);
        self.archives.push(Reply::new(200).header("content-type", "application/x-gzip").body(bytes));
    }

    /// The answer to one listing says that it is not all of it.
    pub(crate) fn truncate(&self, id: &str, parameters: &[(&str, &str)]) {
        let entries = self.listing(&["-r", "-t", id]);
        let first = vec![entries.first().unwrap().values()];
        let answer = Choice::example().with("/truncated", true).with_entries("/tree", first);
        self.api.on_where(TREE, &with_id(id, parameters), [answer]);
    }

    fn list(&self, id: &str, parameters: &[(&str, &str)], entries: &[Entry]) {
        let entries = entries.iter().map(Entry::values).collect();
        let answer = Choice::example().with("/truncated", false).with_entries("/tree", entries);
        self.api.on_where(TREE, &with_id(id, parameters), [answer]);
    }

    fn listing(&self, arguments: &[&str]) -> Vec<Entry> {
        let listed = self.bytes(&[&["ls-tree", "-z", "-l"], arguments].concat());
        let listed = String::from_utf8(listed).unwrap();
        listed.split_terminator('\0').map(Entry::parse).collect()
    }

    /// Runs git in the hosted repository.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.host.repository("acme/support"), arguments)
    }

    fn bytes(&self, arguments: &[&str]) -> Vec<u8> {
        let repository = self.host.repository("acme/support");
        let output = Command::new("git").arg("-C").arg(repository).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    pub(crate) fn endpoints(&self) -> GitHubEndpoints {
        let api = self.api.url();
        GitHubEndpoints::new(&api, &format!("{api}/graphql"), &self.host.origin()).unwrap()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.source.data()
    }

    /// A provider with a personal token.
    pub(crate) fn provider(&self, access: CodeAccess) -> GitHub {
        self.provider_of(GitHubAuth::Token(TOKEN.into()))
            .with_options(GitHubOptions::default().with_code_access(access))
    }

    pub(crate) fn provider_of(&self, auth: GitHubAuth) -> GitHub {
        let quick = ClientOptions::default().with_retry_delay(std::time::Duration::ZERO);
        let provider = GitHub::new(self.data(), auth).unwrap().with_client(quick).unwrap();
        provider.with_endpoints(self.endpoints()).unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/acme/support", self.host.origin().replace("http://", "https://"))
    }

    /// What a trace of a commit records.
    pub(crate) fn recorded(&self, commit: &CommitId, branch: Option<&str>) -> SourceRevision {
        SourceRevision {
            repository_url: Some(self.url().parse().unwrap()),
            branch: branch.map(|name| BranchName::new(name).unwrap()),
            commit: Some(commit.clone()),
            dirty: Some(false),
        }
    }

    pub(crate) async fn resolve(
        &self,
        commit: &CommitId,
        branch: Option<&str>,
    ) -> Result<ResolvedSource, VcsError> {
        self.provider(CodeAccess::Auto).resolve(&self.recorded(commit, branch), &self.ctx).await
    }

    pub(crate) fn reference(&self) -> RepositoryRef {
        RepositoryRef {
            id: "github:1296269".to_owned(),
            url: self.url().parse().unwrap(),
            default_branch: BranchName::new("main").unwrap(),
            archived: false,
        }
    }

    /// The operations that were asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.api.asked().into_iter().map(|Asked { operation, .. }| operation).collect()
    }

    /// What the host of archives was asked.
    pub(crate) fn asked_for_archives(&self) -> Vec<crate::peer::script::Seen> {
        self.archives.requests()
    }

    /// A commit of what stands in the working tree of a fixture.
    pub(crate) fn commit_all(fixture: &GitFixture) -> CommitId {
        fixture.git(&["-c", "core.autocrlf=false", "add", "-A"]);
        fixture.git(&["commit", "-qm", "more"]);
        commit_id(&fixture.git(&["rev-parse", "HEAD"]))
    }
}

fn with_id<'a>(id: &'a str, parameters: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("tree_sha", id)], parameters].concat()
}

/// A line of `git ls-tree -l`.
#[derive(Debug)]
struct Entry {
    mode: String,
    kind: String,
    id: String,
    size: Option<u64>,
    path: String,
}

impl Entry {
    fn parse(line: &str) -> Self {
        let (facts, path) = line.split_once('\t').unwrap();
        let facts: Vec<&str> = facts.split_whitespace().collect();
        let [mode, kind, id, size] = facts[..] else { panic!("{line}") };
        let [mode, kind, id, path] = [mode, kind, id, path].map(str::to_owned);
        Self { mode, kind, id, size: size.parse().ok(), path }
    }

    fn values(&self) -> Vec<(String, Value)> {
        let mut values = vec![
            ("/path".to_owned(), json!(self.path)),
            ("/mode".to_owned(), json!(self.mode)),
            ("/type".to_owned(), json!(self.kind)),
            ("/sha".to_owned(), json!(self.id)),
        ];
        values.extend(self.size.map(|size| ("/size".to_owned(), json!(size))));
        values
    }
}
