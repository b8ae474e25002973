//! What touches the whole process: the global subscriber, aborts. Each test runs its part in a process of its own.

use std::process::{Command, Output};

use staso::{Installed, Staso};
use staso_core::trace::SourceRevision;

use crate::capture_fixture::{KEY, LONG, Service, attributes};

const PART: &str = "STASO_TEST_PART";
const ENDPOINT: &str = "STASO_TEST_ENDPOINT";

/// The value of a variable that the parent test set for this process.
#[expect(clippy::disallowed_methods, reason = "the child process gets its part from the parent")]
fn given(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs `test` again in a child process, where [`PART`] is set.
fn in_child(test: &str, endpoint: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(PART, "child")
        .env(ENDPOINT, endpoint)
        .output()
        .unwrap()
}

fn assert_passed(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn start() -> Staso {
    staso::init!()
        .api_key(KEY)
        .endpoint(given(ENDPOINT).unwrap())
        .source(SourceRevision::default())
        .start()
        .unwrap()
}

#[test]
fn the_first_client_is_installed_and_a_second_takes_its_place() {
    if given(PART).is_none() {
        let service = Service::start([]);
        assert_passed(&in_child(
            "capture_process::the_first_client_is_installed_and_a_second_takes_its_place",
            &service.url(),
        ));
        let spans = service.final_spans();
        assert_eq!(spans.keys().collect::<Vec<_>>(), ["first", "second"]);
        assert_eq!(spans["first"]["agent_version"], env!("CARGO_PKG_VERSION"), "the macro knows its caller");
        return;
    }
    let first = start();
    assert_eq!(first.installed(), Installed::Yes);
    assert!(first.previous_shutdown_report().is_none());
    staso::agent("first").in_scope(|| {});
    let second = start();
    assert_eq!(second.installed(), Installed::Yes);
    let previous = second.previous_shutdown_report().unwrap();
    assert_eq!((previous.accepted, previous.delivered, previous.ok()), (2, 2, true));
    staso::agent("second").in_scope(|| {});
    let report = second.shutdown_blocking(LONG);
    assert!(report.ok() && report.delivered == 2, "{report}");
    drop(first);
}

#[test]
fn another_subscriber_is_left_alone() {
    if given(PART).is_none() {
        let service = Service::start([]);
        assert_passed(&in_child("capture_process::another_subscriber_is_left_alone", &service.url()));
        assert_eq!(service.spans().len(), 0);
        return;
    }
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    let staso = start();
    assert_eq!(staso.installed(), Installed::No);
    staso::agent("unseen").in_scope(|| {});
    assert_eq!(staso.shutdown_blocking(LONG).accepted, 0);
}

#[test]
fn dropping_the_guard_delivers_what_is_there() {
    if given(PART).is_none() {
        let service = Service::start([]);
        assert_passed(&in_child(
            "capture_process::dropping_the_guard_delivers_what_is_there",
            &service.url(),
        ));
        assert!(service.final_spans().contains_key("dropped"));
        return;
    }
    let staso = start();
    staso::agent("dropped").in_scope(|| {});
    drop(staso);
}

#[test]
fn an_abort_leaves_the_announced_root() {
    if given(PART).is_none() {
        let service = Service::start([]);
        let output = in_child("capture_process::an_abort_leaves_the_announced_root", &service.url());
        assert!(!output.status.success());
        let spans = service.spans();
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0]["name"], "doomed");
        assert_eq!(attributes(&spans[0])["staso.provisional_root"], true);
        return;
    }
    let staso = start();
    staso::agent("doomed").in_scope(|| {
        assert!(staso.flush_blocking(LONG).ok());
        std::process::abort();
    });
}
