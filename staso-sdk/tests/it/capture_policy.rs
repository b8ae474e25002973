//! Content that is switched off leaves the process nowhere.

use std::borrow::Cow;
use std::io;

use serde_json::json;
use staso::CapturePolicy;
use staso::capture::{CaptureCategory, Redactor};
use staso::export::FailureKind;

use crate::capture_fixture::{LONG, Service, attributes, client, recording, variables};

/// One canary for each category, in all the places that a category can stand.
fn leaky_run() {
    staso::agent("support").input("REQUEST-CANARY").attribute("note", "REQUEST-CANARY").in_scope(|| {
        let mut call = staso::llm("openai", "gpt-4o").start();
        call.system("SYSTEM-CANARY");
        call.tools(&json!([{"name": "SCHEMA-CANARY"}]));
        call.input(&json!([
            {"role": "system", "content": "SYSTEM-CANARY"},
            {"role": "user", "content": "REQUEST-CANARY"},
        ]));
        call.output(&json!({"content": "OUTPUT-CANARY", "tool_calls": [{"arguments": "ARGUMENTS-CANARY"}]}));
        drop(call);
        let sent = staso::tool("send").args(&json!({"to": "ARGUMENTS-CANARY"}));
        assert!(sent.in_scope(|| io::Result::Ok("OUTPUT-CANARY")).is_ok());
        let failed: io::Result<()> = staso::tool("fail").in_scope(|| Err(io::Error::other("ERROR-CANARY")));
        assert!(failed.is_err());
        let foreign = tracing::info_span!(
            "foreign",
            gen_ai.operation.name = "chat",
            "gen_ai.prompt.0.content" = "REQUEST-CANARY",
            llm.output_messages = "OUTPUT-CANARY",
            gen_ai.tool.definitions = "SCHEMA-CANARY",
        );
        foreign.in_scope(|| {});
    });
}

fn bodies(policy: CapturePolicy) -> (String, Service) {
    let service = Service::start([]);
    let staso = client(&service).capture(policy).start().unwrap();
    recording(&staso, leaky_run);
    assert!(staso.shutdown_blocking(LONG).ok());
    let text = service.received().iter().map(|request| request.body.to_string()).collect();
    (text, service)
}

#[test]
fn everything_is_captured_by_default() {
    let (text, _) = bodies(CapturePolicy::default());
    for canary in ["REQUEST", "SYSTEM", "SCHEMA", "ARGUMENTS", "OUTPUT", "ERROR"] {
        assert!(text.contains(&format!("{canary}-CANARY")), "{canary}");
    }
}

#[test]
fn a_category_that_is_off_is_in_no_request() {
    let categories = [
        (CaptureCategory::Request, "REQUEST-CANARY", "request"),
        (CaptureCategory::SystemPrompt, "SYSTEM-CANARY", "system_prompt"),
        (CaptureCategory::ToolSchema, "SCHEMA-CANARY", "tool_schema"),
        (CaptureCategory::ToolArguments, "ARGUMENTS-CANARY", "tool_arguments"),
        (CaptureCategory::Output, "OUTPUT-CANARY", "output"),
    ];
    for (off, canary, name) in categories {
        let (text, service) = bodies(CapturePolicy::everything().without(off));
        assert!(!text.contains(canary), "{name}: {text}");
        assert!(!text.contains("ERROR-CANARY"), "{name}: the prose of errors goes with any category");
        assert!(service.spans().iter().all(|span| span["capture"][name] == "suppressed"), "{name}");
        assert_eq!(service.final_spans()["fail"]["status"], "error");
    }
}

#[test]
fn without_any_content_the_skeleton_remains() {
    let (text, service) = bodies(CapturePolicy::nothing());
    assert!(!text.contains("CANARY"), "{text}");
    let spans = service.final_spans();
    assert_eq!(spans.len(), 5);
    assert_eq!(attributes(&spans["fail"])["exception.type"], "std::io::error::Error");
    assert!(attributes(&spans["fail"])["code.filepath"].is_string());
    assert_eq!(spans["support"]["agent_name"], "support");
}

#[test]
fn a_system_prompt_is_taken_out_of_the_messages_and_the_rest_stays() {
    let (text, service) = bodies(CapturePolicy::everything().without(CaptureCategory::SystemPrompt));
    assert!(!text.contains("SYSTEM-CANARY"));
    assert!(service.final_spans()["chat gpt-4o"]["input"].as_str().unwrap().contains("REQUEST-CANARY"));
}

#[test]
fn the_environment_can_switch_categories_off() {
    let service = Service::start([]);
    let staso = client(&service).variables(variables(&[("STASO_CAPTURE_OUTPUT", "0")])).start().unwrap();
    recording(&staso, leaky_run);
    assert!(staso.shutdown_blocking(LONG).ok());
    let text: String = service.received().iter().map(|request| request.body.to_string()).collect();
    assert!(!text.contains("OUTPUT-CANARY") && text.contains("REQUEST-CANARY"));
}

#[derive(Debug)]
struct Masking;

impl Redactor for Masking {
    fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        assert!(!text.contains("POISON"), "a redactor that fails");
        text.replace("CANARY", "***").into()
    }
}

#[test]
fn a_redactor_sees_every_text() {
    let service = Service::start([]);
    let staso = client(&service).redactor(Masking).start().unwrap();
    recording(&staso, leaky_run);
    assert!(staso.shutdown_blocking(LONG).ok());
    let text: String = service.received().iter().map(|request| request.body.to_string()).collect();
    assert!(!text.contains("CANARY"), "{text}");
    assert!(text.contains("REQUEST-***"));
}

#[test]
fn a_redactor_that_fails_lets_nothing_through() {
    let service = Service::start([]);
    let staso = client(&service).redactor(Masking).start().unwrap();
    recording(&staso, || {
        assert!(staso::tool("bad").in_scope(|| io::Result::Ok("POISON")).is_ok());
        assert!(staso::tool("good").in_scope(|| io::Result::Ok("fine")).is_ok());
    });
    let report = staso.shutdown_blocking(LONG);
    assert_eq!((report.failed, report.last_failure), (1, Some(FailureKind::Redaction)));
    assert_eq!(report.accepted, report.delivered + report.failed);
    assert_eq!(service.final_spans().keys().collect::<Vec<_>>(), ["good"]);
}
