//! Failures of servers and connections.

use std::time::Duration;

use staso_core::vcs::VcsError;
use tokio_util::sync::CancellationToken;

use super::*;

fn silent_for(limit: Duration) -> ClientOptions {
    options().with_request(limit)
}

#[tokio::test]
async fn case_15_reads_are_repeated_with_growing_random_pauses() {
    for status in [502, 503, 504] {
        let server = ScriptServer::start([said(status), said(status), said(status), said(200)]);
        let (ctx, clock) = context();
        let answer = send(&client(&server, options()), &get(), &ctx).await.unwrap();
        assert_eq!((answer.status, server.requests().len()), (200, 4));
        let waits = clock.waits();
        assert_eq!(waits.len(), 3);
        for (wait, low) in waits.iter().zip([1.0, 2.0, 4.0]) {
            assert!((low..=low * 1.5).contains(wait), "{waits:?}");
        }
    }
}

#[tokio::test]
async fn after_three_repetitions_the_status_is_the_answer() {
    let server = ScriptServer::start(vec![Reply::new(503).body("<html>"); 9]);
    let (ctx, _) = context();
    let answer = send(&client(&server, options()), &get(), &ctx).await.unwrap();
    assert_eq!((answer.status, server.requests().len()), (503, 4));
}

#[tokio::test]
async fn a_server_may_say_when_it_is_back() {
    let server = ScriptServer::start([said(503).header("retry-after", "20"), said(200)]);
    let (ctx, clock) = context();
    assert!(send(&client(&server, options()), &get(), &ctx).await.is_ok());
    assert_eq!(clock.waits(), [20.0]);
    let server = ScriptServer::start([said(503).header("retry-after", "99999999999999"), said(200)]);
    let answer = send(&client(&server, options()), &get(), &ctx).await.unwrap();
    assert_eq!(answer.status, 503);
    let server = ScriptServer::start([said(503).header("retry-after", "99999999999999"), said(200)]);
    let (endless, clock) = short_context(Duration::MAX);
    assert!(send(&client(&server, options()), &get(), &endless).await.is_ok());
    assert_eq!(clock.waits(), [86_400.0], "no longer than a rate limit");
}

#[tokio::test]
async fn a_change_that_may_have_been_made_is_lost_and_never_sent_twice() {
    for turn in [
        turn(said(500)),
        turn(said(502)),
        turn(said(503)),
        turn(said(504)),
        turn(said(507)),
        turn(said(520)),
        Turn::Raw(b"HTTP/1.1 201 Created\r\ncontent-length: 99999999\r\n\r\n".to_vec()),
        Turn::CloseBeforeAnswer,
        Turn::CloseMidBody(said(201), 10),
        turn(Reply::json(201, "{\"id\": 1, \"n")),
        turn(Reply::new(200).header("content-type", "text/html").body("<html>sign in</html>")),
    ] {
        let shown = format!("{turn:?}");
        let server = ScriptServer::start([turn, said(201).into()]);
        let (ctx, _) = context();
        let result = send(&client(&server, options()), &post(), &ctx).await;
        assert!(matches!(result, Err(SendError::Lost { .. })), "{shown}: {result:?}");
        assert_eq!((server.requests().len(), server.turns_left()), (1, 1), "{shown}");
    }
}

#[tokio::test]
async fn a_change_without_an_answer_in_time_is_lost() {
    let server = ScriptServer::start([Turn::NeverAnswer]);
    let (ctx, _) = context();
    let result = send(&client(&server, silent_for(Duration::from_millis(500))), &post(), &ctx).await;
    assert!(matches!(&result, Err(SendError::Lost { reason }) if reason.contains("500 ms")), "{result:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn case_17_cut_answers_and_web_pages_are_asked_for_again() {
    let html = Reply::new(200).header("content-type", "text/html").body("<html>sign in</html>");
    let script = [Turn::CloseMidBody(said(200), 20), turn(html.clone()), turn(said(200))];
    let server = ScriptServer::start(script);
    let (ctx, _) = context();
    let answer = send(&client(&server, options()), &get(), &ctx).await.unwrap();
    assert_eq!((answer.body.as_slice(), server.requests().len()), (OFFICIAL.as_bytes(), 3));

    let server = ScriptServer::start(vec![html; 4]);
    let result = send(&client(&server, options()), &get(), &ctx).await;
    assert!(
        matches!(&result, Err(SendError::BadAnswer { reason }) if reason.contains("no JSON")),
        "{result:?}"
    );
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn raw_answers_need_not_be_json_and_the_wrong_json_is_a_bad_answer() {
    let server = ScriptServer::start([Reply::new(200).body("plain text"), said(200)]);
    let (ctx, _) = context();
    let client = client(&server, options());
    let raw = get().with_accept("application/vnd.github.raw+json");
    assert_eq!(send(&client, &raw, &ctx).await.unwrap().body, b"plain text");
    let error = send(&client, &get(), &ctx).await.unwrap().json::<Vec<u64>>("listing").unwrap_err();
    assert!(matches!(error, VcsError::BadAnswer { operation: "listing", .. }), "{error}");
}

#[tokio::test]
async fn every_verb_knows_whether_it_may_be_repeated() {
    for (method, repeat, sent) in [
        (Method::HEAD, Repeat::ReadBack, 2),
        (Method::PUT, Repeat::ReadBack, 2),
        (Method::DELETE, Repeat::ReadBack, 2),
        (Method::POST, Repeat::Safe, 2),
        (Method::PATCH, Repeat::Safe, 2),
        (Method::POST, Repeat::ReadBack, 1),
        (Method::PATCH, Repeat::ReadBack, 1),
    ] {
        let server = ScriptServer::start([Turn::CloseBeforeAnswer, turn(said(200))]);
        let (ctx, _) = context();
        let request = ApiRequest { method: method.clone(), repeat, ..post() };
        let result = send(&client(&server, options()), &request, &ctx).await;
        assert_eq!(server.requests().len(), sent, "{method} {repeat:?}: {result:?}");
        assert_eq!(result.is_ok(), sent == 2, "{method} {repeat:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_unreachable_for_changes_too() {
    let server = ScriptServer::start(Vec::<Turn>::new());
    let client = client(&server, options());
    drop(server);
    let (ctx, clock) = context();
    for request in [get(), post()] {
        let result = send(&client, &request, &ctx).await;
        let Err(SendError::Unreachable { reason }) = result else { panic!("{result:?}") };
        assert!(reason.contains("refused"), "{reason}");
    }
    assert_eq!(clock.waits().len(), 6);
}

#[tokio::test]
async fn the_end_of_the_run_ends_the_repetitions() {
    let server = ScriptServer::start(vec![said(502); 9]);
    let (ctx, clock) = short_context(Duration::from_secs(3));
    let answer = send(&client(&server, options()), &get(), &ctx).await.unwrap();
    assert_eq!(answer.status, 502);
    assert!(clock.waits().iter().sum::<f64>() < 3.0);
}

#[tokio::test]
async fn a_cancelled_run_stops_waiting_for_an_answer() {
    let server = ScriptServer::start([Turn::NeverAnswer]);
    let token = CancellationToken::new();
    let ctx = context().0.with_cancellation(token.clone());
    let (client, get) = (client(&server, options()), get());
    let (result, ()) = tokio::join!(send(&client, &get, &ctx), async {
        server.seen(1).await;
        token.cancel();
    });
    assert!(matches!(result, Err(SendError::Cancelled)), "{result:?}");
}

#[tokio::test]
async fn long_answers_end_at_their_limit() {
    let announced = turn(Reply::json(200, vec![b'x'; 101]));
    let chunks = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}",
        "40\r\n".to_owned() + &"x".repeat(64) + "\r\n40\r\n" + &"x".repeat(64) + "\r\n0\r\n\r\n"
    );
    for turn in [announced, Turn::Raw(chunks.into_bytes())] {
        let server = ScriptServer::start([turn]);
        let (ctx, _) = context();
        let result = send(&client(&server, options()), &get().with_max_bytes(100), &ctx).await;
        assert!(matches!(result, Err(SendError::TooLarge { max_bytes: 100 })), "{result:?}");
    }
}

#[tokio::test]
async fn a_slow_body_is_over_at_the_limit_of_the_request() {
    let slow = Turn::SlowBody(said(200), 1, Duration::from_millis(40));
    let server = ScriptServer::start(vec![slow; 4]);
    let (ctx, _) = context();
    let result = send(&client(&server, silent_for(Duration::from_millis(60))), &get(), &ctx).await;
    assert!(matches!(result, Err(SendError::TimedOut { limit_ms: 60 })), "{result:?}");
}
