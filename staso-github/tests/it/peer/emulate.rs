//! `emulate`, a stateful GitHub that someone else wrote, kept in step with real git.
//!
//! True: apps and their JWTs, installation tokens with permissions and repositories, blobs, trees, commits and references with
//! git's own ids, pull requests, labels, reviewers. Not true: a second pull request of one head is made, an unknown head makes
//! a branch, bodies have no limit, an unknown token may do everything, also in private repositories, a JWT may live as long
//! as it likes, refusals say "Forbidden" alone, an empty repository has 404 where GitHub has 409, an archived one takes writes,
//! a pull request stays open when its branch goes or when its base has got its commits.
//! Not there: git, tarballs, blobs as raw bytes, rules, GraphQL, ETags, revoking tokens, moved repositories.
//!
//! It stands beside a git server: [`Emulate::in_step`] copies what is made on the one to the other, before its maker is
//! answered. Ids agree with git's because names, addresses, dates with their zone and messages of commits are given as they are.
//! Commits that are signed, have other headers, or whose message lacks its last line end cannot be made there.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::ask::ask;
use super::environment::started;
use super::fault::FaultProxy;
use super::git_http::GitHttp;

/// The account that installed the app.
pub(crate) const OWNER: &str = "acme";
/// The app, as `.ci/peers` seeds it.
pub(crate) const APP_ID: &str = "12345";

static REPOSITORIES: AtomicUsize = AtomicUsize::new(0);

/// One repository on the running server.
#[derive(Debug, Clone)]
pub(crate) struct Emulate {
    url: String,
    /// A token of someone who may do everything.
    admin: String,
    /// PEM of the app's private key, PKCS#1.
    pub(crate) app_key: String,
    name: String,
    /// Objects that are on both sides.
    known: Arc<Mutex<HashSet<String>>>,
}

impl Emulate {
    /// A new private repository without commits; nothing when no server was started.
    pub(crate) async fn repository(default_branch: &str) -> Option<Self> {
        let url = started("STASO_EMULATE_URL")?;
        let admins = started("STASO_EMULATE_TOKEN")?;
        let key = started("STASO_EMULATE_KEY")?;
        let app_key = std::fs::read_to_string(key).expect("the key of the app");
        let number = REPOSITORIES.fetch_add(1, Ordering::Relaxed);
        let name = format!("support-{}-{number}", std::process::id());
        // Each of them is answered so many times an hour.
        let admins: Vec<&str> = admins.split(' ').collect();
        let admin = admins[number % admins.len()].to_owned();
        let emulate = Self { url, admin, app_key, name: name.clone(), known: Arc::default() };
        let made = json!({"name": name, "private": true, "auto_init": false});
        emulate.expect(&Method::POST, &format!("/orgs/{OWNER}/repos"), &made, 201).await;
        emulate.change(&json!({"default_branch": default_branch})).await;
        Some(emulate)
    }

    /// The address of the API.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A token of someone who may do everything.
    pub(crate) fn admin(&self) -> &str {
        &self.admin
    }

    /// `owner/name`.
    pub(crate) fn full_name(&self) -> String {
        format!("{OWNER}/{}", self.name)
    }

    /// Changes settings of the repository, e.g. `archived`.
    pub(crate) async fn change(&self, settings: &Value) {
        self.expect(&Method::PATCH, &format!("/repos/{}", self.full_name()), settings, 200).await;
    }

    /// What the server answers to someone who may do everything. `path` is below the repository.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send(&Method::GET, &format!("/repos/{}{path}", self.full_name()), None, &self.admin).await
    }

    /// One request with a token.
    pub(crate) async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        token: &str,
    ) -> (u16, Value) {
        let host = self.url.strip_prefix("http://").expect("an address with http");
        let mut headers = HeaderMap::new();
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).expect("a header");
        headers.insert("authorization", bearer);
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let answer = ask(host, method, path, headers, body).await.expect("an answer of emulate");
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    async fn expect(&self, method: &Method, path: &str, body: &Value, status: u16) -> Value {
        let (answered, answer) = self.send(method, path, Some(body), &self.admin).await;
        assert_eq!(answered, status, "{method} {path}: {answer}");
        answer
    }

    async fn make(&self, kind: &str, body: &Value) -> String {
        let path = format!("/repos/{}/git/{kind}", self.full_name());
        let answer = self.expect(&Method::POST, &path, body, 201).await;
        answer["sha"].as_str().expect("an id").to_owned()
    }

    /// From now on what is pushed to the repository of this name on the server, and branches that are made here through the
    /// proxy, are on both sides before their makers are answered.
    pub(crate) async fn in_step(&self, server: &GitHttp, api: &FaultProxy) {
        let bare = server.repository(&self.full_name());
        self.follow(&bare).await;
        let emulate = self.clone();
        server.after_push(Arc::new(move |bare| {
            let emulate = emulate.clone();
            Box::pin(async move { emulate.follow(&bare).await })
        }));
        let emulate = self.clone();
        api.after_branch(Arc::new(move || {
            let (emulate, bare) = (emulate.clone(), bare.clone());
            Box::pin(async move { emulate.lead(&bare).await })
        }));
    }

    /// Brings branches that git does not have to a real repository, their newest commits with all objects. git makes them
    /// again from what is told of them, and has to come to the same ids.
    async fn lead(&self, repository: &Path) {
        let mut known = self.known.lock().await;
        let here = git(repository, &["for-each-ref", "--format=%(refname)", "refs/heads"]);
        let (_, there) = self.get("/git/matching-refs/heads/").await;
        for one in there.as_array().into_iter().flatten() {
            let (name, commit) = (text(&one["ref"]), text(&one["object"]["sha"]));
            if here.lines().any(|here| here == name) {
                continue;
            }
            if known.insert(commit.to_owned()) {
                self.bring(repository, commit, &mut known).await;
            }
            git(repository, &["update-ref", name, commit, ""]);
        }
    }

    /// A commit whose parents are there.
    async fn bring(&self, repository: &Path, commit: &str, known: &mut HashSet<String>) {
        let (_, facts) = self.get(&format!("/git/commits/{commit}")).await;
        let (_, tree) = self.get(&format!("/git/trees/{}?recursive=1", text(&facts["tree"]["sha"]))).await;
        let mut entries = String::new();
        for entry in tree["tree"].as_array().into_iter().flatten().filter(|entry| entry["type"] != "tree") {
            let sha = text(&entry["sha"]);
            if entry["type"] == "blob" && known.insert(sha.to_owned()) {
                let (_, blob) = self.get(&format!("/git/blobs/{sha}")).await;
                let bytes = STANDARD.decode(text(&blob["content"])).expect("base64");
                assert_eq!(git_with(repository, &["hash-object", "-w", "--stdin"], &[], &bytes), sha);
            }
            entries.push_str(&format!("{} {sha}\t{}\0", text(&entry["mode"]), text(&entry["path"])));
        }
        let index = tempfile::tempdir().expect("a temporary directory");
        let index =
            [("GIT_INDEX_FILE".to_owned(), index.path().join("index").to_string_lossy().into_owned())];
        git_with(repository, &["update-index", "-z", "--index-info"], &index, entries.as_bytes());
        let tree = git_with(repository, &["write-tree"], &index, &[]);
        let mut arguments = vec!["commit-tree", &tree];
        for parent in facts["parents"].as_array().into_iter().flatten() {
            arguments.extend(["-p", text(&parent["sha"])]);
        }
        let who = ["AUTHOR", "COMMITTER"].into_iter().flat_map(|role| {
            let facts = &facts[role.to_lowercase()];
            ["name", "email", "date"]
                .map(|fact| (format!("GIT_{role}_{}", fact.to_uppercase()), text(&facts[fact]).to_owned()))
        });
        let message = format!("{}\n", text(&facts["message"]).trim_end_matches('\n'));
        assert_eq!(git_with(repository, &arguments, &who.collect::<Vec<_>>(), message.as_bytes()), commit);
    }

    /// Brings branches of a real repository over: new commits with all their objects, new and moved branches, and takes
    /// away those that are gone. The ids are those of git.
    pub(crate) async fn follow(&self, repository: &Path) {
        let mut known = self.known.lock().await;
        let tips = git(repository, &["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads"]);
        let order = git(repository, &["rev-list", "--reverse", "--topo-order", "--branches"]);
        for commit in order.lines().filter(|line| !line.is_empty()) {
            if !known.contains(commit) {
                self.commit(repository, commit, &mut known).await;
                known.insert(commit.to_owned());
            }
        }
        let mut names = HashSet::new();
        for (commit, name) in tips.lines().filter_map(|line| line.split_once(' ')) {
            names.insert(name.to_owned());
            self.point(name, commit).await;
        }
        let (_, there) = self.get("/git/matching-refs/heads/").await;
        for name in there.as_array().into_iter().flatten().filter_map(|one| one["ref"].as_str()) {
            if !names.contains(name) {
                let path = format!("/repos/{}/git/{name}", self.full_name());
                self.send(&Method::DELETE, &path, None, &self.admin).await;
            }
        }
    }

    async fn point(&self, name: &str, commit: &str) {
        let refs = format!("/repos/{}/git/refs", self.full_name());
        let short = name.strip_prefix("refs/").expect("a full name");
        let (status, now) = self.get(&format!("/git/ref/{short}")).await;
        if status == 404 {
            self.expect(&Method::POST, &refs, &json!({"ref": name, "sha": commit}), 201).await;
        } else if now["object"]["sha"] != commit {
            let moved = json!({"sha": commit, "force": true});
            self.expect(&Method::PATCH, &format!("{refs}/{short}"), &moved, 200).await;
        }
    }

    async fn commit(&self, repository: &Path, commit: &str, known: &mut HashSet<String>) {
        let mut entries = Vec::new();
        for line in git(repository, &["ls-tree", "-r", "-z", "--full-tree", commit]).split_terminator('\0') {
            let (head, path) = line.split_once('\t').expect("an entry");
            let mut words = head.split(' ');
            let mut word = || words.next().expect("mode, type and id");
            let (mode, kind, sha) = (word(), word(), word());
            if kind == "blob" && known.insert(sha.to_owned()) {
                let bytes = git_bytes(repository, &["cat-file", "blob", sha], &[], &[]);
                let blob = json!({"content": STANDARD.encode(bytes), "encoding": "base64"});
                assert_eq!(self.make("blobs", &blob).await, sha);
            }
            entries.push(json!({"path": path, "mode": mode, "type": kind, "sha": sha}));
        }
        let tree = self.make("trees", &json!({"tree": entries})).await;
        assert_eq!(tree, git(repository, &["rev-parse", &format!("{commit}^{{tree}}")]));
        let format = "--format=%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B";
        let facts = git(repository, &["log", "-1", format, commit]);
        let facts: Vec<&str> = facts.splitn(8, '\0').collect();
        let [parents, author, author_email, written, committer, email, committed, message] = facts[..] else {
            panic!("facts of a commit: {facts:?}");
        };
        let made = self
            .make(
                "commits",
                &json!({
                    "message": message.trim_end_matches('\n'),
                    "tree": tree,
                    "parents": parents.split_whitespace().collect::<Vec<_>>(),
                    "author": {"name": author, "email": author_email, "date": written},
                    "committer": {"name": committer, "email": email, "date": committed},
                }),
            )
            .await;
        assert_eq!(made, commit, "a commit that emulate cannot make: signed, or without a last line end");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

fn git(repository: &Path, arguments: &[&str]) -> String {
    git_with(repository, arguments, &[], &[])
}

fn git_with(repository: &Path, arguments: &[&str], environment: &[(String, String)], input: &[u8]) -> String {
    let output = git_bytes(repository, arguments, environment, input);
    String::from_utf8(output).expect("UTF-8").trim_end_matches('\n').to_owned()
}

fn git_bytes(
    repository: &Path,
    arguments: &[&str],
    environment: &[(String, String)],
    input: &[u8],
) -> Vec<u8> {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(["-c", "safe.directory=*"])
        .args(arguments)
        .envs(environment.iter().cloned())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("git is installed");
    child.stdin.take().expect("a pipe").write_all(input).expect("git reads all of it");
    let output = child.wait_with_output().expect("a child");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
