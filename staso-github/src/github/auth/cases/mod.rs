//! Authentication against a scripted server. Its successes are examples that GitHub publishes, as they are. The token
//! of its API description ends on 2016-07-11, so the clock of these tests stands an hour before.

mod clock;
mod described;
mod installed;
mod key;
mod lag;
mod leaks;
mod shared;
mod skew;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use staso_core::id::RunId;
use staso_core::run::RunContext;
use staso_core::vcs::{Access, VcsError};

use self::clock::JumpClock;
use super::{AppCredentials, GitHubAuth, Granted};
use crate::github::GitHubEndpoints;
use crate::github::api::{Api, RepositoryName, Scope, refusal};
use crate::github::client::{ApiRequest, ClientOptions};
use crate::peer::script::{Reply, ScriptServer, Seen, Turn};

const DESCRIPTION: &str = include_str!("../../../../tests/official/api.github.com.json");
const PKCS1: &str = include_str!("../../../../tests/keys/app-pkcs1.pem");
const CLIENT_ID: &str = "Iv1.ab1112223334445c";
/// The token in the example of the description.
const TOKEN: &str = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";
const LOOKUP: &str = "GET /repos/octocat/Hello-World/installation";
const MINT: &str = "POST /app/installations/1/access_tokens";
const ASK: &str = "GET /repos/octocat/Hello-World/branches";

/// A server, a client of it, and a run.
struct Bench {
    server: ScriptServer,
    api: Api,
    clock: Arc<JumpClock>,
    ctx: RunContext,
    repository: RepositoryName,
}

impl Bench {
    fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self::with(GitHubAuth::App(AppCredentials::new(CLIENT_ID, PKCS1.into())), turns)
    }

    fn with(auth: GitHubAuth, turns: impl IntoIterator<Item = Turn>) -> Self {
        let server = ScriptServer::start(turns);
        let clock = Arc::new(JumpClock::default());
        let ctx = RunContext::new(RunId::from_bytes([7; 16]), Arc::clone(&clock) as _);
        let repository = RepositoryName {
            owner: "octocat".to_owned(),
            name: "Hello-World".to_owned(),
            url: "https://github.com/octocat/Hello-World".parse().unwrap(),
            id: None,
        };
        let api = api_at(&server.url(), auth);
        Self { server, api, clock, ctx, repository }
    }

    fn scope(&self, access: Access) -> Scope<'_> {
        Scope { repository: &self.repository, access }
    }

    /// A request as any part of a run makes it: statuses that it does not know become errors.
    async fn ask(&self, access: Access) -> Result<(), VcsError> {
        self.ask_in(access, &self.ctx).await
    }

    async fn ask_in(&self, access: Access, ctx: &RunContext) -> Result<(), VcsError> {
        let request = ApiRequest::get("listing branches", format!("{}/branches", self.repository.path()));
        let answer = self.api.send(&request, self.scope(access), ctx).await?;
        if answer.is_success() {
            return Ok(());
        }
        Err(refusal(&answer, request.operation, &self.repository))
    }

    async fn git_token(&self, access: Access) -> Result<(), VcsError> {
        self.api.git_credentials(self.scope(access), &self.ctx).await.map(|found| assert!(found.is_some()))
    }

    async fn granted(&self) -> Result<Granted, VcsError> {
        self.api.granted(&self.repository, &self.ctx).await
    }

    /// Method and path of every request so far. There must have been one for every turn.
    fn asked(&self) -> Vec<String> {
        assert_eq!(self.server.turns_left(), 0);
        self.server.requests().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }
}

fn api_at(url: &str, auth: GitHubAuth) -> Api {
    let endpoints = GitHubEndpoints::new(url, &format!("{url}/graphql"), "https://github.com").unwrap();
    let options = ClientOptions::default().with_mutation_interval(Duration::ZERO);
    Api::new(endpoints, auth, options).unwrap()
}

/// An example of the API's description.
fn example(name: &str) -> String {
    let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
    description["components"]["examples"][name]["value"].to_string()
}

/// The answer to where an app is installed.
fn installed() -> Turn {
    ok("installation")
}

fn ok(example_name: &str) -> Turn {
    Reply::json(200, example(example_name)).into()
}

/// The answer with a token.
fn made() -> Turn {
    Reply::json(201, example("installation-token")).into()
}

/// The answer to [`Bench::ask`].
fn branches() -> Turn {
    Reply::json(200, "[]").into()
}

fn refused(status: u16, said: &str) -> Reply {
    Reply::json(status, json!({ "message": said }).to_string())
}

fn not_found() -> Turn {
    refused(404, "Not Found").into()
}

fn bearer(seen: &Seen) -> &str {
    seen.header("authorization").unwrap().strip_prefix("Bearer ").unwrap()
}

fn claims(seen: &Seen) -> Value {
    let part = bearer(seen).split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn body(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.body).unwrap()
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
