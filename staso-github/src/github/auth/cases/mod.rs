//! Authentication against a scripted server. Its successes are the examples of GitHub's OpenAPI description, as they
//! are: the token of that description ends on 2016-07-11, and so the clock of these tests stands an hour before.

mod clock;
mod tokens;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use staso_core::id::RunId;
use staso_core::run::RunContext;
use staso_core::vcs::Access;

use self::clock::JumpClock;
use super::{AppCredentials, GitHubAuth};
use crate::github::GitHubEndpoints;
use crate::github::api::{Api, RepositoryName, Scope};
use crate::github::client::{ApiRequest, ClientOptions};
use crate::peer::script::{Reply, ScriptServer, Seen, Turn};

const PKCS1: &str = include_str!("../../../../tests/keys/app-pkcs1.pem");
const APP: &str = include_str!("../../../../tests/official/auth/app.json");
const INSTALLATION: &str = include_str!("../../../../tests/official/auth/installation.json");
const SELECTED: &str = include_str!("../../../../tests/official/auth/installation-selected.json");
const TOKEN: &str = include_str!("../../../../tests/official/auth/installation-token.json");
/// The token in that example.
const SECRET: &str = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";

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
        Self::with(GitHubAuth::App(AppCredentials::new("Iv1.ab1112223334445c", PKCS1.into())), turns)
    }

    fn with(auth: GitHubAuth, turns: impl IntoIterator<Item = Turn>) -> Self {
        let server = ScriptServer::start(turns);
        let url = server.url();
        let endpoints = GitHubEndpoints::new(&url, &format!("{url}/graphql"), "https://github.com").unwrap();
        let clock = Arc::new(JumpClock::default());
        let ctx = RunContext::new(RunId::from_bytes([7; 16]), Arc::clone(&clock) as _);
        let repository = RepositoryName {
            owner: "octocat".to_owned(),
            name: "Hello-World".to_owned(),
            url: "https://github.com/octocat/Hello-World".parse().unwrap(),
        };
        Self {
            server,
            api: Api::new(endpoints, auth, ClientOptions::default()).unwrap(),
            clock,
            ctx,
            repository,
        }
    }

    fn scope(&self, access: Access) -> Scope<'_> {
        Scope { repository: &self.repository, access }
    }

    /// One request for the repository's branches, as any part of a run would make it.
    async fn ask(&self, access: Access) -> Result<u16, staso_core::vcs::VcsError> {
        let request = ApiRequest::get("listing branches", format!("{}/branches", self.repository.path()));
        Ok(self.api.send(&request, self.scope(access), &self.ctx).await?.status)
    }

    /// Method and path of every request so far.
    fn asked(&self) -> Vec<String> {
        self.server.requests().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }
}

fn ok(body: &str) -> Turn {
    Reply::json(200, body).into()
}

fn made(body: &str) -> Turn {
    Reply::json(201, body).into()
}

fn refused(status: u16, said: &str) -> Reply {
    Reply::json(status, serde_json::json!({ "message": said }).to_string())
}

fn bearer(seen: &Seen) -> &str {
    seen.header("authorization").unwrap().strip_prefix("Bearer ").unwrap()
}

fn claims(seen: &Seen) -> Value {
    let part = bearer(seen).split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
