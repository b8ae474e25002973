//! Recording and replaying conversations; the golden transcript.

use std::error::Error as _;
use std::path::PathBuf;

use serde_json::json;
use staso_core::agent::{AgentEnd, ModelError, ModelReply, StopReason, TokenUsage, ToolReply};
use staso_core::redaction::Redactor;
use staso_core::run::verify_transcript;
use staso_core::testing::{
    Cassette, CassetteError, CassetteMismatch, RecordingModel, ReplayingModel, ScriptedModel, tool_call,
};

use super::desk::{ClosureTool, Desk, strict_submit, submit};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(name)
}

#[expect(clippy::disallowed_methods, reason = "the switch of this test alone")]
fn updating() -> bool {
    std::env::var_os("STASO_UPDATE_GOLDEN").is_some()
}

/// An investigation with a bit of everything: text, parallel calls, a bad call, a credential, a refused submission.
fn investigation() -> ScriptedModel {
    let text = "The trace says that `state` is missing. I look at the code that reads it, and at its test.";
    let mut first =
        ModelReply::text(text).with_stop(StopReason::ToolCalls).with_usage(TokenUsage::new(900, 60));
    first.calls = vec![
        tool_call("look", &json!({ "path": "orders.py" })),
        tool_call("look", &json!({ "path": "test_orders.py" })),
    ];
    let submission = vec![tool_call("submit", &json!({ "path": "orders.py" }))];
    ScriptedModel::new()
        .then(first)
        .then_call("grep", &json!({ "pattern": "state" }))
        .then_text("It is clear now.")
        .then(
            ModelReply::calls(submission.clone())
                .with_usage(TokenUsage::new(1_200, 40).with_cached_input(800)),
        )
        .then(ModelReply::calls(submission).with_usage(TokenUsage::new(1_300, 40)))
}

fn code() -> ClosureTool {
    ClosureTool::new("look", |arguments| {
        Ok(ToolReply::Text(match arguments["path"].as_str() {
            Some("orders.py") => {
                "1\tdef status_of(order):\n2\t    return order[\"state\"].lower()\n".to_owned()
            }
            _ => format!("1\tTOKEN = \"ghp_{}\"\n\u{202e}2\tassert True", "0123456789abcdefghij".repeat(2)),
        }))
    })
}

#[tokio::test(start_paused = true)]
async fn the_golden_transcript_is_replayed_byte_for_byte() {
    let (cassette, transcript) = (file("agent.cassette.v1.jsonl"), file("agent.transcript.v2.jsonl"));
    if updating() {
        let model = RecordingModel::new(investigation(), Redactor::default());
        let desk = Desk::new();
        desk.run(&model, &[&code(), &strict_submit(1)]).await;
        std::fs::write(&cassette, model.cassette().to_jsonl()).unwrap();
        std::fs::write(&transcript, desk.sink.transcript()).unwrap();
    }
    let recorded = Cassette::from_jsonl(&std::fs::read_to_string(&cassette).unwrap()).unwrap();
    let golden = std::fs::read_to_string(&transcript).unwrap();
    let model = ReplayingModel::new(recorded, Redactor::default());
    let desk = Desk::new();
    let run = desk.run(&model, &[&code(), &strict_submit(1)]).await;
    assert!(matches!(run.end, AgentEnd::Submitted), "{:?}", run.end);
    assert_eq!(model.takes_left(), 0);
    assert!(
        desk.sink.transcript() == golden,
        "the transcript changed; when that is meant, run with STASO_UPDATE_GOLDEN=1 and read the difference"
    );
    let events = verify_transcript(&golden, &desk.ctx.events_digest()).unwrap();
    assert_eq!(events, desk.sink.events());
    assert!(!golden.contains("ghp_") && !golden.contains('\u{202e}'));
}

async fn recorded(model: ScriptedModel) -> Cassette {
    let model = RecordingModel::new(model, Redactor::default());
    Desk::new().run(&model, &[&code(), &submit()]).await;
    let cassette = model.cassette();
    assert_eq!(Cassette::from_jsonl(&cassette.to_jsonl()).unwrap(), cassette);
    cassette
}

fn two_looks() -> ScriptedModel {
    ScriptedModel::new().then_call("look", &json!({ "path": "orders.py" })).then_call("submit", &json!({}))
}

fn mismatch(end: &AgentEnd) -> CassetteMismatch {
    let AgentEnd::Model(error @ ModelError::Backend { .. }) = end else { panic!("{end:?}") };
    error.source().unwrap().downcast_ref::<CassetteMismatch>().unwrap().clone()
}

#[tokio::test]
async fn another_request_is_shown_with_its_difference() {
    let cassette = recorded(two_looks()).await;
    let other = ClosureTool::new("look", |_| Ok(ToolReply::Text("1\tsomething else".to_owned())));
    let model = ReplayingModel::new(cassette, Redactor::default());
    let run = Desk::new().run(&model, &[&other, &submit()]).await;
    let found = mismatch(&run.end);
    assert_eq!(found.request, 2);
    assert!(found.diff.contains("+          \"content\": \"[t1] 1\\tsomething else\""), "{}", found.diff);
    assert!(found.to_string().starts_with("request 2 differs from the recorded one"));
    assert_eq!(model.takes_left(), 1);
}

#[tokio::test]
async fn a_request_after_the_end_is_said_to_be_one() {
    let mut cassette = recorded(two_looks()).await;
    cassette.takes.truncate(1);
    let run =
        Desk::new().run(&ReplayingModel::new(cassette, Redactor::default()), &[&code(), &submit()]).await;
    assert_eq!(mismatch(&run.end).to_string(), "request 2 comes after the end of the cassette");
}

#[tokio::test]
async fn what_differs_between_runs_of_the_same_does_not_count() {
    let varying = |run: u32| {
        ClosureTool::new("look", move |_| {
            Ok(ToolReply::Text(format!(
                "/tmp/x{run}f/a.py 2026-01-0{run}T10:00:00Z 550e8400-e29b-41d4-a716-44665544000{run} in 0.{run}1 s, {run}7 ms"
            )))
        })
    };
    let script = || {
        ScriptedModel::new().then_with(|_| {
            let mut call = tool_call("look", &json!({}));
            call.id = "toolu_random_1".to_owned();
            Ok(ModelReply::calls(vec![call]))
        })
    };
    let model = RecordingModel::new(script().then_call("submit", &json!({})), Redactor::default());
    Desk::new().run(&model, &[&varying(1), &submit()]).await;
    let mut cassette = model.cassette();
    for take in &mut cassette.takes {
        for call in &mut take.reply.calls {
            call.id = "another".to_owned();
        }
    }
    let replaying = ReplayingModel::new(cassette, Redactor::default());
    let run = Desk::new().run(&replaying, &[&varying(2), &submit()]).await;
    assert!(matches!(run.end, AgentEnd::Submitted), "{:?}", run.end);
}

#[tokio::test]
async fn a_cassette_holds_no_credential() {
    let secret = format!("ghp_{}", "0123456789abcdefghij".repeat(2));
    let model = ScriptedModel::new()
        .then_text(format!("the key is {secret}"))
        .then_call("look", &json!({ "path": secret }))
        .then_call("submit", &json!({}));
    let cassette = recorded(model).await;
    assert!(!cassette.to_jsonl().contains("ghp_"), "{}", cassette.to_jsonl());
}

#[tokio::test]
async fn broken_cassettes_are_refused() {
    let text = recorded(two_looks()).await.to_jsonl();
    assert!(matches!(Cassette::from_jsonl(""), Err(CassetteError::Empty)));
    let newer = text.replacen("\"cassette_version\":1", "\"cassette_version\":9", 1);
    assert!(matches!(Cassette::from_jsonl(&newer), Err(CassetteError::Version { found: 9 })));
    let forged = text.replacen("Find out why", "Find out how", 1);
    assert!(matches!(Cassette::from_jsonl(&forged), Err(CassetteError::Fingerprint { line: 2 })));
    let cut = text.get(..text.len() - 20).unwrap();
    assert!(matches!(Cassette::from_jsonl(cut), Err(CassetteError::Malformed { line: 3, .. })));
}
