//! Answers that nobody recorded, written by hand after the vendors' documents. SYNTHETIC, all of them.

use std::time::{Duration, Instant};

use staso::models::{Delivery, Provider};
use staso_core::agent::{LanguageModel as _, Message, ModelError, ModelReply, ModelRequest, StopReason};
use staso_core::testing::test_context;

use super::replay::{Answer, Ending, Replay};
use super::{Heard, config, impatient};

const WIRES: [Provider; 4] =
    [Provider::OpenAi, Provider::OpenAiResponses, Provider::Anthropic, Provider::Gemini];

async fn said(provider: Provider, delivery: Delivery, answer: Answer) -> Result<ModelReply, ModelError> {
    heard(provider, delivery, answer, &Heard::default()).await
}

async fn heard(
    provider: Provider,
    delivery: Delivery,
    answer: Answer,
    heard: &Heard,
) -> Result<ModelReply, ModelError> {
    let replay = Replay::start(vec![answer]).await;
    let config = config(provider, &replay.base).with_timeouts(impatient()).with_delivery(delivery);
    let messages = [Message::user("Hi")];
    let request = ModelRequest::new("", &messages).with_deltas(heard);
    let answer = config.build().unwrap().complete(&request, &test_context()).await;
    replay.finish();
    answer
}

/// The same error status both ways of asking.
async fn refused(provider: Provider, answer: Answer) -> ModelError {
    let whole = said(provider, Delivery::Whole, answer.clone()).await.unwrap_err();
    let streamed = said(provider, Delivery::Streamed, answer).await.unwrap_err();
    assert_eq!(format!("{whole:?}"), format!("{streamed:?}"));
    streamed
}

/// Half of a good answer on each wire, text "half".
const fn half(provider: Provider) -> &'static str {
    match provider {
        Provider::OpenAiResponses => include_str!("synthetic/responses_half.sse"),
        Provider::Anthropic => include_str!("synthetic/anthropic_half.sse"),
        Provider::Gemini => include_str!("synthetic/gemini_half.sse"),
        _ => include_str!("synthetic/chat_half.sse"),
    }
}

#[tokio::test]
async fn rates_are_limited_with_a_time_to_wait() {
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"Too fast."}}"#;
    for provider in WIRES {
        let plain = refused(provider, Answer::json(429, body)).await;
        assert!(matches!(plain, ModelError::RateLimited { retry_after: None }), "{plain:?}");
        let seconds = refused(provider, Answer::json(429, body).with_header("retry-after", "7")).await;
        assert_eq!(seconds.retry_after(), Some(Duration::from_secs(7)));
        let finer =
            Answer::json(429, body).with_header("retry-after", "7").with_header("retry-after-ms", "250");
        assert_eq!(refused(provider, finer).await.retry_after(), Some(Duration::from_millis(250)));
    }
    let gemini = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Quota.","details":[
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"13.5s"}]}}"#;
    let error = refused(Provider::Gemini, Answer::json(429, gemini)).await;
    assert_eq!(error.retry_after(), Some(Duration::from_millis(13_500)));
}

#[tokio::test]
async fn an_empty_account_is_not_waited_for() {
    let body =
        r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"Pay first."}}"#;
    let error = refused(Provider::OpenAi, Answer::json(429, body)).await;
    assert_eq!(error.to_string(), "the provider refused the request (429, insufficient_quota)");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn failures_of_the_provider_are_named_by_status() {
    for provider in WIRES {
        for status in [408, 409, 500, 502, 503, 504, 529] {
            for body in ["<html>bad gateway</html>", r#"{"error":{"type":"overloaded_error","message":"x"}}"#]
            {
                let answer = Answer::json(status, body).with_header("retry-after", "3");
                let error = refused(provider, answer).await;
                let wait = Some(Duration::from_secs(3));
                assert!(
                    matches!(error, ModelError::Overloaded { status: Some(said), retry_after } if said == status && retry_after == wait),
                    "{provider:?} {status}: {error:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn keys_that_are_refused() {
    for provider in WIRES {
        for status in [401, 403] {
            let body =
                r#"{"error":{"code":"invalid_api_key","message":"Incorrect API key provided: sk-***"}}"#;
            let error = refused(provider, Answer::json(status, body)).await;
            assert!(matches!(error, ModelError::Auth { status: Some(said) } if said == status), "{error:?}");
        }
    }
}

#[tokio::test]
async fn requests_that_are_too_long() {
    let answers = [
        (Provider::OpenAi, 400, include_str!("synthetic/openai_context_length.json")),
        (Provider::OpenAiResponses, 400, include_str!("synthetic/openai_context_length.json")),
        (Provider::Anthropic, 400, include_str!("synthetic/anthropic_prompt_too_long.json")),
        (Provider::Anthropic, 413, r#"{"type":"error","error":{"type":"request_too_large","message":"x"}}"#),
        (Provider::Gemini, 400, include_str!("synthetic/gemini_too_many_tokens.json")),
    ];
    for (provider, status, body) in answers {
        let error = refused(provider, Answer::json(status, body)).await;
        assert!(matches!(error, ModelError::ContextLength), "{provider:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_malformed_call_of_gemini_keeps_what_was_written() {
    let body = include_str!("synthetic/gemini_malformed_call.json");
    let whole = said(Provider::Gemini, Delivery::Whole, Answer::json(200, body)).await.unwrap();
    let line = format!("data: {}\n\n", body.replace('\n', " "));
    let streamed = said(Provider::Gemini, Delivery::Streamed, Answer::stream(&line)).await.unwrap();
    assert_eq!(whole, streamed);
    assert_eq!((whole.stop, whole.calls.len()), (StopReason::Other, 0));
    assert_eq!(whole.text, "Malformed function call: print(default_api.add(x=2, note='ü'))");
}

/// `{"x": 2,, "note": 'ü'}` is no JSON; it must arrive as it is.
#[tokio::test]
async fn arguments_that_are_not_json_arrive_as_they_were_written() {
    const WRITTEN: &str = r#"{"x": 2,, "note": 'ü'}"#;
    let streams = [
        (Provider::OpenAi, include_str!("synthetic/chat_bad_arguments.sse")),
        (Provider::OpenAiResponses, include_str!("synthetic/responses_bad_arguments.sse")),
        (Provider::Anthropic, include_str!("synthetic/anthropic_bad_arguments.sse")),
    ];
    for (provider, stream) in streams {
        for piece in [usize::MAX, 1] {
            let answer = Answer::stream(stream).in_pieces(piece);
            let reply = said(provider, Delivery::Streamed, answer).await.unwrap();
            assert_eq!(reply.calls.len(), 1, "{provider:?}");
            assert_eq!((reply.calls[0].name.as_str(), reply.calls[0].arguments.as_str()), ("add", WRITTEN));
            assert_eq!(reply.stop, StopReason::ToolCalls);
        }
    }
    let quoted = serde_json::to_string(WRITTEN).unwrap();
    let body = format!(
        r#"{{"choices":[{{"message":{{"content":null,"tool_calls":[{{"id":"c1","type":"function","function":{{"name":"add","arguments":{quoted}}}}}]}},"finish_reason":"tool_calls"}}]}}"#
    );
    let reply = said(Provider::OpenAi, Delivery::Whole, Answer::json(200, &body)).await.unwrap();
    assert_eq!(reply.calls[0].arguments, WRITTEN);
}

#[tokio::test]
async fn errors_in_the_middle_of_a_stream() {
    let overloaded = concat!(
        "event: error\n",
        r#"data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        "\n\n"
    );
    let failed = concat!(
        "event: response.failed\n",
        r#"data: {"type":"response.failed","response":{"id":"r","model":"m","status":"failed","output":[],"error":{"code":"server_error","message":"x"}}}"#,
        "\n\n"
    );
    let limited = concat!(
        "event: error\n",
        r#"data: {"type":"error","code":"rate_limit_exceeded","message":"x","param":null}"#,
        "\n\n"
    );
    let internal = "data: {\"error\":{\"code\":503,\"message\":\"x\",\"status\":\"UNAVAILABLE\"}}\n\n";
    let server = "data: {\"error\":{\"message\":\"x\",\"type\":\"server_error\"}}\n\n";
    let streams = [
        (Provider::Anthropic, overloaded, "Overloaded"),
        (Provider::OpenAiResponses, failed, "Overloaded"),
        (Provider::OpenAiResponses, limited, "RateLimited"),
        (Provider::Gemini, internal, "Overloaded"),
        (Provider::OpenAi, server, "Overloaded"),
    ];
    for (provider, end, kind) in streams {
        for newline in ["\n", "\r\n"] {
            let stream = format!("{}{end}", half(provider)).replace('\n', newline);
            for piece in [usize::MAX, 1] {
                let answer = Answer::stream(&stream).in_pieces(piece);
                let error = said(provider, Delivery::Streamed, answer).await.unwrap_err();
                assert!(format!("{error:?}").starts_with(kind), "{provider:?}, {piece}: {error:?}");
                assert!(error.is_retryable());
            }
        }
    }
}

#[tokio::test]
async fn connections_that_are_lost_in_the_middle() {
    for provider in WIRES {
        let listener = Heard::default();
        let answer = Answer::stream(half(provider)).ending(Ending::Lost);
        let error = heard(provider, Delivery::Streamed, answer, &listener).await.unwrap_err();
        assert!(matches!(error, ModelError::Network { .. }), "{provider:?}: {error:?}");
        assert_eq!(listener.text(), "half", "{provider:?}");
        // Ended as it should, but without the end of the reply.
        let answer = Answer::stream(half(provider));
        let error = said(provider, Delivery::Streamed, answer).await.unwrap_err();
        assert!(matches!(error, ModelError::Network { .. }), "{provider:?}: {error:?}");
    }
}

#[tokio::test]
async fn silence_in_the_middle_has_an_end() {
    for provider in WIRES {
        let begun = Instant::now();
        let answer = Answer::stream(half(provider)).ending(Ending::Silent);
        let error = said(provider, Delivery::Streamed, answer).await.unwrap_err();
        assert!(matches!(error, ModelError::Timeout { limit_ms: 300 }), "{provider:?}: {error:?}");
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test]
async fn cancelling_in_the_middle_ends_the_call() {
    for provider in WIRES {
        let replay = Replay::start(vec![Answer::stream(half(provider)).ending(Ending::Silent)]).await;
        let model = config(provider, &replay.base).build().unwrap();
        let ctx = test_context();
        let listener = Heard::default();
        let messages = [Message::user("Hi")];
        let request = ModelRequest::new("", &messages).with_deltas(&listener);
        let (answer, ()) = tokio::join!(model.complete(&request, &ctx), async {
            while listener.pieces() == 0 {
                tokio::task::yield_now().await;
            }
            ctx.cancellation().cancel();
        });
        assert!(matches!(answer, Err(ModelError::Cancelled)), "{provider:?}: {answer:?}");
    }
}

#[tokio::test]
async fn refusals_and_filters() {
    let refusal = include_str!("synthetic/anthropic_refusal.sse");
    let reply = said(Provider::Anthropic, Delivery::Streamed, Answer::stream(refusal)).await.unwrap();
    assert_eq!((reply.stop, reply.text.as_str()), (StopReason::Refusal, "I can"));
    let filter = include_str!("synthetic/chat_content_filter.sse");
    let reply = said(Provider::OpenAi, Delivery::Streamed, Answer::stream(filter)).await.unwrap();
    assert_eq!((reply.stop, reply.text.as_str()), (StopReason::ContentFilter, "Here is how"));
    let refusal = include_str!("synthetic/responses_refusal.sse");
    let reply = said(Provider::OpenAiResponses, Delivery::Streamed, Answer::stream(refusal)).await.unwrap();
    assert_eq!((reply.stop, reply.text.as_str()), (StopReason::Refusal, "I cannot."));
    let body = r#"{"error":{"code":"content_filter","message":"filtered","status":400}}"#;
    let error = refused(Provider::Compatible, Answer::json(400, body)).await;
    assert!(matches!(error, ModelError::ContentFilter), "{error:?}");
}

#[tokio::test]
async fn what_is_no_answer_at_all() {
    for provider in WIRES {
        for (kind, body) in [
            ("text/html", "<html>Sign in</html>"),
            ("application/json", "{}"),
            ("application/json", "[]"),
            ("application/json", "not json"),
        ] {
            let error = said(provider, Delivery::Whole, Answer::new(200, kind, body)).await.unwrap_err();
            assert!(matches!(error, ModelError::Malformed { .. }), "{provider:?} {body}: {error:?}");
        }
        let stream = Answer::stream("data: not json\n\n");
        let error = said(provider, Delivery::Streamed, stream).await.unwrap_err();
        assert!(matches!(error, ModelError::Malformed { .. }), "{provider:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_reply_without_end_is_given_up() {
    let piece =
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "x".repeat(60_000));
    let stream = piece.repeat(300);
    let error = said(Provider::OpenAi, Delivery::Streamed, Answer::stream(&stream)).await.unwrap_err();
    assert_eq!(error.to_string(), "the provider's answer cannot be read: it is longer than 16 MiB");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Replay::start(Vec::new()).await;
    for provider in WIRES {
        let answer = Answer::json(307, "{}").with_header("location", &elsewhere.base);
        let error = refused(provider, answer).await;
        assert!(matches!(error, ModelError::BadRequest { status: Some(307), .. }), "{error:?}");
    }
    elsewhere.finish();
}
