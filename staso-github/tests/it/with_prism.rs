//! Against Prism, which `.ci/peers` starts on the vendored description.

use axum::body::Body;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};

use crate::peer::ask::ask;
use crate::peer::description::{Description, Operation};
use crate::peer::environment::say;
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
