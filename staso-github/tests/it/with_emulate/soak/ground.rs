//! A repository of its own for one run, on both servers behind proxies, with branches and a pull request of others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hyper::Method;
use serde_json::{Value, json};
use staso_core::id::{CommitId, Digest};
use staso_core::vcs::{Proposal, ProposalState};
use tempfile::TempDir;

use super::job::{Job, Kind};
use crate::fixture::{GitFixture, git, write};
use crate::peer::emulate::Emulate;
use crate::peer::fault::FaultProxy;
use crate::peer::git_http::GitHttp;

/// What all repositories are copies of.
#[derive(Debug)]
pub(super) struct Template {
    git: GitFixture,
    topic: CommitId,
}

impl Template {
    pub(super) fn new() -> Self {
        let git = GitFixture::bare();
        let other = git.clone_of("main");
        write(&other, "topic.txt", b"someone's\n");
        crate::fixture::git(&other, &["add", "-A"]);
        crate::fixture::git(&other, &["commit", "-qm", "topic"]);
        let topic = git.push(&other, "topic");
        Self { git, topic }
    }
}

pub(super) struct Ground {
    pub(super) emulate: Emulate,
    _server: GitHttp,
    pub(super) api: FaultProxy,
    pub(super) git: FaultProxy,
    bare: PathBuf,
    root: TempDir,
    kind: Kind,
    key: String,
    others: BTreeMap<String, String>,
    pull_of_others: Value,
    tip: CommitId,
    previous: CommitId,
}

/// The key of what a warm provider has proposed before.
pub(super) const EARLIER: &str = "earlier";

impl Ground {
    /// Nothing when no server was started.
    pub(super) async fn new(template: &Template, kind: Kind, key: &str) -> Option<Self> {
        let emulate = Emulate::repository("main").await?;
        let server = GitHttp::start();
        let bare = server.host(&emulate.full_name(), &template.git.repository);
        let theirs = format!("fix/staso-{key}-1");
        // Where a plain push of any fix would be a fast-forward.
        git(&bare, &["branch", &theirs, template.git.previous.as_str()]);
        let (api, git) = (FaultProxy::start(emulate.url()), FaultProxy::start(&server.origin()));
        emulate.in_step(&server, &api).await;
        let (tip, previous) = (template.git.tip.clone(), template.git.previous.clone());
        let others = [("main", &tip), (&theirs, &previous), ("topic", &template.topic)];
        let others =
            others.into_iter().map(|(name, tip)| (name.to_owned(), tip.as_str().to_owned())).collect();
        let mut ground = Self {
            emulate,
            _server: server,
            api,
            git,
            bare,
            root: tempfile::tempdir().unwrap(),
            kind,
            key: key.to_owned(),
            others,
            pull_of_others: Value::Null,
            tip,
            previous,
        };
        ground.open_pull_of_others(&theirs).await;
        Some(ground)
    }

    async fn open_pull_of_others(&mut self, head: &str) {
        let path = format!("/repos/{}/pulls", self.emulate.full_name());
        let pull = json!({"title": "Theirs", "head": head, "base": "main", "body": "Not ours."});
        let admin = self.emulate.admin().to_owned();
        let (status, made) = self.emulate.send(&Method::POST, &path, Some(&pull), &admin).await;
        assert_eq!(status, 201, "{made}");
        self.pull_of_others = made;
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn job(&self, data: &str, draft: bool) -> Job {
        let origin = self.git.url();
        let failing = if self.kind.behind { &self.previous } else { &self.tip };
        Job {
            api: self.api.url(),
            url: format!("{}/{}", origin.replace("http://", "https://"), self.emulate.full_name()),
            git: origin,
            data: self.root().join(data),
            failing: failing.as_str().to_owned(),
            tip: self.tip.as_str().to_owned(),
            key: self.key.clone(),
            draft,
            kind: self.kind,
        }
    }

    /// Until both servers have done what they were asked, and know the same.
    pub(super) async fn settled(&self) {
        self.api.settled().await;
        self.git.settled().await;
        self.emulate.follow(&self.bare).await;
    }

    /// Requests to the API and to git.
    pub(super) fn requests(&self) -> (usize, usize) {
        (self.api.log().len(), self.git.log().len())
    }

    async fn branches(&self) -> BTreeMap<String, String> {
        let (_, found) = self.emulate.get("/git/matching-refs/heads/").await;
        let found = found.as_array().unwrap().iter().map(|one| {
            let name = one["ref"].as_str().unwrap().strip_prefix("refs/heads/").unwrap();
            (name.to_owned(), one["object"]["sha"].as_str().unwrap().to_owned())
        });
        found.collect()
    }

    async fn pulls(&self) -> Vec<Value> {
        self.emulate.get("/pulls?state=all&per_page=100").await.1.as_array().unwrap().clone()
    }

    /// What must hold at any time: others are as they were, and there is at most one of ours. Gives our branches and pull
    /// requests.
    pub(super) async fn check(&self) -> (BTreeMap<String, String>, Vec<Value>) {
        let mut branches = self.branches().await;
        for (name, tip) in &self.others {
            assert_eq!(branches.remove(name).as_ref(), Some(tip), "{name} of others is as it was");
        }
        let in_git = git(&self.bare, &["for-each-ref", "--format=%(objectname) %(refname)"]);
        let in_git: BTreeMap<&str, &str> = in_git
            .lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(tip, name)| (name.strip_prefix("refs/heads/").unwrap_or(name), tip))
            .collect();
        for (name, tip) in &self.others {
            assert_eq!(
                in_git.get(name.as_str()),
                Some(&tip.as_str()),
                "{name} of others is as it was in git"
            );
        }
        let ours_in_git = in_git.len() - self.others.len();
        assert_eq!(ours_in_git, branches.len(), "{in_git:?}, {branches:?}");
        let mut pulls = self.pulls().await;
        let theirs = pulls.iter().position(|pull| pull["number"] == self.pull_of_others["number"]).unwrap();
        let theirs = pulls.remove(theirs);
        for field in ["/title", "/body", "/state", "/labels", "/head/ref", "/head/sha", "/base/ref", "/draft"]
        {
            let before = self.pull_of_others.pointer(field);
            assert_eq!(theirs.pointer(field), before, "{field} of a pull request of others");
        }
        if self.kind.warm {
            let earlier = format!("fix/staso-{EARLIER}-1");
            branches.remove(&earlier).expect("the earlier branch");
            let before = pulls.len();
            pulls.retain(|pull| pull["head"]["ref"] != earlier.as_str());
            assert_eq!(pulls.len(), before - 1, "one earlier pull request");
        }
        assert!(branches.len() <= 1, "one branch: {branches:?}");
        assert!(pulls.len() <= 1, "one pull request: {pulls:#?}");
        for name in branches.keys() {
            assert_eq!(*name, self.branch());
        }
        for pull in &pulls {
            assert_eq!(pull["head"]["ref"], self.branch().as_str());
        }
        (branches, pulls)
    }

    fn branch(&self) -> String {
        format!("fix/staso-{}-2", self.key)
    }

    /// What holds in the end: the one pull request, with our commit.
    pub(super) async fn check_made(&self, job: &Job, made: &Proposal) {
        let (branches, pulls) = self.check().await;
        assert_eq!(branches, BTreeMap::from([(self.branch(), made.head.as_str().to_owned())]));
        assert_eq!(made.branch.as_str(), self.branch());
        let [pull] = &pulls[..] else { panic!("one pull request: {pulls:#?}") };
        assert_eq!((&pull["state"], &pull["draft"]), (&json!("open"), &json!(job.draft)));
        assert_eq!(made.state, if job.draft { ProposalState::Draft } else { ProposalState::Open });
        assert_eq!(
            (&pull["head"]["sha"], &pull["base"]["ref"]),
            (&json!(made.head.as_str()), &json!("main"))
        );
        assert_eq!(pull["title"], "Fix the tools");
        // emulate's pages are at its API, which is not where repositories are: a page of another server is not handed on.
        let page = pull["html_url"].as_str().unwrap().rsplit_once("/acme/").unwrap().1;
        assert!(made.url.ends_with(&format!("/acme/{page}")), "{} for {page}", made.url);
        assert!(pull["body"].as_str().unwrap().starts_with("What users saw."));
        let (_, commit) = self.emulate.get(&format!("/git/commits/{}", made.head)).await;
        assert_eq!(commit["parents"].as_array().unwrap().len(), 1);
        assert_eq!(commit["parents"][0]["sha"], self.tip.as_str());
        let key = format!("Staso-Key: {}", Digest::of(&job.key).hex());
        assert!(commit["message"].as_str().unwrap().contains(&key), "{commit}");
        let (_, tree) = self.emulate.get(&format!("/git/trees/{}?recursive=1", made.head)).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let entries = tree["tree"].as_array().unwrap().iter().filter(|entry| entry["type"] == "blob");
        let found = entries.map(|entry| (text(&entry["path"]), (text(&entry["mode"]), text(&entry["sha"]))));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), job.expected_tree());
        git(&self.bare, &["fsck", "--full", "--strict", "--no-dangling"]);
    }

    /// Whatever went over the wire as a credential, as it was sent and in other forms.
    pub(super) fn secrets(&self) -> BTreeSet<String> {
        let mut secrets = self.api.secrets();
        secrets.extend(self.git.secrets());
        secrets
    }

    /// The repository of the git server.
    pub(super) fn bare(&self) -> &Path {
        &self.bare
    }
}
