//! The fault proxy breaks what it is told to break.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use hyper::Method;
use hyper::header::HeaderMap;

use crate::peer::ask::ask;
use crate::peer::fault::{Fault, FaultProxy, Gate, Plan, bad_gateway, limited};
use crate::peer::recorded::Recorded;
use crate::peer::server::{Answer, Exchange, Handler, Reply, Server};

/// Says what it was asked.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl Handler for Echo {
    async fn answer(&self, request: Exchange) -> Reply {
        let answer =
            Answer::new(200, format!("{} {} {}", request.method, request.target(), request.body.len()));
        Reply::Answer(answer.with_header("date", "Tue, 10 Oct 2017 16:00:00 GMT"))
    }
}

/// Status, head and body of an answer, or nothing.
async fn send(url: &str, method: Method, path: &str, body: Body) -> Option<(u16, String, String)> {
    let host = url.strip_prefix("http://").unwrap();
    let answer = ask(host, &method, path, HeaderMap::new(), body).await?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    Some((answer.status, format!("{:?}", answer.headers), text))
}

async fn get(url: &str, path: &str) -> Option<(u16, String, String)> {
    send(url, Method::GET, path, Body::empty()).await
}

#[tokio::test]
async fn faults_hit_the_requests_they_are_meant_for() {
    let server = Server::start(Arc::new(Echo));
    let proxy = FaultProxy::start(&server.origin());
    let url = proxy.url();
    proxy.inject(Plan::new(Fault::Refuse(bad_gateway())).to("GET", "/a").after(1).times(2));
    let mut statuses = Vec::new();
    for path in ["/a", "/b", "/a?x", "/a", "/a"] {
        statuses.push(get(&url, path).await.unwrap().0);
    }
    assert_eq!(statuses, [200, 200, 502, 502, 200]);
    proxy.clear();
    let limit = limited(429, "Slow down", &[("retry-after", "7")]);
    proxy.inject(Plan::new(Fault::Replace(limit)).to("POST", ""));
    let (status, head, _) = send(&url, Method::POST, "/c", "1234".into()).await.unwrap();
    assert!(status == 429 && head.contains("\"retry-after\": \"7\""), "{head}");
    proxy.inject(Plan::new(Fault::Lose));
    assert!(get(&url, "/lost").await.is_none());
    proxy.inject(Plan::new(Fault::Drop).after(1));
    assert_eq!(get(&url, "/there").await.unwrap().2, "GET /there 0");
    assert!(get(&url, "/dropped").await.is_none());
    proxy.clear();
    proxy.inject(Plan::new(Fault::Cut(3)));
    assert!(get(&url, "/cut").await.is_none());
    proxy.clear();
    proxy.inject(Plan::new(Fault::Garble));
    assert!(get(&url, "/garbled").await.unwrap().2.starts_with("<!DOCTYPE"));
    proxy.clear();
    proxy.inject(Plan::new(Fault::ShiftDate(-90)));
    assert!(get(&url, "/late").await.unwrap().1.contains("15:58:30 GMT"));
    proxy.clear();
    proxy.inject(Plan::new(Fault::RefuseChunked).times(9));
    let parts = futures_util::stream::iter([Ok::<_, std::io::Error>("1234")]);
    assert_eq!(send(&url, Method::POST, "/push", Body::from_stream(parts)).await.unwrap().0, 411);
    assert_eq!(send(&url, Method::POST, "/push", "1234".into()).await.unwrap().2, "POST /push 4");
    let log = proxy.log();
    let of = |target: &str| log.iter().find(|passed| passed.target == target).unwrap();
    assert_eq!(
        (of("/c").carried_out, of("/c").fault.as_deref()),
        (Some(200), Some("carried out, answered 429"))
    );
    assert_eq!((of("/lost").carried_out, of("/lost").fault.as_deref()), (Some(200), Some("lose")));
    assert_eq!((of("/dropped").carried_out, of("/dropped").method.as_str()), (None, "GET"));
}

#[tokio::test]
async fn what_is_held_goes_on_when_it_is_released() {
    let server = Server::start(Arc::new(Echo));
    let proxy = FaultProxy::start(&server.origin());
    let url = proxy.url();
    for fault in [Fault::HoldRequest, Fault::HoldAnswer] {
        let gate = Gate::new();
        proxy.clear();
        proxy.inject(Plan::new(fault(gate.clone())));
        let waiting = tokio::spawn({
            let url = url.clone();
            async move { get(&url, "/held").await }
        });
        gate.reached().await;
        assert!(!waiting.is_finished());
        gate.release();
        assert_eq!(waiting.await.unwrap().unwrap().0, 200);
    }
    proxy.clear();
    proxy.inject(Plan::new(Fault::Delay(Duration::from_millis(1))));
    assert_eq!(get(&url, "/slow").await.unwrap().0, 200);
}

#[tokio::test]
async fn a_seed_says_what_happens() {
    let server = Server::start(Arc::new(Echo));
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let (proxy, again) = (FaultProxy::start(&server.origin()), FaultProxy::start(&server.origin()));
        let (at, fault) = proxy.inject_random(seed, 3);
        assert_eq!(again.inject_random(seed, 3), (at, fault.clone()));
        for number in 0..3 {
            drop(get(&proxy.url(), "/x").await);
            assert_eq!(proxy.log()[number].fault.is_some(), number == at, "{fault}");
        }
        kinds.insert(fault);
    }
    assert_eq!(kinds.len(), 9, "{kinds:?}");
}

#[tokio::test]
async fn recordings_are_played_back() {
    let peer = Recorded::start("rename-repository");
    peer.skip(1);
    let (status, head, body) =
        get(&peer.url(), "/repos/octokit-fixture-org/rename-repository").await.unwrap();
    assert_eq!(status, 301);
    let moved = format!("{}/repositories/1000", peer.url());
    assert!(head.contains(&moved) && body.contains(&moved), "{head} {body}");
    assert!(get(&peer.url(), "/repositories/1000").await.unwrap().2.contains("rename-repository-newname"));
    assert_eq!(peer.left().len(), 2);
    let pages = Recorded::start("paginate-issues");
    let (_, head, _) =
        get(&pages.url(), "/repos/octokit-fixture-org/paginate-issues/issues?per_page=3").await.unwrap();
    assert!(
        head.contains(&format!("<{}/repositories/1000/issues?per_page=3&page=2>", pages.url())),
        "{head}"
    );
}
