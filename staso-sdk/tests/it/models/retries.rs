//! When a model is asked again, when not, and how long it waits.

use std::time::{Duration, Instant};

use staso::models::{Delivery, Provider, ProviderModel, RetryOptions, RetryingModel};
use staso_core::agent::{LanguageModel as _, Message, ModelError, ModelReply, ModelRequest};
use staso_core::run::{Budget, RunContext};
use staso_core::testing::test_context;

use super::replay::{Answer, Ending, Replay};
use super::{Heard, config, impatient};

const GOOD: &str =
    "data: {\"choices\":[{\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const HALF: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"half an ans\"}}]}\n\n";

fn retrying(replay: &Replay) -> RetryingModel<ProviderModel> {
    let config = config(Provider::OpenAi, &replay.base).with_timeouts(impatient());
    let model = config.with_delivery(Delivery::Streamed).build().unwrap();
    let waits = RetryOptions::default().with_waits(Duration::from_millis(5), Duration::from_millis(20));
    RetryingModel::new(model).with_options(waits)
}

async fn asked(replay: &Replay, heard: &Heard, ctx: &RunContext) -> Result<ModelReply, ModelError> {
    let messages = [Message::user("Hi")];
    retrying(replay).complete(&ModelRequest::new("", &messages).with_deltas(heard), ctx).await
}

fn failing(status: u16) -> Answer {
    Answer::json(status, r#"{"error":{"code":"what_it_says"}}"#)
}

#[tokio::test]
async fn what_may_succeed_later_is_tried_again() {
    for status in [408, 409, 429, 500, 502, 503, 504, 529] {
        let replay = Replay::start(vec![failing(status), Answer::stream(GOOD)]).await;
        let reply = asked(&replay, &Heard::default(), &test_context()).await.unwrap();
        assert_eq!(reply.text, "ok", "{status}");
        replay.finish();
    }
}

#[tokio::test]
async fn what_will_not_succeed_later_is_not() {
    for status in [302, 400, 401, 403, 404, 413, 422, 501] {
        let replay = Replay::start(vec![failing(status)]).await;
        let error = asked(&replay, &Heard::default(), &test_context()).await.unwrap_err();
        assert!(!error.is_retryable(), "{status}: {error:?}");
        replay.finish();
    }
}

#[tokio::test]
async fn four_tries_and_no_more() {
    let replay = Replay::start(vec![failing(503); 4]).await;
    let error = asked(&replay, &Heard::default(), &test_context()).await.unwrap_err();
    assert!(matches!(error, ModelError::Overloaded { status: Some(503), .. }), "{error:?}");
    replay.finish();
}

#[tokio::test]
async fn the_provider_says_how_long() {
    let limited = || failing(429).with_header("retry-after", "30").with_header("retry-after-ms", "120");
    let replay = Replay::start(vec![limited(), Answer::stream(GOOD)]).await;
    let begun = Instant::now();
    asked(&replay, &Heard::default(), &test_context()).await.unwrap();
    let waited = begun.elapsed();
    assert!((120..20_000).contains(&waited.as_millis()), "{waited:?}");
    replay.finish();
}

#[tokio::test]
async fn there_is_no_try_that_the_run_has_no_time_for() {
    let replay = Replay::start(vec![failing(429).with_header("retry-after", "30")]).await;
    let ctx = test_context().with_budget(Budget::default().with_wall(Duration::from_secs(10)));
    let error = asked(&replay, &Heard::default(), &ctx).await.unwrap_err();
    let wait = Some(Duration::from_secs(30));
    assert!(matches!(error, ModelError::RateLimited { retry_after } if retry_after == wait), "{error:?}");
    replay.finish();
}

#[tokio::test]
async fn cancelling_ends_the_wait() {
    let replay = Replay::start(vec![failing(429).with_header("retry-after", "50")]).await;
    let ctx = test_context();
    let heard = Heard::default();
    let (answer, ()) = tokio::join!(asked(&replay, &heard, &ctx), async {
        while replay.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        ctx.cancellation().cancel();
    });
    assert!(matches!(answer, Err(ModelError::Cancelled)), "{answer:?}");
}

#[tokio::test]
async fn text_of_a_try_that_failed_is_taken_back() {
    for ending in [Ending::Lost, Ending::Silent] {
        let replay = Replay::start(vec![Answer::stream(HALF).ending(ending), Answer::stream(GOOD)]).await;
        let heard = Heard::default();
        let reply = asked(&replay, &heard, &test_context()).await.unwrap();
        assert_eq!((reply.text.as_str(), heard.text().as_str()), ("ok", "ok"), "{ending:?}");
        replay.finish();
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again() {
    let replay = Replay::start(Vec::new()).await;
    let gone = replay.base.clone();
    replay.finish();
    let config = config(Provider::OpenAi, &gone);
    let waits = RetryOptions::default().with_waits(Duration::ZERO, Duration::ZERO);
    let model = RetryingModel::new(config.build().unwrap()).with_options(waits);
    let messages = [Message::user("Hi")];
    let error = model.complete(&ModelRequest::new("", &messages), &test_context()).await.unwrap_err();
    assert!(matches!(error, ModelError::Network { .. }), "{error:?}");
}
