//! Every status that GitHub's description documents for what we ask, and what becomes of it.

use std::fmt::Write as _;

use staso_core::vcs::VcsError;

use super::super::refusal;
use super::*;
use crate::github::api::RepositoryName;
use crate::peer::choice::Choice;
use crate::peer::description::{Description, Operation};
use crate::peer::official::Official;

/// Operations, and below each its documented statuses.
const EXPECTED: &str = include_str!("statuses.txt");

fn repository() -> RepositoryName {
    let url = "https://github.com/octocat/Hello-World".parse().unwrap();
    RepositoryName { owner: "octocat".to_owned(), name: "Hello-World".to_owned(), url, id: None }
}

/// A request of the operation, with its official body.
fn request(operation: &Operation) -> ApiRequest {
    let (method, path) = operation.name.split_once(' ').unwrap();
    let path = path.replace("{owner}", "octocat").replace("{repo}", "Hello-World");
    let words = path.split('/').map(|word| if word.starts_with('{') { "1" } else { word });
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let repeat = if method == Method::GET { Repeat::Safe } else { Repeat::ReadBack };
    let path = words.collect::<Vec<_>>().join("/");
    ApiRequest {
        body: operation.example_body(),
        ..ApiRequest::send("asking", method, path, json!({}), repeat)
    }
}

fn name(error: &VcsError) -> String {
    let shown = format!("{error:?}");
    let name = shown.split(' ').next().unwrap_or_default().to_owned();
    match error {
        VcsError::MissingPermission { permission, .. } => format!("{name}({permission})"),
        _ => name,
    }
}

/// What the operation answers, and before it what makes that answer possible.
fn choices(operation: &Operation, path: &str, status: u16, origin: &str) -> Vec<Choice> {
    let moved = path.replace("/repos/octocat/Hello-World", "/repositories/1000");
    match status {
        200..=299 => vec![Choice::example()],
        302 if operation.success() == 302 => {
            vec![Choice::status(302).header("location", &format!("{origin}/app"))]
        }
        301 | 302 => {
            vec![Choice::status(status).header("location", &format!("{origin}{moved}")), Choice::example()]
        }
        304 => vec![Choice::example().header("etag", "\"1\""), Choice::status(304)],
        // Of the two documented forms of a 422 the short one fits both, which is one too many for the description.
        422 => vec![Choice::undocumented(422, "Validation Failed")],
        _ => vec![Choice::status(status)],
    }
}

async fn outcome(official: &Official, operation: &Operation, status: u16) -> String {
    let request = request(operation);
    official.on(&operation.name, choices(operation, &request.path, status, &official.url()));
    let client = client_of(&official.url(), options());
    let ctx = context().0;
    if status == 304 {
        send(&client, &request, &ctx).await.unwrap();
    }
    let sent = send(&client, &request, &ctx).await;
    match sent {
        Ok(answer) if answer.is_success() && client.statistics().cache_hits > 0 => "kept".to_owned(),
        Ok(answer) if answer.is_success() && answer.moved_to.is_some() => "followed".to_owned(),
        Ok(answer) if answer.is_success() => "answer".to_owned(),
        Ok(answer) => name(&refusal(&answer, "asking", &repository())),
        Err(error) => format!("{error:?}").split(' ').next().unwrap_or_default().to_owned(),
    }
}

#[tokio::test]
async fn every_documented_status_has_its_error() {
    let official = Official::start();
    official.alias("/repositories/1000", "/repos/octocat/Hello-World");
    let mut table = String::new();
    for operation in Description::get().operations() {
        writeln!(table, "{}", operation.name).unwrap();
        for status in operation.statuses() {
            writeln!(table, "    {status} {}", outcome(&official, operation, status).await).unwrap();
        }
    }
    official.take_violations();
    assert_eq!(table, EXPECTED, "{table}");
}
