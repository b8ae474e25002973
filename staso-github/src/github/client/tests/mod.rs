//! The client against scripted servers. The clock jumps over every wait, so no test waits.

mod jump;
mod limits;
mod lists;
mod redirects;
mod retries;
mod secrets;
mod table;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;
use staso_core::id::RunId;
use staso_core::run::{Budget, RunContext};

use self::jump::JumpClock;
use super::{ApiAnswer, ApiRequest, Caller, Client, ClientOptions, Repeat, SendError};
use crate::github::GitHubEndpoints;
use crate::peer::script::{Reply, ScriptServer, Turn};

/// What GitHub says of an address that it does not know. Here it stands for a body that nobody looks into, whatever the
/// status.
const OFFICIAL: &str = r#"{"message":"Not Found","documentation_url":"https://docs.github.com/rest"}"#;

fn options() -> ClientOptions {
    ClientOptions::default()
}

fn client(server: &ScriptServer, options: ClientOptions) -> Client {
    client_of(&server.url(), options)
}

fn client_of(url: &str, options: ClientOptions) -> Client {
    Client::new(&GitHubEndpoints::new(url, &format!("{url}/graphql"), url).unwrap(), options).unwrap()
}

fn context() -> (RunContext, Arc<JumpClock>) {
    let clock = Arc::new(JumpClock::default());
    (RunContext::new(RunId::from_bytes([7; 16]), Arc::clone(&clock) as _), clock)
}

fn short_context(wall: Duration) -> (RunContext, Arc<JumpClock>) {
    let (ctx, clock) = context();
    (ctx.with_budget(Budget::default().with_wall(wall)), clock)
}

fn get() -> ApiRequest {
    ApiRequest::get("reading the repository", "/repos/acme/support")
}

fn post() -> ApiRequest {
    ApiRequest::send(
        "opening the pull request",
        Method::POST,
        "/repos/acme/support/pulls",
        json!({ "title": "a title" }),
        Repeat::ReadBack,
    )
}

async fn send(client: &Client, request: &ApiRequest, ctx: &RunContext) -> Result<ApiAnswer, SendError> {
    let bearer = SecretString::from("a-token");
    client.send(request, Caller { bearer: Some(&bearer), account: "acme" }, ctx).await
}

fn said(status: u16) -> Reply {
    Reply::json(status, OFFICIAL)
}

fn turn(reply: Reply) -> Turn {
    Turn::Answer(reply)
}
