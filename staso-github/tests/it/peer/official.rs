//! GitHub's REST API as its description says it: requests are held against the description, answers are its examples.
//!
//! `/graphql` holds requests against GitHub's GraphQL schema. No example of an answer is published, so a success is composed:
//! its shape is that of the schema for the fields that were asked for, its scalars are those of a commit that the same test has
//! in a REST example or in a repository. What is read of it is true only as far as these agree.
//!
//! A test chooses among the documented answers of an operation, and may put other scalars into an example so that it
//! agrees with a real repository. It cannot make up a success. There is no state: what one request does, the next does
//! not see.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use hyper::header::HeaderMap;
use serde_json::{Value, json};

use super::choice::Choice;
use super::description::Description;
use super::graphql::{Document, violations};
use super::server::{Answer, Exchange, Handler, Reply, Server};

/// The operation that the description does not have.
const GRAPHQL: &str = "POST /graphql";

/// What `/graphql` answers.
#[derive(Debug, Clone)]
pub(crate) enum GraphQl {
    /// The scalars by their places below `data`, e.g. `/createCommitOnBranch/commit/oid`.
    Data(BTreeMap<String, Value>),
    /// Kind and message of the one error, with status 200.
    Refused(&'static str, &'static str),
    /// Anything that is no success.
    Fault(Reply),
}

/// A request that the description knows.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// E.g. `GET /repos/{owner}/{repo}`.
    pub(crate) operation: String,
    /// Path and query as sent.
    pub(crate) target: String,
    /// Of path and query, decoded.
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Value>,
}

impl Asked {
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type asked for, in the spelling of the description.
    pub(crate) fn accept(&self) -> &str {
        let accept = self.header("accept").unwrap_or_default();
        let first = accept.split([',', ';']).next().unwrap_or_default().trim();
        first.strip_suffix("+json").unwrap_or(first)
    }
}

/// What one operation answers, for requests with some parameters.
#[derive(Debug)]
struct Rule {
    operation: String,
    parameters: Vec<(String, String)>,
    /// The last one stays.
    choices: VecDeque<Choice>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    aliases: Vec<(String, String)>,
    graphql: VecDeque<GraphQl>,
    anonymous: bool,
    asked: Vec<Asked>,
    violations: Vec<String>,
}

#[derive(Debug, Default)]
struct Peer(Mutex<State>);

/// A running server. Dropping it fails the test when a request contradicted the description.
#[derive(Debug)]
pub(crate) struct Official {
    peer: Arc<Peer>,
    server: Server,
}

impl Official {
    /// Answers every operation with the official example of its success.
    pub(crate) fn start() -> Self {
        let peer = Arc::new(Peer::default());
        Self { server: Server::start(peer.clone()), peer }
    }

    /// The address of the API, without a slash at its end.
    pub(crate) fn url(&self) -> String {
        self.server.origin()
    }

    /// How often someone connected.
    pub(crate) fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Requests without `Authorization` are no violation.
    pub(crate) fn allow_anonymous(&self) {
        self.peer.state().anonymous = true;
    }

    /// From now on an operation, e.g. `POST /repos/{owner}/{repo}/pulls`, answers with these one after the other, and then
    /// always with the last.
    pub(crate) fn on(&self, operation: &str, choices: impl IntoIterator<Item = Choice>) {
        self.on_where(operation, &[], choices);
    }

    /// The same, for requests with these values in path or query. The newest rule that fits counts.
    pub(crate) fn on_where(
        &self,
        operation: &str,
        parameters: &[(&str, &str)],
        choices: impl IntoIterator<Item = Choice>,
    ) {
        let described = Description::get().operation(operation);
        let choices: VecDeque<Choice> =
            choices.into_iter().inspect(|choice| choice.check(described)).collect();
        assert!(!choices.is_empty(), "a rule has an answer");
        let parameters =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.peer.state().rules.push(Rule { operation: operation.to_owned(), parameters, choices });
    }

    /// What `/graphql` answers, one after the other. More requests than that are a violation.
    pub(crate) fn on_graphql(&self, answers: impl IntoIterator<Item = GraphQl>) {
        for answer in answers {
            if let GraphQl::Fault(reply) = &answer {
                drop(Choice::fault(reply.clone()));
            }
            self.peer.state().graphql.push_back(answer);
        }
    }

    /// What was asked of `/graphql`.
    pub(crate) fn asked_of_graphql(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.operation == GRAPHQL).collect()
    }

    /// A path that the description does not have and that stands for another, as `/repositories/1000` does after a renaming
    /// for `/repos/octokit/new-name`. What follows it is kept.
    pub(crate) fn alias(&self, path: &str, stands_for: &str) {
        self.peer.state().aliases.push((path.to_owned(), stands_for.to_owned()));
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.peer.state().asked.clone()
    }

    /// What was asked of one operation.
    pub(crate) fn asked_of(&self, operation: &str) -> Vec<Asked> {
        Description::get().operation(operation);
        self.asked().into_iter().filter(|asked| asked.operation == operation).collect()
    }

    /// Which requests contradicted the description, and how. They are forgotten, so that dropping the server is no failure.
    pub(crate) fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.peer.state().violations)
    }
}

impl Drop for Official {
    fn drop(&mut self) {
        let violations = self.take_violations();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "requests that contradict GitHub's description: {violations:#?}");
        }
    }
}

impl Peer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(&self, request: &Exchange) -> Reply {
        let mut state = self.state();
        if request.path == "/graphql" {
            return state.graphql(request);
        }
        let path = state.path(&request.path);
        let Some(found) = Description::get().find(request.method.as_str(), &path) else {
            state.violations.push(format!("{} {}: no such operation", request.method, request.target()));
            return Reply::Answer(Answer::new(404, r#"{"message":"Not Found"}"#));
        };
        let mut violations = Vec::new();
        let mut parameters = found.parameters;
        parameters
            .extend(found.operation.query(request.query.as_deref().unwrap_or_default(), &mut violations));
        let body = found.operation.body(&request.body, &mut violations);
        let operation = found.operation.name.clone();
        let asked =
            Asked { operation, target: request.target(), parameters, headers: request.headers.clone(), body };
        let media = found.operation.media(found.operation.success());
        check_headers(&asked, &media, state.anonymous, &mut violations);
        let prefix = format!("{} {}", request.method, asked.target);
        state.violations.extend(violations.into_iter().map(|text| format!("{prefix}: {text}")));
        state.asked.push(asked.clone());
        let choice = state.choose(&asked);
        drop(state);
        choice.reply(found.operation, &asked)
    }
}

impl State {
    fn path(&self, path: &str) -> String {
        let alias = self.aliases.iter().find_map(|(alias, stands_for)| {
            let rest = path.strip_prefix(alias.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{stands_for}{rest}"))
        });
        alias.unwrap_or_else(|| path.to_owned())
    }

    fn graphql(&mut self, request: &Exchange) -> Reply {
        let body: Option<Value> = serde_json::from_slice(&request.body).ok();
        let document = body.as_ref().and_then(|body| body["query"].as_str()).unwrap_or_default().to_owned();
        let mut found = violations(body.as_ref().unwrap_or(&Value::Null));
        let asked = Asked {
            operation: format!("{} {}", request.method, request.target()),
            target: request.target(),
            parameters: BTreeMap::new(),
            headers: request.headers.clone(),
            body,
        };
        if asked.operation != GRAPHQL {
            found.push("GraphQL takes POST alone".to_owned());
        }
        check_headers(&asked, &[], self.anonymous, &mut found);
        self.asked.push(asked);
        let sound = found.is_empty();
        let answer = self.graphql.pop_front();
        if answer.is_none() {
            found.push("the test has no answer to it".to_owned());
        }
        self.violations.extend(found.into_iter().map(|text| format!("{GRAPHQL}: {text}")));
        let answered = |body: Value| {
            let answer = Answer::new(200, body.to_string());
            Reply::Answer(answer.with_header("content-type", "application/json; charset=utf-8"))
        };
        match answer {
            Some(GraphQl::Data(values)) if sound => {
                answered(Document::parse(&document).expect("a sound document").answer(&values))
            }
            Some(GraphQl::Refused(kind, message)) => {
                answered(json!({"data": null, "errors": [{"type": kind, "message": message}]}))
            }
            Some(GraphQl::Fault(reply)) => reply,
            Some(GraphQl::Data(_)) | None => Reply::Answer(Answer::new(400, r#"{"message":"Bad Request"}"#)),
        }
    }

    fn choose(&mut self, asked: &Asked) -> Choice {
        let fits = |rule: &&mut Rule| {
            rule.operation == asked.operation
                && rule.parameters.iter().all(|(name, value)| asked.parameters.get(name) == Some(value))
        };
        match self.rules.iter_mut().rev().find(fits) {
            None => Choice::example(),
            Some(rule) if rule.choices.len() > 1 => rule.choices.pop_front().expect("a choice"),
            Some(rule) => rule.choices[0].clone(),
        }
    }
}

/// `media` is what the operation is said to answer.
fn check_headers(asked: &Asked, media: &[&str], anonymous: bool, violations: &mut Vec<String>) {
    let mut say = |text: String| violations.push(text);
    match asked.header("authorization").map(|value| value.strip_prefix("Bearer ")) {
        None if anonymous => {}
        None => say("Authorization is missing".to_owned()),
        Some(None | Some("")) => say("Authorization is not `Bearer`".to_owned()),
        Some(Some(bearer)) => {
            // Documented in the descriptions of these operations: they take the JWT of the app, and the others do not.
            let of_app = asked.operation.contains(" /app") || asked.operation.ends_with("}/installation");
            if of_app != (bearer.matches('.').count() == 2) {
                say(format!(
                    "the wrong kind of token; a JWT is {}",
                    if of_app { "needed" } else { "refused" }
                ));
            }
        }
    }
    let accept = asked.accept();
    let known = ["application/vnd.github", "application/json", "application/vnd.github.raw"];
    if !known.contains(&accept) && !media.contains(&accept) {
        say(format!("Accept is {accept:?}"));
    }
    if asked.header("user-agent").is_none_or(str::is_empty) {
        say("User-Agent is missing".to_owned());
    }
    if asked.header("x-github-api-version") != Some("2022-11-28") {
        say(format!("X-GitHub-Api-Version is {:?}", asked.header("x-github-api-version")));
    }
    if asked.body.is_some()
        && !asked.header("content-type").is_some_and(|value| value.starts_with("application/json"))
    {
        say("a body that is not said to be JSON".to_owned());
    }
}

#[async_trait]
impl Handler for Peer {
    async fn answer(&self, request: Exchange) -> Reply {
        self.decide(&request)
    }
}
