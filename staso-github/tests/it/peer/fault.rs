//! A proxy that breaks the way between a client and a server.
//!
//! It turns requests away, loses or damages answers and waits, as the test or a seed says, and keeps a log. What it answers
//! itself is never a success.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use futures_util::future::BoxFuture;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::{Semaphore, watch};

use super::ask::ask;
use super::server::{Answer, Exchange, Handler, Reply, Server};

const HOP: [&str; 6] = ["connection", "content-length", "expect", "host", "keep-alive", "transfer-encoding"];

/// What goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The server never sees the request; this is the answer.
    Refuse(Answer),
    /// The server carries the request out; this is the answer.
    Replace(Answer),
    /// The server never sees the request, and the connection ends.
    Drop,
    /// The server carries the request out, and the connection ends without a byte.
    Lose,
    /// So many bytes of the answer's body arrive, then the connection ends.
    Cut(usize),
    /// The answer's status with a page of HTML.
    Garble,
    /// The clock of the server is so many seconds ahead: its `Date` says so.
    ShiftDate(i64),
    /// The request waits before the server sees it.
    HoldRequest(Gate),
    /// The server carries the request out, and the answer waits.
    HoldAnswer(Gate),
    /// The request waits so long.
    Delay(Duration),
    /// The server carries the request out, and the answer waits so long.
    DelayAnswer(Duration),
    /// The server gets so many bytes of the request's body, and the connection ends.
    CutRequest(usize),
    /// 411 to bodies without a length, as some proxies do. Others are left alone.
    RefuseChunked,
}

/// What waits here goes on when the test says so.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { arrived: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }

    /// Until someone waits.
    pub(crate) async fn reached(&self) {
        self.arrived.acquire().await.expect("an open semaphore").forget();
    }

    /// Lets everyone go on, now and later.
    pub(crate) fn release(&self) {
        self.open.add_permits(1 << 16);
    }

    async fn wait(&self) {
        self.arrived.add_permits(1);
        self.open.acquire().await.expect("an open semaphore").forget();
    }
}

/// An answer of GitHub's gateway, without a body of JSON.
pub(crate) fn bad_gateway() -> Answer {
    Answer::new(502, "<html><body><h1>502 Bad Gateway</h1></body></html>")
        .with_header("content-type", "text/html")
}

/// An answer of a rate limit, with the headers of the test.
pub(crate) fn limited(status: u16, message: &str, headers: &[(&str, &str)]) -> Answer {
    let answer = Answer::new(status, serde_json::json!({"message": message}).to_string())
        .with_header("content-type", "application/json; charset=utf-8");
    headers.iter().fold(answer, |answer, (name, value)| answer.with_header(name, value))
}

/// Which requests a fault hits.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    method: Option<&'static str>,
    part: &'static str,
    /// The first request that is hit, from 0, among those that fit.
    first: usize,
    times: usize,
    fault: Fault,
    seen: usize,
}

impl Plan {
    /// Hits the first request.
    pub(crate) const fn new(fault: Fault) -> Self {
        Self { method: None, part: "", first: 0, times: 1, fault, seen: 0 }
    }

    /// Only requests of a method with this in path or query.
    pub(crate) const fn to(mut self, method: &'static str, part: &'static str) -> Self {
        self.method = Some(method);
        self.part = part;
        self
    }

    /// Leaves the first `count` requests alone.
    pub(crate) const fn after(mut self, count: usize) -> Self {
        self.first = count;
        self
    }

    /// Hits so many requests in a row.
    pub(crate) const fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    fn hits(&mut self, request: &Exchange) -> bool {
        let fits = self.method.is_none_or(|method| request.method.as_str() == method)
            && request.target().contains(self.part);
        if !fits {
            return false;
        }
        self.seen += 1;
        (self.first + 1..=self.first + self.times).contains(&self.seen)
    }
}

/// What happened to a request.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fault: Option<String>,
    /// What the server behind answered, when it was asked.
    pub(crate) carried_out: Option<u16>,
}

/// What happens after the server behind was asked for a branch, before anyone is answered.
pub(crate) type AfterBranch = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

#[derive(Default)]
struct State {
    plans: Vec<Plan>,
    log: Vec<Passed>,
    origin: String,
    secrets: BTreeSet<String>,
    after_branch: Option<AfterBranch>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("plans", &self.plans).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Proxy {
    upstream: String,
    state: Mutex<State>,
    /// Requests that the server behind is carrying out.
    under_way: watch::Sender<usize>,
}

/// A running proxy.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    proxy: Arc<Proxy>,
    server: Server,
}

impl FaultProxy {
    /// In front of the server at `http://host:port`.
    pub(crate) fn start(upstream: &str) -> Self {
        let upstream = upstream.strip_prefix("http://").expect("an address with http").to_owned();
        let proxy = Arc::new(Proxy { upstream, state: Mutex::default(), under_way: watch::Sender::new(0) });
        let server = Server::start(Arc::new(Front(Arc::clone(&proxy))));
        proxy.state().origin = server.origin();
        Self { proxy, server }
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        self.server.origin()
    }

    /// Adds a fault. Of several that fit a request the first added hits.
    pub(crate) fn inject(&self, plan: Plan) {
        self.proxy.state().plans.push(plan);
    }

    /// Adds one fault at one request among the next `requests`, both as the seed says. Gives both.
    pub(crate) fn inject_random(&self, seed: u64, requests: usize) -> (usize, String) {
        let faults = [
            Fault::Refuse(bad_gateway()),
            Fault::Replace(bad_gateway()),
            Fault::Refuse(limited(429, "Too many requests", &[("retry-after", "1")])),
            Fault::Refuse(limited(403, "You have exceeded a secondary rate limit.", &[("retry-after", "1")])),
            Fault::Refuse(limited(401, "Bad credentials", &[])),
            Fault::Drop,
            Fault::Lose,
            Fault::Cut(20),
            Fault::Garble,
        ];
        let (first, second) = (mixed(seed), mixed(seed ^ 0x5851_f42d_4c95_7f2d));
        let at = first % requests.max(1);
        let fault = faults[second % faults.len()].clone();
        let name = fault.name();
        self.inject(Plan::new(fault).after(at));
        (at, name)
    }

    /// Something else learns of branches that are made here before the one who made them does.
    pub(crate) fn after_branch(&self, then: AfterBranch) {
        self.proxy.state().after_branch = Some(then);
    }

    /// No more faults.
    pub(crate) fn clear(&self) {
        self.proxy.state().plans.clear();
    }

    /// Until the server behind has carried out what it was asked, also by those who are gone.
    pub(crate) async fn settled(&self) {
        let mut under_way = self.proxy.under_way.subscribe();
        under_way.wait_for(|count| *count == 0).await.expect("the proxy runs");
    }

    /// Every credential that went through: what was sent in `authorization`, and tokens that were answered.
    pub(crate) fn secrets(&self) -> BTreeSet<String> {
        self.proxy.state().secrets.clone()
    }

    /// What happened so far.
    pub(crate) fn log(&self) -> Vec<Passed> {
        self.proxy.state().log.clone()
    }
}

/// SplitMix64, as a number that fits everywhere.
fn mixed(seed: u64) -> usize {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) >> 33).expect("31 bits")
}

impl Fault {
    fn name(&self) -> String {
        match self {
            Self::Refuse(answer) => format!("refused with {}", answer.status),
            Self::Replace(answer) => format!("carried out, answered {}", answer.status),
            other => format!("{other:?}").split(['(', ' ']).next().unwrap_or_default().to_lowercase(),
        }
    }
}

impl Proxy {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, request: &Exchange) -> Option<Fault> {
        let mut hit = None;
        for plan in &mut self.state().plans {
            if matches!(plan.fault, Fault::RefuseChunked) && !request.chunked {
                continue;
            }
            if plan.hits(request) && hit.is_none() {
                hit = Some(plan.fault.clone());
            }
        }
        hit
    }

    async fn decide(
        self: &Arc<Self>,
        request: &Exchange,
        fault: Option<Fault>,
        carried_out: &mut Option<u16>,
    ) -> Reply {
        match &fault {
            Some(Fault::Refuse(answer)) => return Reply::Answer(answer.clone()),
            Some(Fault::RefuseChunked) => return Reply::Answer(Answer::new(411, "Length Required")),
            Some(Fault::Drop) => return Reply::Dropped,
            Some(Fault::HoldRequest(gate)) => gate.wait().await,
            Some(Fault::Delay(time)) => tokio::time::sleep(*time).await,
            _ => {}
        }
        let mut forwarded = request.clone();
        if let Some(Fault::CutRequest(bytes)) = fault {
            forwarded.body.truncate(bytes);
        }
        let Some(mut answer) = self.clone().carry_out(forwarded).await else { return Reply::Dropped };
        *carried_out = Some(answer.status);
        match fault {
            Some(Fault::CutRequest(_)) => return Reply::Dropped,
            Some(Fault::DelayAnswer(time)) => tokio::time::sleep(time).await,
            Some(Fault::Replace(replacement)) => return Reply::Answer(replacement),
            Some(Fault::Lose) => return Reply::Dropped,
            Some(Fault::Cut(bytes)) => return Reply::Cut(answer, bytes),
            Some(Fault::Garble) => {
                answer.body = "<!DOCTYPE html><html><body>Unicorn!</body></html>".into();
                answer = answer.with_header("content-type", "text/html; charset=utf-8");
            }
            Some(Fault::ShiftDate(seconds)) => shift_date(&mut answer, seconds),
            Some(Fault::HoldAnswer(gate)) => gate.wait().await,
            _ => {}
        }
        Reply::Answer(answer)
    }

    /// What the server behind answers, which goes on when the client is gone meanwhile.
    async fn carry_out(self: Arc<Self>, request: Exchange) -> Option<Answer> {
        self.under_way.send_modify(|count| *count += 1);
        let task = tokio::spawn(async move {
            let answer = self.forward(&request).await;
            let makes_a_branch = request.method == Method::POST && request.path.ends_with("/git/refs");
            let then = self.state().after_branch.clone().filter(|_| makes_a_branch);
            if let Some(then) = then {
                then().await;
            }
            if let Some(answer) = &answer {
                self.keep_secrets(&request, answer);
            }
            self.under_way.send_modify(|count| *count -= 1);
            answer
        });
        task.await.expect("a task that does not panic")
    }

    fn keep_secrets(&self, request: &Exchange, answer: &Answer) {
        let sent = request.header("authorization").and_then(|value| value.split_once(' '));
        let mut secrets: Vec<String> = sent.map(|(_, secret)| secret.to_owned()).into_iter().collect();
        if request.path.ends_with("/access_tokens") {
            let minted = serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap_or_default();
            secrets.extend(minted["token"].as_str().map(str::to_owned));
        }
        self.state().secrets.extend(secrets);
    }

    /// What the server behind answers; nothing when it cannot be reached or breaks off.
    async fn forward(&self, request: &Exchange) -> Option<Answer> {
        let (headers, body) = (between(&request.headers), Body::from(request.body.clone()));
        let answer = ask(&self.upstream, &request.method, &request.target(), headers, body).await?;
        let mut headers = between(&answer.headers);
        self.point_here(&mut headers);
        Some(Answer { headers, ..answer })
    }

    /// Addresses of the server behind, in the headers that clients follow.
    fn point_here(&self, headers: &mut HeaderMap) {
        let (there, here) = (format!("http://{}", self.upstream), self.state().origin.clone());
        for name in ["location", "link"] {
            let name = HeaderName::from_static(name);
            let text = headers.get(&name).and_then(|value| value.to_str().ok());
            if let Some(value) =
                text.and_then(|text| HeaderValue::from_str(&text.replace(&there, &here)).ok())
            {
                headers.insert(name, value);
            }
        }
    }
}

/// The headers that are not between two neighbours alone.
pub(super) fn between(headers: &HeaderMap) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _)| !HOP.contains(&name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn shift_date(answer: &mut Answer, seconds: i64) {
    let date = answer.headers.get("date").and_then(|value| value.to_str().ok());
    let date = httpdate::parse_http_date(date.expect("a server's date")).expect("a date");
    let by = Duration::from_secs(seconds.unsigned_abs());
    let date = if seconds < 0 { date - by } else { date + by };
    let value = HeaderValue::from_str(&httpdate::fmt_http_date(date)).expect("a date");
    answer.headers.insert("date", value);
}

#[derive(Debug)]
struct Front(Arc<Proxy>);

#[async_trait]
impl Handler for Front {
    async fn answer(&self, request: Exchange) -> Reply {
        self.0.answer(request).await
    }
}

impl Proxy {
    async fn answer(self: &Arc<Self>, request: Exchange) -> Reply {
        let fault = self.fault(&request);
        let name = fault.as_ref().map(Fault::name);
        let mut carried_out = None;
        let reply = self.decide(&request, fault, &mut carried_out).await;
        let (method, target) = (request.method.to_string(), request.target());
        self.state().log.push(Passed { method, target, fault: name, carried_out });
        reply
    }
}
