//! What becomes of spans: requests, retries, limits, counts.

use std::convert::Infallible;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::json;
use staso::InitError;
use staso::export::{ExportError, ExportOptions, Exporter, FailureKind, SpanExporter};
use staso_core::run::TraceBatch;

use crate::capture_fixture::{KEY, LONG, Reply, Service, block_on, client, recording, variables};

fn record_tools(count: usize) {
    for number in 0..count {
        let result: Result<usize, Infallible> = staso::tool("count").args(&number).in_scope(|| Ok(number));
        assert_eq!(result, Ok(number));
    }
}

#[test]
fn a_batch_carries_the_headers_of_the_wire_format() {
    let service = Service::start([]);
    let staso = client(&service).start().unwrap();
    recording(&staso, || record_tools(3));
    let report = staso.flush_blocking(LONG);
    assert!(report.ok(), "{report}");
    assert_eq!((report.accepted, report.delivered), (6, 6), "three spans and three provisional roots");

    let requests = service.received();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, "/v1/traces/ingest");
    assert_eq!(requests[0].headers["x-api-key"], KEY);
    assert_eq!(requests[0].headers["content-type"], "application/json");
    assert!(requests[0].headers["user-agent"].starts_with("staso-rust/"));
    assert_eq!(requests[0].headers["idempotency-key"].len(), 36);
    assert_eq!(requests[0].body["traces"].as_array().unwrap().len(), 3);
    assert_eq!(service.spans().len(), 3, "final roots supersede provisional ones of the same batch");
}

#[test]
fn a_failing_service_is_tried_three_times_with_one_idempotency_key() {
    let service = Service::start([Reply::Status(500), Reply::Status(503)]);
    let staso = client(&service).start().unwrap();
    recording(&staso, || record_tools(1));
    assert!(staso.flush_blocking(LONG).ok());
    let keys: Vec<_> =
        service.received().iter().map(|request| request.headers["idempotency-key"].clone()).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]));

    let service = Service::start([Reply::Status(500), Reply::Status(500), Reply::Status(500)]);
    let staso = client(&service).start().unwrap();
    recording(&staso, || record_tools(1));
    let report = staso.flush_blocking(LONG);
    assert_eq!((report.delivered, report.failed, report.pending), (0, 2, 0));
    assert_eq!((report.last_failure, report.retryable), (Some(FailureKind::BackendUnavailable), true));
    assert_eq!(service.received().len(), 3);
}

#[test]
fn answers_that_no_retry_can_change_are_not_retried() {
    let wrong_receipt = json!({"accepted": 1, "rejected": 0, "spans_dropped": 0, "receipt_id": "another"});
    let cases = [
        (Reply::Status(401), FailureKind::InvalidKey),
        (Reply::Status(402), FailureKind::PlanExpired),
        (Reply::Status(403), FailureKind::Forbidden),
        (Reply::Status(429), FailureKind::RateLimited),
        (Reply::RetryAfter(429, "61"), FailureKind::RateLimited),
        (Reply::RetryAfter(429, "Wed, 21 Oct 2026 07:28:00 GMT"), FailureKind::RateLimited),
        (Reply::Status(302), FailureKind::MalformedResponse),
        (Reply::Status(204), FailureKind::MalformedResponse),
        (Reply::Body(wrong_receipt), FailureKind::MalformedResponse),
        (Reply::Body(json!({})), FailureKind::MalformedResponse),
    ];
    for (reply, kind) in cases {
        let service = Service::start([reply.clone()]);
        let staso = client(&service).start().unwrap();
        recording(&staso, || record_tools(1));
        let report = staso.flush_blocking(LONG);
        assert_eq!((report.failed, report.last_failure), (2, Some(kind)), "{reply:?}");
        assert_eq!(service.received().len(), 1, "{reply:?}");
    }
}

#[test]
fn a_rate_limit_is_waited_out_as_long_as_it_asks() {
    let service = Service::start([Reply::RetryAfter(429, "0.3")]);
    let staso = client(&service).start().unwrap();
    let begun = Instant::now();
    recording(&staso, || record_tools(1));
    assert!(staso.flush_blocking(LONG).ok());
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(service.received().len(), 2);
}

#[test]
fn nobody_listening_is_network_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let service = Service::start([]);
    let staso = client(&service).endpoint(format!("http://{address}")).start().unwrap();
    recording(&staso, || record_tools(1));
    let report = staso.shutdown_blocking(LONG);
    assert_eq!((report.failed, report.last_failure), (2, Some(FailureKind::NetworkUnavailable)));
    assert!(report.retryable && !report.ok() && !report.timed_out);
}

#[cfg(feature = "tls")]
#[test]
fn a_service_that_does_not_speak_tls_is_network_unavailable() {
    let service = Service::start([]);
    let staso = client(&service).endpoint(service.url().replace("http:", "https:")).start().unwrap();
    recording(&staso, || record_tools(1));
    let report = staso.shutdown_blocking(LONG);
    assert_eq!((report.failed, report.last_failure), (2, Some(FailureKind::NetworkUnavailable)));
    assert!(service.received().is_empty());
}

#[test]
fn shutdown_ends_in_time_when_the_service_never_answers() {
    let service = Service::start([Reply::Never, Reply::Never, Reply::Never]);
    let staso = client(&service).start().unwrap();
    recording(&staso, || record_tools(5));
    let begun = Instant::now();
    let report = block_on(staso.shutdown(Duration::from_millis(200)));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(report.timed_out && report.retryable);
    assert_eq!((report.accepted, report.delivered, report.failed, report.pending), (10, 0, 0, 10));
    assert_eq!(report.last_failure, Some(FailureKind::Timeout));
}

/// Lets batches through one by one, when told.
#[derive(Debug)]
struct Gate {
    arrived: mpsc::Sender<usize>,
    open: mpsc::Receiver<Result<(), ExportError>>,
}

impl SpanExporter for Gate {
    fn export(&mut self, batch: &TraceBatch, _: Duration) -> Result<(), ExportError> {
        let spans = batch.parts.iter().map(|part| part.spans.len()).sum();
        self.arrived.send(spans).unwrap();
        self.open.recv().unwrap_or(Ok(()))
    }
}

fn gate() -> (Exporter, mpsc::Receiver<usize>, mpsc::Sender<Result<(), ExportError>>) {
    let (arrived, arrivals) = mpsc::channel();
    let (opener, open) = mpsc::channel();
    (Exporter::custom(Gate { arrived, open }), arrivals, opener)
}

#[test]
fn a_full_queue_rejects_the_newest_and_counts_them() {
    let (exporter, arrivals, opener) = gate();
    let options = ExportOptions::default().with_queue(10, 64 << 20).with_batch(4, LONG);
    let staso = staso::init()
        .no_global()
        .variables(variables(&[]))
        .exporter(exporter)
        .export_options(options)
        .start()
        .unwrap();
    recording(&staso, || record_tools(2));
    assert_eq!(arrivals.recv().unwrap(), 2, "a batch of four is under way");
    recording(&staso, || record_tools(8));
    let report = staso.report();
    assert_eq!((report.accepted, report.pending, report.rejected), (14, 14, 6));
    assert_eq!((report.last_rejection, report.rejection_retryable), (Some(FailureKind::QueueFull), true));
    drop(opener);
    let report = staso.shutdown_blocking(LONG);
    assert_eq!((report.accepted, report.delivered, report.pending, report.rejected), (14, 14, 0, 6));
    assert!(!report.ok());
}

#[test]
fn the_queue_is_bounded_by_bytes_too() {
    let (exporter, _arrivals, opener) = gate();
    let options = ExportOptions::default().with_queue(10_000, 200_000).with_batch(500, LONG);
    let staso = staso::init()
        .no_global()
        .variables(variables(&[]))
        .exporter(exporter)
        .export_options(options)
        .start()
        .unwrap();
    let text = "x".repeat(20_000);
    recording(&staso, || {
        for _ in 0..100 {
            let done: Result<(), Infallible> = staso::tool("big").args(&text).in_scope(|| Ok(()));
            assert_eq!(done, Ok(()));
        }
    });
    let report = staso.report();
    assert!((1..20).contains(&report.accepted), "{report}");
    assert_eq!(report.accepted + report.rejected, 200);
    drop(opener);
    assert!(!staso.shutdown_blocking(LONG).timed_out);
}

#[test]
fn a_flush_reports_exactly_what_was_accepted_before_it() {
    let (exporter, arrivals, opener) = gate();
    let options = ExportOptions::default().with_batch(100, LONG).with_retries(1, Duration::ZERO);
    let staso = staso::init()
        .no_global()
        .variables(variables(&[]))
        .exporter(exporter)
        .export_options(options)
        .start()
        .unwrap();
    recording(&staso, || record_tools(3));
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| staso.flush_blocking(LONG));
        assert_eq!(arrivals.recv().unwrap(), 3);
        recording(&staso, || record_tools(7));
        opener.send(Err(ExportError::permanent(FailureKind::Forbidden))).unwrap();
        let report = flush.join().unwrap();
        assert_eq!((report.accepted, report.delivered, report.failed, report.pending), (6, 0, 6, 0));
        assert_eq!(report.last_failure, Some(FailureKind::Forbidden));
    });
    drop(opener);
    let report = staso.flush_blocking(LONG);
    assert_eq!((report.accepted, report.delivered, report.failed), (20, 14, 6));
}

#[test]
fn spans_that_end_after_shutdown_are_rejected() {
    let service = Service::start([]);
    let staso = client(&service).start().unwrap();
    let subscriber =
        tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), staso.layer());
    tracing::subscriber::with_default(subscriber, || {
        record_tools(1);
        assert!(staso.shutdown_blocking(LONG).ok());
        record_tools(1);
    });
    assert_eq!(service.spans().len(), 1);
}

#[derive(Debug)]
struct Faulty;

impl SpanExporter for Faulty {
    fn export(&mut self, _: &TraceBatch, _: Duration) -> Result<(), ExportError> {
        panic!("a third-party exporter failed")
    }
}

#[test]
fn an_exporter_that_panics_fails_its_batch_and_no_other() {
    let service = Service::start([]);
    let staso = client(&service).exporter(Exporter::custom(Faulty)).start().unwrap();
    recording(&staso, || record_tools(1));
    let report = staso.shutdown_blocking(LONG);
    assert_eq!((report.accepted, report.delivered, report.failed, report.pending), (4, 2, 2, 0));
    assert_eq!(service.spans().len(), 1);
}

#[test]
fn without_key_or_when_switched_off_the_client_is_disabled() {
    for pairs in [&[][..], &[("STASO_API_KEY", KEY), ("STASO_ENABLED", "0")][..]] {
        let staso = staso::init().no_global().variables(variables(pairs)).start().unwrap();
        assert!(!staso.is_enabled());
        recording(&staso, || record_tools(1));
        let report = staso.shutdown_blocking(LONG);
        assert_eq!((report.accepted, report.last_rejection), (0, Some(FailureKind::Disabled)));
    }
}

#[test]
fn settings_that_cannot_be_used_are_errors_that_do_not_repeat_them() {
    let start =
        |pairs: &[(&str, &str)]| staso::init().no_global().variables(variables(pairs)).start().unwrap_err();
    let cases = [
        (&[("STASO_API_KEY", "your-api-key")][..], "the api key is not usable: it is a placeholder"),
        (
            &[("STASO_API_KEY", "geheim\u{e4}")][..],
            "the api key is not usable: it is longer than 1024 bytes or holds something other than visible ASCII characters",
        ),
        (
            &[("STASO_ENABLED", "perhaps")][..],
            "STASO_ENABLED cannot be used: expected 1/0, true/false, yes/no or on/off",
        ),
        (&[("STASO_BASE_URL", "http://example.org/?key=canary")][..], "the endpoint cannot be used"),
        (
            &[("STASO_WORKSPACE_SLUG", "a\u{7}b")][..],
            "STASO_WORKSPACE_SLUG cannot be used: contains a control character",
        ),
    ];
    for (pairs, message) in cases {
        let error = start(pairs);
        assert_eq!(error.to_string(), message);
        assert!(!format!("{error:?}").contains("canary"));
    }
    assert!(matches!(start(&[("STASO_BASE_URL", "http://example.org")]), InitError::Endpoint(_)));
}

#[test]
fn the_key_is_in_no_debug_output() {
    let service = Service::start([]);
    let builder = client(&service);
    assert!(!format!("{builder:?}").contains(KEY));
    let staso = builder.start().unwrap();
    assert!(!format!("{staso:?}").contains(KEY));
}

#[test]
fn many_threads_lose_nothing() {
    let service = Service::start([]);
    let staso = client(&service).start().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| recording(&staso, || record_tools(250)));
        }
    });
    let report = staso.shutdown_blocking(LONG);
    assert!(report.ok(), "{report}");
    assert_eq!(report.delivered, 2000);
    let ids: std::collections::BTreeSet<_> =
        service.spans().iter().map(|span| span["span_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1000);
}
