//! Against a proxy that encodes three real wires, with answers that our script decides. Opt-in: `.ci/wire` starts it.

use staso::models::{Delivery, ModelConfig, Provider, ProviderModel};
use staso_core::agent::{
    LanguageModel as _, Message, ModelError, ModelReply, ModelRequest, StopReason, ToolChoice, ToolResult,
};
use staso_core::testing::test_context;

use super::{Heard, spec};

const WIRES: [Provider; 3] = [Provider::OpenAi, Provider::Anthropic, Provider::OpenAiResponses];
const DELIVERIES: [Delivery; 2] = [Delivery::Streamed, Delivery::Whole];

#[expect(clippy::disallowed_methods, reason = "where the proxy is, is a matter of the job")]
fn proxy() -> Option<(String, String)> {
    let variable = |name| std::env::var(name).ok();
    if variable("STASO_WIRE_TESTS").as_deref() != Some("1") {
        return None;
    }
    Some((variable("STASO_WIRE_URL").expect("an address"), variable("STASO_WIRE_KEY").expect("a key")))
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(test: &str) {
    eprintln!("SKIPPED {test}: there is no proxy. Run STASO_WIRE_TESTS=1 .ci/wire. NOTHING WAS CHECKED.");
}

#[expect(clippy::print_stderr, reason = "the summary of the job")]
fn passed(what: &str) {
    eprintln!("wire: {what}: ok");
}

fn model(provider: Provider, delivery: Delivery, url: &str, key: &str) -> ProviderModel {
    let config = ModelConfig::new(provider, "by-script").unwrap().with_delivery(delivery);
    config.with_base_url(url).unwrap().with_key(key).unwrap().build().unwrap()
}

async fn asked(model: &ProviderModel, messages: &[Message], heard: &Heard) -> Result<ModelReply, ModelError> {
    let tools = [spec("add"), spec("look")];
    let tools: Vec<_> = tools.iter().collect();
    let request =
        ModelRequest::new("Be brief.", messages).with_tools(&tools, ToolChoice::Auto).with_deltas(heard);
    model.complete(&request, &test_context()).await
}

#[tokio::test]
async fn two_calls_and_a_second_turn() {
    let Some((url, key)) = proxy() else { return skipped("two_calls_and_a_second_turn") };
    for provider in WIRES {
        for delivery in DELIVERIES {
            let model = model(provider, delivery, &url, &key);
            let mut messages = vec![Message::user("call both")];
            let reply = asked(&model, &messages, &Heard::default()).await.unwrap();
            let calls: Vec<_> =
                reply.calls.iter().map(|call| (call.name.as_str(), call.arguments.as_str())).collect();
            let wanted = [("add", r#"{"x": 2, "note": "Grüße, 東京"}"#), ("look", r#"{"x": 3}"#)];
            let same = |(written, wanted): (&(&str, &str), &(&str, &str))| {
                let json = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
                written.0 == wanted.0 && json(written.1) == json(wanted.1)
            };
            assert!(
                calls.len() == 2 && calls.iter().zip(&wanted).all(same),
                "{provider:?} {delivery:?} {calls:?}"
            );
            assert_eq!(reply.stop, StopReason::ToolCalls);
            let results = reply.calls.iter().map(|call| ToolResult {
                call_id: call.id.clone(),
                name: call.name.clone(),
                content: format!("result of {}", call.name),
                ok: true,
            });
            let results = results.collect();
            messages.push(Message::Assistant { text: reply.text, calls: reply.calls, state: reply.state });
            messages.push(Message::Tool { results });
            let heard = Heard::default();
            let reply = asked(&model, &messages, &heard).await.unwrap();
            assert_eq!(reply.text, "I saw: result of add, result of look.", "{provider:?} {delivery:?}");
            assert_eq!((heard.text(), reply.stop), (reply.text.clone(), StopReason::End));
            assert!(delivery == Delivery::Whole || heard.pieces() > 1, "{provider:?}: not in pieces");
            passed(&format!("{} {delivery:?}: two calls, second turn", provider.name()));
        }
    }
}

#[tokio::test]
async fn statuses_of_errors() {
    let Some((url, key)) = proxy() else { return skipped("statuses_of_errors") };
    for provider in WIRES {
        for delivery in DELIVERIES {
            for (status, retryable) in [(429, true), (503, true), (400, false)] {
                let model = model(provider, delivery, &url, &key);
                let messages = [Message::user(format!("fail {status}"))];
                let error = asked(&model, &messages, &Heard::default()).await.unwrap_err();
                assert_eq!(error.is_retryable(), retryable, "{provider:?} {delivery:?} {status}: {error:?}");
            }
            let stranger = model(provider, delivery, &url, "sk-not-the-key");
            let error = asked(&stranger, &[Message::user("hi")], &Heard::default()).await.unwrap_err();
            // Without a database the proxy answers 400 to keys that it does not know.
            assert!(!error.is_retryable(), "{provider:?} {delivery:?}: {error:?}");
            passed(&format!("{} {delivery:?}: 400, 429, 503, a wrong key", provider.name()));
        }
    }
}
