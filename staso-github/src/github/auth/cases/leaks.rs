//! No credential leaves through what is printed.

use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::sync::Mutex;

use proptest::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;

/// Writes down everything that is traced, at every level.
#[derive(Clone, Default)]
struct Eavesdropper(Arc<Mutex<String>>);

impl Visit for Eavesdropper {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Eavesdropper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// All that can be printed of an error.
fn printed(error: &VcsError) -> String {
    let mut text = format!("{error} {error:?} {:?}", error.remedy());
    let mut source = error.source();
    while let Some(inner) = source {
        write!(text, " {inner} {inner:?}").unwrap();
        source = inner.source();
    }
    text
}

/// A run of requests against one fault, and everything that it prints, with the credentials that were sent.
async fn overheard(auth: GitHubAuth, turns: Vec<Turn>) -> (String, Vec<String>) {
    let ear = Eavesdropper::default();
    let listening = tracing::subscriber::set_default(ear.clone());
    let bench = Bench::with(auth, turns);
    for access in [Access::Read, Access::Propose] {
        if let Err(error) = bench.ask(access).await {
            let text = printed(&error);
            ear.0.lock().unwrap().push_str(&text);
        }
        let credentials = bench.api.git_credentials(bench.scope(access), &bench.ctx).await;
        let source = bench.api.source(bench.repository.clone());
        write!(ear.0.lock().unwrap(), "{:?} {credentials:?} {source:?}", bench.api).unwrap();
    }
    drop(listening);
    let sent = bench.server.requests().iter().map(|seen| bearer(seen).to_owned()).collect();
    let heard = ear.0.lock().unwrap().clone();
    (heard, sent)
}

/// The parts that must not be found: tokens, the signatures of JWTs, lines of the key.
fn secrets(sent: &[String]) -> impl Iterator<Item = &str> {
    let sent = sent.iter().filter_map(|bearer| bearer.rsplit('.').next());
    sent.chain(PKCS1.lines().skip(2))
        .chain([TOKEN])
        .filter(|secret| secret.len() >= 16)
        .map(|secret| &secret[..16])
}

fn app() -> GitHubAuth {
    GitHubAuth::App(AppCredentials::new(CLIENT_ID, PKCS1.into()))
}

/// Bodies that repeat the credential: answers that are cut or changed, proxies with verbose error pages.
fn echo() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(format!("\"{TOKEN}\"")),
        Just(format!("{{\"message\": \"no {TOKEN}\"}}")),
        Just(format!("{{\"token\": \"{TOKEN}\"}}")),
        Just(format!("{{\"token\": \"{TOKEN}\", \"expires_at\": \"{TOKEN}\"}}")),
        Just(format!("{{\"token\": [\"{TOKEN}\"], \"expires_at\": 1}}")),
        Just(format!("<html>Authorization: Bearer {TOKEN}</html>")),
        "\\PC{0,40}".prop_map(|around| format!("{around}{TOKEN}{around}")),
    ]
}

/// Runs into faults, and looks for credentials in what is printed.
fn check(auth: GitHubAuth, turns: Vec<Turn>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (heard, sent) = runtime.block_on(overheard(auth, turns));
    prop_assert!(!sent.is_empty() && heard.contains("Api"));
    for secret in secrets(&sent) {
        prop_assert!(!heard.contains(secret), "{secret} in {heard}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn case_53_no_damaged_token_is_printed(bodies in prop::collection::vec(echo(), 4)) {
        let damaged = bodies.into_iter().map(|body| Reply::json(201, body).into());
        check(app(), [installed()].into_iter().chain(damaged).collect())?;
    }

    #[test]
    fn case_53_no_refusal_prints_the_token(status in 400..500u16, body in echo()) {
        prop_assume!(status != 401 && status != 429);
        let refusal = || Turn::from(Reply::json(status, body.as_str()));
        let turns = vec![installed(), made(), refusal(), made(), refusal()];
        check(app(), turns)?;
        check(GitHubAuth::Token(TOKEN.into()), vec![refusal(), refusal()])?;
    }
}

#[tokio::test]
async fn case_53_a_personal_token_is_not_printed() {
    let auth = GitHubAuth::Token(TOKEN.into());
    let echo = |status| refused(status, &format!("what is {TOKEN}")).into();
    let (heard, sent) = overheard(auth, vec![echo(422), echo(401)]).await;
    assert_eq!(sent, [TOKEN, TOKEN]);
    assert!(heard.contains("what is ***"), "{heard}");
    for secret in secrets(&sent) {
        assert!(!heard.contains(secret), "{secret} in {heard}");
    }
}
