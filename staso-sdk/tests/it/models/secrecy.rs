//! Neither the key nor what is said appears in an error, a log or an event, whatever a server does with it.

use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use staso::models::{Delivery, ModelConfig, Provider, RetryOptions, RetryingModel};
use staso_core::agent::{LanguageModel as _, Message, ModelError, ModelRequest};
use staso_core::conformance::language_model;
use staso_core::testing::test_context;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::replay::{Answer, Replay};
use super::{CANARY, config};

const SAID: &str = "what-the-host-said-in-private";
const ANSWERED: &str = "what-the-model-said-in-private";

/// Keeps every field of every span and event, at every level.
#[derive(Debug, Clone, Default)]
struct Everything(Arc<Mutex<String>>);

struct Writer<'a>(&'a mut String);

impl Visit for Writer<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _infallible = write!(self.0, "{field}={value:?} ");
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Writer(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, values: &Record<'_>) {
        values.record(&mut Writer(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut log = self.0.lock().unwrap();
        let _infallible = write!(log, "{}: ", event.metadata().target());
        event.record(&mut Writer(&mut log));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// Everything that a host could print of an error.
fn printed(error: &ModelError) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        let _infallible = write!(text, "{error} {error:?}");
        source = error.source();
    }
    text
}

/// Answers of a server that repeats what it was sent wherever it can.
fn indiscreet() -> Vec<Answer> {
    let echo = format!("{CANARY} {SAID} {ANSWERED}");
    let error = |code: &str| {
        format!(
            r#"{{"type":"error","error":{{"code":"{code}","type":"{code}","status":"{code}","message":"{echo}","failed_generation":"{echo}"}}}}"#
        )
    };
    let mut answers: Vec<Answer> = [302, 400, 401, 403, 404, 429, 500, 503]
        .into_iter()
        .flat_map(|status| {
            [
                Answer::json(status, &error(CANARY)),
                Answer::json(status, &error("some_code")),
                Answer::new(status, "text/html", format!("<html>{echo}")),
            ]
        })
        .collect();
    answers.extend([
        Answer::json(200, &error(CANARY)),
        Answer::json(200, &format!(r#"{{"echo":"{echo}"}}"#)),
        Answer::json(200, &format!("not json {echo}")),
        Answer::new(200, "text/plain", echo.clone()),
        Answer::stream(&format!("event: error\ndata: {}\n\n", error(CANARY))),
        Answer::stream(&format!("event: unheard_of\ndata: {{\"type\":\"unheard_of\",\"x\":\"{echo}\"}}\n\n")),
        Answer::stream(&format!("data: not json {echo}\n\n")),
        Answer::stream(&format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{echo}\"}}}}]}}\n\n")),
        Answer::stream(&format!("data: {{\"candidates\":[{{\"content\":\"{echo}\"}}]}}\n\n")),
        Answer::stream(&format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"delta\":{{\"type\":\"x\",\"y\":\"{echo}\"}}}}\n\n"
        )),
        Answer::stream(&format!(
            "event: response.failed\ndata: {{\"type\":\"response.failed\",\"response\":{}}}\n\n",
            error(CANARY)
        )),
    ]);
    answers
}

#[tokio::test]
async fn nothing_private_is_printed_or_logged() {
    let log = Everything::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    tracing::trace!("the log works");
    let messages = [Message::user(SAID)];
    let mut errors = 0;
    for provider in [Provider::OpenAi, Provider::OpenAiResponses, Provider::Anthropic, Provider::Gemini] {
        for delivery in [Delivery::Streamed, Delivery::Whole] {
            for answer in indiscreet() {
                let replay = Replay::start(vec![answer]).await;
                let config = config(provider, &replay.base).with_delivery(delivery);
                let model = RetryingModel::new(config.build().unwrap())
                    .with_options(RetryOptions::default().with_tries(1));
                let ctx = test_context();
                let error = model.complete(&ModelRequest::new(SAID, &messages), &ctx).await.unwrap_err();
                let all = format!("{} {model:?} {config:?} {:?}", printed(&error), ctx.recorded_events());
                for private in [CANARY, SAID, ANSWERED] {
                    assert!(!all.contains(private), "{provider:?}, {delivery:?}: {all}");
                }
                errors += 1;
                replay.finish();
            }
        }
    }
    assert_eq!(errors, 8 * indiscreet().len());
    let log = log.0.lock().unwrap().clone();
    assert!(log.contains("the log works"));
    for private in [CANARY, SAID, ANSWERED] {
        let around =
            log.find(private).map(|at| log.get(at.saturating_sub(300)..at).unwrap_or_default().to_owned());
        assert_eq!(around, None, "{private} was logged after this");
    }
}

#[tokio::test]
async fn the_client_keeps_the_contract_of_models() {
    let answers = [
        (
            Provider::OpenAi,
            "data: {\"choices\":[{\"delta\":{\"content\":\"A chain of nodes.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        ),
        (
            Provider::OpenAi,
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"weather\",\"arguments\":\"{}\"}},{\"function\":{\"name\":\"weather\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        ),
        (Provider::Anthropic, include_str!("synthetic/anthropic_bad_arguments.sse")),
        (Provider::OpenAiResponses, include_str!("synthetic/responses_bad_arguments.sse")),
        (
            Provider::Gemini,
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"weather\"}},{\"functionCall\":{\"name\":\"weather\"}}]},\"finishReason\":\"STOP\"}]}\n\n",
        ),
    ];
    for (provider, stream) in answers {
        let replay = Replay::start(vec![Answer::stream(stream); 12]).await;
        let model = config(provider, &replay.base).build().unwrap();
        language_model::keeps_the_contract(&model).await;
        language_model::hides_its_key(&model, CANARY);
        language_model::hides_its_key(&RetryingModel::new(model), CANARY);
    }
}

#[test]
fn a_configuration_hides_its_key_and_hands_it_to_a_redactor() {
    let config = ModelConfig::new(Provider::OpenAi, "gpt").unwrap().with_key(CANARY).unwrap();
    assert!(!format!("{config:?} {:?}", config.build().unwrap()).contains(CANARY));
    let secrets = config.known_secrets();
    assert_eq!(secrets.iter().map(staso::Secret::expose).collect::<Vec<_>>(), [CANARY]);
}
