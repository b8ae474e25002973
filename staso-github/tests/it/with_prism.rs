//! Against Prism, which `.ci/peers` starts on the vendored description.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};
use staso_core::vcs::{Access, ChangeSet, FileEdit, NewContent, ProposeRequest, VcsProvider as _};
use staso_github::{
    ClientOptions, CodeAccess, CommitMode, GitHub, GitHubAuth, GitHubEndpoints, GitHubOptions,
};

use crate::fixture::{GitFixture, branch, path};
use crate::peer::ask::ask;
use crate::peer::clock::wall_context;
use crate::peer::description::{Description, Operation};
use crate::peer::environment::say;
use crate::peer::git_http::GitHttp;
use crate::peer::prism::Prism;

async fn send(prism: &Prism, operation: &Operation, body: Option<String>) -> u16 {
    let (method, template) = operation.name.split_once(' ').unwrap();
    // A number is a value of every parameter in a path.
    let path = template
        .split('/')
        .map(|part| if part.starts_with('{') { "1" } else { part })
        .collect::<Vec<_>>()
        .join("/");
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer ghs_test"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let url = prism.url();
    let body = body.map_or_else(Body::empty, Body::from);
    ask(url.strip_prefix("http://").unwrap(), &method, &path, headers, body).await.expect("an answer").status
}

#[tokio::test]
async fn both_readings_of_the_description_agree() {
    let Some(prism) = Prism::reach() else { return };
    let (mut answered, mut differing) = (0, Vec::new());
    for operation in Description::get().operations() {
        for status in operation.statuses() {
            prism.answer_next(status);
            let body = operation.example_body().map(|body| body.to_string());
            let answer = send(&prism, operation, body).await;
            if answer != status {
                differing.push(format!("{}: {answer} for {status}", operation.name));
            }
            answered += 1;
        }
    }
    assert_eq!((differing, prism.take_violations()), (Vec::new(), Vec::new()));
    let mut refused = 0;
    for operation in Description::get().operations().iter().filter(|one| one.example_body().is_some()) {
        let mut body = operation.example_body().unwrap();
        body["misspelt"] = serde_json::Value::Bool(true);
        send(&prism, operation, Some(body.to_string())).await;
        assert!(!prism.take_violations().is_empty(), "{}", operation.name);
        refused += 1;
    }
    assert_eq!(prism.asked().len(), answered + refused);
    say(&format!("RAN: {answered} documented answers, {refused} misspelt bodies refused by Prism"));
}

/// What the provider sends by itself, from a trace to a pull request, as Prism reads the description.
#[tokio::test(flavor = "multi_thread")]
async fn prism_finds_no_fault_with_what_the_provider_sends() {
    let Some(prism) = Prism::reach() else { return };
    let (fixture, server, ctx) = (GitFixture::new(), GitHttp::start(), wall_context());
    let name = "octocat/Hello-World";
    server.host(name, &fixture.repository);
    let fixture = fixture.recorded_as(&format!("{}/{name}", server.origin().replace("http://", "https://")));
    let url = prism.url();
    let endpoints = GitHubEndpoints::new(&url, &format!("{url}/graphql"), &server.origin()).unwrap();
    let provider = GitHub::new(fixture.data(), GitHubAuth::Token("ghp_test".to_owned().into())).unwrap();
    let client = ClientOptions::default().with_mutation_interval(Duration::ZERO);
    let provider = provider.with_client(client).and_then(|one| one.with_endpoints(endpoints)).unwrap();
    let resolved = provider.resolve(&fixture.source(), &ctx).await;
    let repository = resolved.map_or_else(|_| fixture.reference(), |resolved| resolved.repository);
    let mut outcomes =
        vec![format!("preflight: {:?}", provider.preflight(&repository, Access::Propose, &ctx).await)];
    for mode in [CommitMode::Push, CommitMode::Api] {
        let options = GitHubOptions::default().with_commit_mode(mode).with_code_access(CodeAccess::Api);
        let provider = provider.clone().with_options(options.with_labels(["staso"]).with_reviewers(["ann"]));
        let file = path("app/tools.py");
        let read = provider.read_file(&repository, &fixture.tip, &file, 1 << 20, &ctx).await;
        let listed = provider.list_tree(&repository, &fixture.tip, 100, &ctx).await;
        let after = NewContent { bytes: b"x = 1\n".to_vec(), executable: mode == CommitMode::Api };
        let edits = vec![FileEdit { path: path("staso/new.py"), before: None, after: Some(after) }];
        let changes = ChangeSet::new(fixture.tip.clone(), edits, "Fix it", "Why.");
        let (base, prefix) = (branch("main"), branch("fix/staso-one"));
        let request = ProposeRequest::new(&repository, &base, &prefix, &changes, "one", ctx.run_id());
        let proposed = provider.propose(&request, &ctx).await;
        let status = provider.proposal_status(&repository, &prefix, &ctx).await;
        outcomes.push(format!(
            "{mode:?}: {:?} {:?} {:?} {:?}",
            read.is_ok(),
            listed.is_ok(),
            proposed.err(),
            status.err()
        ));
    }
    let operations: BTreeSet<String> = prism.asked().into_iter().map(|(name, _)| name).collect();
    assert!(operations.len() >= 4, "{operations:?} {outcomes:#?}");
    say(&format!(
        "RAN: requests of {} operations without fault: {operations:#?}\n{outcomes:#?}",
        operations.len()
    ));
}
