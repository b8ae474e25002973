//! Rate limits and queues.

use std::time::Duration;

use futures_util::future::join_all;
use staso_core::trace::Timestamp;
use staso_core::vcs::RateLimitKind;

use super::*;

const PRIMARY: &str = r#"{"message":"API rate limit exceeded for installation ID 1."}"#;
const SECONDARY: &str = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
const NOT_ACCESSIBLE: &str = r#"{"message":"Resource not accessible by integration"}"#;
/// When the clock of these tests starts, in seconds since 1970.
const START: i64 = 1_767_225_600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos((START + seconds) * 1_000_000_000)
}

/// Nothing remains until so many seconds after the start.
fn exhausted(seconds: i64) -> Reply {
    let reset = (START + seconds).to_string();
    Reply::json(403, PRIMARY).header("x-ratelimit-remaining", "0").header("x-ratelimit-reset", reset)
}

fn secondary() -> Reply {
    Reply::json(403, SECONDARY)
}

fn is_limited(result: &Result<ApiAnswer, SendError>, kind: RateLimitKind, retry_at: Timestamp) -> bool {
    matches!(result, Err(SendError::RateLimited { kind: of, retry_at: at }) if *of == kind && *at == retry_at)
}

#[tokio::test]
async fn case_12_the_primary_limit_is_waited_out_for_every_verb() {
    for request in [get(), post()] {
        let server = ScriptServer::start([exhausted(90), said(200)]);
        let (ctx, clock) = context();
        assert!(send(&client(&server, options()), &request, &ctx).await.is_ok());
        assert_eq!((clock.waits(), server.requests().len()), (vec![90.0], 2));
    }
}

#[tokio::test]
async fn case_12_a_limit_beyond_the_end_of_the_run_says_when_to_come_again() {
    let server = ScriptServer::start([exhausted(90), said(200)]);
    let (ctx, clock) = short_context(Duration::from_secs(89));
    let client = client(&server, options());
    let result = send(&client, &post(), &ctx).await;
    assert!(is_limited(&result, RateLimitKind::Primary, at(90)), "{result:?}");
    let next = send(&client, &get(), &ctx).await;
    assert!(is_limited(&next, RateLimitKind::Primary, at(90)), "{next:?}");
    assert_eq!((clock.waits().len(), server.requests().len()), (0, 1), "the next one is not even sent");
}

#[tokio::test]
async fn case_13_a_secondary_limit_stops_everything_of_the_account() {
    let query = ApiRequest::graphql("asking", "query { viewer { login } }", json!({}), Repeat::Safe);
    for request in [get(), post(), query] {
        let server = ScriptServer::start([secondary().header("retry-after", "30"), said(200), said(200)]);
        let client = client(&server, options());
        let (short, _) = short_context(Duration::from_secs(20));
        let result = send(&client, &post(), &short).await;
        assert!(is_limited(&result, RateLimitKind::Secondary, at(30)), "{result:?}");

        let (ctx, clock) = context();
        let other = Caller { bearer: None, account: "someone-else" };
        assert!(client.send(&get(), other, &ctx).await.is_ok());
        assert!(clock.waits().is_empty());
        assert!(send(&client, &request, &ctx).await.is_ok());
        assert_eq!(clock.waits().iter().sum::<f64>(), 30.0, "{request:?}");
    }
}

#[tokio::test]
async fn a_primary_limit_of_one_api_does_not_stop_the_other() {
    let server = ScriptServer::start([exhausted(90), said(200)]);
    let client = client(&server, options());
    let (ctx, clock) = short_context(Duration::from_secs(20));
    assert!(send(&client, &get(), &ctx).await.is_err());
    let query = ApiRequest::graphql("asking", "query { viewer { login } }", json!({}), Repeat::Safe);
    assert!(send(&client, &query, &ctx).await.is_ok());
    assert!(clock.waits().is_empty());
}

#[tokio::test]
async fn case_14_a_limit_without_a_time_doubles_from_a_minute_and_ends_after_three_waits() {
    for limit in [secondary(), Reply::new(429), Reply::json(429, SECONDARY)] {
        let server = ScriptServer::start(vec![limit; 9]);
        let (ctx, clock) = context();
        let result = send(&client(&server, options()), &post(), &ctx).await;
        assert!(is_limited(&result, RateLimitKind::Secondary, at(420 + 480)), "{result:?}");
        assert_eq!((clock.waits(), server.requests().len()), (vec![60.0, 120.0, 240.0], 4));
    }
}

#[tokio::test]
async fn what_is_no_limit_is_not_waited_for() {
    let server = ScriptServer::start([Reply::json(403, NOT_ACCESSIBLE), said(200)]);
    let (ctx, clock) = context();
    let answer = send(&client(&server, options()), &get(), &ctx).await.unwrap();
    assert_eq!((answer.status, server.requests().len(), clock.waits().len()), (403, 1, 0));
}

#[tokio::test]
async fn a_wait_for_a_limit_ends_with_the_run() {
    let server = ScriptServer::start([exhausted(60)]);
    let ctx = staso_core::testing::test_context();
    let (client, get) = (client(&server, options()), get());
    let (result, ()) = tokio::join!(send(&client, &get, &ctx), async {
        server.seen(1).await;
        ctx.cancellation().cancel();
    });
    assert!(matches!(result, Err(SendError::Cancelled)), "{result:?}");
}

#[tokio::test]
async fn changes_go_one_at_a_time_in_the_order_of_asking_a_second_apart() {
    let server = ScriptServer::start(vec![said(201); 5]);
    let client = client(&server, options());
    let (ctx, clock) = context();
    let requests: Vec<ApiRequest> =
        (0..5).map(|n| ApiRequest { path: format!("/repos/acme/support/pulls/{n}"), ..post() }).collect();
    let sent = join_all(requests.iter().map(|request| send(&client, request, &ctx))).await;
    assert!(sent.iter().all(Result::is_ok));
    let paths: Vec<String> = server.requests().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, requests.iter().map(|request| request.path.clone()).collect::<Vec<_>>());
    assert_eq!((server.most_in_flight(), clock.waits()), (1, vec![1.0; 4]));
}

#[tokio::test]
async fn a_change_whose_turn_comes_after_the_end_of_the_run_is_not_sent() {
    let server = ScriptServer::start(vec![said(201); 2]);
    let client = client(&server, options().with_mutation_interval(Duration::from_secs(60)));
    let (ctx, clock) = short_context(Duration::from_secs(30));
    assert!(send(&client, &post(), &ctx).await.is_ok());
    let result = send(&client, &post(), &ctx).await;
    assert!(matches!(result, Err(SendError::TimedOut { limit_ms: 30_000 })), "{result:?}");
    assert_eq!((server.requests().len(), clock.waits().len()), (1, 0));
}

#[tokio::test]
async fn nothing_is_sent_for_a_run_whose_time_is_over() {
    for request in [get(), post()] {
        let server = ScriptServer::start(vec![said(200); 2]);
        let client = client(&server, options());
        let (ctx, clock) = short_context(Duration::from_secs(30));
        assert!(send(&client, &get(), &ctx).await.is_ok());
        clock.advance(Duration::from_secs(30));
        let result = send(&client, &request, &ctx).await;
        assert!(matches!(result, Err(SendError::TimedOut { limit_ms: 0 })), "{result:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn few_read_at_one_time_and_none_waits_for_a_change() {
    let mut turns = vec![Turn::Held(said(201))];
    turns.extend(vec![Turn::Held(said(200)); 12]);
    let server = ScriptServer::start(turns);
    let client = client(&server, options());
    let (ctx, _) = context();
    let (post, get) = (post(), get());
    let reads = async {
        server.seen(1).await;
        let reads = (0..12).map(|_| send(&client, &get, &ctx));
        let (read, ()) = tokio::join!(join_all(reads), async {
            server.seen(5).await;
            server.release();
        });
        read
    };
    let (changed, read) = tokio::join!(send(&client, &post, &ctx), reads);
    assert!(changed.is_ok() && read.iter().all(Result::is_ok));
    assert_eq!(server.most_in_flight(), 5);
}

#[tokio::test]
async fn case_12_who_stands_in_the_queue_hears_of_a_limit_at_once() {
    let server = ScriptServer::start([Turn::Held(exhausted(3600))]);
    let client = client(&server, options());
    let day = Budget::default().with_wall(Duration::from_hours(24));
    let patient = staso_core::testing::test_context().with_budget(day);
    let hurried = short_context(Duration::from_secs(600)).0;
    let (first, second) = (post(), post());
    let waiting = async {
        server.seen(1).await;
        let waits =
            async { tokio::time::timeout(Duration::from_secs(5), send(&client, &second, &hurried)).await };
        let (result, ()) = tokio::join!(waits, async { server.release() });
        patient.cancellation().cancel();
        result
    };
    let (blocked, result) = tokio::join!(send(&client, &first, &patient), waiting);
    assert!(matches!(result, Ok(Err(SendError::RateLimited { .. }))), "{result:?}");
    assert!(matches!(blocked, Err(SendError::Cancelled)), "{blocked:?}");
}

#[tokio::test]
async fn nobody_waits_for_a_turn_beyond_the_end_of_the_run() {
    let server = ScriptServer::start([Turn::NeverAnswer]);
    let client = client(&server, options());
    let (ctx, _) = context();
    let (short, _) = short_context(Duration::from_millis(50));
    let (first, second) = (post(), post());
    let waiting = async {
        server.seen(1).await;
        let result = send(&client, &second, &short).await;
        ctx.cancellation().cancel();
        result
    };
    let (blocked, result) = tokio::join!(send(&client, &first, &ctx), waiting);
    assert!(matches!(result, Err(SendError::TimedOut { limit_ms: 50 })), "{result:?}");
    assert!(matches!(blocked, Err(SendError::Cancelled)), "{blocked:?}");
    assert_eq!(server.requests().len(), 1);
}
