//! A git server: `git http-backend`, the program that git ships, behind HTTP and a check of who asks.
//!
//! True: every byte of the git protocol, hooks, settings of the repository. Not GitHub's: the texts of 401, 403 and 404,
//! rules for branches, which tests write as a hook. Bodies are held in memory. What goes wrong on the way, such as 411 for
//! chunked bodies and lost answers, is the business of a [`FaultProxy`](super::fault::FaultProxy) in front of it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use super::server::{Answer, Exchange, Handler, Reply, Server};

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    Read,
    Write,
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// The whole header.
    pub(crate) authorization: Option<String>,
    /// The header that asks for a version of the protocol.
    pub(crate) protocol: Option<String>,
    pub(crate) chunked: bool,
    /// `None` when the connection was dropped.
    pub(crate) status: Option<u16>,
}

/// What happens after a push before it is answered, with the directory of the repository.
pub(crate) type AfterPush = Arc<dyn Fn(PathBuf) -> BoxFuture<'static, ()> + Send + Sync>;

#[derive(Default)]
struct State {
    after_push: Option<AfterPush>,
    /// Accepted tokens. Without any, everyone may do everything.
    tokens: BTreeMap<String, Right>,
    /// Where repositories have moved, by name.
    moved: BTreeMap<String, String>,
    /// Whether only the first version of the protocol is spoken, as by servers before git 2.18.
    old_protocol: bool,
    seen: Vec<Seen>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Backend {
    root: PathBuf,
    state: Mutex<State>,
}

/// A running git server with repositories below a temporary directory.
#[derive(Debug)]
pub(crate) struct GitHttp {
    backend: Arc<Backend>,
    server: Server,
    directory: TempDir,
}

impl GitHttp {
    /// A server without repositories, open to everyone.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let backend =
            Arc::new(Backend { root: directory.path().join("repositories"), state: Mutex::default() });
        fs::create_dir(&backend.root).expect("a directory");
        let server = Server::start(backend.clone());
        Self { backend, server, directory }
    }

    /// Makes a bare copy of a repository, at `{name}.git`. Gives the directory.
    pub(crate) fn host(&self, name: &str, source: &Path) -> PathBuf {
        let bare = self.repository(name);
        git(
            self.directory.path(),
            &["clone", "-q", "--bare", &source.to_string_lossy(), &bare.to_string_lossy()],
        );
        git(&bare, &["remote", "remove", "origin"]);
        git(&bare, &["config", "http.receivepack", "true"]);
        bare
    }

    /// Makes an empty repository, at `{name}.git`. Gives the directory.
    pub(crate) fn host_empty(&self, name: &str, default_branch: &str) -> PathBuf {
        let bare = self.repository(name);
        git(self.directory.path(), &["init", "-q", "--bare", "-b", default_branch, &bare.to_string_lossy()]);
        git(&bare, &["config", "http.receivepack", "true"]);
        bare
    }

    /// The directory of a repository.
    pub(crate) fn repository(&self, name: &str) -> PathBuf {
        self.backend.root.join(format!("{name}.git"))
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        self.server.origin()
    }

    /// The address of a repository, which answers with and without `.git` at its end.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}/{name}.git", self.origin())
    }

    /// From now on only known tokens are let in, this one among them: `x-access-token:{token}` by Basic.
    pub(crate) fn accept(&self, token: &str, right: Right) {
        self.backend.state().tokens.insert(token.to_owned(), right);
    }

    /// A token that is no good any more.
    pub(crate) fn revoke(&self, token: &str) {
        self.backend.state().tokens.remove(token);
    }

    /// A repository answers with 301 to another address, as after a renaming.
    pub(crate) fn redirect(&self, name: &str, to: &str) {
        self.backend.state().moved.insert(name.to_owned(), to.to_owned());
    }

    /// Only the first version of the protocol is spoken: without `uploadpack.allow…SHA1InWant` commits cannot be asked for.
    pub(crate) fn speak_old_protocol(&self) {
        self.backend.state().old_protocol = true;
    }

    /// Something else learns of every push before the one who pushed does, such as an API of the same repositories.
    pub(crate) fn after_push(&self, then: AfterPush) {
        self.backend.state().after_push = Some(then);
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.backend.state().seen.clone()
    }

    /// Sets a git setting of a repository, e.g. `uploadpack.allowAnySHA1InWant`.
    pub(crate) fn configure(&self, name: &str, setting: &str, value: &str) {
        git(&self.repository(name), &["config", setting, value]);
    }

    /// A hook of a repository, as a shell script.
    pub(crate) fn hook(&self, name: &str, hook: &str, script: &str) {
        let at = self.repository(name).join("hooks").join(hook);
        fs::create_dir_all(at.parent().expect("a directory of hooks")).expect("a directory");
        fs::write(&at, format!("#!/bin/sh\n{script}\n")).expect("a hook");
        fs::set_permissions(at, fs::Permissions::from_mode(0o755)).expect("a hook");
    }

    /// Every push is refused with these lines, as GitHub's rules do.
    pub(crate) fn reject_pushes(&self, name: &str, lines: &[&str]) {
        let mut script = String::new();
        for line in lines {
            assert!(!line.contains('\''), "a line of a shell script");
            writeln!(script, "echo '{line}' >&2").expect("a string");
        }
        self.hook(name, "pre-receive", &format!("cat >/dev/null\n{script}exit 1"));
    }
}

fn git(directory: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["-c", "protocol.file.allow=always", "-c", "safe.directory=*"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[async_trait]
impl Handler for Backend {
    async fn answer(&self, request: Exchange) -> Reply {
        let reply = self.decide(&request).await;
        let status = match &reply {
            Reply::Answer(answer) | Reply::Cut(answer, _) => Some(answer.status),
            Reply::Dropped => None,
        };
        self.state().seen.push(Seen {
            method: request.method.to_string(),
            target: request.target(),
            authorization: request.header("authorization").map(str::to_owned),
            protocol: request.header("git-protocol").map(str::to_owned),
            chunked: request.chunked,
            status,
        });
        reply
    }
}

impl Backend {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panicked")
    }

    async fn decide(&self, request: &Exchange) -> Reply {
        let user = match self.admit(request) {
            Ok(user) => user,
            Err(refusal) => return Reply::Answer(*refusal),
        };
        if let Some(to) = self.moved(request) {
            return Reply::Answer(Answer::new(301, "").with_header("location", &to));
        }
        let answer = self.run(request, &user).await;
        if let Some(name) = request.path.strip_suffix("/git-receive-pack") {
            let then = self.state().after_push.clone();
            if let Some(then) = then {
                then(self.root.join(format!("{}.git", name.trim_matches('/').trim_end_matches(".git"))))
                    .await;
            }
        }
        Reply::Answer(answer)
    }

    fn moved(&self, request: &Exchange) -> Option<String> {
        let target = request.target();
        self.state().moved.iter().find_map(|(name, to)| {
            let rest = target.strip_prefix(&format!("/{name}"))?;
            let rest = rest.strip_prefix(".git").unwrap_or(rest);
            rest.starts_with('/').then(|| format!("{to}{rest}"))
        })
    }

    /// Who asks, or the answer to them.
    fn admit(&self, request: &Exchange) -> Result<String, Box<Answer>> {
        let needed = if writes(request) { Right::Write } else { Right::Read };
        let state = self.state();
        if state.tokens.is_empty() {
            return Ok("anyone".to_owned());
        }
        let unauthorized = || {
            Box::new(
                Answer::new(401, "Invalid username or token.\n")
                    .with_header("www-authenticate", "Basic realm=\"GitHub\"")
                    .with_header("content-type", "text/plain"),
            )
        };
        let token = request.header("authorization").and_then(token_of).ok_or_else(unauthorized)?;
        match state.tokens.get(&token) {
            None => Err(unauthorized()),
            Some(right) if *right < needed => Err(Box::new(
                Answer::new(403, "Write access to repository not granted.\n")
                    .with_header("content-type", "text/plain"),
            )),
            Some(_) => Ok("x-access-token".to_owned()),
        }
    }

    /// What `git http-backend` answers, by CGI (RFC 3875).
    async fn run(&self, request: &Exchange, user: &str) -> Answer {
        let header = |name| request.header(name).unwrap_or_default();
        let protocol = if self.state().old_protocol { "" } else { header("git-protocol") };
        let mut command = tokio::process::Command::new("git");
        command
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            .env("GIT_PROTOCOL", protocol)
            .env("REQUEST_METHOD", request.method.as_str())
            .env("PATH_INFO", path_info(&request.path))
            .env("QUERY_STRING", request.query.as_deref().unwrap_or_default())
            .env("CONTENT_TYPE", header("content-type"))
            .env("CONTENT_LENGTH", request.body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("REMOTE_USER", user)
            .env("REMOTE_ADDR", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("git is installed");
        let mut stdin = child.stdin.take().expect("a pipe");
        let body = request.body.clone();
        // The program may end without reading all of it.
        let write = tokio::spawn(async move { stdin.write_all(&body).await });
        let output = child.wait_with_output().await.expect("a child");
        drop(write.await);
        parse(&output.stdout)
    }
}

fn writes(request: &Exchange) -> bool {
    request.path.ends_with("/git-receive-pack")
        || request.query.as_deref().is_some_and(|query| query.contains("git-receive-pack"))
}

fn token_of(authorization: &str) -> Option<String> {
    let pair = STANDARD.decode(authorization.strip_prefix("Basic ")?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    pair.strip_prefix("x-access-token:").map(str::to_owned)
}

/// The path on disk: GitHub answers to a repository's name with and without `.git`.
fn path_info(path: &str) -> String {
    for end in ["/info/refs", "/git-upload-pack", "/git-receive-pack"] {
        if let Some(repository) = path.strip_suffix(end) {
            return format!("{}.git{end}", repository.trim_end_matches(".git"));
        }
    }
    path.to_owned()
}

fn parse(output: &[u8]) -> Answer {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").expect("a head of CGI");
    let (head, body) = output.split_at(end);
    let mut answer = Answer::new(200, Bytes::copy_from_slice(&body[4..]));
    for line in String::from_utf8_lossy(head).lines() {
        let (name, value) = line.split_once(": ").expect("a header");
        if name.eq_ignore_ascii_case("status") {
            answer.status = value.get(..3).and_then(|code| code.parse().ok()).expect("a status");
        } else {
            answer = answer.with_header(name, value);
        }
    }
    answer
}
