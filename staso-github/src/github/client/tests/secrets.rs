//! No credential comes out: not in errors, not in what is shown of values, not in logs of any level.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;

const CANARY: &str = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";

/// Everything that was logged, by us or by what we use.
static LOGGED: Mutex<String> = Mutex::new(String::new());

fn logged(text: &str) {
    let mut all = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    all.push_str(text);
    all.push('\n');
}

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        logged(&format!("{} {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

struct Spans;

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Spans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(span.metadata().name().to_owned());
        span.record(&mut fields);
        logged(&fields.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        logged(&fields.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().target().to_owned());
        event.record(&mut fields);
        logged(&fields.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn case_53_the_token_goes_to_the_api_and_nowhere_else() {
    log::set_logger(&Log).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let _guard = tracing::subscriber::set_default(Spans);

    let elsewhere = ScriptServer::start([said(200)]);
    let repeated = Reply::json(403, json!({ "message": format!("Forbidden: {CANARY}") }).to_string());
    let server = ScriptServer::start([
        turn(said(200).header("etag", "\"1\"")),
        turn(Reply::new(302).header("location", format!("{}/x", elsewhere.url()))),
        turn(repeated),
        turn(said(502)),
        turn(Reply::json(429, "{}").header("retry-after", "9999999")),
        Turn::CloseBeforeAnswer,
        Turn::NeverAnswer,
    ]);
    let client = client(&server, options().with_request(Duration::from_millis(200)));
    let bearer = SecretString::from(CANARY);
    let mut shown = format!("{client:?}");
    for (n, request) in [get(), get(), get(), post(), get(), post(), post()].iter().enumerate() {
        let account = format!("account-{n}");
        let caller = Caller { bearer: Some(&bearer), account: &account };
        let result = client.send(request, caller, &context().0).await;
        write!(shown, "{request:?} {caller:?} {result:?} {client:?}").unwrap();
    }
    let sent = server.requests();
    assert_eq!(sent.len(), 7);
    let expected = format!("Bearer {CANARY}");
    assert!(sent.iter().all(|seen| seen.header("authorization") == Some(expected.as_str())));
    assert_eq!(elsewhere.requests().first().and_then(|seen| seen.header("authorization")), None);

    let log = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    for core in [CANARY, "16C7e42F"] {
        assert!(!shown.contains(core), "{shown}");
        assert!(!log.contains(core), "{log}");
    }
    assert!(log.contains("reqwest") || log.contains("hyper"), "the libraries were heard: {log}");
}

#[tokio::test]
async fn a_token_that_is_none_is_not_repeated() {
    let server = ScriptServer::start(Vec::<Turn>::new());
    let bearer = SecretString::from("secret-with\nnewline");
    let caller = Caller { bearer: Some(&bearer), account: "acme" };
    let client = client(&server, options());
    let result = client.send(&get(), caller, &context().0).await;
    let Err(SendError::BadAnswer { reason }) = &result else { panic!("{result:?}") };
    assert!(!reason.contains("secret-with"), "{reason}");
}
